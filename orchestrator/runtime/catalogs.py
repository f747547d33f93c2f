"""Catalogs as rows: rows that come from outside are checked, changes are told, and links worked out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from orchestrator.core.catalogs import LONGEST_VALUE, RowCatalog
from orchestrator.core.expression.nearest import did_you_mean
from orchestrator.core.state import dumps
from orchestrator.stores.protocol import Store
from orchestrator.stores.protocol_catalogs import MOST_EDITS, Edit, Edited

BUDGET: Final = 1_000
"""Items that one pass puts into inboxes: as many as one turn takes."""
LARGEST_ROW: Final = 16 * 1024
"""Bytes of a row as JSON: the change of a row goes to everybody whom it concerns."""
_DEEPEST: Final = 8


class RowRefused(ValueError):
    """A row that cannot be kept. `field`: the column that is wrong, where it is one."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


def spread_once(store: Store, now: datetime, budget: int = BUDGET) -> int:
    """One step of telling what changed in catalogs to those whom it concerns; where nothing is to be told, of working
    out, once a day, what is bought together and what is popular. Returns how much was done: 0, nothing is left."""
    catalogs = store.index.project.row_catalogs
    if not catalogs:
        return 0
    done = store.spread_catalogs(now, budget)
    return done or store.link_catalogs(now)


def checked_key(key: object) -> str:
    """The key of a row. Raises RowRefused."""
    if isinstance(key, int) and not isinstance(key, bool):
        key = str(key)
    if not isinstance(key, str) or not key.strip():
        raise RowRefused("the key is a text that is not empty")
    text = key.strip()
    if len(text) > LONGEST_VALUE:
        raise RowRefused(f"the key is longer than {LONGEST_VALUE} characters")
    if not text.isprintable():
        raise RowRefused("the key has characters that cannot be printed")
    return text


def checked_row(rule: RowCatalog, key: str, data: object, whole: bool = True) -> dict[str, Any]:
    """A row as it is kept: every column of the catalog's, none but these. `whole` False: only what was given. Raises
    RowRefused."""
    if not isinstance(data, Mapping):
        raise RowRefused(f'a row is an object of columns, such as {{"{rule.price}": 9.5}}')
    given: dict[str, Any] = {}
    for name, value in data.items():
        if name not in rule.columns:
            hint = did_you_mean(str(name), rule.columns) or f"its columns are {', '.join(list(rule.columns)[:12])}"
            raise RowRefused(f"the catalog '{rule.name}' has no column '{str(name)[:60]}'; {hint}", str(name))
        given[name] = _value(rule, name, value)
    if given.get(rule.key, key) != key:
        raise RowRefused(f"the row's `{rule.key}` is '{str(given[rule.key])[:60]}', and its key is '{key}'", rule.key)
    row = {rule.key: key} | {
        name: given.get(name) for name in rule.columns if name != rule.key and (whole or name in given)
    }
    if len(dumps(row).encode("utf-8", "surrogatepass")) > LARGEST_ROW:
        raise RowRefused(f"a row has at most {LARGEST_ROW:,} bytes")
    return row


def _value(rule: RowCatalog, name: str, value: object) -> object:
    if name == rule.key:
        return checked_key(value)
    kind = rule.columns[name]
    if value is None or value == "":
        return None
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        raise RowRefused(f"`{name}` is no number", name)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**63:
        raise RowRefused(f"`{name}` is a number beyond 64 bits", name)
    wanted = {"number": is_number, "truth": isinstance(value, bool), "text": isinstance(value, str)}.get(kind, True)
    if not wanted:
        words = {"number": "a number", "truth": "true or false", "text": "a text"}[kind]
        raise RowRefused(f"`{name}` is {words} in this catalog, not {str(value)[:40]!r}", name)
    _plain(name, value, 0)
    return value


def _plain(name: str, value: object, depth: int) -> None:
    """What every database can keep."""
    if depth > _DEEPEST:
        raise RowRefused(f"`{name}` is nested deeper than {_DEEPEST} levels", name)
    if isinstance(value, str):
        if "\x00" in value or any("\ud800" <= c <= "\udfff" for c in value):
            raise RowRefused(f"`{name}` has characters that are no text", name)
    elif isinstance(value, Mapping):
        for key, one in value.items():
            _plain(name, key, depth + 1)
            _plain(name, one, depth + 1)
    elif isinstance(value, (list, tuple)):
        for one in value:
            _plain(name, one, depth + 1)
    elif isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        raise RowRefused(f"`{name}` holds what is no number", name)


def cells_read(rule: RowCatalog, row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of a table whose cells are texts, in the types of the catalog's columns. Raises RowRefused."""
    read: dict[str, Any] = {}
    for name, cell in row.items():
        kind = rule.columns.get(name)
        text = cell.strip() if isinstance(cell, str) else cell
        if text == "" or text is None:
            read[name] = None
        elif kind == "number" and isinstance(text, str):
            read[name] = _number(name, text)
        elif kind == "truth" and isinstance(text, str):
            if text.lower() not in ("true", "false"):
                raise RowRefused(f"`{name}` is true or false in this catalog, not '{text[:40]}'", name)
            read[name] = text.lower() == "true"
        elif kind == "text" and not isinstance(text, str):
            read[name] = str(text)
        else:
            read[name] = text
    return read


def _number(name: str, text: str) -> int | float:
    try:
        return int(text) if text.lstrip("+-").isdigit() else float(text)
    except ValueError:
        raise RowRefused(f"`{name}` is a number in this catalog, not '{text[:40]}'", name) from None


def change_once(store: Store, catalog: str, edits: Sequence[Edit], now: datetime) -> list[Edited]:
    """Change any number of rows, some at a time."""
    return [
        store.change_catalog(catalog, edits[first : first + MOST_EDITS], now)
        for first in range(0, len(edits), MOST_EDITS)
    ]
