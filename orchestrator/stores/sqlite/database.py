"""One SQLite file: a single writing connection with its lock, and a reading connection for every thread.

Write-ahead logging lets readers see the last commit while somebody writes. `synchronous=FULL`: what was committed
survives a power cut, too; a store that only simulates may do without. No write transaction spans a call that can block.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Final

from orchestrator.stores.protocol import StoreBusy
from orchestrator.stores.sealing import PLAIN, Sealer

BUSY_FOR: Final = 5.0
"""Seconds to wait for another process's write before giving up."""
QUEUED_FOR: Final = 5.0
"""Seconds to wait for other threads before giving up; what of it went by is not waited for other processes again."""
_HURRIED: Final = 4.0
"""Seconds: who has waited so long in this process that less is left waits shorter for the others, too."""
_SHORTEST_WAIT: Final = 0.1
_CACHE_KIB: Final = 65_536
_READER_CACHE_KIB: Final = 4_096
"""Every thread that reads has a connection of its own, and a server has dozens of threads."""
PAGES_BEFORE_CHECKPOINT: Final = 8_000
"""Some 32 MB of log: a full turn writes a thousand pages, and writing each of them back at once doubles its cost."""
_BUSY_CODES: Final = frozenset(
    {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}
)


class Connection(sqlite3.Connection):
    """A connection that knows by what personal data is sealed."""

    sealer: Sealer = PLAIN


class Database:
    """A file that was migrated already. `durable` False: for simulations, which are started again after a crash."""

    def __init__(self, path: Path, durable: bool = True) -> None:
        self.path = path
        self.durable = durable
        self.sealer: Sealer = PLAIN
        self._lock = threading.RLock()
        self._writer = self._connect(_CACHE_KIB)
        self._readers = threading.local()
        self._all_readers: list[Connection] = []
        self._holder: int | None = None
        """The thread that has begun a transaction and goes on with it in later calls (a turn)."""
        self._rows_before = 0
        """Rows that the writer had ever changed when the transaction began."""

    def seal_with(self, sealer: Sealer) -> None:
        """What seals personal data from now on; before anybody else has the database."""
        self.sealer = sealer
        for connection in (*self._all_readers, self._writer):
            connection.sealer = sealer
        if sealer is not PLAIN:
            self._writer.execute("PRAGMA secure_delete=ON")  # what was written over says nothing, either

    def _connect(self, cache_kib: int) -> Connection:
        connection = sqlite3.connect(
            self.path, timeout=BUSY_FOR, isolation_level=None, check_same_thread=False, factory=Connection
        )
        connection.sealer = self.sealer
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={'FULL' if self.durable else 'OFF'}")
        connection.execute(f"PRAGMA cache_size=-{cache_kib}")
        connection.execute(f"PRAGMA wal_autocheckpoint={PAGES_BEFORE_CHECKPOINT}")
        connection.execute("PRAGMA temp_store=MEMORY")
        return connection

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction: committed at the end, rolled back when anything is raised. Raises StoreBusy.

        Inside a claim, or inside another `write`, of the same thread it is part of that transaction.
        """
        patience = self._take_lock()
        try:
            if self.holding or self._writer.in_transaction:
                yield self._writer
                return
            self._begin(patience)
            try:
                yield self._writer
                self._commit()
            except BaseException as error:
                self._rollback()
                if is_busy(error):
                    raise StoreBusy(_told(error)) from error
                raise
        finally:
            self._lock.release()

    def hold(self) -> sqlite3.Connection:
        """Begin a transaction that `release` ends; other threads wait for it. Raises StoreBusy."""
        patience = self._take_lock()
        try:
            self._begin(patience)
        except BaseException:
            self._lock.release()
            raise
        self._holder = threading.get_ident()
        return self._writer

    @property
    def holding(self) -> bool:
        """Whether this thread is between `hold` and `release`."""
        return self._holder == threading.get_ident()

    @property
    def writer(self) -> sqlite3.Connection:
        """The writing connection, for the thread that is holding."""
        assert self.holding
        return self._writer

    @property
    def untouched(self) -> bool:
        """Whether nothing was written since the transaction of this thread began: it can be undone as a whole."""
        return self.holding and self._writer.total_changes == self._rows_before

    def undo_and_hold(self) -> None:
        """Undo what was written since the transaction began, and go on holding. Raises StoreBusy; `release` is still
        to be called then."""
        assert self.holding
        self._rollback()
        self._begin()

    def commit_and_hold(self) -> None:
        """Commit what was written since `hold`, and go on holding: of this process nobody comes in between.

        Raises StoreBusy; `release` is still to be called then.
        """
        assert self.holding
        try:
            self._commit()
        except sqlite3.Error as error:
            if is_busy(error):
                raise StoreBusy(_told(error)) from error
            raise
        self._begin()

    def release(self, commit: bool) -> None:
        """End what `hold` began; nothing happens when this thread holds nothing. Raises StoreBusy (and undoes it)."""
        if not self.holding:
            return
        try:
            if commit:
                self._commit()
            else:
                self._rollback()
        except sqlite3.Error as error:
            self._rollback()
            if is_busy(error):
                raise StoreBusy(_told(error)) from error
            raise
        finally:
            self._holder = None
            self._lock.release()

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees the last commit (inside a claim of this thread: what it wrote so far)."""
        if self.holding:
            yield self._writer
            return
        reader: Connection | None = getattr(self._readers, "connection", None)
        if reader is None:
            reader = self._readers.connection = self._connect(_READER_CACHE_KIB)
            reader.execute("PRAGMA query_only=ON")
            self._all_readers.append(reader)
        try:
            yield reader
        except sqlite3.Error as error:
            if is_busy(error):
                raise StoreBusy(_told(error)) from error
            raise

    def make_durable(self) -> None:
        """From now on what is committed survives a power cut, and so does all that was committed before."""
        with self._lock:
            self.durable = True
            self._writer.execute("PRAGMA synchronous=FULL")
            self._writer.execute("PRAGMA wal_checkpoint(FULL)")

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            for connection in (*self._all_readers, self._writer):
                connection.close()

    def _take_lock(self) -> float:
        """Returns how many seconds are left to wait for other processes. Raises StoreBusy.

        While another process writes, whoever is before us in this one waits for it in full, and nobody promises that we
        are next: all waiting together has to be bounded, or requests would hang instead of being told to come again.
        """
        if self._lock.acquire(blocking=False):
            return BUSY_FOR
        began_at = monotonic()
        if not self._lock.acquire(timeout=QUEUED_FOR):
            raise StoreBusy(_told("others wait for it, too"))
        return max(_SHORTEST_WAIT, BUSY_FOR - (monotonic() - began_at))

    def _begin(self, patience: float = BUSY_FOR) -> None:
        hurried = patience < _HURRIED
        try:
            if hurried:
                self._writer.execute(f"PRAGMA busy_timeout={int(patience * 1000)}")
            try:
                self._writer.execute("BEGIN IMMEDIATE")
            finally:
                if hurried:
                    self._writer.execute(f"PRAGMA busy_timeout={int(BUSY_FOR * 1000)}")
            self._rows_before = self._writer.total_changes
        except sqlite3.Error as error:
            if is_busy(error):
                raise StoreBusy(_told(error)) from error
            raise

    def _commit(self) -> None:
        self._writer.execute("COMMIT")

    def _rollback(self) -> None:
        if self._writer.in_transaction:
            self._writer.execute("ROLLBACK")


def is_busy(error: BaseException) -> bool:
    """Whether trying again later may help: locked, full, or the disk is away."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, sqlite3.Error) and code is not None and (code & 0xFF) in _BUSY_CODES


def _told(error: BaseException | str) -> str:
    return f"the database cannot be used just now ({error}); nothing was written, and it is tried again"
