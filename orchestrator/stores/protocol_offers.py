"""What a store does for offers at the till. Each method is one transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol

from orchestrator.core.ledger import Coupon
from orchestrator.core.till import CodeState, Redemption, Seen

if TYPE_CHECKING:
    from orchestrator.stores.protocol import Arrival


class Asked(NamedTuple):
    """Which code a till asks about. `coupon` is how it was found. `order_id` None: no order yet. `counted`: the offer's
    own figures are needed, and nobody else may change them meanwhile; `own_since`: redemptions of the customer's own
    count from then on (None: all do)."""

    offer: str
    code: str
    order_id: str | None = None
    customer: str | None = None
    counted: bool = False
    own_since: datetime | None = None


class Done(NamedTuple):
    """What a till did, to be written at once. None: as it was. `uses` and `spent` are added to the offer's figures;
    `arrivals` go to the customer's inbox."""

    state: CodeState | None = None
    redemption: Redemption | None = None
    uses: int = 0
    spent: int = 0
    arrivals: Sequence[Arrival] = ()


class OrderUsed(Exception):
    """Another till is redeeming another code of the offer for the same order, and was first."""


class OfferFigures(NamedTuple):
    """Of an offer: coupons by status, and what tills redeemed: how often, and for how much (in parts of SCALE, by
    currency)."""

    coupons: dict[str, int]
    redemptions: int
    rolled_back: int
    discounts: dict[str, int]


class OffersStore(Protocol):
    """See the module's docstring."""

    def coupons_coded(self, offers: Collection[str], codes: Collection[str]) -> Sequence[Coupon]:
        """The coupons of these offers that bear one of these codes."""

    def till(self, asked: Asked, decide: Callable[[Seen], Done]) -> None:
        """Let `decide` judge a code, and write what it says: nobody else decides about the code meanwhile. `decide` is
        called once, and blocks on nothing; what it raises undoes all. Raises OrderUsed, and StoreBusy: then nobody
        knows whether it was done, and the same order may be brought again."""

    def look_at_till(self, asked: Asked) -> Seen:
        """The same without deciding, and without waiting for anybody."""

    def redemptions_of(self, offer: str, code: str | None, after: str, limit: int) -> Sequence[Redemption]:
        """What tills did with an offer (with one of its codes), by order, from behind the order `after` on."""

    def coupons_of_offer(self, offer: str, status: str | None, after: str, limit: int) -> Sequence[Coupon]:
        """An offer's coupons by their codes, from behind the code `after` on."""

    def offer_figures(self, offer: str) -> OfferFigures:
        """How an offer stands."""
