"""Bytes of a table, line by line: gzip by its magic number, with bounds on the ratio and on a line's length.

A table is read as a stream and never held: a file of any size costs one line of memory here.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NoReturn, cast

from orchestrator.errors import Problem, ProjectInvalid, UsageError

Progress = Callable[[int, int], None]
"""Called with (bytes read, bytes in all) of the file as it lies on the disk."""

LONGEST_LINE = 1 << 20
"""A line longer than this many bytes is refused, and skipped without being held."""

RATIO_BOUND = 250
"""Text of events packs 5 to 50 to one; deflate's limit is 1,032 to one, which only a bomb comes near."""

RATIO_FREE = 16 << 20
"""The ratio is looked at only beyond this many unpacked bytes: a small file of equal rows may pack very well."""

LOOK_EVERY = 256 << 10
"""Unpacked bytes between two looks at the ratio and two calls of the progress callback."""

_GZIP_MAGIC = b"\x1f\x8b"


class TableBytes:
    """One open table: `head` bytes to look at, then `lines`. Close it, or use it as a context manager."""

    def __init__(self, path: Path, progress: Progress | None = None) -> None:
        self.path = path
        self._progress = progress
        try:
            self._file = path.open("rb")
            self.size = path.stat().st_size
            packed = self._file.read(2) == _GZIP_MAGIC
            self._file.seek(0)
        except OSError as error:
            reason = error.strerror or error
            raise UsageError(f"{path} cannot be read ({reason}); give the path of a table", "table_missing") from None
        self.packed = packed
        self._stream: BinaryIO = cast(BinaryIO, gzip.GzipFile(fileobj=self._file)) if packed else self._file
        self._unpacked = 0
        self._next_look = LOOK_EVERY
        self.line = 0
        try:
            self._head = self._read_head()
        except ProjectInvalid:
            self.close()
            raise

    def __enter__(self) -> TableBytes:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file."""
        if self._stream is not self._file:
            self._stream.close()
        self._file.close()

    @property
    def head(self) -> bytes:
        """The first bytes, unpacked, for telling one format from another; the lines still start with them."""
        return self._head

    def _read_head(self) -> bytes:
        try:
            # Both kinds of stream can be looked into; their common type does not say so.
            return cast(io.BufferedReader, self._stream).peek(4096)[:4096]
        except (EOFError, OSError, zlib.error) as error:
            self._refuse(error)

    def lines(self) -> Iterator[bytes | None]:
        """Each line with its end; None stands for a line longer than LONGEST_LINE, which was skipped.

        Raises ProjectInvalid where the file is damaged or unpacks without measure.
        """
        readline = self._stream.readline
        try:
            while line := readline(LONGEST_LINE + 1):
                self.line += 1
                self._unpacked += len(line)
                if len(line) > LONGEST_LINE:
                    self._skip_rest(line)
                    yield None
                else:
                    yield line
                if self._unpacked >= self._next_look:
                    self._look()
        except (EOFError, OSError, zlib.error) as error:
            self._refuse(error)
        if self._progress is not None:
            self._progress(self.size, self.size)

    def _skip_rest(self, line: bytes) -> None:
        while line and not line.endswith(b"\n"):
            line = self._stream.readline(LONGEST_LINE)
            self._unpacked += len(line)
            self._look()

    def _look(self) -> None:
        self._next_look = self._unpacked + LOOK_EVERY
        packed = min(self._file.tell(), self.size)
        if self.packed and self._unpacked > RATIO_FREE and self._unpacked > RATIO_BOUND * max(packed, 1):
            raise ProjectInvalid(
                [
                    Problem(
                        path=str(self.path),
                        line=self.line,
                        column=1,
                        code="table_bomb",
                        message=f"the file unpacks to more than {RATIO_BOUND} times its size; no table of events does",
                        hint="unpack it and look at it, then give the plain file",
                    )
                ]
            )
        if self._progress is not None:
            self._progress(packed, self.size)

    def _refuse(self, error: Exception) -> NoReturn:
        what = "ends early" if isinstance(error, EOFError) else f"cannot be unpacked ({error})"
        message = f"the gzip data {what}" if self.packed else f"the file cannot be read ({error})"
        raise ProjectInvalid(
            [
                Problem(
                    path=str(self.path),
                    line=max(self.line, 1),
                    column=1,
                    code="table_unreadable",
                    message=message,
                    hint="fetch or pack the file again; nothing was read from it",
                )
            ]
        ) from None
