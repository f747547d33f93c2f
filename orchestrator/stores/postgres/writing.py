"""Writers of single kinds of rows, for turns and for settlements: each takes a whole batch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import psycopg

from orchestrator.core.ledger import Coupon, Task
from orchestrator.core.state import dumps, to_json
from orchestrator.core.transition import Transition
from orchestrator.stores.instants import micros, micros_or_none
from orchestrator.stores.postgres.arrays import ints, texts
from orchestrator.stores.postgres.copying import NULL, copy_rows
from orchestrator.stores.postgres.database import Connection
from orchestrator.stores.sealed_rows import DETAILS, TASK, line_data
from orchestrator.stores.sealing import Sealer, sealer_of

_JOURNAL: Final = (
    "transitions (shard, customer, at, seq, n, type, journey, version, key, step, enrollment, data, details)"
)
_COUNTED: Final = """
SELECT j.shard, j.customer, j.at, j.seq,
    (SELECT max(t.n) FROM transitions AS t
     WHERE t.shard = j.shard AND t.customer = j.customer AND t.at = j.at AND t.seq = j.seq)
FROM unnest(%s::int[], %s::bigint[], %s::bigint[], %s::bigint[]) AS j (shard, customer, at, seq)
"""
_COUPONS: Final = """
INSERT INTO coupons (shard, customer, id, offer, code, status, seq, row)
SELECT * FROM unnest(%s::int[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::text[])
ON CONFLICT (shard, customer, id) DO UPDATE SET status = excluded.status, row = excluded.row
"""
_TASKS: Final = """
INSERT INTO tasks (shard, customer, id, queue, assignee, opened_at, due_at, closed_at, seq, row)
SELECT * FROM unnest(%s::int[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::bigint[],
                     %s::bigint[], %s::bigint[], %s::text[])
ON CONFLICT (shard, customer, id) DO UPDATE
SET queue = excluded.queue, assignee = excluded.assignee, due_at = excluded.due_at,
    closed_at = excluded.closed_at, row = excluded.row
"""
_SUPPRESS: Final = """
WITH new AS (
    INSERT INTO suppressions (channel, address, cause, at)
    SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[]) AS j (channel, address, cause, at)
    ORDER BY j.channel, j.address, j.cause
    ON CONFLICT (channel, address, cause) DO NOTHING
    RETURNING channel, address, cause
)
INSERT INTO rights (at, kind, channel, address, cause)
SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, 'suppressed', channel, address, cause FROM new
"""


def write_transitions(
    c: Connection, transitions: Iterable[Transition], internal: Mapping[str, tuple[int, int]]
) -> None:
    """Append lines to the journal. `internal`: (shard, id) by the customer's external id.

    Lines that share a place (customer, instant, seq) are counted in the order in which they come.
    """
    rows = [row for t in transitions for row in transition_rows([t], sealer_of(c), *internal[t.customer])]
    if not rows:
        return
    c.execute("SAVEPOINT journal")
    try:
        insert_transitions(c, rows)
    except psycopg.errors.UniqueViolation:
        c.execute("ROLLBACK TO journal")
        insert_transitions(c, counted(c, rows))
    c.execute("RELEASE journal")


def transition_rows(
    transitions: Iterable[Transition], sealer: Sealer, shard: int, customer: int
) -> list[tuple[Any, ...]]:
    """The journal's rows of one customer's transitions."""
    rows = []
    said_at: datetime | None = None
    at = 0
    for instant, _, seq, type_, journey, version, key, step, data, enrollment, values in transitions:
        if instant is not said_at:
            said_at, at = instant, micros(instant)
        if type_ == "message":
            data = _without_texts(data)
        rows.append(
            (
                shard, customer, at, seq, 0, type_, NULL if journey is None else journey,
                NULL if version is None else version, NULL if key is None else key, NULL if step is None else step,
                NULL if enrollment is None else enrollment, line_data(sealer, customer, data) if data else "{}",
                sealer.seal(f"{DETAILS}:{customer}", dumps(values)) if values else NULL,
            )
        )  # fmt: skip
    return rows


def insert_transitions(c: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Append rows to the journal. Raises UniqueViolation when some share a place: then they have to be `counted`."""
    copy_rows(c, _JOURNAL, rows)


def counted(c: Connection, rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows of the journal, each behind those that stand at its place already."""
    places = list(dict.fromkeys(row[:4] for row in rows))
    found = c.execute(_COUNTED, tuple(map(ints, zip(*places, strict=True))))
    last = {place: -1 if n is None else n for *place_, n in found for place in [tuple(place_)]}
    numbered = []
    for row in rows:
        n = last[row[:4]] = last[row[:4]] + 1
        numbered.append((*row[:4], n, *row[5:]))
    return numbered


def write_coupons(c: Connection, rows: Iterable[tuple[Coupon, int, int, int]]) -> None:
    """New coupons, or what became of some (then `seq` is not asked): (coupon, shard, customer, seq)."""
    of: dict[tuple[int, int, str], tuple[Coupon, int]] = {}
    for coupon, shard, id, seq in rows:  # given and changed at once: one row, with the last state and the first place
        of[shard, id, coupon.id] = (coupon, of.get((shard, id, coupon.id), (coupon, seq))[1])
    if not of:
        return
    keys, coupons = list(of), [coupon for coupon, _ in of.values()]
    c.execute(
        _COUPONS,
        (
            ints(key[0] for key in keys), ints(key[1] for key in keys), texts([key[2] for key in keys]),
            texts([coupon.offer for coupon in coupons]), texts([coupon.code for coupon in coupons]),
            texts([coupon.status for coupon in coupons]), ints(seq for _, seq in of.values()),
            texts([to_json(coupon) for coupon in coupons]),
        ),
    )  # fmt: skip


def write_tasks(c: Connection, rows: Iterable[tuple[Task, int, int, int]]) -> None:
    """New tasks, or what became of some (then `seq` is not asked): (task, shard, customer, seq)."""
    of: dict[tuple[int, int, str], tuple[Task, int]] = {}
    for task, shard, id, seq in rows:
        of[shard, id, task.id] = (task, of.get((shard, id, task.id), (task, seq))[1])
    if not of:
        return
    sealer = sealer_of(c)
    keys, tasks = list(of), [task for task, _ in of.values()]
    c.execute(
        _TASKS,
        (
            ints(key[0] for key in keys), ints(key[1] for key in keys), texts([key[2] for key in keys]),
            texts([task.queue for task in tasks]), texts([task.assignee for task in tasks]),
            ints(micros(task.opened_at) for task in tasks), ints(micros_or_none(task.due_at) for task in tasks),
            ints(micros_or_none(task.closed_at) for task in tasks), ints(seq for _, seq in of.values()),
            texts([
                sealer.seal(f"{TASK}:{key[1]}", to_json(task)) for key, task in zip(keys, tasks, strict=True)
            ]),
        ),
    )  # fmt: skip


def suppress(c: Connection, rows: Sequence[tuple[str, str, str, int]]) -> None:
    """Put normalised addresses on the suppression list: (channel, address, cause, microseconds); the first instant of a
    cause stands."""
    if rows:
        mark = sealer_of(c).mark
        channels, addresses, causes, at = zip(*[(row[0], mark(row[1]), *row[2:]) for row in rows], strict=True)
        c.execute(_SUPPRESS, (texts(channels), texts(addresses), texts(causes), ints(at)))


def _without_texts(data: Mapping[str, Any]) -> dict[str, Any]:
    """What the journal keeps of a message: its texts are made again from the ledger's frozen values whenever somebody
    asks. Where nothing else names it, the plain one is kept."""
    kept = {name: value for name, value in data.items() if name != "html"}
    if kept.get("subject"):
        kept.pop("text", None)
    return kept
