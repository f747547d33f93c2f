"""The audit log in databases: many who write at once, those who would change it, and the rows of before the chain."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import psycopg
import pytest
from alembic import command

from orchestrator.stores import migrate
from orchestrator.stores.postgres.store import open_store
from orchestrator.stores.sqlite.store import open_store as open_file
from tests.servers.postgres import clean_database
from tests.stores.driving import START, create, index_of, later
from tests.stores.postgres_stores import in_threads


def test_whoever_writes_at_once_writes_one_chain() -> None:
    with clean_database() as url:
        stores = [open_store(url, salt="0") for _ in range(4)]
        stores[0].deploy(index_of(), START)
        create(stores[0], *(f"u{n}" for n in range(10)))

        def write(number: int) -> None:
            for n in range(25):
                stores[number].audit(later(n), f"operator {number}", "kill", f"channel {n}")

        def erase() -> None:
            for n in range(10):
                stores[0].erase(f"u{n}", later(n), later(n), "li")

        in_threads(*[lambda number=number: write(number) for number in range(4)], erase)
        found = stores[1].verify_audit()
        assert (found.rows, found.fault) == (110, None)
        rows = stores[1].audit_rows(0, 200)
        assert [row.detail for row in rows if row.actor == "operator 2"] == [f"channel {n}" for n in range(25)]
        for store in stores:
            store.close()
        with psycopg.connect(url) as c:
            for sql in (
                b"DELETE FROM audit", b"UPDATE audit SET actor = 'nobody'", b"UPDATE audit SET detail = 'x'",
                b"TRUNCATE audit", b"TRUNCATE meta, audit CASCADE",
            ):  # fmt: skip
                with pytest.raises(psycopg.errors.RaiseException, match="only ever added to"):
                    c.execute(sql)
                c.rollback()
            c.execute(b"DROP TRIGGER audit_kept ON audit")
            c.execute(
                b"UPDATE audit SET actor = 'nobody' WHERE id = (SELECT id FROM audit ORDER BY id OFFSET 41 LIMIT 1)"
            )
            c.commit()
        store = open_store(url, salt="0")
        touched = store.verify_audit().fault
        assert touched is not None and touched.id == rows[41].id and "content" in touched.why
        store.close()


def test_rows_of_before_are_chained_by_the_upgrade(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with migrate._connection(path) as connection:
        command.upgrade(migrate._config(connection), "0006")
    with sqlite3.connect(path) as c:
        c.execute("INSERT INTO meta VALUES ('salt', 'x7')")
        for n, words in enumerate(("welcome", "", "Zoë's file %")):
            c.execute(
                "INSERT INTO audit (at, actor, action, detail) VALUES (?, 'ana', 'pause', ?)", (n * 1_000_003, words)
            )
    c.close()
    assert migrate.upgrade(path)[0] == "0007"
    store = open_file(path)
    store.audit(START, "li", "resume", "welcome")
    found = store.verify_audit()
    assert (found.rows, found.fault) == (4, None)
    assert [row.detail for row in store.audit_rows(0, 9)] == ["welcome", "", "Zoë's file %", "welcome"]
    store.close()
