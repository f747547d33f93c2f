"""Writing down what became of messages, also where the database is busy: what happened must not happen again for want
of a record."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from orchestrator.runtime.gates import Gates
from orchestrator.stores.protocol import Settlement, Store, StoreBusy

PAUSES: Final = (0.02, 0.1, 0.4, 1.0)
"""Real seconds between tries."""


def settle(store: Store, settlements: Sequence[Settlement], now: datetime, gates: Gates | None = None) -> None:
    """Write settlements at the journey time `now`; where the database is busy, try again a few times.

    Raises StoreBusy. Then they are owed to the database, as long as this process lives; after it, the lease of their
    claims runs out, and nobody knows what became of them.
    """
    if not settlements:
        return
    for pause in PAUSES if gates is not None else ():
        try:
            store.settle_messages(settlements, now)
            return
        except StoreBusy:
            assert gates is not None
            gates.sleep(pause)
    try:
        store.settle_messages(settlements, now)
    except StoreBusy:
        if gates is not None:
            gates.owe(settlements, now)
        raise


def settle_owed(store: Store, gates: Gates) -> None:
    """Before anything else is claimed: what cannot be recorded is not sent. Raises StoreBusy, and they stay owed."""
    owed = gates.take_owed()
    while owed:
        settlements, at = owed[0]
        try:
            store.settle_messages(settlements, at)
        except StoreBusy:
            for entry in owed:
                gates.owe(*entry)
            raise
        del owed[0]
