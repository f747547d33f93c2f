"""What customers were sent, for reports."""

from __future__ import annotations

from datetime import datetime

from orchestrator.stores import sent_pages
from orchestrator.stores.instants import micros
from orchestrator.stores.postgres.base import PostgresBase
from orchestrator.stores.protocol import SendsPage

_PEOPLE, _CONTACTS, _WITHHELD, _CHOICES = (
    query.replace("?", "%s")
    for query in (sent_pages.PEOPLE, sent_pages.CONTACTS, sent_pages.WITHHELD, sent_pages.CHOICES)
)


class PostgresSends(PostgresBase):
    """The part of the store that proves."""

    def sends(self, since: datetime, until: datetime, after: str, limit: int) -> SendsPage:
        """A page of customers, by statements that each read all of them. Whoever appears between two of them is not
        told of."""
        page, window = (after, limit), (micros(since), micros(until))
        with self.db.read() as c:
            return sent_pages.sends_page(
                self.db.sealer,
                c.execute(_PEOPLE, page).fetchall(),
                c.execute(_CONTACTS, page + window).fetchall(),
                c.execute(_WITHHELD, page + window).fetchall(),
                c.execute(_CHOICES, page).fetchall(),
                limit,
            )
