"""One PostgreSQL database under many callers: transactions are whole, trouble that passes has one name, and texts of
our own making reach the server as they are."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.stores.postgres import connections
from orchestrator.stores.postgres.arrays import ints, texts
from orchestrator.stores.postgres.copying import NULL, copy_rows
from orchestrator.stores.postgres.database import SETTINGS, Database, is_busy, is_refused
from orchestrator.stores.protocol import StoreBusy
from tests.servers.postgres import empty_database, shared_server


@pytest.fixture
def url() -> Iterator[str]:
    with empty_database() as url:
        with psycopg.connect(url) as c:
            c.execute("CREATE TABLE t (n int NOT NULL UNIQUE)")
        yield url


@pytest.fixture
def db(url: str) -> Iterator[Database]:
    opened = Database(url, most=2)
    yield opened
    opened.release(False)
    opened.close()


def put(db: Database, *numbers: object, apart: bool = False) -> None:
    with db.write(apart) as c:
        for n in numbers:
            c.execute("INSERT INTO t VALUES (%s)", (n,))


def seen(db: Database) -> list[int]:
    with db.read() as c:
        return [n for (n,) in c.execute("SELECT n FROM t ORDER BY n")]


def seen_by_another_thread(db: Database) -> list[int]:
    found: list[int] = []
    reader = threading.Thread(target=lambda: found.extend(seen(db)))
    reader.start()
    reader.join()
    return found


# --- transactions -----------------------------------------------------------------------------------------------------


def test_a_write_is_whole(db: Database) -> None:
    with pytest.raises(psycopg.errors.NotNullViolation):
        put(db, 1, None)
    assert seen(db) == []
    put(db, 2)
    assert seen(db) == [2]


def test_a_write_inside_a_write_belongs_to_it_and_fails_alone(db: Database) -> None:
    with db.write():
        put(db, 1)
        with pytest.raises(psycopg.errors.UniqueViolation):
            put(db, 2, 1)
        assert seen(db) == [1]
        put(db, 3)
        assert seen_by_another_thread(db) == []
    assert seen_by_another_thread(db) == [1, 3]


def test_a_failed_transaction_is_not_taken_for_committed(db: Database) -> None:
    def swallows() -> None:
        with db.write() as c:
            put(db, 1)
            with pytest.raises(psycopg.errors.UndefinedTable):
                c.execute("SELECT * FROM nowhere")

    with pytest.raises(StoreBusy):
        swallows()
    assert seen(db) == []


def test_what_is_held_is_seen_by_its_own_thread_alone(db: Database) -> None:
    db.hold()
    put(db, 1)
    put(db, 2, apart=True)
    assert seen(db) == [1, 2]
    assert seen_by_another_thread(db) == [2]
    db.release(True)
    assert seen_by_another_thread(db) == [1, 2]


def test_what_is_released_without_commit_is_gone_but_for_what_was_apart(db: Database) -> None:
    db.hold()
    put(db, 1)
    put(db, 2, apart=True)
    db.release(False)
    assert seen(db) == [2]
    db.release(True)  # nothing is held any more


def test_each_thread_holds_for_itself(db: Database) -> None:
    db.hold()
    put(db, 1)
    held: list[bool] = []

    def other() -> None:
        held.append(db.holding)
        db.hold()
        put(db, 2)
        db.release(True)

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert held == [False]
    db.release(True)
    assert seen(db) == [1, 2]


# --- sessions ---------------------------------------------------------------------------------------------------------


def test_every_session_has_its_settings(db: Database, url: str) -> None:
    with db.read() as reading, db.write() as writing:
        for c in (db.hold(), reading, writing):
            for name, value in SETTINGS.items():
                assert c.execute("SELECT current_setting(%s)", (name,)).fetchone() == (value,)
            assert c.execute("SHOW synchronous_commit").fetchone() == ("off",)  # the server of the tests
    db.release(False)
    for durable, told in ((True, None), (False, "off")):
        other = Database(f"{url}&options=-csearch_path%3Dpublic%20-csynchronous_commit%3Dlocal", durable)
        with other.read() as c:
            assert c.execute("SHOW search_path").fetchone() == ("public",)
            assert c.execute("SHOW synchronous_commit").fetchone() == (told or "local",)
        other.make_durable()
        with other.read() as c:
            assert c.execute("SHOW synchronous_commit").fetchone() == ("local",)
        other.close()


def test_calls_share_few_connections_and_wait_for_them(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "WAITS_FOR", 0.1)
    inside, leave = threading.Barrier(3), threading.Event()

    def occupy() -> None:
        with db.read():
            inside.wait()
            leave.wait()

    threads = [threading.Thread(target=occupy) for _ in range(2)]
    for thread in threads:
        thread.start()
    inside.wait()
    with pytest.raises(StoreBusy, match="all 2 connections"):
        seen(db)
    leave.set()
    for thread in threads:
        thread.join()
    assert seen(db) == []


def test_a_connection_that_the_server_ended_is_replaced_unnoticed(db: Database, url: str) -> None:
    put(db, 1)
    db.hold()
    db.release(True)
    others = "pid <> pg_backend_pid() AND datname = current_database()"
    with psycopg.connect(url) as c:
        c.execute(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {others}")
    put(db, 2)
    db.hold()
    assert seen(db) == [1, 2]
    db.release(True)


def ended_by(sql: str) -> Callable[[Database], None]:
    def fail(db: Database) -> None:
        with db.write() as c:
            for statement in sql.split("; ") if sql.startswith("SET") else [sql]:
                c.execute(statement)

    return fail


@pytest.mark.parametrize(
    "trouble",
    [
        "SELECT pg_terminate_backend(pg_backend_pid())",
        "DO $$ BEGIN RAISE 'x' USING ERRCODE = '40001'; END $$",
        "DO $$ BEGIN RAISE 'x' USING ERRCODE = '40P01'; END $$",
        "DO $$ BEGIN RAISE 'x' USING ERRCODE = '53100'; END $$",
        "DO $$ BEGIN RAISE 'x' USING ERRCODE = '53300'; END $$",
        "DO $$ BEGIN RAISE 'x' USING ERRCODE = '57P03'; END $$",
        "DO $$ BEGIN RAISE 'x' USING ERRCODE = '58030'; END $$",
        "SET LOCAL statement_timeout = 10; SELECT pg_sleep(5)",
        "SET LOCAL transaction_read_only = on; INSERT INTO t VALUES (9)",
    ],
)
def test_what_a_retry_mends_makes_it_busy(db: Database, trouble: str) -> None:
    with pytest.raises(StoreBusy):
        ended_by(trouble)(db)
    put(db, 1)
    assert seen(db) == [1]


def test_a_lock_that_is_not_given_makes_it_busy(db: Database, url: str) -> None:
    put(db, 1)
    with psycopg.connect(url) as somebody:
        somebody.execute("SELECT * FROM t FOR UPDATE")
        with pytest.raises(StoreBusy, match="lock timeout"):
            ended_by("SET LOCAL lock_timeout = 50; UPDATE t SET n = 2")(db)
    assert seen(db) == [1]


def test_a_server_that_is_away_makes_it_busy(url: str) -> None:
    db = Database(url.replace(str(shared_server().folder), "/nowhere"))
    for attempt in (db.hold, lambda: put(db, 1), lambda: seen(db)):
        with pytest.raises(StoreBusy):
            attempt()
    assert not db.holding
    db.close()


@pytest.mark.parametrize("sqlstate", ["22003", "22001", "22021", "23505", "23514", "54000"])
def test_what_no_retry_mends_is_refused(db: Database, sqlstate: str) -> None:
    with pytest.raises(psycopg.Error) as raised:
        ended_by(f"DO $$ BEGIN RAISE 'x' USING ERRCODE = '{sqlstate}'; END $$")(db)
    assert is_refused(raised.value)
    assert not is_busy(raised.value)


# --- texts of our own making ------------------------------------------------------------------------------------------

AWKWARD = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6) | st.text(
    st.sampled_from("\\\"'{},NULN \t\r\n\x1e\x1fé雪"), max_size=6
)


@pytest.fixture(scope="module")
def session() -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(shared_server().url()) as c:
        c.execute("CREATE TEMPORARY TABLE copied (place int, a text, b text, n bigint)")
        yield c


@settings(deadline=None)
@given(
    st.lists(st.none() | AWKWARD, max_size=5), st.lists(st.none() | st.integers(-(1 << 63), (1 << 63) - 1), max_size=5)
)
def test_arrays_come_in_as_they_are(
    session: psycopg.Connection[tuple[object, ...]], words: list[str | None], numbers: list[int | None]
) -> None:
    found = session.execute("SELECT %s::text[], %s::bigint[]", (texts(words), ints(numbers))).fetchone()
    assert found == (words, numbers)


@settings(deadline=None)
@given(st.lists(st.tuples(AWKWARD, st.none() | AWKWARD.filter(lambda text: text != NULL)), min_size=1, max_size=5))
def test_copied_rows_come_in_as_they_are(
    session: psycopg.Connection[tuple[object, ...]], rows: list[tuple[str, str | None]]
) -> None:
    session.execute("DELETE FROM copied")
    given_rows = [(n, a, NULL if b is None else b, n * n) for n, (a, b) in enumerate(rows) if a != NULL]
    copy_rows(session, "copied (place, a, b, n)", given_rows)
    found = session.execute("SELECT place, a, b, n FROM copied ORDER BY place").fetchall()
    assert found == [(n, a, None if b is NULL else b, m) for n, a, b, m in given_rows]
