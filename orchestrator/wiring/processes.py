"""Which processes are there: each writes down now and then that it lives, and `doctor` counts them.

A kind of process has a fixed number of places, so that names of processes that are long gone do not pile up.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from orchestrator.core.identity import stable_hash
from orchestrator.stores.protocol import Store

_MARK: Final = "process:"
KINDS: Final = ("worker", "beat", "api")
PLACES: Final = 64
"""For each kind. Two processes that share one count as one, which nobody is harmed by."""
HEARTBEAT_EVERY: Final = 10.0
"""Real seconds."""
GONE_AFTER: Final = timedelta(minutes=1)
"""Real time after its last sign of life."""


def seen(store: Store, kind: str, identity: str, real_at: datetime) -> None:
    """A process lives. Raises StoreBusy."""
    store.mark(_mark(kind, stable_hash(identity) % PLACES), real_at)


def living(store: Store, real_at: datetime) -> Mapping[str, int]:
    """How many processes of each kind gave a sign of life in the last minute."""
    found = dict.fromkeys(KINDS, 0)
    for name, at in store.marks(_MARK).items():
        kind = name.removeprefix(_MARK).partition(":")[0]
        if kind in found and real_at - at <= GONE_AFTER:
            found[kind] += 1
    return found


def _mark(kind: str, place: int) -> str:
    return f"{_MARK}{kind}:{place}"
