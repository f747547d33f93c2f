"""Pages of lists in a database. One text of SQL for both, as in orchestrator.stores.erasing; filters that are not asked
for do not stand in a statement, so that indexes serve those that are."""

from __future__ import annotations

import re
from typing import Any, Final

from orchestrator.core.customer import Customer
from orchestrator.core.enrollment import Enrollment
from orchestrator.core.ledger import Coupon, Task
from orchestrator.core.state import from_json, loads, to_json
from orchestrator.core.transition import Transition
from orchestrator.core.view import LoadedMessage
from orchestrator.stores import sealed_rows
from orchestrator.stores.erasures import Run
from orchestrator.stores.identity_addresses import normal_addresses
from orchestrator.stores.instants import instant, micros
from orchestrator.stores.message_rows import loaded_message
from orchestrator.stores.protocol_lists import (
    LOOK,
    LOOK_AT_PROFILES,
    NEVER,
    Happened,
    MessageFilter,
    MessagePage,
    TaskFilter,
    Written,
)
from orchestrator.stores.records import ENROLLMENT, MESSAGE, customer_of, enrollment_of
from orchestrator.stores.sealing import Sealer

Place = tuple[int, int]
"""(shard, internal id) of a customer."""
LAST: Final = "\U0010ffff"
"""Sorts behind every text that an id may continue with."""
_PLACE: Final = "SELECT shard, id FROM customers WHERE external_id = ?"
_PROFILE: Final = """
SELECT c.external_id, c.created_at, c.state, k.state FROM customers AS c
LEFT JOIN consents AS k ON k.shard = c.shard AND k.customer = c.id
"""
_MINE: Final = "shard = ? AND customer = ?"
_EVENT: Final = "at, seq, name, id, properties"
_LINE: Final = "at, seq, n, type, journey, version, key, step, data, enrollment, details"
_FATE: Final = f"m.status, m.opened_at, m.clicked_at, {MESSAGE}"


def place_of(run: Run, customer: str) -> Place | None:
    """Where a customer's rows stand."""
    found = run(_PLACE, customer).fetchone()
    return None if found is None else (found[0], found[1])


# --- customers --------------------------------------------------------------------------------------------------------


def profile(run: Run, sealer: Sealer, customer: str) -> Customer | None:
    """One profile."""
    found = run(f"{_PROFILE} WHERE c.external_id = ?", customer).fetchone()
    return None if found is None else customer_of(sealer, *found)


def profiles(run: Run, sealer: Sealer, prefix: str, after: str, limit: int) -> list[Customer]:
    """Along the index of ids."""
    where, values = "c.external_id > ?", [after]
    if prefix:
        where += " AND c.external_id >= ? AND c.external_id < ?"
        values += [prefix, prefix + LAST]
    rows = run(f"{_PROFILE} WHERE {where} ORDER BY c.external_id LIMIT ?", *values, limit).fetchall()
    return [customer_of(sealer, *row) for row in rows]


def reached_by(
    run: Run, sealer: Sealer, kind: str, normal: str, after: str, limit: int
) -> tuple[list[Customer], str | None]:
    """No index knows addresses. A part of the text that every spelling of it holds leaves most rows out, where the
    state is not sealed; the others are read."""
    columns = "c.external_id, c.created_at, c.state, k.state"
    source = "SELECT * FROM customers AS c WHERE c.external_id > ? ORDER BY c.external_id LIMIT ?"
    joined = "LEFT JOIN consents AS k ON k.shard = c.shard AND k.customer = c.id"
    only, values = "", []
    if not sealer.seals:
        only, values = "WHERE lower(c.state) LIKE ?", [f"%{_held(kind, normal)}%"]
    rows = run(
        f"SELECT {columns} FROM ({source}) AS c {joined} {only} ORDER BY c.external_id",
        after, LOOK_AT_PROFILES, *values,
    ).fetchall()  # fmt: skip
    found = [c for row in rows if (kind, normal) in normal_addresses(c := customer_of(sealer, *row))]
    if len(found) > limit:
        return found[:limit], found[limit - 1].id
    end = "SELECT external_id FROM customers WHERE external_id > ? ORDER BY external_id LIMIT 1 OFFSET ?"
    last = run(end, after, LOOK_AT_PROFILES - 1).fetchone()
    return found, None if last is None else last[0]


def _held(kind: str, normal: str) -> str:
    """What its usual spellings hold: the first letters of a mailbox (of Gmail's, which knows no dots, the first), the
    last digit of a number."""
    if kind == "phone":
        return normal[-1:]
    plain = re.match(r"[a-z0-9]*", normal)
    assert plain is not None
    return plain.group()[:1] if normal.endswith("@gmail.com") else plain.group()


# --- the past ---------------------------------------------------------------------------------------------------------


def happened(
    run: Run, sealer: Sealer, place: Place, name: str | None, before: tuple[int, int] | None, limit: int
) -> list[Happened]:
    """Of one customer alone: sorted where no name is given."""
    where, values = _MINE, list[Any](place)
    if name is not None:
        where += " AND name = ?"
        values.append(name)
    if before is not None:
        where += " AND (at, seq) < (?, ?)"
        values += before
    rows = run(f"SELECT {_EVENT} FROM events WHERE {where} ORDER BY at DESC, seq DESC LIMIT ?", *values, limit)
    return [
        Happened(at, seq, instant(at), name, id, sealed_rows.opened(sealer, _of(sealed_rows.EVENT, place), loads(said)))
        for at, seq, name, id, said in rows.fetchall()
    ]


def written(
    run: Run, sealer: Sealer, place: Place, customer: str, before: tuple[int, int, int] | None, limit: int
) -> list[Written]:
    """Along the key."""
    where, values = _MINE, [*place]
    if before is not None:
        where += " AND (at, seq, n) < (?, ?, ?)"
        values += before
    order = "ORDER BY at DESC, seq DESC, n DESC LIMIT ?"
    rows = run(f"SELECT {_LINE} FROM transitions WHERE {where} {order}", *values, limit).fetchall()
    return [_written(sealer, place, customer, *row) for row in rows]


def _written(
    sealer: Sealer, place: Place, customer: str, at: int, seq: int, n: int, type_: str, journey: str | None,
    version: str | None, key: str | None, step: str | None, data: str, enrollment: str | None, details: str | None,
) -> Written:  # fmt: skip
    said = sealed_rows.opened(sealer, _of(sealed_rows.LINE, place), loads(data))
    values = loads(sealer.open(_of(sealed_rows.DETAILS, place), details)) if details is not None else {}
    line = Transition(instant(at), customer, seq, type_, journey, version, key, step, said, enrollment, values)
    return Written(at, seq, n, line)


def _of(context: str, place: Place) -> str:
    return f"{context}:{place[1]}"


def passages(
    run: Run, sealer: Sealer, place: Place, customer: str, before: tuple[int, str] | None, limit: int
) -> list[Enrollment]:
    """Of one customer alone."""
    where, values = "t.shard = ? AND t.customer = ?", [*place]
    if before is not None:
        where += " AND (t.entered_at, t.id) < (?, ?)"
        values += before  # type: ignore[arg-type]
    order = "ORDER BY t.entered_at DESC, t.id DESC LIMIT ?"
    rows = run(f"SELECT {ENROLLMENT} FROM enrollments AS t WHERE {where} {order}", *values, limit).fetchall()
    return [enrollment_of(sealer, customer, *row) for row in rows]


def passage(run: Run, sealer: Sealer, place: Place, customer: str, id: str) -> Enrollment | None:
    """By its key."""
    where = "t.shard = ? AND t.customer = ? AND t.id = ?"
    found = run(f"SELECT {ENROLLMENT} FROM enrollments AS t WHERE {where}", *place, id).fetchone()
    return None if found is None else enrollment_of(sealer, customer, *found)


# --- messages ---------------------------------------------------------------------------------------------------------


def messages_of(
    run: Run, sealer: Sealer, place: Place, before: tuple[int, str] | None, limit: int
) -> list[LoadedMessage]:
    """Of one customer alone."""
    where, values = "m.shard = ? AND m.customer = ?", [*place]
    if before is not None:
        where += " AND (m.at, m.id) < (?, ?)"
        values += before  # type: ignore[arg-type]
    rows = run(
        f"SELECT {_FATE} FROM messages AS m WHERE {where} ORDER BY m.at DESC, m.id DESC LIMIT ?", *values, limit
    ).fetchall()
    return [loaded_message(sealer, *row) for row in rows]


def message_page(
    run: Run, sealer: Sealer, wanted: MessageFilter, before: tuple[int, str] | None, limit: int
) -> MessagePage:
    """Along the index of their instants: at most LOOK of them, of which some may be wanted."""
    where, values = _span(wanted, before)
    filters = [(name, value) for name, value in zip(wanted._fields[:3], wanted, strict=False) if value is not None]
    look = LOOK if filters else limit
    looked = f"messages AS m WHERE {where} ORDER BY m.at DESC, m.id DESC LIMIT ?"
    if filters:
        only = " AND ".join(f"m.{name} = ?" for name, _ in filters)
        text = f"SELECT {_FATE} FROM (SELECT * FROM {looked}) AS m WHERE {only} ORDER BY m.at DESC, m.id DESC LIMIT ?"
        rows = run(text, *values, look, *(value for _, value in filters), limit).fetchall()
    else:
        rows = run(f"SELECT {_FATE} FROM {looked}", *values, look).fetchall()
    found = [loaded_message(sealer, *row) for row in rows]
    if len(found) == limit:
        return MessagePage(found, (micros(found[-1].row.at), found[-1].row.id))
    if not filters:
        return MessagePage(found, None)
    last = run(f"SELECT m.at, m.id FROM {looked} OFFSET ?", *values, 1, look - 1).fetchone()
    return MessagePage(found, None if last is None else (last[0], last[1]))


def _span(wanted: MessageFilter, before: tuple[int, str] | None) -> tuple[str, list[Any]]:
    """The conditions that the index serves. `at <=` stands beside the comparison of pairs, which it does not serve."""
    parts: list[str] = []
    values: list[Any] = []
    if wanted.since is not None:
        parts.append("m.at >= ?")
        values.append(micros(wanted.since))
    if wanted.until is not None:
        parts.append("m.at < ?")
        values.append(micros(wanted.until))
    if before is not None:
        parts.append("m.at <= ? AND (m.at < ? OR m.id < ?)")
        values += [before[0], before[0], before[1]]
    return " AND ".join(parts) or "m.at > 0", values


# --- coupons and tasks ------------------------------------------------------------------------------------------------


def coupons_of(run: Run, place: Place) -> list[Coupon]:
    """Of one customer."""
    rows = run(f"SELECT row FROM coupons WHERE {_MINE} ORDER BY seq", *place).fetchall()
    return [from_json(Coupon, row) for (row,) in rows]


def tasks_of(run: Run, sealer: Sealer, place: Place) -> list[Task]:
    """Of one customer."""
    rows = run(f"SELECT customer, row FROM tasks WHERE {_MINE} ORDER BY seq", *place).fetchall()
    return [_task(sealer, *row) for row in rows]


def task(run: Run, sealer: Sealer, id: str) -> Task | None:
    """By its id."""
    found = run("SELECT customer, row FROM tasks WHERE id = ?", id).fetchone()
    return None if found is None else _task(sealer, *found)


def task_page(run: Run, sealer: Sealer, wanted: TaskFilter, after: tuple[int, str] | None, limit: int) -> list[Task]:
    """Open ones are few, and sorted as they are needed; closed ones along the index of their ends."""
    parts: list[str] = ["closed_at IS NOT NULL" if wanted.closed else "closed_at IS NULL"]
    values: list[Any] = []
    if wanted.queue is not None:
        parts.append("queue = ?")
        values.append(wanted.queue)
    if wanted.assignee == "":
        parts.append("assignee IS NULL")
    elif wanted.assignee is not None:
        parts.append("assignee = ?")
        values.append(wanted.assignee)
    if wanted.due_before is not None:
        parts.append("due_at < ?")
        values.append(micros(wanted.due_before))
    key = "closed_at" if wanted.closed else f"coalesce(due_at, {NEVER})"
    if after is not None:
        parts.append(f"({key}, id) {'<' if wanted.closed else '>'} (?, ?)")
        values += after
    way = " DESC" if wanted.closed else ""
    order = f"ORDER BY {key}{way}, id{way} LIMIT ?"
    rows = run(f"SELECT customer, row FROM tasks WHERE {' AND '.join(parts)} {order}", *values, limit).fetchall()
    return [_task(sealer, *row) for row in rows]


def assign_task(run: Run, sealer: Sealer, id: str, assignee: str | None, lock: str) -> Task | None:
    """The row and its record. `lock`: what keeps a turn off it meanwhile."""
    text = f"SELECT shard, customer, row FROM tasks WHERE id = ? AND closed_at IS NULL{lock}"
    found = run(text, id).fetchone()
    if found is None:
        return None
    known = _task(sealer, found[1], found[2])._replace(assignee=assignee)
    row = sealer.seal(f"{sealed_rows.TASK}:{found[1]}", to_json(known))
    run("UPDATE tasks SET assignee = ?, row = ? WHERE shard = ? AND customer = ? AND id = ?", assignee, row,
        found[0], found[1], id)  # fmt: skip
    return known


def _task(sealer: Sealer, owner: int, row: str) -> Task:
    return from_json(Task, sealer.open(f"{sealed_rows.TASK}:{owner}", row))
