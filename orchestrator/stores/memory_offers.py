"""Offers at the till, in memory."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

from orchestrator.core.ledger import Coupon
from orchestrator.core.till import CodeState, Redemption, Seen
from orchestrator.stores.erasure_certificates import ERASED, hash_of
from orchestrator.stores.memory_record import CustomerRecord
from orchestrator.stores.protocol_offers import Asked, Done, OfferFigures


class MemoryOffers:
    """A part of the memory store, which has its records."""

    salt: str
    _records: dict[str, CustomerRecord]
    _pools: Any
    ingest: Any

    def __init__(self) -> None:
        super().__init__()
        self._till: dict[tuple[str, str], CodeState] = {}
        self._redemptions: dict[tuple[str, str], Redemption] = {}
        self._till_figures: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
        self._nobodys_coupons: list[Coupon] = []
        """Codes that were given to people who were erased."""

    def coupons_coded(self, offers: Collection[str], codes: Collection[str]) -> Sequence[Coupon]:
        """Coupons by offer and code."""
        return [coupon for coupon in self._coupons() if coupon.offer in offers and coupon.code in codes]

    def till(self, asked: Asked, decide: Callable[[Seen], Done]) -> None:
        """Judge a code, and write what comes of it."""
        done = decide(self.look_at_till(asked))
        if done.state is not None:
            self._till[asked.offer, asked.code] = done.state
        if done.redemption is not None:
            self._redemptions[asked.offer, done.redemption.order_id] = done.redemption
        if asked.counted:
            figures = self._till_figures[asked.offer]
            figures[:] = [figures[0] + done.uses, figures[1] + done.spent]
        if done.arrivals:
            self.ingest(done.arrivals)

    def look_at_till(self, asked: Asked) -> Seen:
        """What is known of a code."""
        offer, order_id = asked.offer, asked.order_id
        order = None
        if order_id is not None:
            names = (order_id, ERASED + hash_of(self.salt, order_id))
            order = next((self._redemptions[offer, name] for name in names if (offer, name) in self._redemptions), None)
        own = [
            r
            for r in self._redemptions.values()
            if r.offer == offer and r.status == "redeemed"
            and r.customer == asked.customer is not None
            and (asked.own_since is None or r.at > asked.own_since)
        ]  # fmt: skip
        coupon = next(iter(self.coupons_coded((offer,), (asked.code,))), None)
        state = self._till.get((offer, asked.code), CodeState())
        uses, spent = self._till_figures[offer] if asked.counted else (0, 0)
        return Seen(state, coupon, order, uses, spent, len(own))

    def redemptions_of(self, offer: str, code: str | None, after: str, limit: int) -> Sequence[Redemption]:
        """Redemptions by order."""
        mine = (r for r in self._redemptions.values() if r.offer == offer and r.order_id > after)
        return sorted((r for r in mine if code in (None, r.code)), key=lambda r: r.order_id)[:limit]

    def coupons_of_offer(self, offer: str, status: str | None, after: str, limit: int) -> Sequence[Coupon]:
        """Coupons by code."""
        mine = (c for c in self._coupons() if c.offer == offer and c.code > after)
        return sorted((c for c in mine if status in (None, c.status)), key=lambda c: c.code)[:limit]

    def offer_figures(self, offer: str) -> OfferFigures:
        """How an offer stands."""
        mine = [r for r in self._redemptions.values() if r.offer == offer]
        done = [r for r in mine if r.status == "redeemed"]
        discounts: Counter[str] = Counter()
        for r in done:
            discounts[r.currency or ""] += r.discount
        coupons = Counter(c.status for c in self._coupons() if c.offer == offer)
        stand = {str(status): n for status, n in coupons.items()}
        return OfferFigures(stand, len(done), len(mine) - len(done), dict(discounts))

    def _make_room(self, coupon: Coupon) -> None:
        """A code is taken back: what it took of its offer's limits is free again, unless a till redeemed it."""
        state = self._till.get((coupon.offer, coupon.code), CodeState())
        if state.status in ("free", "locked"):
            self._pools.release(coupon.offer, coupon.amount)

    def _forget_redemptions(self, customer: str, coupons: Iterable[Coupon]) -> int:
        """Of somebody who is erased: that a code was redeemed stays, and whose order it was goes."""
        mine = [key for key, r in self._redemptions.items() if r.customer == customer]
        for coupon in coupons:  # an order that only locked a code
            place = (coupon.offer, coupon.code)
            if place in self._till:
                self._till[place] = self._till[place]._replace(holder=None)
        for offer, order_id in mine:
            r = self._redemptions.pop((offer, order_id))
            hidden = ERASED + hash_of(self.salt, order_id)
            state = self._till.get((offer, r.code))
            if state is not None:
                self._till[offer, r.code] = state._replace(holder=None)
            nobodys = r._replace(order_id=hidden, customer=None, till=None, answer="{}")
            self._redemptions[offer, hidden] = nobodys
        return len(mine)

    def _coupons(self) -> Iterator[Coupon]:
        yield from self._nobodys_coupons
        for record in self._records.values():
            yield from record.coupons.values()
