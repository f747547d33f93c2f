"""Rows of a table of events: CSV, JSON Lines (both optionally gzipped) or Parquet, one at a time.

A row that cannot be used is handed to `rejected` with its number and a reason, and reading goes on. Only what makes
the whole table meaningless (no header, a damaged file) ends it, with a position.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NoReturn

from orchestrator.definitions.harmless_cells import as_it_was
from orchestrator.definitions.table_lines import LONGEST_LINE, Progress, TableBytes
from orchestrator.errors import Problem, ProjectInvalid
from orchestrator.records import dataclass

Row = dict[str, Any]
"""One row: column -> value, and `n`, the row's number. CSV values are text, JSON Lines and Parquet values are typed."""

ROW_NUMBER = "n"
HIDDEN_COLUMN = "column_n"
"""`row.n` is the row's number; a column that is itself called n is read under this name."""

DEEPEST = 64
MOST_COLUMNS = 2_000
_INT_BOUND = 1 << 63


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that was not used: its number from 1 (blank lines are not rows), its line in the file, and why.

    `line` is None where the row could be read, and what it says could not be used.
    """

    row: int
    line: int | None
    reason: str


Format = Literal["csv", "jsonl", "parquet"]
OnReject = Callable[[RejectedRow], None]


def read_rows(path: Path, *, rejected: OnReject | None = None, progress: Progress | None = None) -> Iterator[Row]:
    """Every usable row of the table at `path`, in the file's order.

    Raises UsageError (no such file, a kind that cannot be read) and ProjectInvalid (no header, damaged, a bomb).
    """
    tell = rejected or _ignore
    with TableBytes(path, progress) as table:
        kind = _format(path, table)
        if kind == "jsonl":
            yield from _json_rows(table, tell)
        elif kind == "csv":
            yield from _csv_rows(table, tell)
        else:
            from orchestrator.definitions.table_parquet import parquet_rows

            yield from parquet_rows(path, tell, progress)


def _ignore(_: RejectedRow) -> None:
    return None


def table_format(path: Path) -> Format:
    """What the file at `path` is. Raises as `read_rows` does."""
    with TableBytes(path) as table:
        return _format(path, table)


def _format(path: Path, table: TableBytes) -> Format:
    """The format: by the content's first character, since names lie and `.gz` hides them."""
    head = table.head
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        _refuse(table, "table_encoding", "the file is UTF-16", "save it as UTF-8 (in a spreadsheet: 'CSV UTF-8')")
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"["):
        _refuse(
            table, "table_array", "the file is one JSON array", "write one object a line (JSON Lines), without brackets"
        )
    if text.startswith(b"{"):
        return "jsonl"
    names = {suffix.lower() for suffix in path.suffixes}
    return "jsonl" if names & {".jsonl", ".ndjson", ".json"} and not names & {".csv", ".tsv"} else "csv"


def _refuse(table: TableBytes, code: str, message: str, hint: str, line: int = 1) -> NoReturn:
    raise ProjectInvalid([Problem(str(table.path), line, 1, code, message, hint)])


# CSV


class _Lines:
    """Lines of a CSV file as text. `fault` is why the record that is being read cannot be used, else None."""

    def __init__(self, table: TableBytes) -> None:
        self._lines = table.lines()
        self.fault: str | None = None

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        raw = next(self._lines)
        if raw is None:
            self.fault = _TOO_LONG
            return "?\n"
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            self.fault = f"byte {error.start + 1} of its line is not UTF-8"
            text = raw.decode("utf-8", "replace")
        if "\0" in text:
            self.fault = _NUL
        return text


_TOO_LONG = f"its line is longer than {LONGEST_LINE:,} bytes"
_NUL = "it holds the character U+0000, which no database stores"


def _csv_rows(table: TableBytes, tell: OnReject) -> Iterator[Row]:
    lines = _Lines(table)
    header_line = next(lines, "").removeprefix("\ufeff")
    while header_line and not header_line.strip():
        header_line = next(lines, "")
    delimiter = _delimiter(header_line)
    header = _header(table, lines, header_line, delimiter)
    reader = csv.reader(lines, delimiter=delimiter)
    number = 0
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            lines.fault = _csv_fault(error)
            cells = []
        if not cells and lines.fault is None:
            continue
        number += 1
        if lines.fault is None and len(cells) != len(header):
            lines.fault = f"it has {len(cells)} fields, the header has {len(header)}"
        if lines.fault is not None:
            tell(RejectedRow(number, table.line, lines.fault))
            lines.fault = None
            continue
        if "\x1f'" in "\x1f".join(["", *cells]):
            cells = list(map(as_it_was, cells))
        row: Row = dict(zip(header, cells))
        row[ROW_NUMBER] = number
        yield row


def _csv_fault(error: csv.Error) -> str:
    if "field limit" in str(error):
        return f"a field is longer than {csv.field_size_limit():,} characters; a quote may have been left open"
    return f"it cannot be read as CSV ({error})"


def _delimiter(header: str) -> str:
    """The one of comma, semicolon and tab that the header holds most often outside quotes; comma on a tie."""
    bare = "".join(header.split('"')[::2])
    return max(",;\t", key=lambda mark: (bare.count(mark), mark == ","))


def _header(table: TableBytes, lines: _Lines, line: str, delimiter: str) -> list[str]:
    if lines.fault is not None:
        _refuse(table, "table_header", f"the header cannot be read: {lines.fault}", "save the file as UTF-8 text")
    try:
        names = [name.strip() for name in next(iter(csv.reader([line], delimiter=delimiter)), [])]
    except csv.Error as error:
        _refuse(table, "table_header", f"the header: {_csv_fault(error)}", "save the file as CSV again")
    if not any(names):
        _refuse(table, "table_header", "the file has no header", "its first line names the columns")
    if len(names) > MOST_COLUMNS:
        _refuse(table, "table_header", f"the header names {len(names)} columns", f"at most {MOST_COLUMNS:,} are read")
    for place, name in enumerate(names, start=1):
        if not name:
            _refuse(table, "table_header", f"column {place} has no name", "name every column in the first line")
        if name in names[: place - 1]:
            _refuse(table, "table_header", f"two columns are called {name!r}", "rename one of them")
    return [HIDDEN_COLUMN if name == ROW_NUMBER else name for name in names]


# JSON Lines


def _json_rows(table: TableBytes, tell: OnReject) -> Iterator[Row]:
    decoder = json.JSONDecoder(parse_float=_finite, parse_int=_bounded, parse_constant=_no_constant)
    number = 0
    for raw in table.lines():
        if raw is not None and raw.isspace():
            continue
        number += 1
        if number == 1 and raw is not None:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        try:
            row = _json_row(raw, decoder)
        except _Unusable as error:
            tell(RejectedRow(number, table.line, str(error)))
            continue
        if ROW_NUMBER in row:
            row[HIDDEN_COLUMN] = row[ROW_NUMBER]
        row[ROW_NUMBER] = number
        yield row


class _Unusable(ValueError):
    """Why a row cannot be used."""


def _json_row(raw: bytes | None, decoder: json.JSONDecoder) -> Row:
    if raw is None:
        raise _Unusable(_TOO_LONG)
    try:
        text = raw.decode("utf-8")
        value = decoder.decode(text.strip())
    except _Unusable:
        raise
    except UnicodeDecodeError as error:
        raise _Unusable(f"byte {error.start + 1} of its line is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise _Unusable(f"it is not JSON: {error.msg} at column {error.colno}") from None
    except RecursionError:
        raise _Unusable(_TOO_DEEP) from None
    if not isinstance(value, dict):
        raise _Unusable("it is not a JSON object")
    # Only an escape can smuggle in what UTF-8 cannot hold, or U+0000.
    if "\\u" in text or text.count("[") + text.count("{") > DEEPEST:
        _check_tree(value)
    return value


_TOO_DEEP = f"it is nested more than {DEEPEST} levels deep"


def _check_tree(value: object) -> None:
    """Level by level, never by recursion, since the depth is the sender's choice."""
    level: list[object] = [value]
    for _ in range(DEEPEST + 1):
        below: list[object] = []
        for item in level:
            if isinstance(item, str):
                _check_text(item)
            elif isinstance(item, list):
                below.extend(item)
            elif isinstance(item, dict):
                below.extend(item.keys())
                below.extend(item.values())
        if not below:
            return
        level = below
    raise _Unusable(_TOO_DEEP)


def _check_text(text: str) -> None:
    if "\0" in text:
        raise _Unusable(_NUL)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise _Unusable("it holds half of a surrogate pair, which is no character") from None


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _Unusable(f"the number {text[:40]} is too large")
    return number


def _bounded(text: str) -> int:
    if len(text) > 20 or not -_INT_BOUND <= int(text) < _INT_BOUND:
        raise _Unusable(f"the integer {text[:40]} does not fit in 64 bits")
    return int(text)


def _no_constant(text: str) -> NoReturn:
    raise _Unusable(f"{text} is no JSON number")
