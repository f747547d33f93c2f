"""Moving every row of a customer to another: which tables, and what of a row changes with its owner.

A table that has `shard` and `customer` is moved by the rule for all, unless it stands in SPECIAL: rows change their
owner, and where the target has one with the same key, the target's stands. So a table that is added later cannot be
forgotten (tests/stores/test_merging_rows.py walks the schema).

One text of SQL for both databases; `Run` puts in what differs.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from functools import cache
from typing import Any, Final

from sqlalchemy import Table

from orchestrator.core.ledger import Coupon, Request, Task
from orchestrator.core.merging import remerged
from orchestrator.core.state import dumps, from_json, loads, to_json
from orchestrator.stores.erasures import Key, Run
from orchestrator.stores.records import MESSAGE, message_columns, message_of
from orchestrator.stores.sealed_rows import DETAILS, EVENT, HIDDEN, LINE, PROOF, REQUEST, TASK
from orchestrator.stores.sealing import SEALED, Sealer

NOT_THEIRS: Final = frozenset({"erasures", "catalog_waves", "catalog_fills"})
"""Tables whose `shard` and `customer` are no owner: somebody who is not there any more, or how far a walk came."""
SPECIAL: Final = frozenset({
    "customers", "consents", "entries", "enrollments", "inbox", "due", "events", "transitions", "consent_log",
    "messages", "coupons", "tasks", "requests",
})  # fmt: skip
"""Tables with a rule of their own."""
OF_OWNER: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {}
"""Columns of other tables that are sealed as a whole and bound to their customer's internal id: (column, context)."""
LATER: Final[Mapping[str, str]] = {"catalog_interests": "at"}
"""Tables in which, of two rows with the same key, the one counts whose column says more."""
_MINE: Final = "WHERE shard = ? AND customer = ?"


def plain_tables() -> list[Table]:
    """The tables whose rows are moved by the rule for all."""
    from orchestrator.stores.schema import METADATA

    return [
        table
        for table in METADATA.sorted_tables
        if {"shard", "customer"} <= set(table.columns.keys()) and table.name not in SPECIAL | NOT_THEIRS
    ]


@cache
def _statements() -> list[tuple[str, str | None, str]]:
    """Of each plain table: its name, what deletes the source's row where the target has one, what moves the others."""
    found = []
    for table in plain_tables():
        rest = [column.name for column in table.primary_key if column.name not in ("shard", "customer")]
        clash = None
        if len(rest) < len(table.primary_key):
            same = " AND ".join(["o.shard = ? AND o.customer = ?", *(f"o.{n} = {table.name}.{n}" for n in rest)])
            clash = f"DELETE FROM {table.name} {_MINE} AND EXISTS (SELECT 1 FROM {table.name} AS o WHERE {same})"
        found.append((table.name, clash, f"UPDATE {table.name} SET shard = ?, customer = ? {_MINE}"))
    return found


def move_plain(run: Run, sealer: Sealer, source: Key, target: Key) -> None:
    """Rows of all tables that have no rule of their own."""
    for name, clash, move in _statements():
        for column, context in OF_OWNER.get(name, ()):
            if sealer.seals:
                _reseal(run, sealer, name, column, context, source, target)
        if name in LATER:
            run(_raise(name, LATER[name]), *source, *target, *source)
        if clash is not None:
            run(clash, *source, *target)
        run(move, *target, *source)


@cache
def _raise(name: str, column: str) -> str:
    """Gives rows of the target what the source's of the same key say, where that is more."""
    keys = [c.name for t in plain_tables() if t.name == name for c in t.primary_key]
    same = " AND ".join(f"o.{key} = {name}.{key}" for key in keys if key not in ("shard", "customer"))
    theirs = f"FROM {name} AS o WHERE o.shard = ? AND o.customer = ? AND {same}"
    return (
        f"UPDATE {name} SET {column} = (SELECT o.{column} {theirs}) {_MINE} "
        f"AND EXISTS (SELECT 1 {theirs} AND o.{column} > {name}.{column})"
    )


def _reseal(run: Run, sealer: Sealer, table: str, column: str, context: str, source: Key, target: Key) -> None:
    for (text,) in run(f"SELECT DISTINCT {column} FROM {table} {_MINE}", *source).fetchall():
        if isinstance(text, str) and text.startswith(SEALED):
            new = rebound(sealer, context, text, source, target)
            run(f"UPDATE {table} SET {column} = ? {_MINE} AND {column} = ?", new, *source, text)


def rebound(sealer: Sealer, context: str, text: str, source: Key, target: Key) -> str:
    """A sealed text that is bound to its owner, as the target's."""
    if not text.startswith(SEALED):
        return text
    return sealer.seal(f"{context}:{target[1]}", sealer.open(f"{context}:{source[1]}", text))


def _rebound_part(sealer: Sealer, context: str, text: str, source: Key, target: Key) -> str | None:
    """A JSON object of which a part is sealed; None: none is."""
    values = loads(text)
    token = values.get(HIDDEN)
    if type(token) is not str or not token.startswith(SEALED):
        return None
    values[HIDDEN] = rebound(sealer, context, token, source, target)
    return dumps(values)


def move_events(run: Run, sealer: Sealer, source: Key, target: Key, seq: int) -> dict[str, list[list[int]]]:
    """Past events; of those that happened at one instant, the source's come last. Returns which they are: [at, seq] by
    name. `seq`: the first place that is free at the target."""
    rows = run(f"SELECT name, at, seq, properties FROM events {_MINE} ORDER BY name, at, seq", *source).fetchall()
    theirs = {
        (name, at)
        for name, at in run(
            "SELECT DISTINCT e.name, e.at FROM events AS e JOIN events AS o ON o.name = e.name AND o.at = e.at "
            "WHERE e.shard = ? AND e.customer = ? AND o.shard = ? AND o.customer = ?",
            *source, *target,
        ).fetchall()
    } if rows else set()  # fmt: skip
    moved: dict[str, list[list[int]]] = {}
    for name, at, old, text in rows:
        place = old
        if (name, at) in theirs:
            place, seq = seq, seq + 1
            run(f"UPDATE events SET seq = ? {_MINE} AND name = ? AND at = ? AND seq = ?", place, *source, name, at, old)
        if sealer.seals and (new := _rebound_part(sealer, EVENT, text, source, target)) is not None:
            run(f"UPDATE events SET properties = ? {_MINE} AND name = ? AND at = ? AND seq = ?",
                new, *source, name, at, place)  # fmt: skip
        moved.setdefault(name, []).append([at, place])
    run(f"UPDATE events SET shard = ?, customer = ? {_MINE}", *target, *source)
    return moved


def move_events_back(run: Run, sealer: Sealer, source: Key, target: Key, moved: Mapping[str, list[list[int]]]) -> None:
    """The events that a merge moved, as far as they are there still."""
    for name, places in moved.items():
        for at, seq in places:
            found = run(f"SELECT properties FROM events {_MINE} AND name = ? AND at = ? AND seq = ?",
                        *target, name, at, seq).fetchone()  # fmt: skip
            if found is not None:
                text = _rebound_part(sealer, EVENT, found[0], target, source) if sealer.seals else None
                run(
                    "UPDATE events SET shard = ?, customer = ?, properties = ? "
                    f"{_MINE} AND name = ? AND at = ? AND seq = ?",
                    *source, text if text is not None else found[0], *target, name, at, seq,
                )  # fmt: skip


def move_lines(run: Run, sealer: Sealer, source: Key, target: Key, seq: int) -> None:
    """The journal. Lines that would share a place with the target's come last at their instant."""
    clashes = run(
        "SELECT t.at, t.seq, t.n FROM transitions AS t JOIN transitions AS o "
        "ON o.at = t.at AND o.seq = t.seq AND o.n = t.n "
        "WHERE t.shard = ? AND t.customer = ? AND o.shard = ? AND o.customer = ? ORDER BY t.at, t.seq, t.n",
        *source, *target,
    ).fetchall()  # fmt: skip
    for number, place in enumerate(clashes, seq):
        run(f"UPDATE transitions SET seq = ? {_MINE} AND at = ? AND seq = ? AND n = ?", number, *source, *place)
    if sealer.seals:
        for at, place_seq, n, data, details in run(
            f"SELECT at, seq, n, data, details FROM transitions {_MINE}", *source
        ).fetchall():
            new = _rebound_part(sealer, LINE, data, source, target) or data
            told = None if details is None else rebound(sealer, DETAILS, details, source, target)
            run(f"UPDATE transitions SET data = ?, details = ? {_MINE} AND at = ? AND seq = ? AND n = ?",
                new, told, *source, at, place_seq, n)  # fmt: skip
    run(f"UPDATE transitions SET shard = ?, customer = ? {_MINE}", *target, *source)


def move_choices(run: Run, sealer: Sealer, source: Key, target: Key, seq: int) -> list[int]:
    """The consent ledger, in the order in which choices were taken. Returns the places of the source's rows."""
    rows = run(f"SELECT seq, proof FROM consent_log {_MINE} ORDER BY seq", *source).fetchall()
    for number, (old, proof) in enumerate(rows, seq):
        new = proof if proof is None else rebound(sealer, PROOF, proof, source, target)
        run("UPDATE consent_log SET shard = ?, customer = ?, seq = ?, proof = ? "
            f"{_MINE} AND seq = ?", *target, number, new, *source, old)  # fmt: skip
    return list(range(seq, seq + len(rows)))


def copy_choices_back(run: Run, sealer: Sealer, source: Key, target: Key, places: list[int]) -> None:
    """A source's part of the ledger is on both: what was chosen binds whoever it was."""
    columns = "at, noted_at, topic, channel, state, source, wording, expires_at, refused"
    for seq in places:
        found = run(f"SELECT {columns}, proof FROM consent_log {_MINE} AND seq = ?", *target, seq).fetchone()
        if found is not None:
            *values, proof = found
            proof = proof if proof is None else rebound(sealer, PROOF, proof, target, source)
            run(
                f"INSERT INTO consent_log (shard, customer, seq, {columns}, proof) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                *source, seq, *values, proof,
            )  # fmt: skip


def move_effects(
    run: Run, sealer: Sealer, source: Key, target: Key, ids: tuple[str, str], by_customer: Container[str]
) -> None:
    """Messages, coupons, tasks and calls, whose records name their customer. `ids`: the source's and the target's."""
    before, into = ids
    messages = run(f"SELECT {MESSAGE} FROM messages AS m WHERE m.shard = ? AND m.customer = ?", *source).fetchall()
    for columns in messages:
        row = remerged(message_of(sealer, *columns), before, into, by_customer)
        address, text = message_columns(row, sealer)
        run(f"UPDATE messages SET shard = ?, customer = ?, address = ?, row = ? {_MINE} AND id = ?",
            *target, address, text, *source, row.id)  # fmt: skip

    def each(table: str, kind: Any, opened: Callable[[str, str], str], sealed: Callable[[str, str], str]) -> None:
        for id, text in run(f"SELECT id, row FROM {table} {_MINE}", *source).fetchall():
            row = from_json(kind, opened(id, text))._replace(customer_id=into)
            run(f"UPDATE {table} SET shard = ?, customer = ?, row = ? {_MINE} AND id = ?",
                *target, sealed(id, to_json(row)), *source, id)  # fmt: skip

    each("coupons", Coupon, lambda id, text: text, lambda id, text: text)
    each("tasks", Task, lambda id, text: sealer.open(f"{TASK}:{source[1]}", text),
         lambda id, text: sealer.seal(f"{TASK}:{target[1]}", text))  # fmt: skip
    each("requests", Request, lambda id, text: sealer.open(f"{REQUEST}:{id}", text),
         lambda id, text: sealer.seal(f"{REQUEST}:{id}", text))  # fmt: skip
    run(f"UPDATE enrollments SET shard = ?, customer = ? {_MINE}", *target, *source)
