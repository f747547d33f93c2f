"""Bringing a database to this version's tables, from code: `up`, `db upgrade` and the tests call the same functions.

Each migration says in `phase` when it runs. `before`: while the old version still works, which notices nothing of it
(a new table, a column with a default). `after`: once no process of the old version is left (what only that one read
goes). This version works on a database as soon as nothing of the first kind is missing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from orchestrator.errors import UsageError
from orchestrator.stores.protocol import StoreBusy
from orchestrator.stores.sqlite.database import is_busy

if TYPE_CHECKING:  # imported where a migration has to run: no other command waits for them
    from sqlalchemy import Connection

Phase = Literal["before", "after"]

HEAD: Final = "0009"
"""The last migration of this version: a database that says so needs no look at the others."""
_SCRIPTS: Final = Path(__file__).parent / "migrations"
_LOCK: Final = "SELECT pg_advisory_lock(hashtextextended('orchestrator migrations', 0))"
"""Held by the session, and given back with it: several processes may begin at once."""


class Migration(NamedTuple):
    """One step from one version of the tables to the next."""

    revision: str
    phase: Phase


def upgrade(database: Path | str, phase: Phase = "after") -> list[str]:
    """Bring a database (a SQLite file, or a URL) to this version's tables; the file is made where there is none.

    `phase` before: only what has to be there before processes of this version begin; after: everything. Returns the
    migrations that ran, in their order. All of them are one transaction. Raises UsageError for a database of a newer
    version, StoreBusy for one that cannot be reached.
    """
    waiting = pending(database, phase)
    if waiting:
        from alembic import command

        with _connection(database) as connection:
            waiting = _missing(_current(connection), phase, database)  # somebody else may have been quicker
            if waiting:
                command.upgrade(_config(connection), waiting[-1])
    return waiting


def pending(database: Path | str, phase: Phase = "after") -> list[str]:
    """The migrations that a database still needs up to a phase, in their order. Raises UsageError for one of a newer
    version."""
    return _missing(_version_of(database), phase, database)


def up_to(known: Sequence[Migration], phase: Phase) -> list[str]:
    """The migrations that run in a phase, or before it. Of those for later, only the ones are left out that nothing of
    this version's stands on: what an older version left behind goes first."""
    last = len(known)
    if phase == "before":
        while last and known[last - 1].phase == "after":
            last -= 1
    return [migration.revision for migration in known[:last]]


def _missing(current: str | None, phase: Phase, database: Path | str) -> list[str]:
    if current == HEAD:
        return []
    known = _scripts()
    wanted = up_to(known, phase)
    if current is None:
        return wanted
    revisions = [migration.revision for migration in known]
    if current not in revisions:
        raise UsageError(
            f"the database {_shown(database)} was made by a newer version of this program (its tables are of "
            f"'{current}', the last one known here is '{HEAD}'); install that version again, or go back to a copy of "
            "the database",
            "database_newer",
        )
    return wanted[revisions.index(current) + 1 :]


def _version_of(database: Path | str) -> str | None:
    """The last migration that a database has seen; None: it is empty, or not there."""
    if isinstance(database, Path):
        return _version_of_file(database)
    if database.startswith("postgresql"):
        return _version_of_server(database)
    with _connection(database) as connection:
        return _current(connection)


def _current(connection: Connection) -> str | None:
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


def _version_of_server(url: str) -> str | None:
    """What a PostgreSQL database says, by the driver alone."""
    import psycopg

    from orchestrator.stores.postgres.database import connected, told

    with told(), connected(url) as connection:
        try:
            found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        except psycopg.errors.UndefinedTable:
            return None
    return None if found is None else str(found[0])


def _scripts() -> list[Migration]:
    """Every migration, in their order."""
    from alembic.script import ScriptDirectory

    scripts = reversed(list(ScriptDirectory(str(_SCRIPTS)).walk_revisions()))
    return [Migration(script.revision, script.module.phase) for script in scripts]


def _config(connection: Connection) -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


@contextmanager
def _connection(database: Path | str) -> Iterator[Connection]:
    """One transaction, committed at the end."""
    if isinstance(database, str) and database.startswith("postgresql"):
        with _on_server(database) as connection:
            yield connection
        return
    from sqlalchemy import create_engine, event
    from sqlalchemy.engine import URL

    engine = create_engine(URL.create("sqlite", database=str(database)) if isinstance(database, Path) else database)
    event.listen(engine, "connect", _without_implicit_transactions)
    event.listen(engine, "begin", _begin_writing)
    try:
        with engine.connect() as connection:
            yield connection
            connection.commit()
    finally:
        engine.dispose()


@contextmanager
def _on_server(url: str) -> Iterator[Connection]:
    """A connection that holds the lock of migrations, without the time limits of short transactions."""
    from sqlalchemy import create_engine
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import StaticPool

    from orchestrator.stores.postgres.database import connected, told

    with told(), connected(url) as driver:
        driver.execute(_LOCK)
        driver.autocommit = False
        engine = create_engine("postgresql+psycopg://", creator=lambda: driver, poolclass=StaticPool)
        try:
            with engine.connect() as connection:
                yield connection
                connection.commit()
        except DBAPIError as error:
            raise error.orig or error from error
        finally:
            engine.dispose()


def _shown(database: Path | str) -> str:
    """A database for a message, without its password."""
    if isinstance(database, Path):
        return str(database)
    from sqlalchemy.engine import make_url

    return make_url(database).render_as_string(hide_password=True)


def _without_implicit_transactions(connection: Any, _: object) -> None:
    """The driver would commit before each change of a table: a migration that was killed half-way would stay so."""
    connection.isolation_level = None


def _begin_writing(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
