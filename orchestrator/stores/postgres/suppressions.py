"""The suppression list as it is kept, and the soft bounces of addresses: a row of `tallies` for each of those.

`count` is the instant of the last soft bounce in microseconds, `amount` the weight of all of them at that instant.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from orchestrator.core.suppression import Softness, softened
from orchestrator.stores.instants import instant, micros
from orchestrator.stores.postgres.base import PostgresBase
from orchestrator.stores.protocol import Suppressed

SOFT: Final = "soft:"
"""Before the names of what bounces softly."""
_PAGE: Final = """
SELECT channel, address, cause, at FROM suppressions
WHERE (channel COLLATE "C", address COLLATE "C", cause COLLATE "C") > (%s, %s, %s)
ORDER BY channel COLLATE "C", address COLLATE "C", cause COLLATE "C" LIMIT %s
"""
_READ: Final = "SELECT amount, count FROM tallies WHERE name = %s"
_HOLD: Final = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
"""Two processes that read bounces of one address at once count both."""
_WRITE: Final = """
INSERT INTO tallies (name, count, amount) VALUES (%s, %s, %s)
ON CONFLICT (name) DO UPDATE SET count = excluded.count, amount = excluded.amount
"""
_FORGET: Final = "DELETE FROM tallies WHERE name = %s"


class PostgresSuppressions(PostgresBase):
    """The part of the store that people look at the list by."""

    def suppressed(self, after: tuple[str, str, str], limit: int) -> Sequence[Suppressed]:
        """The list as it is kept."""
        with self.db.read() as c:
            found = c.execute(_PAGE, (*after, limit)).fetchall()
        return [Suppressed(channel, address, cause, instant(at)) for channel, address, cause, at in found]

    def soften(self, name: str, at: datetime, half_life: timedelta, alive_at: datetime | None = None) -> float:
        """One soft bounce more."""
        with self.db.write() as c:
            c.execute(_HOLD, (SOFT + name,))
            row = c.execute(_READ, (SOFT + name,)).fetchone()
            now = softened(Softness(row[0], instant(row[1])) if row else None, at, half_life, alive_at)
            c.execute(_WRITE, (SOFT + name, micros(now.at), now.score))
        return now.score

    def unsoften(self, name: str) -> None:
        """Forget them."""
        with self.db.read() as c:
            if c.execute(_READ, (SOFT + name,)).fetchone() is None:
                return
        with self.db.write() as c:
            c.execute(_FORGET, (SOFT + name,))
