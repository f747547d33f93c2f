"""What every store does for groups of customers: companies, accounts, households."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol


class Group(NamedTuple):
    """A group as it stands. `version` counts the changes of its traits; `telling`: some members have yet to hear."""

    id: str
    traits: Mapping[str, Any]
    version: int
    changed_at: datetime
    telling: bool = False


class GroupMember(NamedTuple):
    """A customer in a group. `joined_at`: when that was said last; `place`: where a listing goes on."""

    customer: str
    joined_at: datetime
    place: tuple[int, int] | str


class GroupsStore(Protocol):
    """The part of the Store about groups. Customers join and leave by `ingest` (inbox.Grouped), which writes what is
    said of the group and who is in it in its own transaction."""

    def groups(self, prefix: str, after: str, limit: int) -> Sequence[Group]:
        """The first `limit` groups whose ids begin so and come after `after`, by code point."""

    def group(self, id: str) -> Group | None:
        """A group; None: nobody told of it."""

    def group_size(self, id: str) -> int:
        """How many are in it."""

    def group_members(self, id: str, after: tuple[int, int] | str | None, limit: int) -> Sequence[GroupMember]:
        """The first `limit` members behind a place (None: all are), in an order of the store's own."""

    def groups_of(self, customer: str) -> Sequence[Group]:
        """The groups of a customer, the one that was told of last first."""

    def change_group(self, id: str, traits: Mapping[str, Any], now: datetime) -> Group:
        """Tell more of a group, which is made where there is none; null takes a trait away. Its members hear of it by
        `spread_groups`."""

    def spread_groups(self, now: datetime, budget: int) -> int:
        """Put at most `budget` items of groups that changed into the inboxes of their members, while less than that
        waits there. Each member hears of each group's latest state once. Returns how much was done: 0, nothing."""

    def forget_groups(self, before: datetime, limit: int) -> int:
        """Drop at most `limit` groups that nobody is in and whose traits are older. Returns how many."""

    def next_group_at(self) -> datetime | None:
        """When there is next something to do for `spread_groups`; None: there is nothing."""
