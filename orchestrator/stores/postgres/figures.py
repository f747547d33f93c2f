"""The figures of an installation: what its processes count together, and how long what is due has waited."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from orchestrator.stores.instants import instant, micros
from orchestrator.stores.postgres import tallies
from orchestrator.stores.postgres.base import PostgresBase
from orchestrator.stores.postgres.due import FANOUT, INBOX, TIMERS
from orchestrator.stores.postgres.outbox import CLASSES

_MARKS: Final = "SELECT name, at FROM marks WHERE name >= %s AND name < %s"
_REQUESTS: Final = "SELECT at FROM requests WHERE seq > 0 ORDER BY seq LIMIT 1"
_MESSAGES: Final = {
    klass: "SELECT least(" + ", ".join(
        f"(SELECT available_at FROM outbox WHERE class = '{klass}' AND throttled = {throttled} AND frozen = 0 "
        "ORDER BY available_at, seq LIMIT 1)"
        for throttled in (0, 2)
    ) + ")"
    for klass in CLASSES
}  # fmt: skip
_LANES: Final = ("turn", *CLASSES, "requests")
OLDEST: Final = "SELECT " + ", ".join(
    f"({query})"
    for query in (
        f"SELECT least(({TIMERS}), ({INBOX}), ({FANOUT}))", *(_MESSAGES[klass] for klass in CLASSES), _REQUESTS,
    )
)  # fmt: skip
"""A few look-ups in indexes, however much waits."""


class PostgresFigures(PostgresBase):
    """The part of the store that is asked for figures."""

    def marks(self, prefix: str) -> Mapping[str, datetime]:
        """Named instants."""
        with self.db.read() as c:
            return {name: instant(at) for name, at in c.execute(_MARKS, (prefix, prefix + "\uffff")).fetchall()}

    def count(self, changed: Mapping[str, int]) -> None:
        """Add to the figures."""
        with self.db.write() as c:
            tallies.add(c, {f"{tallies.FIGURES}{name}": by for name, by in changed.items()})

    def counted(self) -> Mapping[str, int]:
        """Where the figures stand."""
        with self.db.read() as c:
            return tallies.beginning(c, tallies.FIGURES)

    def oldest_due(self, now: datetime) -> Mapping[str, datetime]:
        """Since when what is due waits."""
        at = micros(now)
        with self.db.read() as c:
            found = c.execute(OLDEST).fetchone()
        return {lane: instant(since) for lane, since in zip(_LANES, found or ()) if since is not None and since <= at}
