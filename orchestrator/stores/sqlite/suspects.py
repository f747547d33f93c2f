"""What kills the process: every turn is written down before it begins, and a row that was left over names suspects.

The customers of such a turn are taken apart in halves, each in a turn of its own, until the one is found who kills the
process alone; after three times it is parked. Turns of all others come in between.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Final, NamedTuple

from orchestrator.stores.sqlite.choosing import Chosen, Neighbours, choose, choose_among
from orchestrator.stores.sqlite.inbox import internal_ids
from orchestrator.stores.sqlite.saving import park

DEATHS: Final = 3
"""Times that a customer may kill the process alone before it is parked."""
_WAITING: Final = 0
"""`begun_at` of a turn that is written down and not begun yet."""
_INSERT: Final = "INSERT INTO attempts (begun_at, customers, tries) VALUES (?, ?, ?)"
_BEGIN: Final = "UPDATE attempts SET begun_at = ?, tries = tries + 1 WHERE id = ?"
_OVER: Final = "DELETE FROM attempts WHERE id = ?"


class _Group(NamedTuple):
    """Customers of a turn that never ended."""

    attempt: int
    customers: tuple[str, ...]


class Suspects:
    """The turns that are written down: the present one, and those of suspects that are still to be taken."""

    def __init__(self, groups: list[_Group]) -> None:
        self._groups = groups
        self._present: _Group | None = None
        self._they_are_next = False
        self._undone: list[int] = []

    @staticmethod
    def found(c: sqlite3.Connection, now: int) -> Suspects:
        """Those whom an earlier process left over, in the transaction of a claim: nobody else can be in a turn."""
        left = c.execute("SELECT id, begun_at, customers, tries FROM attempts ORDER BY id").fetchall()
        for attempt, begun_at, text, tries in left:
            customers = json.loads(text)
            if begun_at == _WAITING:
                continue
            if len(customers) == 1 and tries < DEATHS:
                c.execute("UPDATE attempts SET begun_at = ? WHERE id = ?", (_WAITING, attempt))
                continue
            c.execute(_OVER, (attempt,))
            if len(customers) == 1:
                _park(c, customers[0], tries, now)
                continue
            middle = len(customers) // 2
            for half in (customers[:middle], customers[middle:]):
                c.execute(_INSERT, (_WAITING, json.dumps(half), 0))
        groups = c.execute("SELECT id, customers FROM attempts ORDER BY id").fetchall()
        return Suspects([_Group(attempt, tuple(json.loads(text))) for attempt, text in groups])

    def choose(self, c: sqlite3.Connection, now: int, budget: int, neighbours: Neighbours | None) -> list[Chosen]:
        """Whose turn it is: a group of suspects, or anybody else; one after the other. `neighbours`: where others may
        be taken as they lie in the file."""
        if not self._groups:
            return neighbours.choose(c, now, budget) if neighbours is not None else choose(c, now, budget)
        without = {customer for group in self._groups for customer in group.customers}
        self._they_are_next = not self._they_are_next
        others = choose(c, now, budget, without) if self._they_are_next else []
        while not others and self._groups:
            self._present = self._groups[0]
            chosen = choose_among(c, now, budget, self._present.customers)
            if chosen:
                return chosen
            self._groups.pop(0)  # nothing is due for them any more
            c.execute(_OVER, (self._present.attempt,))
            self._present = None
        return others or choose(c, now, budget, without)

    def begin(self, c: sqlite3.Connection, chosen: Sequence[Chosen], now: int) -> int:
        """Write down that a turn begins. Returns its number, for `over`."""
        c.executemany(_OVER, [(attempt,) for attempt in self._undone])
        if self._present is not None:
            c.execute(_BEGIN, (now, self._present.attempt))
            return self._present.attempt
        cursor = c.execute(_INSERT, (now, json.dumps([customer.external_id for customer in chosen]), 1))
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def over(self, c: sqlite3.Connection, attempt: int) -> None:
        """The turn ended, whatever became of it, and the process is still there."""
        c.execute(_OVER, (attempt,))
        self._end(attempt)

    def undone(self, attempt: int) -> None:
        """The same, where the database could not be written: its row goes with the next turn."""
        self._undone.append(attempt)
        self._end(attempt)

    def _end(self, attempt: int) -> None:
        self._groups = [group for group in self._groups if group.attempt != attempt]
        self._present = None


def _park(c: sqlite3.Connection, customer: str, deaths: int, now: int) -> None:
    key = internal_ids(c, [customer]).get(customer)
    if key is not None:
        detail = f"the process ended {deaths} times while it decided for this customer alone"
        park(c, key, "exception", detail, now)
