"""Rows that an import could not use: a file of JSON Lines beside the table, which is a table itself.

Whoever mends its `values` imports it again: rows keep the numbers that they had in the first table.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

from orchestrator.definitions.table_lines import Progress
from orchestrator.definitions.table_readers import ROW_NUMBER, Format, OnReject, Row, read_rows, table_format

_FIELDS: Final = frozenset({"row", "line", "reason", "values", "text", ROW_NUMBER})
"""What a line of such a file may have. `text`: the values came from CSV, where everything is text."""


class FirstFew:
    """What is wrong with rows: counted, and the first ones kept in words."""

    def __init__(self, most_shown: int) -> None:
        self._most = most_shown
        self.count = 0
        self.first: list[str] = []

    def add(self, row: int, why: str) -> None:
        """One more."""
        self.count += 1
        if len(self.first) < self._most:
            self.first.append(f"row {row}: {why}")

    def clear(self) -> None:
        """Forget those of a first look."""
        self.count, self.first = 0, []


class Rejects:
    """Writes the file. Made when needed; of an import that goes on behind `done` rows, what was told of later ones is
    told again, and so is cut off."""

    def __init__(self, path: Path, done: int, most_shown: int) -> None:
        self.path = path
        self.shown = FirstFew(most_shown)
        self.text = False
        """Whether the table is CSV."""
        self._done = done
        self._file: IO[str] | None = None

    def add(self, row: int, line: int | None, reason: str, values: Row | None = None, place: int | None = None) -> None:
        """One row. `place`: its place in a table whose rows keep the numbers of another."""
        self.shown.add(row, reason)
        if self._file is None:
            self._file = self._opened()
        shown = {name: value for name, value in (values or {}).items() if name != ROW_NUMBER}
        known = {"row": row, "line": line, "reason": reason, "values": shown or None}
        if shown and self.text:
            known["text"] = True
        if place is not None and place != row:
            known["line"] = place
        text = json.dumps(
            {key: value for key, value in known.items() if value is not None}, ensure_ascii=False, default=str
        )
        self._file.write(text + "\n")

    def flush(self) -> None:
        """Before a batch is committed: what it rejected is told by then."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """The end."""
        if self._file is not None:
            self._file.close()

    def _opened(self) -> IO[str]:
        if not self._done or not self.path.exists():
            return self.path.open("w", encoding="utf-8", errors="backslashreplace")
        kept = self.path.with_name(self.path.name + ".new")
        with self.path.open(encoding="utf-8", errors="replace") as before, kept.open("w", encoding="utf-8") as after:
            after.writelines(line for line in before if self._is_done(line))
        os.replace(kept, self.path)
        return self.path.open("a", encoding="utf-8", errors="backslashreplace")

    def _is_done(self, line: str) -> bool:
        try:
            said = json.loads(line)
            return int(said["row"]) <= self._done
        except (ValueError, KeyError, TypeError):
            return False


def is_rejects(path: Path) -> bool:
    """Whether a table is one that `Rejects` wrote."""
    if table_format(path) != "jsonl":
        return False
    first = next(read_rows(path), None)
    return first is not None and {"row", "reason"} <= first.keys() and not first.keys() - _FIELDS


def reads_text(path: Path) -> bool:
    """Whether every value of a table is text."""
    format: Format = table_format(path)
    if format != "jsonl" or not is_rejects(path):
        return format == "csv"
    return any(row.get("text") is True for row in read_rows(path) if "values" in row)


def numbered_rows(
    path: Path, rejected: OnReject | None = None, progress: Progress | None = None
) -> Iterator[tuple[int, Row]]:
    """(place in the table, row) of every row. Those of a file of rejects have the numbers of their first table."""
    again = is_rejects(path)
    for row in read_rows(path, rejected=rejected, progress=progress):
        place: int = row[ROW_NUMBER]
        if again and type(row.get("row")) is int:
            values: Any = row.get("values")
            row = {**(values if isinstance(values, dict) else {}), ROW_NUMBER: row["row"]}
        yield place, row
