"""One engine for one SQLite file: a lock beside it, which ends with the process that holds it, however that ends."""

from __future__ import annotations

import errno
import fcntl
import os
from datetime import datetime
from pathlib import Path

from orchestrator.core.time.iso import format_instant
from orchestrator.errors import UsageError


class EngineLock:
    """Held from `acquire` to `release`. The file stays: it is the lock on it that counts, and its text says whose."""

    def __init__(self, database: Path) -> None:
        self.path = database.with_name(database.name + ".lock")
        self._file: int | None = None

    def acquire(self, note: str, real_at: datetime) -> None:
        """Take the lock. Raises UsageError that tells who holds it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(file)
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            raise UsageError(
                f"another engine runs on this database already ({self.holder() or 'it does not say which'}); "
                "stop that one first, or give another file as --database",
                "engine_running",
            ) from None
        os.ftruncate(file, 0)
        os.pwrite(file, f"process {os.getpid()}, {note}, since {format_instant(real_at)}\n".encode(), 0)
        self._file = file

    def release(self) -> None:
        """Give the lock back."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def holder(self) -> str | None:
        """Who holds the lock, in words; None: nobody."""
        try:
            file = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return os.pread(file, 500, 0).decode("utf-8", "replace").strip() or "an unknown process"
        finally:
            os.close(file)
        return None
