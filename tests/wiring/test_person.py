"""All that is stored about a person, and nothing about anybody else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from sqlalchemy import Column, Float, Integer

from orchestrator.stores.protocol import RefusedItem
from orchestrator.stores.schema import METADATA
from orchestrator.stores.sqlite.store import SqliteStore
from orchestrator.wiring.person import _RECORDED, FORMAT, NOBODYS, everything_about, write_everything
from tests.stores.driving import START, create, index_of
from tests.stores.sqlite_files import opened


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with opened(tmp_path / "store.db") as store:
        store.deploy(index_of(), START)
        create(store, "42", email="ana@example.com")
        yield store


def test_an_order_number_that_is_somebodys_id_is_nobodys_data(store: SqliteStore) -> None:
    theirs = [json.dumps({"userId": 42}), "who=Ana%40Example.com", json.dumps({"to": "00351 912 345 678"})]
    others = [json.dumps({"userId": "7", "properties": {"qty": 42}}), "who=mariana%40example.com", "order=42"]
    store.keep_refused([RefusedItem(START, "track", "no name", content) for content in [*theirs, *others]])
    found = everything_about(store, "42")
    assert found is not None
    assert [item["content"] for item in found["refused"]] == theirs


def test_what_names_others_too_is_not_shown(store: SqliteStore) -> None:
    batch = "email,name\nana@example.com,Ana\nbo@example.com,Bo"
    store.keep_refused(
        [RefusedItem(START, "hooks/x", "unreadable", content) for content in (batch, "to=ana@example.com")]
    )
    found = everything_about(store, "42")
    assert found is not None
    assert [item.get("content") for item in found["refused"]] == [None, "to=ana@example.com"]
    assert found["refused"][0]["names_others"] and "bo@example.com" not in str(found)


def test_suppressions_of_every_channel_are_told(store: SqliteStore) -> None:
    store.suppress([(channel, "+351912345678", "opted_out") for channel in ("sms", "whatsapp")], START)
    found = everything_about(store, "42")
    assert found is not None
    assert {entry["channel"] for entry in found["suppressions"]} == {"sms", "whatsapp"}


def test_every_table_is_told_or_says_nothing_of_anybody() -> None:
    """A new table has to be thought about: it belongs to customers, or stands in a list with its reason."""
    elsewhere = {"customers", "forwarding", "links", "refused", "audit", "suppressions"}
    for table in METADATA.sorted_tables:
        owned = {"shard", "customer"} <= set(table.columns.keys())
        assert owned + (table.name in NOBODYS) + (table.name in elsewhere) == 1, table.name


def test_rows_of_every_table_of_a_customer_are_told(store: SqliteStore) -> None:
    """Filled with something of each type, whatever it means."""
    with store.db.write() as c:
        shard, customer = c.execute("SELECT shard, id FROM customers").fetchone()
        for table in METADATA.sorted_tables:
            if not {"shard", "customer"} <= set(table.columns.keys()) or table.name in _RECORDED:
                continue
            values = [_something(column, shard, customer) for column in table.columns]
            names = ", ".join(f'"{column.name}"' for column in table.columns)
            marks = ", ".join("?" * len(values))
            c.execute(f'INSERT OR IGNORE INTO "{table.name}" ({names}) VALUES ({marks})', values)
    found = everything_about(store, "42")
    assert found is not None
    owned = {t.name for t in METADATA.sorted_tables if {"shard", "customer"} <= set(t.columns.keys())} - _RECORDED
    assert owned <= found.keys()
    assert found["redemptions"][0]["order_id"] == "x" and found["format"] == FORMAT


def _something(column: Column[Any], shard: int, customer: int) -> Any:
    if column.name in ("shard", "customer"):
        return shard if column.name == "shard" else customer
    if isinstance(column.type, (Integer, Float)):
        return 1
    return "{}" if column.name in ("row", "body", "state", "snapshot", "data", "properties") else "x"


def test_the_export_is_written_as_it_is_read_and_has_a_schema(store: SqliteStore) -> None:
    store.audit(START, "ana", "suppress", "email ana@example.com: opted_out")
    store.audit(START, "ana", "suppress", "email other@example.com: opted_out")
    out = StringIO()
    assert write_everything(store, "42", out)
    told = json.loads(out.getvalue())
    assert told == everything_about(store, "42")
    assert [one["detail"] for one in told["operations"]] == ["email ana@example.com: opted_out"]
    schema = json.loads((Path(__file__).parents[2] / "docs" / "customer-export.json").read_text())
    jsonschema.validate(told, schema)
    assert not write_everything(store, "nobody", out)
