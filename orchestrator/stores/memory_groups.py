"""Groups of customers in memory: the reference of orchestrator.stores.protocol_groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from orchestrator.core.groups import document, merged_traits
from orchestrator.core.inbox import Grouped
from orchestrator.stores.memory_record import CustomerRecord
from orchestrator.stores.protocol_groups import Group, GroupMember


class MemoryGroups:
    """A part of the memory store, which has its records."""

    _records: dict[str, CustomerRecord]
    _put: Any
    _whose: Any

    def __init__(self) -> None:
        super().__init__()
        self._groups: dict[str, Group] = {}
        self._told_up_to: dict[str, tuple[int, str]] = {}
        """Of groups that changed: the version that members hear of, and the last one who has."""
        self._joined: dict[tuple[str, str], datetime] = {}
        """When it was said last that a customer is in a group, by (group, customer); the latest last."""

    def groups(self, prefix: str, after: str, limit: int) -> Sequence[Group]:
        """Groups in the order of their ids."""
        ids = sorted(id for id in self._groups if id.startswith(prefix) and id > after)[:limit]
        return [self._shown(id) for id in ids]

    def group(self, id: str) -> Group | None:
        """A group."""
        return self._shown(id) if id in self._groups else None

    def group_size(self, id: str) -> int:
        """How many are in it."""
        return len(self._customers_in(id))

    def group_members(self, id: str, after: tuple[int, int] | str | None, limit: int) -> Sequence[GroupMember]:
        """Members in the order of their ids."""
        behind = after if isinstance(after, str) else ""
        found = [customer for customer in self._customers_in(id) if customer > behind][:limit]
        return [GroupMember(customer, self._joined[id, customer], customer) for customer in found]

    def groups_of(self, customer: str) -> Sequence[Group]:
        """The groups of a customer."""
        id = self._whose(customer) or customer
        theirs = [(at, group) for (group, who), at in self._joined.items() if who == id and id in self._records]
        return [self._shown(group) for _, group in sorted(theirs, reverse=True)]

    def change_group(self, id: str, traits: Mapping[str, Any], now: datetime) -> Group:
        """Tell more of a group."""
        known = self._groups.get(id)
        after = merged_traits(known.traits if known is not None else {}, traits)
        if known is None:
            self._groups[id] = Group(id, after, 1, now)
        elif after != known.traits:
            self._groups[id] = Group(id, after, known.version + 1, now)
            self._told_up_to.setdefault(id, (known.version + 1, ""))
        return self._shown(id)

    def spread_groups(self, now: datetime, budget: int) -> int:
        """One step of telling members."""
        done = 0
        if not self._told_up_to or sum(len(record.inbox) for record in self._records.values()) >= budget:
            return 0
        while self._told_up_to and done < budget:
            id = min(self._told_up_to, key=lambda one: (self._groups[one].changed_at, one))
            telling, after = self._told_up_to[id]
            group, room = self._groups[id], budget - done
            told = [customer for customer in self._customers_in(id) if customer > after][:room]
            for customer in told:
                self._put(self._records[customer], group.changed_at, Grouped(id, group.traits, "changed"))
            if len(told) == room:
                self._told_up_to[id] = (telling, told[-1])
            elif group.version > telling:
                self._told_up_to[id] = (group.version, "")
            else:
                del self._told_up_to[id]
            done += len(told) + 1
        return done

    def forget_groups(self, before: datetime, limit: int) -> int:
        """Drop groups that nobody is in."""
        full = {group for group, customer in self._joined if customer in self._records} | self._told_up_to.keys()
        empty = [id for id, group in self._groups.items() if group.changed_at < before and id not in full][:limit]
        for id in empty:
            del self._groups[id]
        return len(empty)

    def next_group_at(self) -> datetime | None:
        """When members are to be told next."""
        return min((self._groups[id].changed_at for id in self._told_up_to), default=None)

    # --- what other parts of the store ask ---------------------------------------------------------------------------

    def _take_group(self, customer: str, said: Grouped, at: datetime) -> Grouped:
        """Write what an arrival says of a group. Returns what its customer hears."""
        self._joined.pop((said.group, customer), None)
        if said.what == "joined":
            group = self.change_group(said.group, said.traits, at)
            self._joined[said.group, customer] = at
            return Grouped(group.id, group.traits)
        left = self.groups_of(customer)
        return Grouped(said.group, document(left[0].id, left[0].traits) if left else {}, "left")

    def _move_groups(self, source: str, into: str) -> None:
        """A customer's memberships become another's, unless that has them."""
        for group, who in [place for place in self._joined if place[1] == source]:
            at = self._joined.pop((group, who))
            self._joined.setdefault((group, into), at)

    def _forget_groups(self, customer: str) -> None:
        """A customer is in no group any more."""
        self._joined = {place: at for place, at in self._joined.items() if place[1] != customer}

    def _customers_in(self, id: str) -> list[str]:
        return sorted(customer for group, customer in self._joined if group == id and customer in self._records)

    def _shown(self, id: str) -> Group:
        return self._groups[id]._replace(telling=id in self._told_up_to)
