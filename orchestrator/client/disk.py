"""An outbox in files: what was accepted is sent after a crash, too.

Each process appends to a file of its own, one item a line, and holds a lock on it as long as it lives. Beside it a
small file says up to where it was sent. Whoever finds a file that nobody holds takes it over. A process that is killed
between the server's answer and the note of it sends one batch again; the server knows the messageIds.
"""
# ruff: noqa: TID252

from __future__ import annotations

import os
import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from .outbox import OutboxFull
from .problems import ClientError

ROTATED_AT: Final = 8 << 20
"""Bytes after which a new file is begun, so that sent ones can be deleted."""
LONGEST_LINE: Final = 64 << 10
ENDING: Final = ".items"
_CHUNK: Final = 1 << 20


class Segment:
    """One file, held by this process: lines from `at` to `end` wait."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self.fd = fd
        self.end = os.fstat(fd).st_size
        self._mark = os.open(path.with_suffix(".sent"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        digits = os.pread(self._mark, 20, 0)
        self.at = min(int(digits), self.end) if digits.isdigit() else 0
        self.count = 0
        self._count_lines()

    def _count_lines(self) -> None:
        """What was cut off in the middle of a line was never accepted."""
        place, last = self.at, self.at
        while chunk := os.pread(self.fd, _CHUNK, place):
            self.count += chunk.count(b"\n")
            if (found := chunk.rfind(b"\n")) >= 0:
                last = place + found + 1
            place += len(chunk)
        self.end = last

    def append(self, data: bytes, durable: bool) -> None:
        """One line more. Raises OSError, and is as before then."""
        line = data + b"\n"
        try:
            written = os.pwrite(self.fd, line, self.end)
            if written < len(line):
                raise OSError(28, "only a part could be written")
            if durable:
                os.fsync(self.fd)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self.fd, self.end)
            raise
        self.end += len(line)
        self.count += 1

    def first(self, most: int, most_bytes: int) -> list[bytes]:
        """The first lines that wait, at least one."""
        size = min(most_bytes, self.end - self.at)
        lines = os.pread(self.fd, max(size, min(LONGEST_LINE, self.end - self.at)), self.at).split(b"\n")[:-1]
        taken: list[bytes] = []
        size = 0
        for line in lines[:most]:
            size += len(line) + 1
            if taken and size > most_bytes:
                break
            taken.append(line)
        return taken

    def sent(self, items: list[bytes]) -> None:
        """Note that the first lines were taken by the server."""
        self.at += sum(len(line) + 1 for line in items)
        self.count -= len(items)
        os.pwrite(self._mark, b"%020d" % self.at, 0)

    def skip_garbage(self) -> None:
        """What no line of ours can be (a machine lost its power) is passed over."""
        self.at, self.count = self.end, 0

    def let_go(self, delete: bool) -> None:
        """Close it; the lock ends with the last copy of the descriptor."""
        if delete:
            self.path.unlink(missing_ok=True)
            self.path.with_suffix(".sent").unlink(missing_ok=True)
        os.close(self._mark)
        os.close(self.fd)


class DiskOutbox:
    """Files in a folder, which any number of processes may share. `durable`: against a loss of power, too (fsync)."""

    lasting = True

    def __init__(self, folder: str | os.PathLike[str], most_bytes: int, durable: bool = False) -> None:
        self._locks = _locks()
        self.folder = Path(folder)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._most_bytes = most_bytes
        self._durable = durable
        self._segments: list[Segment] = []
        self._own: Segment | None = None
        self._taken: Segment | None = None

    @property
    def count(self) -> int:
        """Items that wait."""
        return sum(segment.count for segment in self._segments)

    @property
    def size(self) -> int:
        """Their bytes."""
        return sum(segment.end - segment.at for segment in self._segments)

    def put(self, data: bytes) -> None:
        """Add an item; it is in the file when this returns."""
        if self.size + len(data) > self._most_bytes:
            raise OutboxFull(f"{self.size:,} bytes wait in {self.folder} already")
        try:
            if self._own is None or self._own.end >= ROTATED_AT:
                self._own = self._new()
                self._segments.append(self._own)
            self._own.append(data, self._durable)
        except OSError as error:
            raise OutboxFull(f"{self.folder} cannot be written: {error.strerror or error}") from None

    def take(self, most: int, most_bytes: int) -> list[bytes]:
        """The first ones, of one file at a time."""
        for segment in list(self._segments):
            if segment.count:
                taken = segment.first(most, most_bytes)
                if taken:
                    self._taken = segment
                    return taken
                segment.skip_garbage()
            if segment is not self._own:
                self._drop(segment)
        return []

    def done(self, items: list[bytes]) -> None:
        """Note that they were taken by the server."""
        segment = self._taken
        assert segment is not None
        segment.sent(items)
        if not segment.count and (segment is not self._own or segment.end >= ROTATED_AT // 8):
            self._drop(segment)

    def adopt(self) -> int:
        """Take over files that no living process holds, the oldest first."""
        held = {segment.path for segment in self._segments}
        found = 0
        adopted: list[Segment] = []
        for path in sorted(self.folder.glob(f"*{ENDING}")):
            if path in held:
                continue
            try:
                fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            except OSError:
                continue
            if not self._lock(fd) or not os.fstat(fd).st_nlink:
                os.close(fd)
                continue
            segment = Segment(path, fd)
            if segment.count:
                adopted.append(segment)
                found += segment.count
            else:
                segment.let_go(delete=True)
        self._segments[:0] = adopted
        return found

    def after_fork(self) -> None:
        """The files are the parent's; its lock lives on in the parent."""
        for segment in self._segments:
            segment.let_go(delete=False)
        self._segments, self._own, self._taken = [], None, None

    def close(self) -> None:
        """Let go of the files; what waits in them is found by the next process."""
        for segment in self._segments:
            segment.let_go(delete=not segment.count)
        self._segments, self._own, self._taken = [], None, None

    def _drop(self, segment: Segment) -> None:
        self._segments.remove(segment)
        if segment is self._own:
            self._own = None
        segment.let_go(delete=True)

    def _new(self) -> Segment:
        """Under another name until it is locked: else somebody might take it over."""
        name = f"{time.time_ns():020d}-{os.getpid()}-{secrets.token_hex(4)}"
        hidden = self.folder / f".{name}"
        fd = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._lock(fd)
        path = self.folder / f"{name}{ENDING}"
        hidden.rename(path)
        return Segment(path, fd)

    def _lock(self, fd: int) -> bool:
        try:
            self._locks.flock(fd, self._locks.LOCK_EX | self._locks.LOCK_NB)
        except OSError:
            return False
        return True


def _locks() -> Any:
    try:
        import fcntl
    except ImportError:
        raise ClientError("a buffer on disk needs a system with flock (Linux, macOS); leave `buffer` out") from None
    return fcntl
