"""One PostgreSQL database: a connection for each thread that takes turns, and a few for all other calls.

Every session is set up for work that touches few rows of large tables: plans that do not depend on statistics, and
time limits by which the server ends what a frozen or unreachable process left open. A transaction is READ COMMITTED:
each statement sees what was committed before it began.

What a retry mends (the server is away, a lock, a full disk) is StoreBusy. When the answer to COMMIT is lost, nobody
knows what became of it: that is StoreBusy, too, and the next look at the rows tells.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.types.numeric import Int8Dumper

from orchestrator.stores.postgres.connections import Connections, alive
from orchestrator.stores.protocol import StoreBusy
from orchestrator.stores.sealing import PLAIN, Sealer

Connection = psycopg.Connection[tuple[Any, ...]]

SETTINGS: Final = {
    "default_transaction_isolation": "read committed",
    # The default planner lost 12 to 50 % on statistics that change under it: look-ups by keys, and nothing else.
    "plan_cache_mode": "force_generic_plan",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_seqscan": "off",
    "jit": "off",
    "statement_timeout": "30s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "5s",
    "timezone": "UTC",
    "client_encoding": "UTF8",
}
"""Of every session. `doctor` shows them."""
_WIRE: Final[Mapping[str, str | int]] = {
    "application_name": "orchestrator",
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
_STATEMENTS: Final = 500
"""Statements that a connection keeps prepared; the store has fewer."""
_REFUSED: Final = frozenset({"22", "23", "54"})
"""Classes of SQLSTATE that no retry mends: values, constraints, and limits such as the size of an index entry."""
_BUSY: Final = frozenset({"25006", "25P02", "25P03"})
"""A server that only reads just now (a standby), a transaction of which something failed before, and one that idled and
was ended: psycopg counts them as InternalError."""


class Database:
    """A database that was migrated already. `durable` False: for simulations, which are started again after a crash.

    `with db.write() as c` and `with db.read() as c` give a psycopg connection: `c.execute(sql, values)`.
    """

    def __init__(self, url: str, durable: bool = True, most: int = 10) -> None:
        self.url = url
        self.durable = durable
        self._own = threading.local()
        """Of a thread: `turn`, its connection for turns; `holding`; `writing`, the connection of its `write`."""
        self._turns: list[Connection] = []
        self._lock = threading.Lock()
        self.sealer: Sealer = PLAIN
        self._pool = Connections(self._connect, most)

    # --- transactions -----------------------------------------------------------------------------------------------

    @contextmanager
    def write(self, apart: bool = False) -> Iterator[Connection]:
        """One transaction: committed at the end, rolled back when anything is raised. Raises StoreBusy.

        Inside a claim, or inside another `write`, of the same thread it is part of that transaction, and what it did is
        undone alone when it raises. `apart`: never part of a claim, so that it stands whatever becomes of that.
        """
        around = self._around(apart)
        if around is not None:
            with self._nested(around) as c:
                yield c
            return
        with self._taken() as c:
            self._own.writing = c
            try:
                c.execute("BEGIN")
                yield c
                commit(c)
            except BaseException:
                _rolled_back(c)
                raise
            finally:
                self._own.writing = None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection whose every statement sees the last commit (inside a claim or a `write` of this thread: what it
        wrote so far). Raises StoreBusy."""
        around = self._around(apart=False)
        if around is not None:
            with told():
                yield around
            return
        with self._taken() as c:
            yield c

    @property
    def writing(self) -> bool:
        """Whether this thread is inside a `write`."""
        return getattr(self._own, "writing", None) is not None

    # --- turns ------------------------------------------------------------------------------------------------------

    def hold(self) -> Connection:
        """Begin a transaction of this thread's own connection, which `release` ends. Raises StoreBusy."""
        assert not self.holding
        with told():
            c = self._turn_connection()
            try:
                c.execute("BEGIN")
            except psycopg.Error:
                self._forget(c)
                raise
        self._own.holding = True
        return c

    @property
    def holding(self) -> bool:
        """Whether this thread is between `hold` and `release`."""
        return getattr(self._own, "holding", False)

    @property
    def failed(self) -> bool:
        """Whether what this thread holds is lost: its connection, or a statement of its transaction."""
        return self.holding and (
            not alive(self.writer) or self.writer.info.transaction_status != TransactionStatus.INTRANS
        )

    @property
    def writer(self) -> Connection:
        """The connection of the thread that is holding."""
        assert self.holding
        return self._own.turn  # type: ignore[no-any-return]

    def release(self, commit_it: bool) -> None:
        """End what `hold` began; nothing happens when this thread holds nothing. Raises StoreBusy, only when it should
        commit: then nobody knows whether it did."""
        if not self.holding:
            return
        c = self._own.turn
        self._own.holding = False
        try:
            if commit_it:
                with told():
                    commit(c)
        finally:
            _rolled_back(c)
            if not alive(c):
                self._forget(c)

    # --- the rest ---------------------------------------------------------------------------------------------------

    def seal_with(self, sealer: Sealer) -> None:
        """What seals personal data from now on; before anybody else has the database."""
        self.sealer = sealer
        self._pool.drop()

    def make_durable(self) -> None:
        """From now on what is committed survives a power cut."""
        self.durable = True
        self._pool.drop()
        with self._lock:
            old, self._turns = self._turns, []
        for c in old:
            c.close()

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()
        with self._lock:
            old, self._turns = self._turns, []
        for c in old:
            c.close()

    def _around(self, apart: bool) -> Connection | None:
        """The transaction that this thread is in already."""
        writing: Connection | None = getattr(self._own, "writing", None)
        if writing is not None:
            return writing
        return self._own.turn if self.holding and not apart else None

    @contextmanager
    def _nested(self, c: Connection) -> Iterator[Connection]:
        with told():
            c.execute("SAVEPOINT inner_write")
            try:
                yield c
            except BaseException:
                if alive(c):
                    c.execute("ROLLBACK TO inner_write")
                    c.execute("RELEASE inner_write")
                raise
            c.execute("RELEASE inner_write")

    @contextmanager
    def _taken(self) -> Iterator[Connection]:
        with told():
            c = self._pool.take()
            try:
                yield c
            finally:
                _rolled_back(c)
                self._pool.give(c)

    def _turn_connection(self) -> Connection:
        c: Connection | None = getattr(self._own, "turn", None)
        if c is not None and alive(c):
            return c
        if c is not None:
            self._forget(c)
        c = self._own.turn = self._connect()
        with self._lock:
            self._turns.append(c)
        return c

    def _forget(self, c: Connection) -> None:
        self._own.turn = None
        c.close()
        with self._lock:
            self._turns = [other for other in self._turns if other is not c]

    def _connect(self) -> Connection:
        c = connected(self.url, SETTINGS if self.durable else {**SETTINGS, "synchronous_commit": "off"})
        c.sealer = self.sealer  # type: ignore[attr-defined]
        c.prepare_threshold = 0
        c.prepared_max = _STATEMENTS
        # Else each number is as narrow as its value, and every width makes a statement of its own.
        c.adapters.register_dumper(int, Int8Dumper)
        return c


def connected(url: str, settings: Mapping[str, str] = MappingProxyType({})) -> Connection:
    """A new session in autocommit mode: of `url`, with these settings of the server. Raises psycopg's errors."""
    url = url.replace("postgresql+psycopg:", "postgresql:", 1)
    given = conninfo_to_dict(url)
    words = [str(given.get("options") or ""), *(f"-c {name}={_word(value)}" for name, value in settings.items())]
    more = {name: value for name, value in _WIRE.items() if name not in given}
    return psycopg.connect(make_conninfo(url, **more, options=" ".join(words).strip()), autocommit=True)


def commit(c: Connection) -> None:
    """Commit. A transaction in which a statement failed is not taken for committed, as the server's COMMIT would be."""
    if c.info.transaction_status == TransactionStatus.INERROR:
        raise psycopg.errors.InFailedSqlTransaction("a statement of this transaction failed; nothing of it was kept")
    c.execute("COMMIT")


def is_busy(error: BaseException) -> bool:
    """Whether trying again later may help: the server is away, a lock or a deadlock, too many connections, no space."""
    if not isinstance(error, psycopg.Error) or is_refused(error):
        return False
    return (
        isinstance(error, psycopg.OperationalError)
        or error.sqlstate in _BUSY
        or (isinstance(error, psycopg.InterfaceError) and error.sqlstate is None)  # "the connection is closed"
    )


def is_refused(error: BaseException) -> bool:
    """Whether the database will not store a value, however often it is tried."""
    return isinstance(error, psycopg.Error) and (error.sqlstate or "")[:2] in _REFUSED


@contextmanager
def told() -> Iterator[None]:
    """Trouble that passes has one name."""
    try:
        yield
    except psycopg.Error as error:
        if is_busy(error):
            raise StoreBusy(f"the database cannot be used just now ({_line(error)}); it is tried again") from error
        raise


def _line(error: psycopg.Error) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _rolled_back(c: Connection) -> None:
    """Whatever is open is undone; a connection that is gone took it along."""
    if c.closed or c.info.transaction_status == TransactionStatus.IDLE:
        return
    try:
        c.execute("ROLLBACK")
    except psycopg.Error:
        c.close()


def _word(value: str) -> str:
    """A value in the server's options, where a space ends it."""
    return value.replace("\\", "\\\\").replace(" ", "\\ ")
