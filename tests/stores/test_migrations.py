"""Migrations make exactly the tables that the schema names, from any earlier version, as often as one likes."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine
from sqlalchemy.engine import URL

from orchestrator.errors import UsageError
from orchestrator.stores import migrate
from orchestrator.stores.schema import METADATA
from orchestrator.stores.schema_exports import ONLY_ON_POSTGRESQL


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some & strange %20 name.db"


def tables(path: Path) -> dict[str, str]:
    """Every table and index as SQLite keeps its text."""
    connection = sqlite3.connect(path)
    found = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    connection.close()
    return {name: " ".join(sql.replace('"', "").split()) for name, sql in found if name != "alembic_version"}


def differences(url: str | URL) -> list[Any]:
    """What a database lacks of the schema, or has beside it; some indexes suit only one of the databases."""
    engine = create_engine(url)

    def asked(item: Any, name: str | None, kind: str, reflected: bool, compare_to: Any) -> bool:
        if kind == "column" and reflected:
            return name not in METADATA.tables[item.table.name].info.get(ONLY_ON_POSTGRESQL, ())
        if kind == "index" and reflected and name == "ix_transitions_tx":
            return False  # made with the column that it is about
        only = getattr(item, "_ddl_if", None) if kind == "index" and not reflected else None
        return only is None or only.dialect == engine.dialect.name

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": asked})
        found = compare_metadata(context, METADATA)
    engine.dispose()
    return found


def test_the_migrated_tables_are_those_of_the_schema(path: Path, tmp_path: Path) -> None:
    migrate.upgrade(path)
    assert differences(URL.create("sqlite", database=str(path))) == []
    # The comparison above knows neither partial indexes nor tables without row ids: their text does.
    directly = tmp_path / "directly.db"
    engine = create_engine(f"sqlite:///{directly}")
    METADATA.create_all(engine)
    engine.dispose()
    assert tables(path) == tables(directly)


def test_an_upgrade_is_repeatable_and_tells_what_it_did(path: Path) -> None:
    assert not path.exists()
    waiting = migrate.pending(path)
    assert waiting
    assert not path.exists()
    assert migrate.upgrade(path) == waiting
    assert migrate.pending(path) == []
    before = tables(path)
    assert migrate.upgrade(path) == []
    assert tables(path) == before


def test_the_newest_migration_is_the_one_that_is_looked_for_first(path: Path) -> None:
    assert migrate.upgrade(path)[-1] == migrate.HEAD


def test_a_url_names_a_database_as_well(path: Path) -> None:
    url = f"sqlite:///{path.parent}/url.db"
    assert migrate.upgrade(url) != []
    assert migrate.upgrade(url) == []
    assert migrate.pending(path.parent / "url.db") == []


def test_an_empty_file_is_a_new_database(path: Path) -> None:
    path.touch()
    assert migrate.pending(path) != []
    assert migrate.upgrade(path) != []


def test_what_is_stored_survives_an_upgrade(path: Path) -> None:
    migrate.upgrade(path)
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("INSERT INTO meta VALUES ('salt', 'x')")
    migrate.upgrade(path)
    assert connection.execute("SELECT value FROM meta").fetchall() == [("x",)]
    connection.close()


def test_a_database_of_a_newer_version_is_refused(path: Path) -> None:
    migrate.upgrade(path)
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    for asked in (migrate.upgrade, migrate.pending):
        with pytest.raises(UsageError, match=r"newer version.*'9999'.*install that version") as refused:
            asked(path)
        assert refused.value.code == "database_newer"


def test_what_is_no_database_is_refused(path: Path) -> None:
    path.write_bytes(b"a letter to my aunt, which is not short enough to be taken for an empty file" * 100)
    with pytest.raises(UsageError, match="is no SQLite database"):
        migrate.upgrade(path)


def test_a_migration_that_fails_leaves_nothing_behind(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
        migrate.upgrade(path)
    monkeypatch.undo()
    assert tables(path) == {}
    assert migrate.upgrade(path) != []
