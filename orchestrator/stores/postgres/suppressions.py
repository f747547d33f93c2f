"""The suppression list as it is kept, and the soft bounces of addresses: a row of `tallies` for each of those.

`count` is the instant of the last soft bounce in microseconds, `amount` the weight of all of them at that instant.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from orchestrator.core.suppression import Softness, softened
from orchestrator.stores.erasing import SOFT
from orchestrator.stores.instants import instant, micros
from orchestrator.stores.postgres.base import PostgresBase
from orchestrator.stores.protocol import Suppressed

_PAGE: Final = """
SELECT channel, address, cause, at FROM suppressions
WHERE (channel COLLATE "C", address COLLATE "C", cause COLLATE "C") > (%s, %s, %s)
ORDER BY channel COLLATE "C", address COLLATE "C", cause COLLATE "C" LIMIT %s
"""
_IS: Final = "SELECT 1 FROM suppressions WHERE channel = %s AND address = %s AND cause = %s"
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
        channel, address, cause = after
        with self.db.read() as c:
            kept = (mark for mark in self.db.sealer.marks(address) if c.execute(_IS, (channel, mark, cause)).fetchone())
            found = c.execute(_PAGE, (channel, next(kept, address), cause, limit)).fetchall()
        open_ = self.db.sealer.unmark
        return [Suppressed(channel, open_(address), cause, instant(at)) for channel, address, cause, at in found]

    def soften(self, name: str, at: datetime, half_life: timedelta, alive_at: datetime | None = None) -> float:
        """One soft bounce more."""
        kept, *before = [SOFT + mark for mark in self.db.sealer.marks(name)]
        with self.db.write() as c:
            c.execute(_HOLD, (SOFT + name,))
            rows = [c.execute(_READ, (known,)).fetchone() for known in (kept, *before)]
            row = next(filter(None, rows), None)
            now = softened(Softness(row[0], instant(row[1])) if row else None, at, half_life, alive_at)
            c.execute(_WRITE, (kept, micros(now.at), now.score))
        return now.score

    def unsoften(self, name: str) -> None:
        """Forget them."""
        names = [SOFT + mark for mark in self.db.sealer.marks(name)]
        with self.db.read() as c:
            if not any(c.execute(_READ, (known,)).fetchone() for known in names):
                return
        with self.db.write() as c:
            for known in names:
                c.execute(_FORGET, (known,))
