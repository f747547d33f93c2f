"""The breaker of a journey whose messages cannot be rendered: past a bound it is paused, so that nothing more is lost.

Paused, not stopped: entries are refused, waiting customers and queued messages stay where they are, and `resume` goes
on
once the template is mended and deployed (a new version counts from nothing).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from orchestrator.core.ledger import Message
from orchestrator.stores.protocol import Store

MOST_RENDER_ERRORS = 50
"""Messages of one version of a journey that may fail to render before it is paused."""

TRIPPED: Final = "tripped:"
"""Before the names of marks: this journey was paused by its breaker, and not by a person."""


def count_render_error(store: Store, row: Message) -> bool:
    """Count one more; True when this one trips the breaker."""
    errors = store.tally(f"render_error:{row.journey}:{row.version}")
    switches = store.switches()
    if errors < MOST_RENDER_ERRORS or row.journey in switches.paused:
        return False
    store.mark(f"{TRIPPED}{row.journey}", row.decided_at)
    store.change_switches(lambda known: replace(known, paused=known.paused | {row.journey}))
    return True
