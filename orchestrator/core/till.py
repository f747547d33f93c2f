"""What a code is worth at a till, and whether it may be used: pure, so that both sides of a race are judged alike.

Money is Decimal. What the offer says in the files as numbers is read as it is written there.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from typing import Final, Literal, NamedTuple

from orchestrator.core.ledger import Coupon
from orchestrator.core.project import Offer

SCALE: Final = 10_000
"""Parts of one unit of a currency in which money is counted: more than any of ISO 4217 has in use."""
Reason = Literal[
    "not_found", "ambiguous", "order_used", "rolled_back", "redeemed", "void", "released", "locked", "not_yet_valid",
    "expired", "customer_required", "wrong_customer", "store", "total_required", "currency", "products",
    "minimum_spend", "price_floor", "exhausted", "per_customer", "budget", "not_redeemed",
]  # fmt: skip


class Item(NamedTuple):
    """One line of an order; `price` of one piece."""

    sku: str
    price: Decimal
    quantity: int = 1


class Basket(NamedTuple):
    """What a till says. `customer`: the id of who stands there, if anybody knows it."""

    order_id: str | None = None
    total: Decimal | None = None
    currency: str | None = None
    items: tuple[Item, ...] = ()
    store: str | None = None
    till: str | None = None
    customer: str | None = None


class CodeState(NamedTuple):
    """What tills did with a code. `free`: nothing; `returned`: its order was cancelled, and it may be redeemed again. A
    till knows of it before the customer's story does. Instants are real time."""

    status: Literal["free", "locked", "redeemed", "returned", "void"] = "free"
    holder: str | None = None
    locked_at: datetime | None = None
    until: datetime | None = None


class Redemption(NamedTuple):
    """An order's redemption. `answer`: what the till was told, as JSON. `discount` in parts of SCALE."""

    offer: str
    order_id: str
    code: str
    status: Literal["redeemed", "rolled_back"]
    customer: str | None
    at: datetime
    changed_at: datetime
    total: str | None
    currency: str | None
    discount: int
    till: str | None
    answer: str


class Seen(NamedTuple):
    """All that a judgement may look at. `coupon` None: the code is everybody's (`offer.public`). `uses` and `spent`: of
    the offer's redemptions that stand, where its limits are counted at the till; `own`: the customer's part of them,
    within the limit's time."""

    state: CodeState = CodeState()
    coupon: Coupon | None = None
    order: Redemption | None = None
    uses: int = 0
    spent: int = 0
    own: int = 0


class Worth(NamedTuple):
    """What a code does to an order. `discount` and `to_pay` None: no total was given, and nothing can be computed."""

    discount: Decimal | None = None
    to_pay: Decimal | None = None
    gift: str | None = None
    points: int | None = None


class Verdict(NamedTuple):
    """`reason` None: it may be used. `found` and `expected` say more about some reasons."""

    reason: Reason | None
    worth: Worth = Worth()
    found: str | None = None
    expected: str | None = None


def is_counted(offer: Offer) -> bool:
    """Whether the offer's limits are counted at the till, because nothing was set aside when its codes were given."""
    return offer.public is not None or (offer.limits.budget is not None and offer.limits.budget_per_redemption is None)


def judged(offer: Offer, seen: Seen, basket: Basket, now: datetime, real_at: datetime, digits: int) -> Verdict:
    """Whether a code may be used for a basket, and what it is worth. `now`: journey time, by which codes expire;
    `real_at`: the actual instant, by which locks end; `digits`: of the currency's smallest coin.

    A code that this till locked in time is good until the lock ends, even if it expires meanwhile.
    """
    reason = _standing(seen, basket, real_at) or _time(offer, seen, basket, now, real_at) or _whose(offer, seen, basket)
    if reason is not None:
        return Verdict(reason)
    stores = _names(offer, "stores")
    if (stores and basket.store not in stores) or basket.store in _names(offer, "except_stores"):
        return Verdict("store", found=basket.store, expected=", ".join(stores) or None)
    verdict = _priced(offer, basket, digits)
    if verdict.reason is not None:
        return verdict
    reason = _limits(offer, seen, verdict.worth)
    return Verdict(reason) if reason is not None else verdict


def _standing(seen: Seen, basket: Basket, real_at: datetime) -> Reason | None:
    coupon, state = seen.coupon, seen.state
    if seen.order is not None and seen.order.status == "rolled_back":
        return "rolled_back"
    if coupon is not None and coupon.status == "released":
        return "released"
    status = coupon.status if coupon is not None and state.status == "free" else state.status
    if status == "redeemed" or status == "void":  # without a till: by the story of a scenario, or of an import
        return status
    if is_locked(state, real_at) and not holds(state, basket):
        return "locked"
    return None


def is_locked(state: CodeState, real_at: datetime) -> bool:
    """Whether somebody holds the code at an instant of real time."""
    return state.status == "locked" and state.until is not None and real_at < state.until


def holds(state: CodeState, basket: Basket) -> bool:
    """Whether the order is the one that locked the code; or the till, where it locked it before it had an order."""
    return state.holder is not None and state.holder in (holder_of(basket), _till_of(basket))


def holder_of(basket: Basket) -> str | None:
    """Under which name a code is locked: the order's, else the till's."""
    if basket.order_id is not None:
        return f"order:{basket.order_id}"
    return _till_of(basket)


def _till_of(basket: Basket) -> str | None:
    return f"till:{basket.till}" if basket.till is not None else None


def _time(offer: Offer, seen: Seen, basket: Basket, now: datetime, real_at: datetime) -> Reason | None:
    if offer.valid_from is not None and now < offer.valid_from:
        return "not_yet_valid"
    ends = expires_at(offer, seen.coupon)
    at = now
    if seen.state.locked_at is not None and is_locked(seen.state, real_at) and holds(seen.state, basket):
        at = now - (real_at - seen.state.locked_at)
    return "expired" if ends is not None and at >= ends else None


def expires_at(offer: Offer, coupon: Coupon | None) -> datetime | None:
    """When a code ends."""
    return coupon.expires_at if coupon is not None else offer.valid_until


def _whose(offer: Offer, seen: Seen, basket: Basket) -> Reason | None:
    if seen.coupon is not None and offer.conditions.get("personal"):
        if basket.customer is None:
            return "customer_required"
        if basket.customer != seen.coupon.customer_id:
            return "wrong_customer"
    if offer.public is not None and offer.limits.per_customer is not None and basket.customer is None:
        return "customer_required"
    return None


def _limits(offer: Offer, seen: Seen, worth: Worth) -> Reason | None:
    limits = offer.limits
    if offer.public is not None:
        if limits.total is not None and seen.uses >= limits.total:
            return "exhausted"
        if limits.per_customer is not None and seen.own >= limits.per_customer:
            return "per_customer"
    if limits.budget is not None and is_counted(offer):
        if seen.spent + parts(worth.discount or Decimal(0)) > parts(_decimal(limits.budget)):
            return "budget"
    return None


def _priced(offer: Offer, basket: Basket, digits: int) -> Verdict:
    """The discount: never more than the products it is for, what one redemption may cost, or what the floor leaves."""
    total, kind = basket.total, next(iter(offer.discount), None)
    if total is None and (offer.minimum_spend is not None or kind in ("percent", "amount")):
        return Verdict("total_required")
    if offer.minimum_spend is not None and total is not None and total < _decimal(offer.minimum_spend):
        return Verdict("minimum_spend", found=str(total), expected=str(_decimal(offer.minimum_spend)))
    money = offer.limits.budget_currency
    if offer.limits.budget is not None and kind in ("percent", "amount") and basket.currency not in (None, money):
        return Verdict("currency", found=basket.currency, expected=money)
    eligible = _eligible(offer, basket)
    if eligible is not None and not eligible:
        return Verdict("products", expected=", ".join(_names(offer, "products")) or None)
    if kind == "gift":
        return Verdict(None, Worth(Decimal(0), total, gift=str(offer.discount["gift"])))
    if kind == "points":
        return Verdict(None, Worth(Decimal(0), total, points=int(str(offer.discount["points"]))))
    assert total is not None
    base = total if eligible is None else min(total, sum((i.price * i.quantity for i in eligible), Decimal(0)))
    if kind == "percent":
        discount = base * _decimal(offer.discount["percent"]) / 100
    else:
        amounts = offer.discount.get("amount")
        found = amounts.get(basket.currency) if isinstance(amounts, dict) else None
        if found is None:
            known = ", ".join(amounts) if isinstance(amounts, dict) else None
            return Verdict("currency", found=basket.currency, expected=known)
        discount = min(_decimal(found), base)
    discount = discount.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    floor = _decimal(offer.conditions.get("price_floor") or 0)
    if floor and total <= floor:
        return Verdict("price_floor", found=str(total), expected=str(floor))
    each = offer.limits.budget_per_redemption
    most = [total - floor, base, *([_decimal(each)] if each is not None else [])]
    if discount > min(most):
        discount = min(most).quantize(Decimal(1).scaleb(-digits), ROUND_DOWN)
    return Verdict(None, Worth(discount, total - discount))


def _eligible(offer: Offer, basket: Basket) -> Sequence[Item] | None:
    """The items that the offer is for; None: it is for all of the order."""
    only, never = _names(offer, "products"), _names(offer, "except_products")
    if not only and (not never or not basket.items):
        return None
    return [item for item in basket.items if (not only or item.sku in only) and item.sku not in never]


def _names(offer: Offer, condition: str) -> Sequence[str]:
    found = offer.conditions.get(condition)
    return found if isinstance(found, (list, tuple)) else ()


def parts(money: Decimal) -> int:
    """Money as it is counted."""
    return int((money * SCALE).to_integral_value(ROUND_HALF_UP))


def _decimal(number: object) -> Decimal:
    return Decimal(str(number))
