"""What one turn reads, by a handful of set-based queries: each takes all chosen customers as one parameter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from orchestrator.core.inbox import Item
from orchestrator.core.ledger import Coupon, Task
from orchestrator.core.state import from_json
from orchestrator.core.view import CustomerView, View
from orchestrator.stores.instants import instant
from orchestrator.stores.on_demand import EventRow, Histories, LoadedHistory, Place, Suppressions, marked_places
from orchestrator.stores.postgres.arrays import ints, texts
from orchestrator.stores.postgres.choosing import Chosen
from orchestrator.stores.postgres.database import Connection, Database
from orchestrator.stores.records import ENROLLMENT, body_of, customer_of, enrollment_of, entries_of
from orchestrator.stores.sealed_rows import INBOX as INBOX_BODY
from orchestrator.stores.sealed_rows import TASK
from orchestrator.stores.sealing import sealer_of

EACH: Final = "FROM unnest(%s::int[], %s::bigint[]) WITH ORDINALITY AS j (shard, id, n)"
"""The chosen customers; j.n - 1 is the customer's place in the view. Its values: `keys_of`."""
_MINE: Final = "ON t.shard = j.shard AND t.customer = j.id"
BEFORE: Final = """
SELECT nextval('turn_ordinals'), EXISTS (SELECT 1 FROM suppressions), EXISTS (SELECT 1 FROM coupons),
    EXISTS (SELECT 1 FROM tasks)
"""
CUSTOMERS: Final = f"""
SELECT t.created_at, t.state, k.state, d.at, t.parked IS NOT NULL {EACH}
JOIN customers AS t ON t.shard = j.shard AND t.id = j.id
LEFT JOIN consents AS k ON k.shard = j.shard AND k.customer = j.id
LEFT JOIN due AS d ON d.shard = j.shard AND d.customer = j.id
ORDER BY j.n
"""
THERE: Final = f"SELECT t.shard, t.id {EACH} JOIN customers AS t ON t.shard = j.shard AND t.id = j.id"
DROP: Final = """
DELETE FROM inbox AS i USING unnest(%s::int[], %s::bigint[]) AS j (shard, id)
WHERE i.shard = j.shard AND i.customer = j.id
"""
FORWARDED: Final = """
SELECT f.from_customer, c.shard, c.id, (c.parked IS NOT NULL)::int, c.external_id
FROM unnest(%s::bigint[]) AS j (id) JOIN forwarding AS f ON f.from_customer = j.id
JOIN customers AS c ON c.shard = f.into_shard AND c.id = f.into_customer
"""
WAITING: Final = "SELECT seq, body FROM inbox WHERE shard = %s AND customer = %s"
FORWARD: Final = """
UPDATE inbox SET shard = %s, customer = %s, external_id = %s, parked = %s, body = %s WHERE seq = %s
"""
INBOX: Final = f"SELECT j.n - 1, t.seq, t.received_at, t.body {EACH} JOIN inbox AS t {_MINE}"
ENROLLMENTS: Final = f"SELECT j.n - 1, t.seq, {ENROLLMENT} {EACH} JOIN enrollments AS t {_MINE} WHERE t.live + 0 = 1"
"""The sum hides the condition from the planner, which would walk through the index of all live enrollments, once for
each customer, while it has no statistics."""
ENTRIES: Final = f"SELECT j.n - 1, t.journey, t.key, t.state {EACH} JOIN entries AS t {_MINE}"
COUPONS: Final = f"SELECT j.n - 1, t.seq, t.row {EACH} JOIN coupons AS t {_MINE}"
TASKS: Final = f"SELECT j.n - 1, t.seq, t.row {EACH} JOIN tasks AS t {_MINE}"
EVENTS: Final = f"SELECT j.n - 1, t.at, t.seq, t.properties, t.id {EACH} JOIN events AS t {_MINE} AND t.name = %s"
SUPPRESSED: Final = """
SELECT s.channel, s.address, s.cause FROM unnest(%s::text[], %s::text[]) AS j (channel, address)
JOIN suppressions AS s ON s.channel = j.channel AND s.address = j.address
"""

Keys = tuple[str, str]
"""The chosen customers as two parameters of a query."""


class Before(NamedTuple):
    """What is asked once for a turn: its number, and which tables have nothing to say."""

    ordinal: int
    any_suppressions: bool
    any_coupons: bool
    any_tasks: bool


def keys_of(chosen: Sequence[Chosen]) -> Keys:
    """Customers as two parameters of a query; see EACH."""
    return ints(place.shard for place in chosen), ints(place.id for place in chosen)


def suppressed_among(c: Connection, places: Sequence[Place]) -> Iterator[tuple[Place, str]]:
    """The entries of the suppression list among some places."""
    marked = marked_places(sealer_of(c), places)
    channels, addresses = zip(*marked, strict=True)
    for channel, address, cause in c.execute(SUPPRESSED, (texts(channels), texts(addresses))):
        yield marked[channel, address], cause


def suppressions_of(db: Database, empty: bool, salt: str, view: View) -> Suppressions:
    """The suppression list, for the addresses that decisions ask for."""

    def read(places: Sequence[Place]) -> list[tuple[Place, str]]:
        with db.read() as c:
            return list(suppressed_among(c, places))

    return Suppressions(None if empty else read, salt, view)


def load_before(c: Connection) -> Before:
    """The number of this turn, and what it need not ask for."""
    found = c.execute(BEFORE).fetchone()
    assert found is not None
    return Before(*found)


def load_customers(
    c: Connection, db: Database, chosen: list[Chosen], before: Before
) -> tuple[list[CustomerView], list[int | None], list[bool]]:
    """The customers' parts of the view, without messages; when each was to be looked at again (microseconds), and
    whether it was parked meanwhile. Whoever was erased since something arrived is taken out of `chosen`."""
    keys = keys_of(chosen)
    rows = c.execute(CUSTOMERS, keys).fetchall()
    if len(rows) != len(chosen):
        _leave_out_erased(c, chosen)
        keys = keys_of(chosen)
        rows = c.execute(CUSTOMERS, keys).fetchall()

    def read(name: str) -> list[EventRow]:
        with db.read() as reading:
            return reading.execute(EVENTS, (*keys, name)).fetchall()

    sealer = db.sealer
    histories = Histories(read, sealer, [place.id for place in chosen])
    views: list[CustomerView] = []
    due: list[int | None] = []
    parked: list[bool] = []
    for place, (created_at, state, consents, due_at, is_parked) in enumerate(rows):
        customer = customer_of(sealer, chosen[place].external_id, created_at, state, consents)
        views.append(CustomerView(customer, (), (), {}, LoadedHistory(histories, place)))
        due.append(due_at)
        parked.append(is_parked)
    for place, items in _grouped(c.execute(INBOX, keys).fetchall()):
        owner = chosen[place].id
        views[place].inbox = [
            Item(seq, instant(at), body_of(sealer, owner, body)) for _, seq, at, body in _in_order(items)
        ]
    for place, found in _grouped(c.execute(ENROLLMENTS, keys).fetchall()):
        external = chosen[place].external_id
        views[place].enrollments = [enrollment_of(sealer, external, *columns) for _, _, *columns in _in_order(found)]
    for place, found in _grouped(c.execute(ENTRIES, keys).fetchall()):
        views[place].entries = {(journey, key): entries_of(state) for _, journey, key, state in found}
    if before.any_coupons:
        for place, found in _grouped(c.execute(COUPONS, keys).fetchall()):
            views[place].coupons = [from_json(Coupon, row) for _, _, row in _in_order(found)]
    if before.any_tasks:
        for place, found in _grouped(c.execute(TASKS, keys).fetchall()):
            context = f"{TASK}:{chosen[place].id}"
            views[place].tasks = [from_json(Task, sealer.open(context, row)) for _, _, row in _in_order(found)]
    return views, due, parked


def _leave_out_erased(c: Connection, chosen: list[Chosen]) -> None:
    """And what still waits for them."""
    there = set(c.execute(THERE, keys_of(chosen)).fetchall())
    gone = [place for place in chosen if (place.shard, place.id) not in there]
    chosen[:] = [place for place in chosen if (place.shard, place.id) in there]
    forwarded = _forward(c, gone)
    c.execute(DROP, keys_of([place for place in gone if place.id not in forwarded]))


def _forward(c: Connection, gone: Sequence[Chosen]) -> frozenset[int]:
    """What an ingest put for somebody who was just being merged goes to whom the rows went. Returns who was merged."""
    found = {row[0]: row for row in c.execute(FORWARDED, (ints(place.id for place in gone),)).fetchall()}
    sealer = sealer_of(c)
    for place in gone:
        if place.id not in found:
            continue
        _, shard, customer, parked, external = found[place.id]
        for seq, body in c.execute(WAITING, (place.shard, place.id)).fetchall():
            text = sealer.open(f"{INBOX_BODY}:{place.id}", body)
            c.execute(FORWARD, (shard, customer, external, parked, sealer.seal(f"{INBOX_BODY}:{customer}", text), seq))
    return frozenset(found)


def _grouped(rows: Sequence[tuple[Any, ...]]) -> Iterator[tuple[int, list[tuple[Any, ...]]]]:
    """Rows by their first column, whatever their order."""
    groups: dict[int, list[tuple[Any, ...]]] = {}
    for row in rows:
        group = groups.get(row[0])
        if group is None:
            groups[row[0]] = [row]
        else:
            group.append(row)
    return iter(groups.items())


def _in_order(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """A customer's rows as they were first written."""
    if len(rows) > 1:
        rows.sort(key=lambda row: row[1])
    return rows
