"""What an installation's database holds about people: all about one of them, for a request of that person, and profiles
to look at."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from itertools import chain
from typing import Any, Final, TextIO

from sqlalchemy import Column, Table

from orchestrator.core.addresses import address_of
from orchestrator.core.customer import Customer
from orchestrator.core.plus_addresses import reasons
from orchestrator.core.state import loads
from orchestrator.core.time.iso import format_instant
from orchestrator.core.transition import jsonable
from orchestrator.runtime.plus_addresses import kept_apart
from orchestrator.stores.erased_records import ADDRESSES
from orchestrator.stores.erasures import Run, rows_by_id
from orchestrator.stores.instants import instant
from orchestrator.stores.naming import mailboxes_in, names
from orchestrator.stores.protocol import CustomerCard, Store
from orchestrator.stores.schema import METADATA
from orchestrator.stores.sealed_rows import CONTENT, REASON, opened_row
from orchestrator.stores.sealing import Sealer, shown

_RECORDS: Final = frozenset({"state", "row", "body", "data", "details", "properties", "files", "proof"})
"""Columns that hold JSON."""
_INSTANTS: Final = frozenset({"at", "known_from", "lease_until"})
_RECORDED: Final = frozenset({
    "customers", "messages", "coupons", "tasks", "transitions", "consents", "consent_log", "erasures",
})  # fmt: skip
"""Tables whose rows the store gives as records."""
_INTERNAL: Final = frozenset({"shard", "customer", "external_id"})
FORMAT: Final = "orchestrator/customer-export/1"
"""The first thing in an export: a change that readers have to know of raises the number."""
NOBODYS: Final = frozenset({
    "answers",  # what the API answered, for a day: what it said stands in the other parts
    "api_keys", "attempts", "catalog_changes", "catalog_links", "catalog_rows", "catalogs", "circuits", "codes",
    "counts", "deployments", "fanout", "fanout_shards", "feeds", "handed_over", "in_flight", "marks", "meta", "quotas",
    "rates", "replies", "rfm_runs", "seen", "segment_builds", "shards", "tallies", "till_codes", "till_offers",
    "versions",
    "groups",  # what is known of companies; the profile has that of the customer's own
    "violations",  # counts of a tracking plan's mistakes, with examples that an erasure takes out
})  # fmt: skip
"""Tables that say nothing of a person that the parts do not say: a test holds every table against this list."""


def everything_about(store: Store, customer: str) -> dict[str, Any] | None:
    """All that is stored about a customer, as one object: what `parts_about` gives.

    None for an id that nobody has. Raises TypeError for a store in memory, which no second process can see.
    """
    parts = parts_about(store, customer)
    if parts is None:
        return None
    return {name: part if isinstance(part, (str, dict)) else list(part) for name, part in parts}


def parts_about(store: Store, customer: str) -> Iterator[tuple[str, Any]] | None:
    """All that is stored about a customer, part by part, so that no more than one of them is in memory: `profile`,
    `messages`, `coupons`, `tasks` and `journal` as records, and the rows of every other table that belong to the
    customer, by table; the suppressions of its addresses; and what names it in rows that are nobody's. A part is a
    text, an object, or an iterator of objects; one without any is left out. Instants are RFC 3339. Its schema is
    docs/customer-export.json.

    None for an id that nobody has. Raises TypeError for a store in memory, which no second process can see.
    """
    database = getattr(store, "db", None)
    if database is None:
        raise TypeError("a store in memory cannot be asked from outside its process")
    card = store.card(customer)
    if card is None or card.customer is None:
        return None
    return _filled(_parts(store, database, card, card.customer))


def write_everything(store: Store, customer: str, out: TextIO) -> bool:
    """The same as JSON text, written as it is read; False for an id that nobody has (and nothing is written)."""
    parts = parts_about(store, customer)
    if parts is None:
        return False
    between = "{\n  "
    for name, part in parts:
        out.write(f"{between}{json.dumps(name)}: ")
        between = ",\n  "
        if isinstance(part, (str, dict)):
            out.write(json.dumps(part, ensure_ascii=False))
            continue
        line = "[\n    "
        for item in part:
            out.write(line + json.dumps(item, ensure_ascii=False))
            line = ",\n    "
        out.write("\n  ]")
    out.write("\n}\n")
    return True


def _filled(parts: Iterator[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """The parts that hold anything."""
    for name, part in parts:
        if isinstance(part, (str, dict)):
            yield name, part
            continue
        rows = iter(part)
        first = next(rows, None)
        if first is not None:
            yield name, chain((first,), rows)


def _parts(store: Store, database: Any, card: CustomerCard, customer: Customer) -> Iterator[tuple[str, Any]]:
    yield "format", FORMAT
    yield "customer", customer.id
    yield "profile", _plain(customer)
    yield (
        "messages",
        (
            _plain({**m.row._asdict(), "status": m.status, "opened_at": m.opened_at, "clicked_at": m.clicked_at})
            for m in card.messages
        ),
    )
    yield "coupons", map(_plain, card.coupons)
    yield "tasks", map(_plain, card.tasks)
    yield "journal", map(_plain, store.journal(customer.id))
    yield "choices", map(_plain, store.consent_log(customer.id))
    with database.read() as connection:
        places = _asked(connection, "SELECT shard, id FROM customers WHERE external_id = ?", (customer.id,))
        if not places:
            return  # somebody else erased it just now
        place = places[0]
        for table in METADATA.sorted_tables:
            if table.name in _RECORDED or not {"shard", "customer"} <= set(table.columns.keys()):
                continue
            order = ", ".join(f'"{column.name}"' for column in table.primary_key)
            names = ", ".join(f'"{column.name}"' for column in table.columns)
            question = f'SELECT {names} FROM "{table.name}" WHERE shard = ? AND customer = ? ORDER BY {order}'
            rows = _asked(connection, question, place)
            yield table.name, (_row(database.sealer, table, row, place[1]) for row in rows)
        merged = _asked(
            connection, "SELECT merged_at FROM forwarding WHERE into_shard = ? AND into_customer = ?", place
        )
        yield "forwarding", ({"merged_at": format_instant(instant(at))} for (at,) in merged)
        links = _asked(connection, "SELECT kind, value, at FROM links WHERE external_id = ?", (customer.id,))
        yield "links", ({"kind": kind, "value": value, "at": _instant_of(at)} for kind, value, at in links)
        yield "refused", _naming(connection, database.sealer, customer)
        yield "operations", _operations(connection, customer)
    yield "suppressions", _suppressed(store, customer)


def _operations(connection: Any, customer: Customer) -> Iterator[dict[str, Any]]:
    """What operators did, as far as the log names the person."""
    theirs = names([customer.id], customer.email, customer.phone, customer.country)
    for _, at, action, detail in rows_by_id(_run_on(connection), "audit", "at, action, detail"):
        if detail == customer.id or theirs(detail):
            yield {"at": format_instant(instant(at)), "action": action, "detail": detail}


def _instant_of(at: Any) -> str | None:
    return format_instant(instant(at)) if isinstance(at, int) else None


def _naming(connection: Any, sealer: Sealer, customer: Customer) -> Iterator[dict[str, Any]]:
    """What came and could not be taken, as far as it names the person. What names others, too, such as a whole batch
    that could not be read, is not shown: it is not the person's to have."""
    theirs = names([customer.id], customer.email, customer.phone, customer.country)
    for _, at, source, reason, content in rows_by_id(_run_on(connection), "refused", "at, source, reason, content"):
        said = shown(sealer, CONTENT, content)
        if not theirs(said):
            continue
        told = {"at": format_instant(instant(at)), "source": source, "reason": shown(sealer, REASON, reason)}
        alone = mailboxes_in(said) <= mailboxes_in(f"{customer.id} {customer.email or ''}")
        yield {**told, **({"content": said} if alone else {"names_others": True})}


def _run_on(connection: Any) -> Run:
    return lambda question, *values: connection.execute(_as_driver(connection, question), values)


def _asked(connection: Any, question: str, values: Any) -> list[Any]:
    """The rows of a question, whose values stand as `?`, from a connection of either driver."""
    return list(connection.execute(_as_driver(connection, question), values).fetchall())


def _as_driver(connection: Any, question: str) -> str:
    return question if isinstance(connection, sqlite3.Connection) else question.replace("?", "%s")


def _plain(value: Any) -> Any:
    """A record as JSON has it; what is none is left out."""
    if isinstance(value, Customer):
        return _plain({name: getattr(value, name) for name in Customer.__slots__})
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return _plain(value._asdict())
    if is_dataclass(value):
        return _plain({field.name: getattr(value, field.name) for field in fields(value)})
    if isinstance(value, Mapping):
        named = {":".join(key) if isinstance(key, tuple) else str(key): item for key, item in value.items()}
        return {name: _plain(item) for name, item in named.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    return jsonable(value)


def first_customers(store: Store, limit: int) -> Iterator[Customer]:
    """So many profiles, in no order that means anything. Nobody for a store in memory."""
    database = getattr(store, "db", None)
    if database is None:
        return
    with database.read() as connection:
        found = _asked(connection, "SELECT external_id FROM customers LIMIT ?", (limit,))
    for (id,) in found:
        card = store.card(id)
        if card is not None and card.customer is not None:
            yield card.customer


def _row(sealer: Sealer, table: Table, row: tuple[Any, ...], owner: int) -> dict[str, Any]:
    kept = dict(zip(table.columns.keys(), row, strict=True))
    kept = opened_row(sealer, table.name, kept, owner)
    return {
        column.name: _value(column, value)
        for column, value in zip(table.columns, kept.values(), strict=True)
        if value is not None and column.name not in _INTERNAL
    }


def _value(column: Column[Any], value: Any) -> Any:
    name = column.name
    if (name in _INSTANTS or name.endswith("_at")) and isinstance(value, int):
        return format_instant(instant(value))
    if name in _RECORDS and isinstance(value, str):
        try:
            return jsonable(loads(value))
        except ValueError:
            return value
    return value


def _suppressed(store: Store, customer: Customer) -> list[dict[str, Any]]:
    causes, apart = store.suppressions(), kept_apart(store)
    found = []
    for channel in ADDRESSES:
        address, _ = address_of(customer, channel)
        if address is not None:
            known = causes.get((channel, address.normal), frozenset())
            why = sorted(reasons(known, channel, address.text, apart, store.salt))
            found += [{"channel": channel, "address": address.text, "cause": cause} for cause in why]
    return found
