"""Groups of customers, on PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from orchestrator.stores import group_rows
from orchestrator.stores.database_groups import DatabaseGroups
from orchestrator.stores.postgres.base import PostgresBase, run_on
from orchestrator.stores.postgres.inbox import internal_ids, put_items
from orchestrator.stores.protocol_groups import Group

_SKIP: Final = " FOR UPDATE SKIP LOCKED"


class PostgresGroups(PostgresBase, DatabaseGroups):
    """The part of the store that keeps groups."""

    def groups_of(self, customer: str) -> Sequence[Group]:
        """The groups of a customer."""
        with self.db.read() as c:
            place = internal_ids(c, [customer]).get(customer)
            return group_rows.groups_of(run_on(c), self.db.sealer, place) if place is not None else []

    def change_group(self, id: str, traits: Mapping[str, Any], now: datetime) -> Group:
        """Tell more of a group."""
        with self.db.write(apart=True) as c:
            return group_rows.change_group(run_on(c), self.db.sealer, id, traits, now, group_rows.FOR_UPDATE)

    def spread_groups(self, now: datetime, budget: int) -> int:
        """One step of telling members."""
        due_at = self.next_group_at()
        if due_at is None or due_at > now:
            return 0
        with self.db.write(apart=True) as c:
            return group_rows.spread(run_on(c), self.db.sealer, lambda rows: put_items(c, rows), budget, _SKIP)

    def forget_groups(self, before: datetime, limit: int) -> int:
        """Drop groups that nobody is in."""
        with self.db.write(apart=True) as c:
            return group_rows.forget(run_on(c), before, limit)
