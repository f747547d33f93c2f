"""SQLite stores for tests that look inside, or open a file a second time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.stores.sqlite.store import SqliteStore, open_store

_ASKED = re.compile(r"^\s*(WITH|SELECT|INSERT|UPDATE|DELETE)\b", re.IGNORECASE)


@contextmanager
def opened(path: Path) -> Iterator[SqliteStore]:
    """The store in a file, as a process that begins finds it."""
    store = open_store(path, salt="0", durable=False, drains=True)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def statements(store: SqliteStore) -> Iterator[list[str]]:
    """Every statement that a store executes meanwhile, with its values."""
    found: list[str] = []
    with store.db.read() as reader, store.db.write() as writer:
        connections = [reader, writer]
    for connection in connections:
        connection.set_trace_callback(lambda sql: found.append(sql) if _ASKED.match(sql) else None)
    try:
        yield found
    finally:
        for connection in connections:
            connection.set_trace_callback(None)


def plan_of(store: SqliteStore, sql: str) -> list[str]:
    """How SQLite would find the rows of a statement: a line for each table."""
    with store.db.read() as c:
        return [row[3] for row in c.execute(f"EXPLAIN QUERY PLAN {sql}")]


def rows_in(store: SqliteStore, table: str) -> int:
    """How many rows a table has."""
    with store.db.read() as c:
        [count] = c.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(count)
