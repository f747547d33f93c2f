"""What customers were sent, for reports."""

from __future__ import annotations

from datetime import datetime

from orchestrator.stores import sent_pages
from orchestrator.stores.instants import micros
from orchestrator.stores.protocol import SendsPage
from orchestrator.stores.sqlite.base import SqliteBase


class SqliteSends(SqliteBase):
    """The part of the store that proves."""

    def sends(self, since: datetime, until: datetime, after: str, limit: int) -> SendsPage:
        """A page of customers, by statements that each read all of them."""
        page, window = (after, limit), (micros(since), micros(until))
        with self.db.read() as c:
            return sent_pages.sends_page(
                self.db.sealer,
                c.execute(sent_pages.PEOPLE, page).fetchall(),
                c.execute(sent_pages.CONTACTS, page + window).fetchall(),
                c.execute(sent_pages.WITHHELD, page + window).fetchall(),
                c.execute(sent_pages.CHOICES, page).fetchall(),
                limit,
            )
