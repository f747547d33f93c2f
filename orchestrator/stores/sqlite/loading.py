"""What one turn reads, by a handful of set-based queries: each takes all chosen customers as one parameter."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from json import dumps as json_text
from operator import itemgetter
from typing import Any, Final

from orchestrator.core.inbox import Item
from orchestrator.core.ledger import Coupon, Task
from orchestrator.core.state import from_json
from orchestrator.core.view import CustomerView, View
from orchestrator.stores.instants import instant
from orchestrator.stores.on_demand import EventRow, Histories, LoadedHistory, Place, Suppressions, marked_places
from orchestrator.stores.records import ENROLLMENT, body_of, customer_of, enrollment_of, entries_of
from orchestrator.stores.sealed_rows import TASK
from orchestrator.stores.sealing import sealer_of
from orchestrator.stores.sqlite.choosing import ID_OF, SHARD_OF, Chosen, packed
from orchestrator.stores.sqlite.database import Database

_EACH: Final = "FROM json_each(?) AS j CROSS JOIN"
_MINE: Final = f"ON t.shard = {SHARD_OF} AND t.customer = {ID_OF}"
CUSTOMERS: Final = f"""
SELECT t.created_at, t.state, k.state, t.next_due_at {_EACH} customers AS t ON t.shard = {SHARD_OF} AND t.id = {ID_OF}
LEFT JOIN consents AS k ON k.shard = t.shard AND k.customer = t.id
"""
THERE: Final = f"SELECT t.shard, t.id {_EACH} customers AS t ON t.shard = {SHARD_OF} AND t.id = {ID_OF}"
INBOX: Final = f"SELECT j.key, t.seq, t.received_at, t.body {_EACH} inbox AS t INDEXED BY ix_inbox_customer {_MINE}"
ENROLLMENTS: Final = f"SELECT j.key, t.seq, {ENROLLMENT} {_EACH} enrollments AS t {_MINE} WHERE t.live = 1"
ENTRIES: Final = f"SELECT j.key, t.journey, t.key, t.state {_EACH} entries AS t {_MINE}"
COUPONS: Final = f"SELECT j.key, t.seq, t.row {_EACH} coupons AS t {_MINE}"
TASKS: Final = f"SELECT j.key, t.seq, t.row {_EACH} tasks AS t {_MINE}"
EVENTS: Final = f"SELECT j.key, t.at, t.seq, t.properties, t.id {_EACH} events AS t {_MINE} AND t.name = ?"
ANY_COUPONS: Final = "SELECT EXISTS (SELECT 1 FROM coupons)"
ANY_TASKS: Final = "SELECT EXISTS (SELECT 1 FROM tasks)"
ANY_SUPPRESSIONS: Final = "SELECT EXISTS (SELECT 1 FROM suppressions)"
SUPPRESSED: Final = """
SELECT s.channel, s.address, s.cause FROM json_each(?) AS j CROSS JOIN suppressions AS s
ON s.channel = json_extract(j.value, '$[0]') AND s.address = json_extract(j.value, '$[1]')
"""


def load_customers(
    c: sqlite3.Connection, db: Database, chosen: list[Chosen]
) -> tuple[list[CustomerView], list[int | None]]:
    """The customers' parts of the view, without messages, and when each was to be looked at again (microseconds).
    Whoever was erased since somebody chose them is taken out of `chosen`."""
    customers = packed(chosen)
    profiles = c.execute(CUSTOMERS, (customers,)).fetchall()
    if len(profiles) != len(chosen):
        _leave_out_erased(c, chosen)
        customers = packed(chosen)
        profiles = c.execute(CUSTOMERS, (customers,)).fetchall()

    def read(name: str) -> list[EventRow]:
        with db.read() as reading:
            return reading.execute(EVENTS, (customers, name)).fetchall()

    sealer = db.sealer
    histories = Histories(read, sealer, [place.id for place in chosen])
    views: list[CustomerView] = []
    due: list[int | None] = []
    for place, (created_at, state, consents, next_due_at) in enumerate(profiles):
        customer = customer_of(sealer, chosen[place].external_id, created_at, state, consents)
        views.append(CustomerView(customer, (), (), {}, LoadedHistory(histories, place)))
        due.append(next_due_at)
    for place, items in _grouped(c.execute(INBOX, (customers,)).fetchall()):
        owner = chosen[place].id
        views[place].inbox = [_item((seq, instant(at), body_of(sealer, owner, body))) for _, seq, at, body in items]
    for place, rows in _grouped(c.execute(ENROLLMENTS, (customers,)).fetchall()):
        external = chosen[place][0]
        views[place].enrollments = [enrollment_of(sealer, external, *row[2:]) for row in rows]
    for place, journey, key, state in c.execute(ENTRIES, (customers,)).fetchall():
        views[place].entries[journey, key] = entries_of(state)
    if c.execute(ANY_COUPONS).fetchone()[0]:
        for place, rows in _grouped(c.execute(COUPONS, (customers,)).fetchall()):
            views[place].coupons = [from_json(Coupon, row) for _, _, row in rows]
    if c.execute(ANY_TASKS).fetchone()[0]:
        for place, rows in _grouped(c.execute(TASKS, (customers,)).fetchall()):
            context = f"{TASK}:{chosen[place].id}"
            views[place].tasks = [from_json(Task, sealer.open(context, row)) for _, _, row in rows]
    return views, due


def _leave_out_erased(c: sqlite3.Connection, chosen: list[Chosen]) -> None:
    """And what still waits for them."""
    there = set(c.execute(THERE, (packed(chosen),)).fetchall())
    gone = [place for place in chosen if (place.shard, place.id) not in there]
    chosen[:] = [place for place in chosen if (place.shard, place.id) in there]
    c.executemany("DELETE FROM inbox WHERE shard = ? AND customer = ?", [(place.shard, place.id) for place in gone])


def suppressed_among(c: sqlite3.Connection, places: Sequence[Place]) -> Iterator[tuple[Place, str]]:
    """The entries of the suppression list among some places."""
    marked = marked_places(sealer_of(c), places)
    for channel, address, cause in c.execute(SUPPRESSED, (json_text(list(marked)),)):
        yield marked[channel, address], cause


def load_suppressions(c: sqlite3.Connection, db: Database, salt: str, view: View) -> Suppressions:
    """The suppression list, for the addresses that decisions ask for."""

    def read(places: Sequence[Place]) -> list[tuple[Place, str]]:
        with db.read() as reading:
            return list(suppressed_among(reading, places))

    return Suppressions(read if c.execute(ANY_SUPPRESSIONS).fetchone()[0] else None, salt, view)


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
