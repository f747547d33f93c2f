"""The consent ledger, and erasing people, on PostgreSQL.

Who erases a customer holds its shard, so that no turn is under way and nothing is queued; then its rows of the queue,
its own row (whoever brings an opt-out holds that one first, too), and the row of its choices, in the order in which a
claim takes them. A claim that is under way is waited for: what was claimed before is handed over within seconds or not
at all, as after an opt-out, and nothing is claimed afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from orchestrator.core.consent import Choice
from orchestrator.stores.erased_records import nobodys_lines
from orchestrator.stores.erasing import erase_rows
from orchestrator.stores.erasure_certificates import Certificate
from orchestrator.stores.erasures import erased_elsewhere
from orchestrator.stores.postgres import tallies, timers
from orchestrator.stores.postgres.base import PostgresBase, run_on
from orchestrator.stores.postgres.inbox import internal_ids
from orchestrator.stores.protocol import StoreBusy
from orchestrator.stores.records import CHOICE, choice_of

_LOG: Final = f"SELECT {CHOICE} FROM consent_log WHERE shard = %s AND customer = %s ORDER BY seq"
_QUEUED: Final = "SELECT 1 FROM outbox WHERE shard = %s AND customer = %s ORDER BY seq FOR UPDATE"
_THEM: Final = "SELECT 1 FROM customers WHERE shard = %s AND id = %s FOR UPDATE"
_LOCK: Final = "SELECT 1 FROM consents WHERE shard = %s AND customer = %s FOR UPDATE"
_IN_FLIGHT: Final = """
DELETE FROM in_flight WHERE seq IN (SELECT seq FROM outbox WHERE shard = %s AND customer = %s)
"""


class PostgresErasing(PostgresBase):
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
        """Erase a person. Waits for the turn that decides for it, and for claims of its messages."""
        with self.db.write(apart=True) as c:
            key = internal_ids(c, [customer]).get(customer)
            if key is None:
                return None
            timers.lock_shards(c, [key[0]])
            if internal_ids(c, [customer]).get(customer) != key:
                raise StoreBusy("the customer is being merged with another one just now; try again")
            c.execute(_QUEUED, key)
            c.execute(_THEM, key)
            c.execute(_LOCK, key)
            c.execute(_IN_FLIGHT, key)
            done = erase_rows(
                run_on(c), self.db.sealer, self.salt, customer, now, real_at, actor, apart, extra=("due",), shared=True
            )
            if done is None:
                return None
            tallies.count_messages(c, done.recounted)
            timers.close_shards(c, [key[0]])
        if self._drained:
            for id in done.ids:
                self._drained[:] = nobodys_lines(self._drained, id, done.certificate.customer)
        return done.certificate

    def erased(self, hashes: Mapping[str, datetime], now: datetime, real_at: datetime) -> Mapping[str, str]:
        """Who of these has to be erased again."""
        with self.db.write(apart=True) as c:
            return erased_elsewhere(run_on(c), self.salt, hashes, now - real_at)
