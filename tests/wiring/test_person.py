"""All that is stored about a person, and nothing about anybody else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.stores.protocol import RefusedItem
from orchestrator.stores.sqlite.store import SqliteStore
from orchestrator.wiring.person import everything_about
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


def test_suppressions_of_every_channel_are_told(store: SqliteStore) -> None:
    store.suppress([(channel, "+351912345678", "opted_out") for channel in ("sms", "whatsapp")], START)
    found = everything_about(store, "42")
    assert found is not None
    assert {entry["channel"] for entry in found["suppressions"]} == {"sms", "whatsapp"}
