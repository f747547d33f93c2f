"""What an installation's database holds about people: all about one of them, for a request of that person, and profiles
to look at."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Final

from sqlalchemy import Column, Table

from orchestrator.core.addresses import address_of
from orchestrator.core.customer import Customer
from orchestrator.core.plus_addresses import reasons
from orchestrator.core.state import loads
from orchestrator.core.time.iso import format_instant
from orchestrator.core.transition import jsonable
from orchestrator.runtime.plus_addresses import kept_apart
from orchestrator.stores.erased_records import ADDRESSES
from orchestrator.stores.instants import instant
from orchestrator.stores.naming import names
from orchestrator.stores.protocol import Store
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


def everything_about(store: Store, customer: str) -> dict[str, Any] | None:
    """All that is stored about a customer, by what it is: `profile`, `messages`, `coupons`, `tasks` and `journal` as
    records, and the rows of every other table that belong to the customer, by table; the suppressions of its addresses.

    None for an id that nobody has. Instants are RFC 3339. Raises TypeError for a store in memory, which no second
    process can see.
    """
    database = getattr(store, "db", None)
    if database is None:
        raise TypeError("a store in memory cannot be asked from outside its process")
    card = store.card(customer)
    if card is None or card.customer is None:
        return None
    found: dict[str, Any] = {"customer": customer, "profile": _plain(card.customer)}
    found["messages"] = [
        _plain({**m.row._asdict(), "status": m.status, "opened_at": m.opened_at, "clicked_at": m.clicked_at})
        for m in card.messages
    ]
    found["coupons"] = [_plain(coupon) for coupon in card.coupons]
    found["tasks"] = [_plain(task) for task in card.tasks]
    found["journal"] = [_plain(transition) for transition in store.journal(customer)]
    found["choices"] = [_plain(choice) for choice in store.consent_log(customer)]
    with database.read() as connection:
        place = _asked(connection, "SELECT shard, id FROM customers WHERE external_id = ?", (customer,))[0]
        for table in METADATA.sorted_tables:
            if table.name in _RECORDED or not {"shard", "customer"} <= set(table.columns.keys()):
                continue
            order = ", ".join(f'"{column.name}"' for column in table.primary_key)
            names = ", ".join(f'"{column.name}"' for column in table.columns)
            question = f'SELECT {names} FROM "{table.name}" WHERE shard = ? AND customer = ? ORDER BY {order}'
            rows = _asked(connection, question, place)
            found[table.name] = [_row(database.sealer, table, row, place[1]) for row in rows]
        found["refused"] = _naming(connection, database.sealer, card.customer)
    found["suppressions"] = _suppressed(store, card.customer)
    return {name: what for name, what in found.items() if what}


def _naming(connection: Any, sealer: Sealer, customer: Customer) -> list[dict[str, Any]]:
    """What came and could not be taken, as far as it names the person."""
    theirs = names([customer.id], customer.email, customer.phone, customer.country)
    rows = _asked(connection, "SELECT at, source, reason, content FROM refused ORDER BY id", ())
    kept = [(at, source, reason, shown(sealer, CONTENT, content)) for at, source, reason, content in rows]
    return [
        {"at": format_instant(instant(at)), "source": source, "reason": shown(sealer, REASON, reason), "content": said}
        for at, source, reason, said in kept
        if theirs(said)
    ]


def _asked(connection: Any, question: str, values: Any) -> list[Any]:
    """The rows of a question, whose values stand as `?`, from a connection of either driver."""
    text = question if isinstance(connection, sqlite3.Connection) else question.replace("?", "%s")
    return list(connection.execute(text, values).fetchall())


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
