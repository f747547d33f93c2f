"""The tables in what somebody exported elsewhere: files, folders and zip archives, archives in archives included.

Nothing is written where an archive says: its files get names of ours in a folder of ours. What unpacks without measure,
is locked with a password, or names a place outside is refused with its name.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

from orchestrator.definitions.table_lines import RATIO_BOUND, RATIO_FREE
from orchestrator.errors import UsageError

ENDINGS: Final = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".txt", ".parquet", ".gz")
MOST_FILES: Final = 20_000
DEEPEST: Final = 3
"""Archives within archives."""
_CHUNK: Final = 1 << 20
_LINK: Final = 0o120000


class Exported(NamedTuple):
    """A table. `name`: as it is called by whoever exported it, with the archives and folders it lies in."""

    name: str
    path: Path


def tables_in(paths: Iterable[Path], room: Path) -> Iterator[Exported]:
    """Every table of files, folders and archives, in the order of their names; `room` is a folder for what is
    unpacked. Raises UsageError for what is not there, or must not be opened."""
    unpacking = _Unpacking(room)
    for path in paths:
        if not path.exists():
            raise UsageError(f"there is no file {path}", "file_missing")
        found = sorted(p for p in path.rglob("*") if p.is_file() and not p.is_symlink()) if path.is_dir() else [path]
        for file in found:
            name = str(file.relative_to(path.parent)) if path.is_dir() else file.name
            if zipfile.is_zipfile(file):
                yield from unpacking.tables(file, name, 1)
            elif not path.is_dir() or _is_table(name):
                yield Exported(name, file)


def _is_table(name: str) -> bool:
    last = PurePosixPath(name).name.lower()
    return last.endswith(ENDINGS) and not last.startswith(".") and not name.startswith("__MACOSX/")


class _Unpacking:
    def __init__(self, room: Path) -> None:
        self._room = room
        self._count = 0
        self._size = 0
        self._packed = 0
        """Bytes that were unpacked, of archives of so many bytes that were given."""

    def tables(self, archive: Path, name: str, depth: int) -> Iterator[Exported]:
        """The tables of an archive."""
        if depth > DEEPEST:
            raise UsageError(f"{name} holds archives in archives in archives; unpack it first", "archive_deep")
        if depth == 1:
            self._packed += archive.stat().st_size
        try:
            with zipfile.ZipFile(archive) as zipped:
                entries = [
                    e for e in zipped.infolist() if not e.is_dir() and (e.external_attr >> 16) & 0o170000 != _LINK
                ]
                for entry in sorted(entries, key=lambda entry: entry.filename):
                    inner = f"{name}/{_safe(name, entry.filename)}"
                    nested = entry.filename.lower().endswith(".zip")
                    if not nested and not _is_table(entry.filename):
                        continue
                    file = self._unpacked(zipped, entry, inner)
                    if nested:
                        yield from self.tables(file, inner, depth + 1)
                    else:
                        yield Exported(inner, file)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise UsageError(f"{name} cannot be unpacked ({error}); export it again", "archive_broken") from None

    def _unpacked(self, zipped: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str) -> Path:
        self._count += 1
        if self._count > MOST_FILES:
            raise UsageError(f"there are more than {MOST_FILES:,} files to unpack; give them in parts", "archive_files")
        if entry.flag_bits & 0x1:
            raise UsageError(f"{name} is locked with a password; unpack it first", "archive_locked")
        path, size = self._room / f"{self._count:06d}{PurePosixPath(entry.filename).suffix[:10].lower()}", 0
        with zipped.open(entry) as source, path.open("wb") as target:
            while chunk := source.read(_CHUNK):
                size += len(chunk)
                self._size += len(chunk)  # entries may share their bytes: each alone looks harmless
                if self._size > RATIO_FREE and self._size > RATIO_BOUND * self._packed:
                    raise UsageError(
                        f"{name}: the whole unpacks to more than {RATIO_BOUND} times its size", "archive_bomb"
                    )
                if size > RATIO_FREE and size > RATIO_BOUND * max(entry.compress_size, 1):
                    raise UsageError(f"{name} unpacks to more than {RATIO_BOUND} times its size", "archive_bomb")
                target.write(chunk)
        return path


def _safe(archive: str, inner: str) -> str:
    parts = PurePosixPath(inner.replace("\\", "/")).parts
    if ".." in parts or inner.startswith(("/", "\\")) or (len(inner) > 1 and inner[1] == ":") or "\0" in inner:
        raise UsageError(
            f"{archive} names a file outside of itself ({inner[:80]!r}); it was not opened", "archive_slip"
        )
    return "/".join(parts)
