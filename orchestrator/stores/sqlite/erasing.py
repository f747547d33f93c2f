"""The consent ledger, and erasing people, on SQLite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from orchestrator.core.consent import Choice
from orchestrator.stores.erased_records import nobodys_lines
from orchestrator.stores.erasing import erase_rows
from orchestrator.stores.erasure_certificates import Certificate
from orchestrator.stores.erasures import erased_elsewhere
from orchestrator.stores.records import CHOICE, choice_of
from orchestrator.stores.sqlite import tallies
from orchestrator.stores.sqlite.base import SqliteBase, run_on
from orchestrator.stores.sqlite.inbox import internal_ids

_LOG: Final = f"SELECT {CHOICE} FROM consent_log WHERE shard = ? AND customer = ? ORDER BY seq"


class SqliteErasing(SqliteBase):
    """The part of the store that knows what people chose, and forgets them."""

    def consent_log(self, customer: str) -> Sequence[Choice]:
        """A customer's rows of the ledger."""
        with self.db.read() as c:
            place = internal_ids(c, [customer]).get(customer)
            rows = c.execute(_LOG, place).fetchall() if place is not None else []
        return [choice_of(self.db.sealer, row[1], *row[3:]) for row in rows]

    def erase(
        self, customer: str, now: datetime, real_at: datetime, actor: str, apart: bool = False
    ) -> Certificate | None:
        """Erase a person. One writer at a time: no turn and no claim is under way meanwhile."""
        with self.db.write() as c:
            done = erase_rows(run_on(c), self.db.sealer, self.salt, customer, now, real_at, actor, apart)
            if done is None:
                return None
            tallies.count_messages(c, done.recounted)
        if self._drained:
            for id in done.ids:
                self._drained[:] = nobodys_lines(self._drained, id, done.certificate.customer)
        return done.certificate

    def erased(self, hashes: Mapping[str, datetime], now: datetime, real_at: datetime) -> Mapping[str, str]:
        """Who of these has to be erased again."""
        with self.db.write() as c:
            return erased_elsewhere(run_on(c), self.salt, hashes, now - real_at)
