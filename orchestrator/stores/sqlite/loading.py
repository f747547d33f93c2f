"""What one turn reads, by a handful of set-based queries: each takes all chosen customers as one parameter."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import Any, Final

from orchestrator.core.expression.scope import PastEvent
from orchestrator.core.inbox import Item
from orchestrator.core.ledger import Coupon, Task
from orchestrator.core.state import from_json, loads
from orchestrator.core.view import CustomerView
from orchestrator.stores.instants import instant
from orchestrator.stores.records import ENROLLMENT, body_of, customer_of, enrollment_of, entries_of
from orchestrator.stores.sqlite.choosing import ID_OF, SHARD_OF, Chosen, packed
from orchestrator.stores.sqlite.database import Database

_EACH: Final = "FROM json_each(?) AS j CROSS JOIN"
_MINE: Final = f"ON t.shard = {SHARD_OF} AND t.customer = {ID_OF}"
CUSTOMERS: Final = f"""
SELECT t.created_at, t.state, k.state, t.next_due_at {_EACH} customers AS t ON t.shard = {SHARD_OF} AND t.id = {ID_OF}
LEFT JOIN consents AS k ON k.shard = t.shard AND k.customer = t.id
"""
INBOX: Final = f"SELECT j.key, t.seq, t.received_at, t.body {_EACH} inbox AS t INDEXED BY ix_inbox_customer {_MINE}"
ENROLLMENTS: Final = f"SELECT j.key, t.seq, {ENROLLMENT} {_EACH} enrollments AS t {_MINE} WHERE t.live = 1"
ENTRIES: Final = f"SELECT j.key, t.journey, t.key, t.state {_EACH} entries AS t {_MINE}"
COUPONS: Final = f"SELECT j.key, t.seq, t.row {_EACH} coupons AS t {_MINE}"
TASKS: Final = f"SELECT j.key, t.seq, t.row {_EACH} tasks AS t {_MINE}"
EVENTS: Final = f"SELECT j.key, t.at, t.seq, t.properties, t.id {_EACH} events AS t {_MINE} AND t.name = ?"
ANY_COUPONS: Final = "SELECT EXISTS (SELECT 1 FROM coupons)"
ANY_TASKS: Final = "SELECT EXISTS (SELECT 1 FROM tasks)"
ANY_SUPPRESSIONS: Final = "SELECT EXISTS (SELECT 1 FROM suppressions)"
CAUSES: Final = "SELECT cause FROM suppressions WHERE channel = ? AND address = ?"


class LoadedHistory:
    """One customer's past events. Those of a name are read for all customers of the view together, when a decision
    first asks for it: most turns ask for none."""

    __slots__ = ("_all", "_place")

    def __init__(self, all_of_them: Histories, place: int) -> None:
        self._all = all_of_them
        self._place = place

    def events(self, name: str) -> Sequence[PastEvent]:
        """Events of this name, ascending by timestamp; never NotLoaded."""
        return self._all.of(name).get(self._place, ())


class Histories:
    """The pasts of the customers of one view, by name."""

    def __init__(self, db: Database, customers: str) -> None:
        self._db = db
        self._customers = customers
        self._names: dict[str, dict[int, list[PastEvent]]] = {}

    def of(self, name: str) -> Mapping[int, list[PastEvent]]:
        """The events of a name by the customer's place in the view."""
        found = self._names.get(name)
        if found is None:
            found = self._names[name] = {}
            with self._db.read() as c:
                rows = c.execute(EVENTS, (self._customers, name)).fetchall()
            rows.sort()  # they stand so already, but nobody promised it
            for place, at, _, properties, id in rows:
                found.setdefault(place, []).append(PastEvent(instant(at), name, loads(properties), id))
        return found


class Suppressions(Mapping[tuple[str, str], frozenset[str]]):
    """The suppression list as a turn sees it: read address by address, because a step may write to any."""

    def __init__(self, db: Database, empty: bool) -> None:
        self._db = db
        self._empty = empty
        self._known: dict[tuple[str, str], frozenset[str]] = {}

    def __getitem__(self, place: tuple[str, str]) -> frozenset[str]:
        causes = self._known.get(place)
        if causes is None:
            causes = frozenset()
            if not self._empty:
                with self._db.read() as c:
                    causes = frozenset(cause for (cause,) in c.execute(CAUSES, place))
            self._known[place] = causes
        if not causes:
            raise KeyError(place)
        return causes

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return (place for place, causes in self._known.items() if causes)

    def __len__(self) -> int:
        return sum(map(bool, self._known.values()))


def load_customers(
    c: sqlite3.Connection, db: Database, chosen: Sequence[Chosen]
) -> tuple[list[CustomerView], list[int | None]]:
    """The customers' parts of the view, without messages, and when each was to be looked at again (microseconds)."""
    customers = packed(chosen)
    histories = Histories(db, customers)
    views: list[CustomerView] = []
    due: list[int | None] = []
    for place, (created_at, state, consents, next_due_at) in enumerate(c.execute(CUSTOMERS, (customers,)).fetchall()):
        customer = customer_of(chosen[place].external_id, created_at, state, consents)
        views.append(CustomerView(customer, (), (), {}, LoadedHistory(histories, place)))
        due.append(next_due_at)
    for place, items in _grouped(c.execute(INBOX, (customers,)).fetchall()):
        views[place].inbox = [_item((seq, instant(at), body_of(body))) for _, seq, at, body in items]
    for place, rows in _grouped(c.execute(ENROLLMENTS, (customers,)).fetchall()):
        external = chosen[place][0]
        views[place].enrollments = [enrollment_of(external, *row[2:]) for row in rows]
    for place, journey, key, state in c.execute(ENTRIES, (customers,)).fetchall():
        views[place].entries[journey, key] = entries_of(state)
    if c.execute(ANY_COUPONS).fetchone()[0]:
        for place, rows in _grouped(c.execute(COUPONS, (customers,)).fetchall()):
            views[place].coupons = [from_json(Coupon, row) for _, _, row in rows]
    if c.execute(ANY_TASKS).fetchone()[0]:
        for place, rows in _grouped(c.execute(TASKS, (customers,)).fetchall()):
            views[place].tasks = [from_json(Task, row) for _, _, row in rows]
    return views, due


def load_suppressions(c: sqlite3.Connection, db: Database) -> Suppressions:
    """The suppression list, for the addresses that decisions ask for."""
    return Suppressions(db, not c.execute(ANY_SUPPRESSIONS).fetchone()[0])


def _grouped(rows: Sequence[tuple[Any, ...]]) -> Iterator[tuple[int, Sequence[tuple[Any, ...]]]]:
    """Rows that stand together by their first column, each group in the order of the second: as they were first
    written."""
    first, end = 0, len(rows)
    while first < end:
        place = rows[first][0]
        last = first + 1
        while last < end and rows[last][0] == place:
            last += 1
        yield place, rows[first:last] if last == first + 1 else sorted(rows[first:last], key=_SECOND)
        first = last


_SECOND: Final = itemgetter(1)
_item: Final[Callable[[tuple[Any, ...]], Item]] = partial(tuple.__new__, Item)
