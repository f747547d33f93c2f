"""Tables as they are written: CSV, JSON Lines (both gzipped by the file's name) or Parquet, page by page.

A file grows as FILE.part, and gets its name when it is whole. After each page the place that was reached is written to
FILE.part.state, so that an export that was broken off goes on there: bytes behind it are cut off. Of Parquet, pages are
files of their own in FILE.parts, which are put together at the end without being held.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, Protocol

from orchestrator.core.time.iso import format_instant
from orchestrator.core.transition import jsonable
from orchestrator.definitions.harmless_cells import harmless
from orchestrator.errors import UsageError

Format = Literal["csv", "jsonl", "parquet"]
FORMATS: Final = ("csv", "jsonl", "parquet")
Kind = Literal["text", "instant", "integer", "number", "list", "json"]
"""What a column holds: `list` is one of texts, `json` any object."""
Columns = Mapping[str, Kind]
Row = Mapping[str, Any]
_ENDINGS: Final[Mapping[str, Format]] = {
    ".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".parquet": "parquet",
    ".pq": "parquet",
}  # fmt: skip


def format_of(path: str) -> Format | None:
    """The format that a file's name says; None: it says none."""
    return _ENDINGS.get(Path(path.lower().removesuffix(".gz")).suffix)


class Sink(Protocol):
    """Where pages go."""

    def write(self, rows: Sequence[Row], state: str) -> None:
        """One page; `state`: where the next begins."""

    def finish(self) -> None:
        """All is written."""

    def close(self) -> None:
        """Leave it as it is, finished or not."""


Encode = Callable[[Sequence[Row]], bytes]


def encoder(format: Format, columns: Columns, *, header: bool) -> Encode:
    """What makes the bytes of a page; `header`: the first page names the columns (CSV)."""
    if format == "jsonl":
        return lambda rows: "".join([_json_line(row, columns) for row in rows]).encode()
    named = [not header]

    def csv_page(rows: Sequence[Row]) -> bytes:
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        if not named[0]:
            writer.writerow([harmless(name) for name in columns])
            named[0] = True
        kinds = list(columns.items())
        writer.writerows([[_cell(row.get(name), kind) for name, kind in kinds] for row in rows])
        return out.getvalue().encode("utf-8", "backslashreplace")

    return csv_page


def _json_line(row: Row, columns: Columns) -> str:
    known = {name: jsonable(row[name]) for name in columns if row.get(name) is not None}
    return json.dumps(known, ensure_ascii=False) + "\n"


def _cell(value: Any, kind: Kind) -> Any:
    if value is None:
        return ""
    if kind == "instant" and isinstance(value, datetime):
        return format_instant(value)
    if kind == "json" or isinstance(value, (dict, list, tuple)):
        return json.dumps(jsonable(value), ensure_ascii=False) if value else ""
    if isinstance(value, str):
        return harmless(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, (int, float)) else harmless(str(jsonable(value)))


class StreamSink:
    """Pages to an open stream: a pipe, which nothing can take up again."""

    def __init__(self, out: BinaryIO, encode: Encode) -> None:
        self._out = out
        self._encode = encode
        self._written = False

    def write(self, rows: Sequence[Row], state: str) -> None:
        """At once."""
        self._written = True
        self._out.write(self._encode(rows))
        self._out.flush()

    def finish(self) -> None:
        """An export of nothing names its columns all the same."""
        if not self._written:
            self._out.write(self._encode(()))
        self._out.flush()

    def close(self) -> None:
        """The stream is somebody else's."""


class FileSink:
    """Pages to a file that may be broken off. `same`: what tells this export from another into the same file."""

    def __init__(self, path: Path, format: Format, columns: Columns, same: str) -> None:
        self._path = path
        self._part = path.with_name(path.name + ".part")
        self._state = path.with_name(path.name + ".part.state")
        self._same = same
        self._gzipped = path.name.lower().endswith(".gz")
        self.rows = 0
        self.begin = ""
        """Where this export goes on; "": at its beginning."""
        known = self._known()
        size = 0
        if known is not None:
            self.begin, self.rows, size = known
        try:
            self._file = self._part.open("r+b" if known is not None else "wb")
        except OSError as error:
            raise UsageError(f"{path} cannot be written ({error.strerror or error})", "not_writable") from None
        self._file.truncate(size)
        self._file.seek(size)
        self._encode = encoder(format, columns, header=known is None)

    def _known(self) -> tuple[str, int, int] | None:
        try:
            said = json.loads(self._state.read_text())
            if said["same"] != self._same or self._part.stat().st_size < said["bytes"]:
                return None
            return str(said["state"]), int(said["rows"]), int(said["bytes"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, rows: Sequence[Row], state: str) -> None:
        """A page (of a gzipped file a member of its own), and then the place that was reached."""
        data = self._encode(rows)
        self._file.write(gzip.compress(data, 6, mtime=0) if self._gzipped else data)
        self._file.flush()
        self.rows += len(rows)
        said = {"same": self._same, "state": state, "rows": self.rows, "bytes": self._file.tell()}
        _replace_text(self._state, json.dumps(said))

    def finish(self) -> None:
        """The file gets its name."""
        if self._file.tell() == 0:
            data = self._encode(())
            self._file.write(gzip.compress(data, 6, mtime=0) if self._gzipped else data)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        os.replace(self._part, self._path)
        self._state.unlink(missing_ok=True)

    def close(self) -> None:
        """What was written stays."""
        self._file.close()


class ParquetSink:
    """Pages to files that become one Parquet file at the end."""

    def __init__(self, path: Path, columns: Columns, same: str) -> None:
        _polars()
        self._path = path
        self._folder = path.with_name(path.name + ".parts")
        self._columns = columns
        self._state = self._folder / "state"
        self._pages = 0
        self.rows = 0
        self.begin = ""
        try:
            said = json.loads(self._state.read_text())
            if said["same"] == same:
                self.begin, self.rows, self._pages = said["state"], said["rows"], said["pages"]
        except (OSError, ValueError, KeyError, TypeError):
            pass
        self._same = same
        try:
            if not self._pages and self._folder.exists():
                shutil.rmtree(self._folder)
            self._folder.mkdir(exist_ok=True)
        except OSError as error:
            raise UsageError(f"{path} cannot be written ({error.strerror or error})", "not_writable") from None

    def write(self, rows: Sequence[Row], state: str) -> None:
        """A page, and then the place that was reached."""
        write_parquet(self._folder / f"{self._pages:08d}.parquet", rows, self._columns)
        self._pages += 1
        self.rows += len(rows)
        said = {"same": self._same, "state": state, "rows": self.rows, "pages": self._pages}
        _replace_text(self._state, json.dumps(said))

    def finish(self) -> None:
        """One file of all pages."""
        polars = _polars()
        pages = [self._folder / f"{n:08d}.parquet" for n in range(self._pages)]
        part = self._path.with_name(self._path.name + ".part")
        if pages:
            polars.scan_parquet(pages).sink_parquet(part)
        else:
            write_parquet(part, (), self._columns)
        os.replace(part, self._path)
        shutil.rmtree(self._folder)

    def close(self) -> None:
        """Pages are files: none is open."""


def write_parquet(path: Path, rows: Sequence[Row], columns: Columns) -> None:
    """One Parquet file of rows that are held: instants in UTC, objects as JSON text."""
    polars = _polars()
    types = {
        "text": polars.String,
        "instant": polars.Datetime("us", "UTC"),
        "integer": polars.Int64,
        "number": polars.Float64,
        "list": polars.List(polars.String),
        "json": polars.String,
    }
    data = {name: [_parquet_value(row.get(name), kind) for row in rows] for name, kind in columns.items()}
    frame = polars.DataFrame(data, schema={name: types[kind] for name, kind in columns.items()}, strict=False)
    frame.write_parquet(path)


def _parquet_value(value: Any, kind: Kind) -> Any:
    if value is None:
        return None
    if kind == "json":
        return json.dumps(jsonable(value), ensure_ascii=False)
    if kind == "list":
        return list(map(str, value))
    if kind == "text" and not isinstance(value, str):
        return json.dumps(jsonable(value), ensure_ascii=False)
    return value


def _polars() -> Any:
    try:
        import polars
    except ImportError:
        raise UsageError(
            "Parquet needs Polars; install orchestrator[backtest], or export CSV or JSON Lines", "parquet_extra"
        ) from None
    return polars


def _replace_text(path: Path, text: str) -> None:
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(text)
    os.replace(fresh, path)
