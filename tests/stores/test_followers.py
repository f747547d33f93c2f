"""Followers of the journal where databases have their ways: commits out of order, row ids that are given anew."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from orchestrator.errors import UsageError
from orchestrator.stores.postgres.store import open_store as open_postgres
from orchestrator.stores.protocol_exports import Feed
from orchestrator.stores.sqlite.store import open_store as open_sqlite
from tests.servers.postgres import clean_database
from tests.stores.contract_exports import followed
from tests.stores.driving import START, arrive, event, index_of, later, turns

LINE = (
    "INSERT INTO transitions (shard, customer, at, seq, n, type, data) "
    "SELECT shard, id, %s, %s, 0, 'event', '{}' FROM customers LIMIT 1"
)


def test_lines_of_a_transaction_that_is_committed_late_are_told() -> None:
    """A turn begins first and commits last; what others committed meanwhile is told after it, and nothing twice."""
    with clean_database() as url:
        store, other = open_postgres(url), open_postgres(url)
        store.deploy(index_of(), START)
        arrive(store, "u1", event("go", order="1"))
        turns(store, START)
        before, position = followed(store, 2)
        assert before
        with other.db.write() as c:
            c.execute(LINE, (1, 1))  # under way
            done = threading.Event()

            def commits() -> None:
                with store.db.write() as quick:
                    quick.execute(LINE, (2, 2))
                done.set()

            thread = threading.Thread(target=commits)
            thread.start()
            thread.join()
            assert done.is_set()
            found, position = followed(store, 2, position)
            assert found == [], "nothing behind a transaction that is under way is told"
        found, position = followed(store, 2, position)
        assert [id.split(".")[2] for id in found] == ["1", "2"]
        assert followed(store, 2, position)[0] == []
        with pytest.raises(UsageError, match="restored into another server"):
            store.journal_after(f"[{1 << 40},-1,-1,0,0,0]", 10)
        store.close()
        other.close()


def test_lines_that_stood_there_before_are_told_first() -> None:
    """A database that was migrated has lines that know no transaction."""
    with clean_database() as url:
        store = open_postgres(url)
        store.deploy(index_of(), START)
        for n in range(5):
            arrive(store, f"u{n}", event("go", order="1"))
        turns(store, START)
        with store.db.write() as c:
            c.execute("UPDATE transitions SET tx = 0")
        arrive(store, "u9", event("go", order="1"))
        turns(store, START)
        with store.db.read() as c:
            [(count,)] = c.execute("SELECT count(*) FROM transitions").fetchall()
        for limit in (1, 3, 100):
            ids, _ = followed(store, limit)
            assert len(ids) == len(set(ids)) == count
        store.close()


def test_row_ids_that_are_given_anew_lose_nothing(tmp_path: Path) -> None:
    store = open_sqlite(tmp_path / "a.db", durable=False)
    store.deploy(index_of(), START)
    for n in range(6):
        arrive(store, f"u{n}", event("go", order="1"))
    turns(store, START)
    first, position = followed(store, 4)
    with store.db.write() as c:  # what retention does, before the file is packed
        c.execute("DELETE FROM transitions WHERE rowid < 5")
    with store.db._lock:
        store.db._writer.execute("VACUUM")
    arrive(store, "u1", event("go", order="2", at=later(1)), later(1))
    turns(store, later(1))
    second, position = followed(store, 4, position)
    assert second and not set(first) & set(second)
    with store.db.write() as c:
        c.execute("DELETE FROM transitions")
    arrive(store, "u2", event("go", order="2", at=later(2)), later(2))
    turns(store, later(2))
    third, _ = followed(store, 4, position)
    with store.db.read() as c:
        [(count,)] = c.execute("SELECT count(*) FROM transitions").fetchall()
    assert len(third) == count > 0
    store.close()


def test_letters_go_with_their_person_and_with_time(tmp_path: Path) -> None:
    from orchestrator.stores.protocol_exports import FeedLetter

    store = open_sqlite(tmp_path / "a.db", durable=False)
    store.deploy(index_of(), START)
    for who in ("u1", "u2"):
        arrive(store, who, event("go", order="1"))
    turns(store, START)
    ids, position = followed(store, 100)
    assert store.keep_feed(Feed("hook:a", position), None, [FeedLetter("hook:a", id, START, "gone") for id in ids])
    mine = sum(line.customer == "u1" for line in store.journal_lines(ids).values())
    assert store.erase("u1", later(1), later(1), "ana") is not None
    assert store.letters_left("hook:a") == len(ids) - mine > 0
    while store.retain(later(days=4_000), 100):
        pass
    assert store.letters_left("hook:a") == 0
    store.close()
