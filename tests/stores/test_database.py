"""One SQLite file under many callers: transactions are whole, readers wait for nobody, and trouble has one name."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.stores.protocol import StoreBusy
from orchestrator.stores.sqlite import database
from orchestrator.stores.sqlite.database import Database


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with sqlite3.connect(tmp_path / "some.db") as c:
        c.execute("CREATE TABLE t (n INTEGER NOT NULL)")
    c.close()
    return tmp_path / "some.db"


@pytest.fixture
def db(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setattr(database, "BUSY_FOR", 0.05)
    opened = Database(path)
    yield opened
    opened.release(commit=False)
    opened.close()


def put(db: Database, *numbers: object) -> None:
    with db.write() as c:
        for n in numbers:
            c.execute("INSERT INTO t VALUES (?)", (n,))


def seen(db: Database) -> list[int]:
    with db.read() as c:
        return [n for (n,) in c.execute("SELECT n FROM t ORDER BY n")]


def seen_by_another_thread(db: Database) -> list[int]:
    found: list[int] = []
    reader = threading.Thread(target=lambda: found.extend(seen(db)))
    reader.start()
    reader.join()
    return found


def test_a_write_is_whole(db: Database) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        put(db, 1, None)
    assert seen(db) == []
    put(db, 2)
    assert seen(db) == [2]


def test_a_write_inside_a_write_belongs_to_it(db: Database) -> None:
    def outer() -> None:
        with db.write():
            put(db, 1)
            put(db, None)

    with pytest.raises(sqlite3.IntegrityError):
        outer()
    assert seen(db) == []


def test_what_is_held_is_seen_by_its_own_thread_alone(db: Database) -> None:
    db.hold()
    put(db, 1)
    assert seen(db) == [1]
    assert seen_by_another_thread(db) == []
    db.release(commit=True)
    assert seen_by_another_thread(db) == [1]


def test_what_is_released_without_commit_is_gone(db: Database) -> None:
    db.hold()
    put(db, 1)
    db.release(commit=False)
    assert seen(db) == []
    db.release(commit=True)  # nothing is held any more


def test_commit_and_hold_keeps_what_was_written_and_goes_on(db: Database) -> None:
    db.hold()
    put(db, 1)
    db.commit_and_hold()
    assert seen_by_another_thread(db) == [1]
    put(db, 2)
    assert db.holding
    db.release(commit=False)
    assert seen(db) == [1]


def test_other_threads_wait_for_who_is_holding(db: Database) -> None:
    db.hold()
    put(db, 1)
    writer = threading.Thread(target=put, args=(db, 2))
    writer.start()
    writer.join(0.2)
    assert writer.is_alive()
    db.release(commit=True)
    writer.join()
    assert seen(db) == [1, 2]


def test_another_process_that_writes_makes_it_busy(db: Database, path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for attempt in (lambda: put(db, 1), db.hold):
        with pytest.raises(StoreBusy, match="nothing was written"):
            attempt()
    assert not db.holding
    other.execute("ROLLBACK")
    other.close()
    put(db, 1)
    assert seen(db) == [1]


def test_nobody_waits_longer_because_others_of_this_process_wait_too(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four threads want to write while another process does: all are told in time, not one after the other."""
    monkeypatch.setattr(database, "BUSY_FOR", 1.0)
    monkeypatch.setattr(database, "QUEUED_FOR", 1.0)
    monkeypatch.setattr(database, "_HURRIED", 0.8)
    db, waited = Database(path), list[float]()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        def write() -> None:
            began_at = time.monotonic()
            with pytest.raises(StoreBusy), db.write():
                pass
            waited.append(time.monotonic() - began_at)

        threads = [threading.Thread(target=write) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert len(waited) == 4 and max(waited) < 2.5
    with db.write() as c:  # and everything is as before
        assert c.execute("PRAGMA busy_timeout").fetchone() == (1_000,)
    db.close()


def test_a_full_disk_makes_it_busy_and_nothing_half_is_left(db: Database) -> None:
    with db.write() as c:
        [pages] = c.execute("PRAGMA page_count").fetchone()
        c.execute(f"PRAGMA max_page_count={pages + 2}")
    with pytest.raises(StoreBusy, match="full"):
        put(db, *range(10_000))
    assert seen(db) == []
    db.hold()
    with pytest.raises(sqlite3.OperationalError):
        put(db, *range(10_000))
    db.release(commit=False)
    put(db, 1)
    assert seen(db) == [1]


def test_what_was_committed_is_flushed_to_the_disk_unless_told_otherwise(path: Path) -> None:
    for durable, level in ((True, 2), (False, 0)):
        db = Database(path, durable)
        with db.write() as c:
            assert c.execute("PRAGMA synchronous").fetchone() == (level,)
            assert c.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        db.close()


def test_a_file_that_only_simulated_can_be_made_durable(path: Path) -> None:
    db = Database(path, durable=False)
    put(db, 1)
    with db.write() as c:
        assert c.execute("PRAGMA synchronous").fetchone() == (0,)
    db.make_durable()
    with db.write() as c:
        assert c.execute("PRAGMA synchronous").fetchone() == (2,)
    assert db.durable and seen(db) == [1]
    db.close()
