"""Catalogs: reference data that templates and conditions look up, from CSV or YAML (the language reference, section 1).

The first column is the key, which is always text. A CSV column becomes numbers or truth values when every filled cell
of it is one (and no number starts with a needless zero, as article numbers do); an empty cell is none.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from orchestrator.definitions.source import Document
from orchestrator.definitions.text_files import clean_text
from orchestrator.errors import Problem
from orchestrator.records import dataclass

LARGEST_CATALOG = 32 * 1024 * 1024
"""Bytes of a catalog in CSV."""
MOST_ROWS = 200_000
MOST_COLUMNS = 200
_MOST_PROBLEMS = 50

Row = Mapping[str, Any]
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})", re.ASCII)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,17})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Catalog:
    """One catalog. `rows` are by key; every row has every column, the key's own included."""

    name: str
    path: str
    key: str
    columns: tuple[str, ...]
    rows: Mapping[str, Row]


def catalog_from_csv(name: str, path: str, text: str) -> tuple[Catalog | None, list[Problem]]:
    """The catalog of a CSV text, or None where any row is wrong; and all problems (the first 50)."""
    cleaned = clean_text(path, text)
    problems = list(cleaned.problems)
    if cleaned.text is None:
        return None, problems
    if not cleaned.text.strip():
        return None, [
            *problems,
            _problem(path, 1, "empty_catalog", "the file is empty", "start with a line of column names"),
        ]
    reader = _CsvRows(path, cleaned.text)
    rows = list(reader.rows())
    problems += reader.problems
    if any(problem.severity == "error" for problem in problems):
        return None, problems
    typed = {column: _typed([row[at] for _, row in rows]) for at, column in enumerate(reader.columns) if at}
    made: dict[str, Row] = {}
    for index, (_, cells) in enumerate(rows):
        made[cells[0]] = {reader.columns[0]: cells[0]} | {column: cells_of[index] for column, cells_of in typed.items()}
    return Catalog(name, path, reader.columns[0], tuple(reader.columns), made), problems


class _CsvRows:
    """The rows of a CSV text with their line numbers; what is wrong with them goes to `problems`."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.problems: list[Problem] = []
        self.columns: list[str] = []
        self._lines = text.split("\n")
        self._seen: dict[str, int] = {}

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        source = (line + "\n" for line in self._lines)
        reader = csv.reader(source, strict=True)
        line = 1
        try:
            for cells in reader:
                if cells and not self.columns:
                    if not self._header(line, [cell.strip() for cell in cells]):
                        return
                elif cells and any(cell.strip() for cell in cells) and self._good(line, cells):
                    yield line, cells
                line = reader.line_num + 1
                if len(self.problems) >= _MOST_PROBLEMS or len(self._seen) > MOST_ROWS:
                    break
        except csv.Error as error:
            message = f"this is not CSV: {error}"
            self.problems.append(_problem(self.path, line, "catalog_row", message, "check the quotes of this row"))
        if len(self._seen) > MOST_ROWS:
            message = f"a catalog has at most {MOST_ROWS:,} rows"
            self.problems.append(_problem(self.path, line, "catalog_row", message, "leave out what nobody looks up"))

    def _header(self, line: int, cells: list[str]) -> bool:
        if len(cells) > MOST_COLUMNS:
            message = f"a catalog has at most {MOST_COLUMNS} columns, and this has {len(cells)}"
            self.problems.append(_problem(self.path, line, "catalog_row", message, "leave out what nobody looks up"))
            return False
        for place, cell in enumerate(cells):
            if not cell:
                message = f"column {place + 1} has no name"
                self.problems.append(_problem(self.path, line, "catalog_row", message, "name every column"))
            elif cell in cells[:place]:
                message = f"the column '{cell}' is there twice"
                self.problems.append(_problem(self.path, line, "duplicate_key", message, "keep one of the two"))
        self.columns = cells
        return not self.problems

    def _good(self, line: int, cells: list[str]) -> bool:
        if len(cells) != len(self.columns):
            message = f"this row does not fit the {len(self.columns)} columns: it has {len(cells)}"
            hint = "quote cells that hold a comma"
            self.problems.append(_problem(self.path, line, "catalog_row", message, hint))
            return False
        cells[0] = cells[0].strip()
        if not cells[0]:
            message = f"this row has no {self.columns[0]}, which is its key"
            self.problems.append(_problem(self.path, line, "catalog_row", message, "fill it, or delete the row"))
            return False
        if cells[0] in self._seen:
            message = f"the key '{cells[0]}' is there twice; first in line {self._seen[cells[0]]}"
            self.problems.append(_problem(self.path, line, "duplicate_key", message, "keep one of the two"))
            return False
        self._seen[cells[0]] = line
        return True


def _typed(cells: list[str]) -> list[Any]:
    filled = [cell.strip() for cell in cells if cell.strip()]
    convert: Callable[[str], Any] = str
    if filled and all(_INTEGER.fullmatch(cell) for cell in filled):
        convert = int
    elif filled and all(_NUMBER.fullmatch(cell) for cell in filled):
        convert = float
    elif filled and all(cell.lower() in ("true", "false") for cell in filled):
        convert = _truth
    return [convert(cell.strip()) if cell.strip() else None for cell in cells]


def _truth(cell: str) -> bool:
    return cell.lower() == "true"


def catalog_from_yaml(name: str, document: Document) -> tuple[Catalog | None, list[Problem]]:
    """The catalog of a YAML document: a list of rows, or a mapping of keys to rows (then the key column is `id`)."""
    problems = list(document.problems)
    if not document.ok:
        return None, problems
    data = document.data
    rows: dict[str, Row] = {}
    key = "id"
    if isinstance(data, dict):
        for value, row in data.items():
            if isinstance(row, dict):
                rows[value] = {key: value, **row}
            else:
                hint = "write {column: value, ...}"
                problems.append(document.problem((value,), "catalog_row", f"the row '{value}' is no mapping", hint))
    elif isinstance(data, list) and data:
        key = next(iter(data[0])) if isinstance(data[0], dict) and data[0] else key
        rows = _listed_rows(document, data, key, problems)
    else:
        hint = "write a list of rows, or a mapping of keys to rows"
        problems.append(document.problem((), "empty_catalog", "a catalog has rows", hint))
    columns = tuple(dict.fromkeys(column for row in rows.values() for column in row))
    if len(columns) > MOST_COLUMNS:
        message = f"a catalog has at most {MOST_COLUMNS} columns, and this has {len(columns)}"
        problems.append(document.problem((), "catalog_row", message, "leave out what nobody looks up"))
    if any(problem.severity == "error" for problem in problems):
        return None, problems
    whole = {value: {column: row.get(column) for column in columns} for value, row in rows.items()}
    return Catalog(name, document.path, key, columns, whole), problems


def _listed_rows(document: Document, data: list[Any], key: str, problems: list[Problem]) -> dict[str, Row]:
    rows: dict[str, Row] = {}
    first: dict[str, int] = {}
    for index, row in enumerate(data):
        if len(problems) >= _MOST_PROBLEMS:
            break
        if not isinstance(row, dict):
            hint = "write {column: value, ...}"
            problems.append(document.problem((index,), "catalog_row", f"row {index + 1} is no mapping", hint))
            continue
        try:
            value = document.scalar_source((index, key)).text
        except KeyError:
            value = ""
        if key not in row or not value:
            message = f"row {index + 1} has no `{key}`, which is the key: the first column of the first row"
            problems.append(document.problem((index,), "catalog_row", message, f"add `{key}: ...`"))
        elif value in rows:
            message = f"the key '{value}' is there twice; first in line {first[value]}"
            problems.append(document.problem((index, key), "duplicate_key", message, "keep one of the two"))
        else:
            rows[value] = {**row, key: value}
            first[value] = document.position((index, key)).line
    return rows


def _problem(path: str, line: int, code: str, message: str, hint: str) -> Problem:
    return Problem(path, line, 1, code, message, hint)
