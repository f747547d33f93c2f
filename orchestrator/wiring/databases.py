"""From a URL to a store: where the truth is kept, made ready where it is new. The only place that names the stores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal
from urllib.parse import unquote, urlsplit

from orchestrator.core.data_keys import DataKeys
from orchestrator.errors import UsageError
from orchestrator.records import dataclass
from orchestrator.settings import Settings, read_settings, without_password
from orchestrator.stores.protocol import Store

MEMORY_URL: Final = "memory://"
FOLDER: Final = ".orchestrator"
DEFAULT_FILE: Final = "orchestrator.db"
_FIRST_MIGRATION: Final = "0001"
FIRST_SALT: Final = "0"
"""The salt of a database that a simulation or a replay makes: that of memory, so that all stores print the same."""
ENDINGS: Final = (".db", ".sqlite", ".sqlite3")
"""Of files that may be named by their path alone."""
_POSSIBLE: Final = "postgresql://user@host/name, sqlite:///folder/file.db, memory://, or the path of a .db file"


@dataclass(frozen=True, slots=True)
class Database:
    """Where a store is: a SQLite file, a PostgreSQL URL, or (both None) the memory of this process."""

    path: Path | None = None
    url: str | None = None
    keys: DataKeys | None = field(default=None, repr=False, compare=False)
    """What personal data is sealed with; None: it stands as it is."""

    @property
    def exists(self) -> bool:
        """Whether there is something to open: a file, or a PostgreSQL database that has tables. Raises StoreBusy."""
        if self.url is not None:
            return _FIRST_MIGRATION not in pending_of(self)
        return self.path is not None and self.path.exists()

    @property
    def file(self) -> Path:
        """The SQLite file. Raises UsageError for a database that is none."""
        self.refuse_memory()
        if self.path is None:
            raise UsageError(f"this is for SQLite files alone, and the database is {self}", "no_sqlite")
        return self.path

    def refuse_memory(self) -> None:
        """Raises UsageError for a database in memory, which no second command could see."""
        if self.path is None and self.url is None:
            raise UsageError(
                "this needs a database that stays; memory:// ends with its process. Give --database sqlite:///FILE",
                "database_in_memory",
            )

    def __str__(self) -> str:
        if self.url is not None:
            return without_password(self.url)
        return MEMORY_URL if self.path is None else str(self.path)


def database_at(url: str, option: str = "--database") -> Database:
    """The database that a URL or a path names. Raises UsageError that says what is possible."""
    if url == MEMORY_URL:
        return Database()
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    shown = without_password(url)
    if parts.scheme == "" and url.lower().endswith(ENDINGS):
        return Database(Path(url))
    if parts.scheme.partition("+")[0] == "postgresql":
        if parts.path in ("", "/"):
            raise UsageError(
                f"{option} is '{shown}', which names no database; possible is {_POSSIBLE}",
                "unknown_store",
            )
        return Database(url=url.replace(f"{parts.scheme}://", "postgresql://", 1))
    if parts.scheme.partition("+")[0] != "sqlite":
        found = f"'{shown}'" if parts.scheme else f"'{url}', which is no URL"
        raise UsageError(f"{option} is {found}; possible is {_POSSIBLE}", "unknown_store")
    if parts.netloc or parts.query or parts.fragment or not parts.path.startswith("/"):
        raise UsageError(
            f"{option} is '{shown}'; a path has three slashes before it (sqlite:///file.db, here) or four "
            "(sqlite:////var/lib/file.db), and nothing behind it",
            "unknown_store",
        )
    name = unquote(parts.path[1:])
    if name in ("", ":memory:"):
        message = f"{option} is '{shown}', which names no file; for a store in memory give {MEMORY_URL}"
        raise UsageError(message, "unknown_store")
    return Database(Path(name))


def database_of(settings: Settings, project: Path) -> Database:
    """The installation's database: the one of the settings, else a SQLite file below .orchestrator/ in the project."""
    if settings.database_url is None:
        return Database(project / FOLDER / DEFAULT_FILE, keys=settings.sealing_keys)
    return with_keys(database_at(settings.database_url, "the database"), settings)


def with_keys(database: Database, settings: Settings) -> Database:
    """The database with the installation's data keys."""
    return replace(database, keys=settings.sealing_keys)


def make_folder(folder: Path) -> None:
    """A folder for what an installation keeps; versions of files must not take it in, so it says so itself."""
    folder.mkdir(parents=True, exist_ok=True)
    if folder.name == FOLDER and not (folder / ".gitignore").exists():
        (folder / ".gitignore").write_text("*\n")


def pending_of(database: Database, phase: Literal["before", "after"] = "after") -> list[str]:
    """The migrations that a database still needs (before processes of this version may begin); none for memory."""
    where = _migrated(database)
    if where is None:
        return []
    from orchestrator.stores.migrate import pending

    return list(pending(where, phase))


def _migrated(database: Database) -> Path | str | None:
    """Where migrations run; None for memory. Raises UsageError where PostgreSQL's driver is not installed."""
    if database.url is None:
        return database.path
    need_postgres()
    return database.url


def need_postgres() -> None:
    """Raises UsageError where the driver of PostgreSQL is not installed."""
    if find_spec("psycopg") is None:
        raise UsageError(
            "PostgreSQL needs its driver, which is not installed: pip install 'orchestrator[postgres]'", "no_driver"
        )


def upgrade_database(database: Database, phase: Literal["before", "after"] = "after") -> list[str]:
    """Bring a database to this version's tables, making it where there is none; `before`: only as far as processes of
    this version need, while older ones go on. Returns the migrations that ran."""
    where = _migrated(database)
    if where is None:
        return []
    from orchestrator.stores.migrate import upgrade

    if isinstance(where, Path):
        make_folder(where.parent)
    return list(upgrade(where, phase))


def open_database(
    database: Database,
    *,
    salt: str | None = None,
    forced: Mapping[str, str | bool] | None = None,
    durable: bool = True,
    drains: bool = False,
) -> Store:
    """The store in a database that has this version's tables. Raises UsageError where it has not, or is not there.

    `drains`: transitions are kept for `drain_journal`; `durable` False: what was committed may be lost with the power.
    """
    if database.url is not None:
        return _open_postgres(database, salt, forced, durable, drains)
    if database.path is None:
        from orchestrator.stores.memory import MemoryStore

        return MemoryStore(salt if salt is not None else FIRST_SALT, forced, keep_journal=not drains)
    if not database.path.exists():
        raise UsageError(
            f"there is no database {database.path} yet; `orchestrator up` makes it, and so does "
            "`orchestrator db upgrade`",
            "no_database",
        )
    waiting = pending_of(database, "before")
    if waiting:
        raise UsageError(
            f"{database.path} was made by an older version ({len(waiting)} migrations are missing); stop what uses it, "
            "make a copy, and run `orchestrator db upgrade`",
            "database_old",
        )
    from orchestrator.stores.sqlite.store import open_store

    return open_store(database.path, salt=salt, forced=forced, durable=durable, drains=drains, keys=database.keys)


def _open_postgres(
    database: Database, salt: str | None, forced: Mapping[str, str | bool] | None, durable: bool, drains: bool
) -> Store:
    assert database.url is not None
    waiting = pending_of(database, "before")
    if waiting:
        what = "has no tables yet" if not database.exists else f"lacks {len(waiting)} migrations"
        raise UsageError(f"{database} {what}; run `orchestrator db upgrade`", "database_old")
    from orchestrator.stores.postgres.store import open_store

    return open_store(database.url, salt=salt, forced=forced, durable=durable, drains=drains, keys=database.keys)


def make_durable(store: Store) -> None:
    """What a store that was opened for a replay commits from now on survives a power cut. Memory is never durable."""
    database = getattr(store, "db", None)
    if database is not None:
        database.make_durable()


@contextmanager
def one_transaction(store: Store) -> Iterator[None]:
    """What is done to the store inside, by this thread, is committed together; memory needs none."""
    database = getattr(store, "db", None)
    if database is None:
        yield
        return
    with database.write():
        yield


OpenStore = Callable[[str | None, Mapping[str, str | bool]], Store]


@contextmanager
def simulation_store(url: str | None) -> Iterator[OpenStore | None]:
    """What opens the store of a simulation; None: it makes its own, in memory. The store is closed at the end.

    An empty database is migrated first. One that holds something is used as it is: what it holds takes part.
    """
    database = Database() if url is None else with_keys(database_at(url, "--store"), read_settings())
    if database == Database():
        yield None
        return
    opened: list[Store] = []

    def open_(salt: str | None, forced: Mapping[str, str | bool]) -> Store:
        fresh = not database.exists
        upgrade_database(database)
        store = open_database(
            database, salt=salt or (FIRST_SALT if fresh else None), forced=forced, durable=False, drains=True
        )
        opened.append(store)
        return store

    try:
        yield open_
    finally:
        for store in opened:
            store.close()
