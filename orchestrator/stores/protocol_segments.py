"""The part of the Store protocol about who is in a segment, found by the segment.

The truth of a membership is the customer's own record, which turns alone change. The store keeps the same by segment:
each turn changes both in its transaction. After a deploy with a new or changed condition, `build_segments` works out
its rows for everybody, by shards, long before everybody's turn has come.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Literal, NamedTuple, Protocol

from orchestrator.core.expression.expr import Expr
from orchestrator.core.index import Index

BuildPhase = Literal["counting", "settling", "done", "gone"]


class SegmentBuild(NamedTuple):
    """How far the rows of a segment are. `shards`: looked at in this phase, of 1,024. Once `counting` is over they can
    be used; `settling` ends when everybody has heard of the deploy."""

    segment: str
    phase: BuildPhase
    shards: int
    begun_at: datetime
    done_at: datetime | None = None

    @property
    def usable(self) -> bool:
        """Whether its rows tell of everybody."""
        return self.phase in ("settling", "done")


class Member(NamedTuple):
    """Somebody in a segment, since the turn (or the build) that found so."""

    customer: str
    since: datetime


class ShardCount(NamedTuple):
    """What one shard holds: customers, and those for whom a condition holds; `failed`: it could not be evaluated;
    `evaluated`: those whom SQL left to the evaluator; `sample`: ids of some for whom it holds."""

    shard: int
    customers: int
    members: int
    failed: int
    evaluated: int
    sample: tuple[str, ...]


class Part(NamedTuple):
    """A part of a condition that SQL does not decide, and why."""

    text: str
    why: str


class SegmentDifference(NamedTuple):
    """A customer about whom two of three do not agree: the conditions as they are evaluated now, the customer's own
    record, and the rows of the segment; and `sql`, the conditions in SQL (None: left to the evaluator).

    `pending`: something waits for the customer's turn, or is due there: what is evaluated now may be ahead of it.
    """

    customer: str
    segment: str
    evaluated: bool
    stored: bool
    listed: bool
    sql: bool | None
    pending: bool


class SegmentStore(Protocol):
    """Segments by their members."""

    def segment_builds(self) -> Sequence[SegmentBuild]:
        """How far the rows of every segment are, by name."""

    def build_segments(self, now: datetime, shards: int = 32, width: int = 1) -> int:
        """Look at the next so many shards for what a deploy left to do, `width` at once. Returns how many shards were
        looked at; 0: there is nothing to do now. Never called in a turn."""

    def rebuild_segments(self, names: Collection[str], now: datetime) -> None:
        """Work these out anew, from the first shard on."""

    def segment_sizes(self) -> Mapping[str, int]:
        """How many are in each segment of the live project."""

    def segment_members(self, segment: str, after: str | None, limit: int) -> tuple[Sequence[Member], str | None]:
        """Members, `limit` at once, in an order of the store's own, behind the place `after`; and the next place (None:
        these were the last). Raises UsageError for a place that is none."""

    def count_matching(
        self, expr: Expr, index: Index, now: datetime, shards: Sequence[int], sample: int
    ) -> Sequence[ShardCount]:
        """For how many customers of these shards a condition holds at an instant. `index`: the definitions whose
        attributes and segments it means, deployed or not."""

    def undecided_parts(self, expr: Expr, index: Index, now: datetime) -> Sequence[Part]:
        """The parts of a condition that the database leaves to the evaluator; empty: none."""

    def segment_differences(self, now: datetime, shards: Sequence[int]) -> tuple[int, Sequence[SegmentDifference]]:
        """Compare the conditions, the customers' records, and the rows by segment, for everybody in some shards.
        Returns how many customers these are, and where something does not agree."""
