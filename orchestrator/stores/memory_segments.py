"""Segments by their members in memory: the customers' own records are looked through, nothing is kept beside them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from orchestrator.core.expression.expr import Expr
from orchestrator.core.index import Index
from orchestrator.core.membership import matches, memberships
from orchestrator.core.view import View
from orchestrator.errors import UsageError
from orchestrator.stores.protocol_segments import Member, Part, SegmentBuild, SegmentDifference, ShardCount

if TYPE_CHECKING:
    from orchestrator.stores.memory_record import CustomerRecord


class MemorySegments:
    """See SegmentStore. Everybody is in shard 0."""

    _records: dict[str, CustomerRecord]
    _suppressions: Any
    _versions: dict[Any, Any]
    salt: str
    if TYPE_CHECKING:

        @property
        def index(self) -> Index:
            """The definitions last deployed."""

    def segment_builds(self) -> Sequence[SegmentBuild]:
        """There is nothing to build."""
        return ()

    def build_segments(self, now: datetime, shards: int = 32, width: int = 1) -> int:
        """There is nothing to build."""
        return 0

    def rebuild_segments(self, names: Collection[str], now: datetime) -> None:
        """There is nothing to build."""

    def segment_sizes(self) -> Mapping[str, int]:
        """Everybody is looked at."""
        names = [segment.name for segment in self.index.project.segments]
        held = [record.customer.segments for record in self._records.values()]
        return {name: sum(name in segments for segments in held) for name in names}

    def segment_members(self, segment: str, after: str | None, limit: int) -> tuple[Sequence[Member], str | None]:
        """In the order of their ids. Since when, nobody wrote down: since they were created, at the earliest."""
        if after is not None and after not in self._records:
            raise UsageError(f"'{after[:40]}' is no place in a list of members; begin without one", "bad_cursor")
        found = sorted(
            id for id, record in self._records.items() if segment in record.customer.segments and id > (after or "")
        )
        shown = found[:limit]
        members = [Member(id, self._records[id].customer.created_at) for id in shown]
        return members, shown[-1] if len(found) > limit and shown else None

    def count_matching(
        self, expr: Expr, index: Index, now: datetime, shards: Sequence[int], sample: int
    ) -> Sequence[ShardCount]:
        """Everybody is evaluated."""
        if 0 not in shards:
            return [ShardCount(shard, 0, 0, 0, 0, ()) for shard in shards]
        found = matches(self._view_of(index), expr, now)
        members = [id for id, holds in found.items() if holds]
        failed = sum(holds is None for holds in found.values())
        all_of_them = ShardCount(0, len(found), len(members), failed, len(found), tuple(members[:sample]))
        return [all_of_them if shard == 0 else ShardCount(shard, 0, 0, 0, 0, ()) for shard in shards]

    def undecided_parts(self, expr: Expr, index: Index, now: datetime) -> Sequence[Part]:
        """There is no SQL here."""
        return ()

    def segment_differences(self, now: datetime, shards: Sequence[int]) -> tuple[int, Sequence[SegmentDifference]]:
        """The conditions against the customers' records."""
        if 0 not in shards:
            return 0, ()
        evaluated = memberships(self._view_of(self.index), now)
        found = []
        for id, now_in in evaluated.items():
            record = self._records[id]
            for segment in self.index.project.segments:
                one, two = segment.name in now_in, segment.name in record.customer.segments
                if one != two:
                    pending = bool(record.inbox) or (record.next_due_at is not None and record.next_due_at <= now)
                    found.append(SegmentDifference(id, segment.name, one, two, two, None, pending))
        return len(evaluated), found

    def _view_of(self, index: Index) -> View:
        records = [self._records[id].view() for id in sorted(self._records)]
        return View(0, self.salt, index, self._versions, records, suppressions=self._suppressions)
