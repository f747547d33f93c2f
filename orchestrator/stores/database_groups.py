"""Groups of customers as they are read, in both databases."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from orchestrator.stores import group_rows
from orchestrator.stores.database_base import DatabaseBase
from orchestrator.stores.protocol_groups import Group, GroupMember


class DatabaseGroups(DatabaseBase):
    """The part of the store that looks at groups."""

    def groups(self, prefix: str, after: str, limit: int) -> Sequence[Group]:
        """Groups in the order of their ids."""
        with self.db.read() as c:
            return group_rows.groups(self.run_on(c), self.db.sealer, prefix, after, limit)

    def group(self, id: str) -> Group | None:
        """A group."""
        with self.db.read() as c:
            return group_rows.group(self.run_on(c), self.db.sealer, id)

    def group_size(self, id: str) -> int:
        """How many are in it."""
        with self.db.read() as c:
            return group_rows.size(self.run_on(c), id)

    def group_members(self, id: str, after: tuple[int, int] | str | None, limit: int) -> Sequence[GroupMember]:
        """Members in the order of their keys."""
        with self.db.read() as c:
            return group_rows.members(self.run_on(c), id, after, limit)

    def next_group_at(self) -> datetime | None:
        """When members are to be told next."""
        with self.db.read() as c:
            return group_rows.next_at(self.run_on(c))
