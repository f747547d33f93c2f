"""Named counters: one row each, changed in the transaction of what they count."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from json import dumps
from typing import Final, NamedTuple


class Tally(NamedTuple):
    """What one counter stands at. `amount` is money, where the counter has any."""

    number: int = 0
    amount: float = 0.0


MESSAGES: Final = "count:message:"
"""Before `channel:status`: the messages of the ledger, so that nobody has to count millions of rows."""
FIGURES: Final = "figure:"
"""Before the names of the figures that processes count, and nobody decides by."""
_BEGINNING: Final = "SELECT name, count FROM tallies WHERE name >= ? AND name < ? AND count <> 0"
_ADD: Final = (
    "INSERT INTO tallies (name, count, amount) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE "
    "SET count = tallies.count + excluded.count, amount = tallies.amount + excluded.amount"
)


def add(c: sqlite3.Connection, name: str, count: int, amount: float = 0.0) -> None:
    """Change one counter by so much; one that was never named began at nothing."""
    c.execute(_ADD, (name, count, amount))


def read(c: sqlite3.Connection, names: Iterable[str]) -> dict[str, Tally]:
    """The counters of these names that were ever changed."""
    found = c.execute(
        "SELECT name, count, amount FROM tallies WHERE name IN (SELECT value FROM json_each(?))", (dumps(list(names)),)
    )
    return {name: Tally(count, amount) for name, count, amount in found}


def count_messages(c: sqlite3.Connection, changed: Mapping[tuple[str, str], int]) -> None:
    """Ledger rows came to (channel, status), or left it: to be called wherever a row or its status changes."""
    rows = [(f"{MESSAGES}{channel}:{status}", by, 0.0) for (channel, status), by in changed.items() if by]
    if rows:
        c.executemany(_ADD, rows)


def beginning(c: sqlite3.Connection, prefix: str) -> dict[str, int]:
    """The counters whose names begin so, by the rest of their names."""
    found = c.execute(_BEGINNING, (prefix, prefix + "\uffff"))
    return {name.removeprefix(prefix): int(count) for name, count in found}
