"""Groups of customers, on SQLite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from orchestrator.stores import group_rows
from orchestrator.stores.protocol_groups import Group, GroupMember
from orchestrator.stores.sqlite.base import SqliteBase, run_on
from orchestrator.stores.sqlite.inbox import internal_ids, put_items


class SqliteGroups(SqliteBase):
    """The part of the store that keeps groups."""

    def groups(self, prefix: str, after: str, limit: int) -> Sequence[Group]:
        """Groups in the order of their ids."""
        with self.db.read() as c:
            return group_rows.groups(run_on(c), self.db.sealer, prefix, after, limit)

    def group(self, id: str) -> Group | None:
        """A group."""
        with self.db.read() as c:
            return group_rows.group(run_on(c), self.db.sealer, id)

    def group_size(self, id: str) -> int:
        """How many are in it."""
        with self.db.read() as c:
            return group_rows.size(run_on(c), id)

    def group_members(self, id: str, after: tuple[int, int] | str | None, limit: int) -> Sequence[GroupMember]:
        """Members in the order of their keys."""
        with self.db.read() as c:
            return group_rows.members(run_on(c), id, after, limit)

    def groups_of(self, customer: str) -> Sequence[Group]:
        """The groups of a customer."""
        with self.db.read() as c:
            place = internal_ids(c, [customer]).get(customer)
            return group_rows.groups_of(run_on(c), self.db.sealer, place) if place is not None else []

    def change_group(self, id: str, traits: Mapping[str, Any], now: datetime) -> Group:
        """Tell more of a group."""
        with self.db.write() as c:
            return group_rows.change_group(run_on(c), self.db.sealer, id, traits, now)

    def spread_groups(self, now: datetime, budget: int) -> int:
        """One step of telling members."""
        due_at = self.next_group_at()
        if due_at is None or due_at > now:
            return 0
        with self.db.write() as c:
            return group_rows.spread(run_on(c), self.db.sealer, lambda rows: put_items(c, rows), budget)

    def forget_groups(self, before: datetime, limit: int) -> int:
        """Drop groups that nobody is in."""
        with self.db.write() as c:
            return group_rows.forget(run_on(c), before, limit)

    def next_group_at(self) -> datetime | None:
        """When members are to be told next."""
        with self.db.read() as c:
            return group_rows.next_at(run_on(c))
