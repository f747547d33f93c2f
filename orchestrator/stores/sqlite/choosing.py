"""Whose turn it is: the customers that are due, those due longest first, found by indexes that hold nobody else."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from math import ceil
from operator import itemgetter
from typing import Any, Final, NamedTuple

from orchestrator.stores.shards import SHARDS

WAITING: Final = """
SELECT received_at, external_id, shard, customer FROM inbox INDEXED BY ix_inbox_waiting
WHERE parked = 0 ORDER BY received_at, external_id
"""
DUE: Final = """
SELECT next_due_at, external_id, shard, id FROM customers INDEXED BY ix_customers_due
WHERE next_due_at <= ? ORDER BY next_due_at, external_id LIMIT ?
"""
DUE_AMONG: Final = """
SELECT c.shard, c.id, c.external_id
FROM json_each(?) AS j CROSS JOIN customers AS c ON c.external_id = j.value
WHERE c.parked IS NULL AND (
    c.next_due_at <= ?
    OR EXISTS (SELECT 1 FROM inbox AS i INDEXED BY ix_inbox_customer WHERE i.shard = c.shard AND i.customer = c.id)
)
"""
TURNS_AHEAD: Final = 16
"""Turns whose customers are looked for at once, to be parted into neighbours."""
_MANY: Final = 100
"""Customers of a turn from which on it pays to look for neighbours."""
_ID_BITS: Final = 40
SHARD_OF: Final = f"(j.value >> {_ID_BITS})"
ID_OF: Final = f"(j.value & {(1 << _ID_BITS) - 1})"
"""How queries read what `packed` wrote: `json_each(?) AS j`, where j.key is the customer's place in the view."""

assert SHARDS <= 1 << (63 - _ID_BITS)


_Due = tuple[int, str, int, int]


class Chosen(NamedTuple):
    """A customer whose turn it is."""

    external_id: str
    shard: int
    id: int


_as_chosen: Final[Callable[[tuple[Any, ...]], Chosen]] = partial(tuple.__new__, Chosen)


def packed(chosen: Sequence[Chosen]) -> str:
    """Customers as one parameter of a query, in their order; see SHARD_OF."""
    return json.dumps([shard << _ID_BITS | id for _, shard, id in chosen])


def choose(c: sqlite3.Connection, now: int, budget: int, without: Collection[str] = ()) -> list[Chosen]:
    """At most `budget` customers with inbox items or due timers, but for those `without`; ordered by external id.

    Those due longest come first, as in memory.
    """
    return sorted(_chosen(_longest_due(c, now, budget, without)))


def _longest_due(c: sqlite3.Connection, now: int, most: int, without: Collection[str]) -> list[_Due]:
    """Who is due: (since when, external id, shard, id), those due longest first."""
    ready: dict[str, _Due] = {}
    waiting = c.execute(WAITING)
    for row in waiting:
        if row[1] not in ready and row[1] not in without:
            ready[row[1]] = row
            if len(ready) >= most:
                break
    waiting.close()
    for row in c.execute(DUE, (now, most + len(without))).fetchall():
        known = ready.get(row[1])
        if (known is None or row < known) and row[1] not in without:
            ready[row[1]] = row
    return sorted(ready.values())[:most]


def _chosen(due: Iterable[_Due]) -> list[Chosen]:
    return [_as_chosen(row[1:]) for row in due]


class Neighbours:
    """Turns ahead: where far more customers are due than one turn takes, they are looked for once, and parted so that
    the rows of each turn lie side by side: it writes half as much then. The one due longest comes first, with its
    neighbours.

    What was found stands as long as only turns of these customers were saved since. Whatever else takes or parks a
    customer has to call `forget`; what other processes write is seen by the file's version.
    """

    def __init__(self) -> None:
        self._turns: list[list[Chosen]] = []
        self._found_for = (0, 0, 0)

    def forget(self) -> None:
        """Look anew next time."""
        self._turns.clear()

    def choose(self, c: sqlite3.Connection, now: int, budget: int) -> list[Chosen]:
        """As the function of this name."""
        if budget < _MANY:
            return choose(c, now, budget)
        [version] = c.execute("PRAGMA data_version").fetchone()
        found_at, *found_for = self._found_for
        if not self._turns or found_at > now or found_for != [budget, version]:
            self._found_for = (now, budget, version)
            self._turns = _parted(_longest_due(c, now, budget * TURNS_AHEAD, ()), budget)
        return self._turns.pop() if self._turns else []


def _parted(due: Sequence[_Due], budget: int) -> list[list[Chosen]]:
    """Those who are due, as turns of neighbours; the last is to be taken first."""
    if not due:
        return []
    size = ceil(len(due) / ceil(len(due) / budget))
    placed = sorted(due, key=_PLACE)
    turns = [placed[first : first + size] for first in range(0, len(placed), size)]
    turns.sort(key=min, reverse=True)
    return [sorted(_chosen(rows)) for rows in turns]


_PLACE: Final = itemgetter(2, 3)


def choose_among(c: sqlite3.Connection, now: int, budget: int, only: Sequence[str]) -> list[Chosen]:
    """At most `budget` of these customers, as far as they have inbox items or due timers; ordered by external id."""
    found = c.execute(DUE_AMONG, (json.dumps(only), now))
    return sorted({Chosen(external, shard, id) for shard, id, external in found})[:budget]
