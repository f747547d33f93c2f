"""Migrations on PostgreSQL: the same tables, one process at a time, and in two phases around a deploy."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import create_engine

from orchestrator.errors import UsageError
from orchestrator.stores import migrate
from orchestrator.stores.migrate import Migration, up_to
from orchestrator.stores.protocol import StoreBusy
from orchestrator.stores.schema import METADATA
from tests.servers.postgres import empty_database
from tests.stores.test_migrations import differences

COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, l.collname
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
LEFT JOIN pg_collation AS l ON l.oid = a.attcollation
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND c.relname <> 'alembic_version'
ORDER BY c.relname, a.attname
"""
INDEXES = """
SELECT indexname, indexdef FROM pg_indexes WHERE tablename <> 'alembic_version' AND schemaname = 'public' ORDER BY 1
"""
OPTIONS = """
SELECT relname, relkind, reloptions FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE 'alembic%' ORDER BY 1
"""


@pytest.fixture
def url() -> Iterator[str]:
    with empty_database() as url:
        yield url


def tables(url: str) -> list[object]:
    """Every column, index, sequence and option of storage."""
    with psycopg.connect(url) as c:
        return [c.execute(query).fetchall() for query in (COLUMNS, INDEXES, OPTIONS)]


def test_the_migrated_tables_are_those_of_the_schema(url: str) -> None:
    assert migrate.upgrade(url)[-1] == migrate.HEAD
    assert differences(url) == []
    # The comparison above knows neither collations, partial indexes nor fill factors.
    with empty_database() as directly:
        engine = create_engine(directly)
        METADATA.create_all(engine)
        engine.dispose()
        for migrated, made in zip(tables(url), tables(directly), strict=True):
            assert migrated == made


def test_an_upgrade_is_repeatable_and_tells_what_it_did(url: str) -> None:
    waiting = migrate.pending(url)
    assert waiting
    assert migrate.upgrade(url.replace("postgresql:", "postgresql+psycopg:")) == waiting
    assert migrate.pending(url) == []
    before = tables(url)
    assert migrate.upgrade(url) == []
    assert tables(url) == before


def test_processes_that_begin_at_once_migrate_once(url: str) -> None:
    done: list[list[str]] = []
    threads = [threading.Thread(target=lambda: done.append(migrate.upgrade(url))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done, key=len)[:3] == [[], [], []]
    assert sorted(done, key=len)[3][-1] == migrate.HEAD


def test_a_migration_that_fails_leaves_nothing_behind(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from alembic import op

    made: list[str] = []
    create_table = op.create_table

    def fails_in_the_middle(name: str, *columns: object, **options: object) -> object:
        made.append(name)
        if len(made) == 9:
            raise KeyboardInterrupt
        return create_table(name, *columns, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(op, "create_table", fails_in_the_middle)
    with pytest.raises(KeyboardInterrupt):
        migrate.upgrade(url)
    monkeypatch.undo()
    assert tables(url) == [[], [], []]
    assert migrate.upgrade(url) != []


def test_everything_can_be_taken_back(url: str) -> None:
    from alembic import command

    migrate.upgrade(url)
    with migrate._connection(url) as connection:
        command.downgrade(migrate._config(connection), "base")
    assert tables(url) == [[], [], []]


def test_a_database_of_a_newer_version_is_refused(url: str) -> None:
    migrate.upgrade(url)
    with psycopg.connect(url) as c:
        c.execute("UPDATE alembic_version SET version_num = '9999'")
    for asked in (migrate.upgrade, migrate.pending):
        with pytest.raises(UsageError, match=r"newer version.*'9999'.*install that version") as refused:
            asked(url)
        assert refused.value.code == "database_newer"


def test_a_server_that_is_away_makes_it_busy(url: str) -> None:
    with pytest.raises(StoreBusy):
        migrate.upgrade(url.replace("host=", "host=/nowhere"))


def test_phases_part_where_a_deploy_stands() -> None:
    first, drops, adds, fills, drops_more = (
        Migration(str(n), phase)
        for n, phase in enumerate(("before", "after", "before", "before", "after"))  # type: ignore[misc]
    )
    assert up_to([first], "before") == up_to([first], "after") == ["0"]
    known = [first, drops, adds, fills, drops_more]
    assert up_to(known, "before") == ["0", "1", "2", "3"]  # what the version before the last one left behind goes first
    assert up_to(known, "after") == ["0", "1", "2", "3", "4"]
    assert up_to([drops], "before") == []
