"""Writers of single kinds of rows, for turns and for settlements."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from orchestrator.core.ledger import Coupon, Task
from orchestrator.core.state import to_json
from orchestrator.core.transition import Transition
from orchestrator.stores.instants import micros, micros_or_none
from orchestrator.stores.records import data_text
from orchestrator.stores.sealed_rows import DETAILS, line_data
from orchestrator.stores.sealed_rows import TASK as TASK_ROW
from orchestrator.stores.sealing import Sealer, sealer_of
from orchestrator.stores.sqlite import rights

NEVER: Final = -(1 << 62)
TEXT: Final = "nullif(?, '')"
INSTANT: Final = f"nullif(?, {NEVER})"
"""Parameters of columns that are often empty: `sqlite3` takes longer for each None (and for each bool) than for the
rest of a row, so that hot rows give an empty text and NEVER instead."""
_TRANSITION: Final = f"""
INSERT INTO transitions (shard, customer, at, seq, n, type, journey, version, key, step, enrollment, data, details)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, {TEXT}, ?, ?, {TEXT})
"""
_NEXT_N: Final = "SELECT max(n) + 1 FROM transitions WHERE shard = ? AND customer = ? AND at = ? AND seq = ?"
COUPON: Final = """
INSERT INTO coupons (shard, customer, id, offer, code, status, seq, row) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (shard, customer, id) DO UPDATE SET status = excluded.status, row = excluded.row
"""
TASK: Final = """
INSERT INTO tasks (shard, customer, id, queue, assignee, opened_at, due_at, closed_at, seq, row)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (shard, customer, id) DO UPDATE
SET queue = excluded.queue, assignee = excluded.assignee, due_at = excluded.due_at,
    closed_at = excluded.closed_at, row = excluded.row
"""


def write_transitions(
    c: sqlite3.Connection, transitions: Iterable[Transition], internal: Mapping[str, tuple[int, int]]
) -> None:
    """Append lines to the journal. `internal`: (shard, id) by the customer's external id.

    Lines that share a place (customer, instant, seq) are counted in the order in which they come.
    """
    sealer = sealer_of(c)
    insert_transitions(c, [row for t in transitions for row in transition_rows([t], sealer, *internal[t.customer])])


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
                shard, customer, at, seq, 0, type_, journey, version, key, step or "", enrollment,
                line_data(sealer, customer, data) if sealer.seals else data_text(data),
                (sealer.seal(f"{DETAILS}:{customer}", data_text(values)) if sealer.seals else data_text(values))
                if values
                else "",
            )
        )  # fmt: skip
    return rows


def _without_texts(data: Mapping[str, Any]) -> dict[str, Any]:
    """What the journal keeps of a message: its texts are made again from the ledger's frozen values whenever somebody
    asks. Where nothing else names it, the plain one is kept."""
    kept = dict(data)
    kept.pop("html", None)
    if kept.get("subject"):
        kept.pop("text", None)
    return kept


def insert_transitions(c: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Append rows to the journal. Hardly any share a place: they are counted only where they do."""
    before = c.total_changes
    try:
        c.executemany(_TRANSITION, rows)
    except sqlite3.IntegrityError:
        for row in rows[c.total_changes - before :]:  # those before stand
            [n] = c.execute(_NEXT_N, row[:4]).fetchone()
            c.execute(_TRANSITION, (*row[:4], n or 0, *row[5:]))


def write_coupon(c: sqlite3.Connection, coupon: Coupon, shard: int, customer: int, seq: int = 0) -> None:
    """A new coupon, or what became of one (then `seq` is not asked)."""
    c.execute(COUPON, coupon_row(coupon, shard, customer, seq))


def coupon_row(coupon: Coupon, shard: int, customer: int, seq: int) -> tuple[Any, ...]:
    """The row of a coupon."""
    return (shard, customer, coupon.id, coupon.offer, coupon.code, coupon.status, seq, to_json(coupon))


def write_task(c: sqlite3.Connection, task: Task, shard: int, customer: int, seq: int = 0) -> None:
    """A new task, or what became of one (then `seq` is not asked)."""
    c.execute(TASK, task_row(task, sealer_of(c), shard, customer, seq))


def task_row(task: Task, sealer: Sealer, shard: int, customer: int, seq: int) -> tuple[Any, ...]:
    """The row of a task."""
    return (
        shard,
        customer,
        task.id,
        task.queue,
        task.assignee,
        micros(task.opened_at),
        micros_or_none(task.due_at),
        micros_or_none(task.closed_at),
        seq,
        sealer.seal(f"{TASK_ROW}:{customer}", to_json(task)),
    )


def suppress(c: sqlite3.Connection, channel: str, address: str, cause: str, at_micros: int) -> None:
    """Put a normalised address on the suppression list; the first instant of a cause stands."""
    rights.suppress(c, [(channel, address, cause, at_micros)])
