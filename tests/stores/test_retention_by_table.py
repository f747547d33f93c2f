"""`retention:` of a project: what is refused, and what goes when, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.inbox import Event
from orchestrator.definitions.load import load_project
from orchestrator.stores.postgres.store import open_store as open_postgres
from orchestrator.stores.protocol import RefusedItem, Settlement
from orchestrator.stores.sqlite.store import open_store as open_sqlite
from tests.servers.postgres import clean_database
from tests.stores.driving import START, WRITES, arrive, create, event, index_of, turns

DAY = timedelta(days=1)
RETENTION = {"journal": "62d", "messages": "90d", "refused": "30d"}


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    if request.param == "sqlite":
        store: Any = open_sqlite(tmp_path / "a.db", durable=False)
        yield store
        store.close()
        return
    with clean_database() as url:
        store = open_postgres(url)
        yield store
        store.close()


def count(store: Any, table: str) -> int:
    with store.db.read() as c:
        return int(c.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def lived(store: Any, **project: Any) -> None:
    """Somebody got a message, a second one waits, and something was refused."""
    store.deploy(index_of({"writes": WRITES}, **project), START)
    create(store, "u1", email="u1@example.com")
    arrive(store, "u1", event("go", order="1"))
    turns(store, START)
    [claimed] = store.claim_messages(START, 10)
    store.settle_messages([Settlement(claimed.row.id, "u1", "sent", fence=claimed.fence)], START)
    store.keep_refused([RefusedItem(START, "http", "wrong", "{}")])
    arrive(store, "u1", event("go", order="2"), message_id="m2")
    turns(store, START)
    store.lay_history("u1", [Event("seen", START + n * timedelta(hours=1), {}, str(n)) for n in range(3)])


def test_each_table_has_a_length_of_its_own(store: Any) -> None:
    lived(store, project={"retention": RETENTION})
    before = {name: count(store, name) for name in ("transitions", "messages", "refused", "events", "consents")}
    assert before["messages"] == 2 and before["refused"] == 1 and before["transitions"] > 0
    kept = []
    for days in (29, 31, 63, 89, 91):
        store.retain(START + days * DAY, 1_000)
        kept.append([count(store, name) for name in ("refused", "transitions", "messages")])
    lines = before["transitions"]
    assert kept == [[1, lines, 2], [0, lines, 2], [0, 0, 2], [0, 0, 2], [0, 0, 1]]
    assert count(store, "events") == before["events"] and count(store, "consents") == before["consents"]
    [waiting] = store.latest_messages(10)
    assert waiting.status == "queued"


def test_without_the_key_everything_is_as_it_was(store: Any) -> None:
    lived(store)
    store.retain(START + 399 * DAY, 1_000)
    assert count(store, "transitions") > 0
    store.retain(START + 500 * DAY, 1_000)
    assert (count(store, "transitions"), count(store, "messages"), count(store, "refused")) == (0, 2, 1)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "{messages: 90d}\ncaps: [{max: 9, per: 100d}]",
            "messages kept for 90d are too few: cap 1 (at most 9 messages)",
        ),
        ("{messages: 61d}", "the monthly proof reads the month before"),
        ("{journal: 30d}", "journal kept for 30d are too few"),
        ("{events: 399d}", "conditions look back 400d (`settings: history`)"),
        ("{passages: 10d}", "goals and conditions look back 400d"),
        ("{refused: 1h}", "refused kept for 1h are too few"),
        ("{messages: 3y}", "3y"),
        ("{consents: 10d}", "consents"),
    ],
)
def test_too_little_is_refused_with_what_needs_more(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "journeys").mkdir()
    (tmp_path / "journeys" / "project.yaml").write_text(f"timezone: UTC\nretention: {text}\n", encoding="utf-8")
    [problem] = [each for each in load_project(tmp_path).problems if each.severity == "error"]
    assert says in problem.message and problem.line == 2
