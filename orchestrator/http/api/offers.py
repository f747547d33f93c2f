"""`/api/v1/offers`: what may be given, and how much of it was."""

from __future__ import annotations

from collections import Counter
from typing import Any

from orchestrator.core.project import Offer
from orchestrator.core.transition import jsonable
from orchestrator.http.api import values
from orchestrator.http.api.call import Answer, Call, unknown
from orchestrator.http.api.frame import Api
from orchestrator.http.api.overviews import overview_of

_LOOKED_FOR = 10_000


class OfferShown(values.Shown):
    """A coupon offer. `codes`: given codes by status; `left`: how many can still be given (null: no end is set),
    counted up to 10,000."""

    id: str
    title: str
    discount: dict[str, Any]
    imported: bool
    minimum_spend: float | None
    valid_until: values.InstantShown | None
    codes: dict[str, int]
    left: int | None


def add_offers_api(api: Api) -> None:
    """Reading alone: offers stand in files. The till's routes are in coupons."""
    common: dict[str, Any] = {"tag": "offers", "scope": "offers:read"}
    api.add("GET", "/offers", _list, summary="List offers", answer=OfferShown, paged=True, **common)
    api.add("GET", "/offers/{id}", _get, summary="Read an offer", answer=OfferShown, **common)


def _shown(call: Call, offer: Offer, codes: Counter[str]) -> dict[str, Any]:
    bounded = offer.imported or offer.limits.total is not None
    return {
        "id": offer.id,
        "title": offer.title,
        "discount": jsonable(dict(offer.discount)),
        "imported": offer.imported,
        "minimum_spend": offer.minimum_spend,
        "valid_until": values.shown(offer.valid_until),
        "codes": dict(sorted(codes.items())),
        "left": call.store.coupons_left(offer, _LOOKED_FOR) if bounded else None,
    }


def _counted(call: Call) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {}
    for (offer, status), count in overview_of(call.store).coupons.items():
        counts.setdefault(offer, Counter())[status] += count
    return counts


def _list(call: Call) -> Answer:
    offers = call.store.index.project.offers
    after = "" if call.after is None else str(call.after[0])
    ids = sorted(id for id in offers if id > after)[: call.limit + 1]
    counts = _counted(call)
    return call.page(ids, lambda id: _shown(call, offers[id], counts.get(id, Counter())), lambda id: (id,))


def _get(call: Call) -> Answer:
    offer = call.store.index.project.offers.get(call.path["id"])
    if offer is None:
        from orchestrator.core.expression.nearest import nearest

        near = nearest(call.path["id"], call.store.index.project.offers)
        raise unknown("unknown_offer", "there is no offer of this name", near)
    return Answer(_shown(call, offer, _counted(call).get(offer.id, Counter())))
