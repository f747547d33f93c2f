"""Segments by their members: what a deploy left to work out, how large a condition's segment would be, and whether
rows, records and conditions agree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import blake2b
from math import sqrt
from time import monotonic
from typing import Final, NamedTuple

from orchestrator.core.expression.expr import Expr
from orchestrator.core.index import Index
from orchestrator.errors import UsageError
from orchestrator.stores.protocol import Store
from orchestrator.stores.protocol_segments import Part, ShardCount
from orchestrator.stores.shards import SHARDS

SHARDS_AT_ONCE: Final = 16
BUILD_FOR: Final = 0.5
"""Seconds that one pass of housekeeping gives to builds."""
SURE: Final = 1.96
"""Standard errors on either side, within which the true number lies 19 times out of 20."""


class Preview(NamedTuple):
    """How many customers a condition's segment would have. `exact`: everybody was looked at; else `members` is an
    estimate, and the true number lies between `least` and `most` 19 times out of 20. `customers` is what was looked
    at; `evaluated`: of these, whom the database left to the evaluator; `failed`: whose condition is an error."""

    members: int
    least: int
    most: int
    exact: bool
    customers: int
    shards: int
    evaluated: int
    failed: int
    sample: tuple[str, ...]
    parts: tuple[Part, ...]


def build_segments_once(store: Store, now: datetime, seconds: float = BUILD_FOR) -> int:
    """Work out rows of segments that a deploy left to do, shard after shard, for so long. Returns how many shards."""
    until = monotonic() + seconds
    done = 0
    while looked_at := store.build_segments(now, SHARDS_AT_ONCE):
        done += looked_at
        if monotonic() >= until:
            break
    return done


def preview(
    store: Store, expr: Expr, index: Index, now: datetime, seconds: float = 1.0, sample: int = 10, name: str = ""
) -> Preview:
    """The size of a condition's segment, from as many shards as are counted in so many seconds, in an order that is
    random and always the same for one `name`. Shards are drawn by a hash, so that a share of them is a share of the
    customers."""
    if not 0 <= seconds <= 86_400:  # nor nan
        raise UsageError("counting takes from 0 seconds to a day", "bad_seconds")
    until = monotonic() + seconds
    order = sorted(range(SHARDS), key=lambda shard: blake2b(f"{name}:{shard}".encode(), digest_size=8).digest())
    counts: list[ShardCount] = []
    each = 2
    while len(counts) < SHARDS:
        began = monotonic()
        shown = sum(len(count.sample) for count in counts)
        some = order[len(counts) : len(counts) + each]
        counts += store.count_matching(expr, index, now, some, max(0, sample - shown))
        left, took = until - monotonic(), monotonic() - began
        if left <= 0:
            break
        # So many next that they end in time, at the speed of these.
        each = max(1, min(each * 4, int(len(some) * left * 0.8 / max(took, 1e-4))))
    parts = tuple(store.undecided_parts(expr, index, now))
    return _estimated(counts, sample, parts)


def _estimated(counts: Sequence[ShardCount], sample: int, parts: tuple[Part, ...]) -> Preview:
    members = sum(count.members for count in counts)
    customers = sum(count.customers for count in counts)
    evaluated = sum(count.evaluated for count in counts)
    failed = sum(count.failed for count in counts)
    shown = tuple(id for count in counts for id in count.sample)[:sample]
    n = len(counts)
    exact = n >= SHARDS
    least = most = estimate = members
    if not exact:
        mean = members / n
        variance = sum((count.members - mean) ** 2 for count in counts) / max(1, n - 1)
        # Bounds of a count that is drawn by chance (Wilson's, for rare things): where few or none were seen, there may
        # be some all the same.
        spread = max(variance / mean if mean else 1.0, 1.0) * (1 - n / SHARDS) * SURE**2
        middle, error = members + spread / 2, sqrt(spread * members + spread**2 / 4)
        estimate = round(SHARDS * mean)
        least = max(members, round(SHARDS / n * (middle - error)))
        most = round(SHARDS / n * (middle + error))
    return Preview(estimate, least, most, exact, customers, n, evaluated, failed, shown, parts)


def build_all(store: Store, now: Callable[[], datetime], told: Callable[[], None], width: int = 2) -> int:
    """Work out all that can be worked out now, telling of each step. Returns how many shards were looked at."""
    done = 0
    while looked_at := store.build_segments(now(), SHARDS_AT_ONCE * width, width):
        done += looked_at
        told()
    return done
