"""`housekeep_once`: what keeps an installation small and restartable, in steps that never hold anybody up."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from orchestrator.runtime.clock import JourneyClock, keep
from orchestrator.runtime.groups import forget_groups_once
from orchestrator.stores.protocol import Store

RETAIN_AT_ONCE: Final = 500
"""Rows of each kind that one pass deletes: a few milliseconds of writing."""


def housekeep_once(store: Store, clock: JourneyClock, real_at: datetime, limit: int = RETAIN_AT_ONCE) -> int:
    """Write down where the clock stands, and delete what nothing can ask for any more. Returns how many rows went.

    Where the journeys have a time of their own (a replay, a demonstration), years pass in minutes, and everything is
    kept to be looked at.
    """
    keep(store, clock, real_at)
    if clock.virtual:
        return 0
    now = clock.now(real_at)
    return store.retain(now, limit) + forget_groups_once(store, now, limit)
