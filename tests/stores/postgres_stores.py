"""PostgreSQL stores for tests that look inside, open a database a second time, or let something fail."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from orchestrator.stores.postgres.store import PostgresStore, open_store
from orchestrator.stores.protocol import Snapshot
from tests.stores.driving import START, index_of

FILES = Snapshot("the same files", {})
_PARAMETER = re.compile(r"%(\(\w+\))?s")


@contextmanager
def opened(url: str, **options: Any) -> Iterator[PostgresStore]:
    """The store in a database, as one more process that works there."""
    store = open_store(url, **{"drains": True, **options})
    store.deploy(index_of(), START, FILES)
    try:
        yield store
    finally:
        store.close()


def killed(store: PostgresStore) -> None:
    """The process ends here: nothing is released, and the server notices that its connections are gone."""
    pids = [c.info.backend_pid for c in store.db._turns]
    store.db.close()
    with psycopg.connect(store.db.url) as c:
        while c.execute("SELECT 1 FROM pg_stat_activity WHERE pid = ANY(%s)", (pids,)).fetchone() is not None:
            c.rollback()


def cut_off(store: PostgresStore) -> None:
    """The server ends the session in which this thread's turn runs."""
    with psycopg.connect(store.db.url) as c:
        c.execute("SELECT pg_terminate_backend(%s, 5000)", (store.db.writer.info.backend_pid,))


def execute(url: str, sql: str, *values: object) -> list[tuple[Any, ...]]:
    """A statement of somebody else's, committed."""
    with psycopg.connect(url) as c:
        cursor = c.execute(sql.encode(), values or None)
        return cursor.fetchall() if cursor.description is not None else []


def rows_in(url: str, table: str) -> int:
    """How many rows a table has."""
    return int(execute(url, f"SELECT count(*) FROM {table}")[0][0])


def in_threads(*calls: Callable[[], Any]) -> list[Any]:
    """Call them at once, each in a thread of its own. Returns what they returned; the first that raised is raised."""
    found: list[Any] = [None] * len(calls)
    raised: list[BaseException] = []
    together = threading.Barrier(len(calls))

    def run(place: int, call: Callable[[], Any]) -> None:
        together.wait()
        try:
            found[place] = call()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(place, call)) for place, call in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if raised:
        raise raised[0]
    return found


@contextmanager
def statements(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, Any]]]:
    """Every statement that stores execute meanwhile, as (text, values)."""
    asked: list[tuple[str, Any]] = []
    execute = psycopg.Connection.execute

    def told(self: Any, query: Any, params: Any = None, **options: Any) -> Any:
        asked.append((query.decode() if isinstance(query, bytes) else query, params))
        return execute(self, query, params, **options)

    with monkeypatch.context() as patch:
        patch.setattr(psycopg.Connection, "execute", told)
        yield asked


def plan_of(store: PostgresStore, sql: str, values: Any) -> list[str]:
    """How the server would find the rows of a statement, in a session of the store, with a generic plan: the lines of
    its plan without costs."""
    count = 0

    def numbered(_: object) -> str:
        nonlocal count
        count += 1
        return f"${count}"

    with store.db.write() as c:
        c.execute("SAVEPOINT plan")
        c.execute(b"PREPARE asked AS " + _PARAMETER.sub(numbered, sql).replace("%%", "%").encode())
        nulls = ", ".join(["NULL"] * count)
        found = c.execute(f"EXPLAIN (COSTS OFF) EXECUTE asked{f'({nulls})' if count else ''}".encode()).fetchall()
        c.execute("DEALLOCATE asked")
        c.execute("ROLLBACK TO plan")
    return [line for (line,) in found]
