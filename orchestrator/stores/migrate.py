"""Bringing a database to this version's tables, from code: `up`, `db upgrade` and the tests call the same functions."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from orchestrator.errors import UsageError
from orchestrator.stores.protocol import StoreBusy
from orchestrator.stores.sqlite.database import is_busy

if TYPE_CHECKING:  # imported where a migration has to run: no other command waits for them
    from sqlalchemy import Connection

HEAD: Final = "0001"
"""The last migration of this version: a database that says so needs no look at the others."""
_SCRIPTS: Final = Path(__file__).parent / "migrations"


def upgrade(database: Path | str) -> list[str]:
    """Bring a database (a SQLite file, or a URL) to this version's tables; the file is made where there is none.

    Returns the migrations that ran, in their order. All of them are one transaction. Raises UsageError for a database
    of a newer version.
    """
    waiting = pending(database)
    if waiting:
        from alembic import command

        with _connection(database) as connection:
            command.upgrade(_config(connection), "head")
    return waiting


def pending(database: Path | str) -> list[str]:
    """The migrations that a database still needs, in their order. Raises UsageError for one of a newer version."""
    current = _version_of(database)
    if current == HEAD:
        return []
    known = _scripts()
    if current is None:
        return known
    if current not in known:
        raise UsageError(
            f"the database {database} was made by a newer version of this program (its tables are of '{current}', the "
            f"last one known here is '{HEAD}'); install that version again, or go back to a copy of the database",
            "database_newer",
        )
    return known[known.index(current) + 1 :]


def _version_of(database: Path | str) -> str | None:
    """The last migration that a database has seen; None: it is empty, or not there."""
    if isinstance(database, Path):
        return _version_of_file(database)
    with _connection(database) as connection:
        from alembic.runtime.migration import MigrationContext

        return MigrationContext.configure(connection).get_current_revision()


def _version_of_file(file: Path) -> str | None:
    """What a SQLite file says, by the driver alone: this is asked at every start."""
    if not file.exists():
        return None
    connection = sqlite3.connect(file)
    try:
        found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error as error:
        if is_busy(error):
            raise StoreBusy(f"{file} cannot be read just now: {error}") from error
        if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
            raise UsageError(
                f"{file} is no SQLite database; give another path, or move it away", "no_sqlite"
            ) from error
        return None  # it has no such table
    finally:
        connection.close()
    return None if found is None else str(found[0])


def _scripts() -> list[str]:
    """Every migration, in their order."""
    from alembic.script import ScriptDirectory

    return [script.revision for script in reversed(list(ScriptDirectory(str(_SCRIPTS)).walk_revisions()))]


def _config(connection: Connection) -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


@contextmanager
def _connection(database: Path | str) -> Iterator[Connection]:
    from sqlalchemy import create_engine, event
    from sqlalchemy.engine import URL

    engine = create_engine(URL.create("sqlite", database=str(database)) if isinstance(database, Path) else database)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _without_implicit_transactions)
        event.listen(engine, "begin", _begin_writing)
    try:
        with engine.connect() as connection:
            yield connection
            connection.commit()
    finally:
        engine.dispose()


def _without_implicit_transactions(connection: Any, _: object) -> None:
    """The driver would commit before each change of a table: a migration that was killed half-way would stay so."""
    connection.isolation_level = None


def _begin_writing(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
