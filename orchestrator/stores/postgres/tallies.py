"""Counters that many processes change at once: each session has a slot of its own, and their sum is the figure.

No turn waits for another because both count something.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from orchestrator.stores.postgres import arrays
from orchestrator.stores.postgres.database import Connection

MESSAGES: Final = "message:"
"""Before `channel:status`: the messages of the ledger, so that nobody has to count millions of rows."""
FIGURES: Final = "figure:"
"""Before the names of the figures that processes count, and nobody decides by."""
_SLOTS: Final = 256
"""So many that two sessions hardly ever share one; where they do, one waits for the other."""
_ADD: Final = f"""
INSERT INTO counts (name, slot, count)
SELECT name, pg_backend_pid() %% {_SLOTS}, by FROM unnest(%s::text[], %s::bigint[]) AS j (name, by) ORDER BY name
ON CONFLICT (name, slot) DO UPDATE SET count = counts.count + excluded.count
"""
_READ: Final = "SELECT name, sum(count)::bigint FROM counts WHERE name = ANY(%s::text[]) GROUP BY name"
_BEGINNING: Final = """
SELECT name, sum(count)::bigint FROM counts WHERE name >= %s AND name < %s GROUP BY name HAVING sum(count) <> 0
"""


def add(c: Connection, changed: Mapping[str, int]) -> None:
    """Change counters by so much. Once in a transaction and late, because the slots stay locked until its end."""
    names = [name for name, by in changed.items() if by]
    if names:
        c.execute(_ADD, (arrays.texts(names), arrays.ints([changed[name] for name in names])))


def read(c: Connection, names: Iterable[str]) -> dict[str, int]:
    """Where the counters of these names stand, of those that were ever changed."""
    return dict(c.execute(_READ, (arrays.texts(list(names)),)).fetchall())


def count_messages(c: Connection, changed: Mapping[tuple[str, str], int]) -> None:
    """Ledger rows came to (channel, status), or left it: to be called wherever a row or its status changes."""
    add(c, {f"{MESSAGES}{channel}:{status}": by for (channel, status), by in changed.items()})


def messages(c: Connection) -> dict[tuple[str, str], int]:
    """The messages of the ledger by (channel, status)."""
    found = {}
    for name, count in beginning(c, MESSAGES).items():
        channel, _, status = name.partition(":")
        found[channel, status] = count
    return found


def beginning(c: Connection, prefix: str) -> dict[str, int]:
    """The counters whose names begin so, by the rest of their names."""
    found = c.execute(_BEGINNING, (prefix, prefix + "\uffff")).fetchall()
    return {name.removeprefix(prefix): int(count) for name, count in found}
