"""Offers at the till, on SQLite: one writer at a time, so that of two tills one comes first."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from orchestrator.core.ledger import Coupon
from orchestrator.core.till import Redemption, Seen
from orchestrator.stores import offer_rows
from orchestrator.stores.arriving import Batch, prepared
from orchestrator.stores.protocol import Arrival
from orchestrator.stores.protocol_offers import Asked, Done, OfferFigures
from orchestrator.stores.sqlite.base import run_on
from orchestrator.stores.sqlite.ingest import SqliteIngest


class SqliteOffers(SqliteIngest):
    """The part of the store that tills ask."""

    def coupons_coded(self, offers: Collection[str], codes: Collection[str]) -> Sequence[Coupon]:
        """Coupons by offer and code."""
        with self.db.read() as c:
            return offer_rows.coupons_coded(run_on(c), offers, codes)

    def till(self, asked: Asked, decide: Callable[[Seen], Done]) -> None:
        """Judge a code, and write what comes of it."""

        def arrive(arrivals: Sequence[Arrival]) -> None:
            # Not together with what other threads bring: they wait for the file that this one holds.
            self._taken([Batch([prepared(arrival) for arrival in arrivals])])

        with self.db.write() as c:
            offer_rows.decide(run_on(c), self.salt, asked, decide, arrive, shared=False)

    def look_at_till(self, asked: Asked) -> Seen:
        """What is known of a code."""
        with self.db.read() as c:
            return offer_rows.seen(run_on(c), self.salt, asked)

    def redemptions_of(self, offer: str, code: str | None, after: str, limit: int) -> Sequence[Redemption]:
        """Redemptions by order."""
        with self.db.read() as c:
            return offer_rows.redemptions_of(run_on(c), offer, code, after, limit)

    def coupons_of_offer(self, offer: str, status: str | None, after: str, limit: int) -> Sequence[Coupon]:
        """Coupons by code."""
        with self.db.read() as c:
            return offer_rows.coupons_of_offer(run_on(c), offer, status, after, limit)

    def offer_figures(self, offer: str) -> OfferFigures:
        """How an offer stands."""
        with self.db.read() as c:
            return offer_rows.figures_of(run_on(c), offer)
