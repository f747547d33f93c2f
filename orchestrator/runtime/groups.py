"""Groups of customers: their changes are told to the members, and those that nobody is in any more go."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from orchestrator.core.groups import ID
from orchestrator.core.inbox import Grouped
from orchestrator.runtime.ingest import IngestCounts, Told, ingest_once, unstorable
from orchestrator.stores.protocol import Store
from orchestrator.stores.protocol_groups import Group

BUDGET: Final = 1_000
"""Items that one pass puts into inboxes: as many as one turn takes."""
FORGOTTEN: Final = "groups:forgotten"
"""The mark of the last time that groups without members went."""
FORGOTTEN_EVERY: Final = timedelta(days=1)


class GroupRefused(ValueError):
    """Something that cannot be kept of a group."""


def spread_groups_once(store: Store, now: datetime, budget: int = BUDGET) -> int:
    """Tell members what changed of their groups. Returns how much was done: 0, nothing is left to do now."""
    return store.spread_groups(now, budget)


def forget_groups_once(store: Store, now: datetime, limit: int) -> int:
    """Once a day, drop groups that nobody is in and that nobody told of for `settings.history`."""
    last = store.mark(FORGOTTEN)
    if last is not None and now - last < FORGOTTEN_EVERY:
        return 0
    count = store.forget_groups(now - store.index.project.settings.history, limit)
    if count < limit:
        store.mark(FORGOTTEN, now)
    return count


def change_group(store: Store, id: str, traits: Mapping[str, Any], now: datetime) -> Group:
    """Tell more of a group; null takes a trait away. Raises GroupRefused."""
    if ID in traits:
        raise GroupRefused("'id' is no trait: a group keeps its id")
    if (why := unstorable((id,), traits)) is not None:
        raise GroupRefused(why)
    return store.change_group(id, traits, now)


def move_member(store: Store, id: str, customer: str, now: datetime, leaves: bool, message_id: str) -> IngestCounts:
    """Make a customer a member of a group, or take one out of it."""
    return ingest_once(store, [Told(customer, Grouped(id, {}, "left" if leaves else "joined"), message_id)], now)
