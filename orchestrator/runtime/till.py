"""A coupon at the till: look, lock, redeem, roll back. What is told is done: committed, once, whoever else asks.

A redemption is known by its order: the same order again gets the same answer, and one that was rolled back never comes
back. A lock ends by itself, in real time. The customer's story hears of redemptions and roll-backs through the inbox,
in the same transaction.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, NamedTuple

from orchestrator.core.inbox import Body, RedemptionRequested, RedemptionRolledBack
from orchestrator.core.ledger import Coupon
from orchestrator.core.project import Offer
from orchestrator.core.till import (
    SCALE,
    Basket,
    CodeState,
    Reason,
    Redemption,
    Seen,
    Verdict,
    expires_at,
    holder_of,
    holds,
    is_counted,
    is_locked,
    judged,
    parts,
)
from orchestrator.core.time.iso import format_instant
from orchestrator.errors import UsageError
from orchestrator.stores.protocol import Arrival, Store
from orchestrator.stores.protocol_offers import Asked, Done, OrderUsed

LOCKED_FOR: Final = timedelta(minutes=2)
LONGEST_LOCK: Final = timedelta(minutes=15)
LONGEST_NAME: Final = 150
"""Characters of an order's id, and of a code."""
_UNFIT: Final = re.compile("[\x00\ud800-\udfff]")
WORDS: Final[dict[Reason, str]] = {
    "not_found": "there is no such code",
    "ambiguous": "several offers have this code; say which one",
    "order_used": "this order has redeemed another code of the offer",
    "rolled_back": "this order was cancelled; a new order may redeem the code",
    "redeemed": "the code was redeemed already",
    "void": "the code is void: its order was cancelled",
    "released": "the code was taken back, since its message was never sent",
    "locked": "another till is redeeming the code just now",
    "not_yet_valid": "the code is not good yet",
    "expired": "the code has expired",
    "customer_required": "say who the customer is: the code is not for everybody",
    "wrong_customer": "the code was given to another customer",
    "store": "the code is not good in this store",
    "total_required": "say the order's total: the code depends on it",
    "currency": "the code is not good in this currency",
    "products": "nothing in this order is what the code is for",
    "minimum_spend": "the order is too small for the code",
    "price_floor": "the order costs no more than the least it may cost",
    "exhausted": "the code was redeemed as often as it may be",
    "per_customer": "this customer has redeemed it as often as one may",
    "budget": "the offer's budget is used up",
    "not_redeemed": "this order has redeemed no code of the offer",
}


class Answer(NamedTuple):
    """What a till is told. `reason` None: yes."""

    reason: Reason | None
    told: dict[str, Any]


class _Known(NamedTuple):
    """A code that was found: its offer, itself as it is stored, and the coupon, unless it is everybody's."""

    offer: Offer
    code: str
    coupon: Coupon | None


def validate(
    store: Store, code: str, basket: Basket, now: datetime, real_at: datetime, offer: str | None = None
) -> Answer:
    """Whether a code would be redeemed now, and for how much. Changes nothing. `now` is journey time, `real_at` the
    actual instant. Raises UsageError for what no order can say."""
    basket = _named(store, basket)
    known = _found(store, code, basket, offer)
    if isinstance(known, Answer):
        return known
    seen = store.look_at_till(_asked(known, basket, now))
    if (before := _before(known, seen, basket)) is not None:
        return before
    return _answer(known, seen.state, _judged(known, seen, basket, now, real_at), basket, real_at)


def lock(
    store: Store,
    code: str,
    basket: Basket,
    now: datetime,
    real_at: datetime,
    offer: str | None = None,
    hold_for: timedelta = LOCKED_FOR,
) -> Answer:
    """Keep a code for an order (or a till) for a short time; again by the same one makes it longer, while the code is
    good. A public code is only looked at: others may use it meanwhile. Raises UsageError, StoreBusy."""
    if holder_of(basket) is None:
        raise UsageError("a lock needs an order_id or a till, so that its holder can be known again", "no_holder")
    until, basket = real_at + min(hold_for, LONGEST_LOCK), _named(store, basket)

    def decide(known: _Known, seen: Seen) -> tuple[Done, Answer]:
        # As of now: else a lock that is made longer for ever would keep a code beyond its end.
        anew = seen._replace(state=seen.state._replace(locked_at=None))
        verdict = _judged(known, anew, basket, now, real_at)
        if verdict.reason is not None or known.offer.public is not None:
            return Done(), _answer(known, seen.state, verdict, basket, real_at)
        mine = is_locked(seen.state, real_at) and holds(seen.state, basket)
        begun = seen.state.locked_at if mine else real_at
        state = CodeState("locked", holder_of(basket), begun, until)
        return Done(state), _answer(known, state, verdict, basket, real_at)

    return _decided(store, code, basket, now, offer, decide)


def redeem(
    store: Store, code: str, basket: Basket, now: datetime, real_at: datetime, offer: str | None = None
) -> Answer:
    """Redeem a code for an order, once. Raises UsageError, StoreBusy (then the same order may be brought again)."""
    order_id, basket = _order_of(basket), _named(store, basket)

    def decide(known: _Known, seen: Seen) -> tuple[Done, Answer]:
        verdict = _judged(known, seen, basket, now, real_at)
        if verdict.reason is not None:
            return Done(), _answer(known, seen.state, verdict, basket, real_at)
        public = known.offer.public is not None
        state = CodeState("free" if public else "redeemed", None if public else holder_of(basket), real_at)
        answer = _answer(known, state._replace(status="redeemed"), verdict, basket, real_at)
        discount = verdict.worth.discount or Decimal(0)
        customer = _customer(known, basket)
        total = None if basket.total is None else str(basket.total)
        text = json.dumps(answer.told)
        redemption = Redemption(
            known.offer.id, order_id, known.code, "redeemed", customer, now, now, total, basket.currency,
            parts(discount), basket.till, text,
        )  # fmt: skip
        money = None if verdict.worth.discount is None or basket.total is None else float(discount)
        body = RedemptionRequested(
            known.offer.id, order_id, None if basket.total is None else float(basket.total), known.code, True,
            basket.currency, money, public,
        )  # fmt: skip
        arrivals = _arrivals(customer, body, now)
        return Done(None if public else state, redemption, 1, parts(discount), arrivals), answer

    return _decided(store, code, basket, now, offer, decide)


def rollback(
    store: Store, code: str, basket: Basket, now: datetime, real_at: datetime, offer: str | None = None
) -> Answer:
    """An order was cancelled: its code may be redeemed again, or is void, as the offer says. Once for each order; again
    gives the same answer. Raises UsageError, StoreBusy."""
    order_id = _order_of(basket)

    def decide(known: _Known, seen: Seen) -> tuple[Done, Answer]:
        order = seen.order
        if order is None or order.code != known.code:
            return Done(), refused("not_redeemed", known.code, known.offer)
        void = known.offer.on_rollback == "void" and known.offer.public is None
        state = CodeState("void" if void else "returned", None, real_at)
        told = {**_base(known, real_at, state), "valid": not void, "order_id": order_id, "status": "rolled_back"}
        answer = Answer(None, {**told, "code_status": "void" if void else "issued"})
        if order.status == "rolled_back":
            return Done(), answer
        body = RedemptionRolledBack(known.offer.id, order_id, known.code, void)
        arrivals = _arrivals(order.customer, body, now)
        changed = order._replace(status="rolled_back", changed_at=now)
        new_state = None if known.offer.public is not None else state
        return Done(new_state, changed, -1, -order.discount, arrivals), answer

    return _decided(store, code, basket, now, offer, decide, rolling_back=True)


def look_up(store: Store, code: str, now: datetime, real_at: datetime, offer: str | None = None) -> Answer:
    """How a code stands, for shop staff and the customer's page: nothing about an order is asked."""
    known = _found(store, code, Basket(), offer)
    if isinstance(known, Answer):
        return known
    seen = store.look_at_till(_asked(known, Basket(), now))
    return Answer(None, {**_base(known, real_at, seen.state), "status": status_of(known.offer, seen, now, real_at)})


def status_of(offer: Offer, seen: Seen, now: datetime, real_at: datetime) -> str:
    """One word for how a code stands: issued, not_yet_valid, locked, redeemed, expired, released, void."""
    state, coupon = seen.state, seen.coupon
    if is_locked(state, real_at):
        return "locked"
    if state.status in ("redeemed", "void"):
        return state.status
    if coupon is not None and (coupon.status == "released" or (state.status == "free" and coupon.status != "issued")):
        return coupon.status
    if offer.valid_from is not None and now < offer.valid_from:
        return "not_yet_valid"
    ends = expires_at(offer, coupon)
    return "expired" if ends is not None and now >= ends else "issued"


def refused(reason: Reason, code: str, offer: Offer | None = None, **more: Any) -> Answer:
    """A refusal in a till's words."""
    told: dict[str, Any] = {"valid": False, "reason": reason, "message": WORDS[reason], "code": code}
    if offer is not None:
        told |= {"offer": offer.id, "title": offer.title or offer.id}
    return Answer(reason, {**told, **{name: value for name, value in more.items() if value is not None}})


@lru_cache(maxsize=256)
def digits_of(currency: str | None) -> int:
    """Digits behind the point of a currency's smallest coin (ISO 4217, by CLDR); 2 for one that nobody knows."""
    from babel.numbers import get_currency_precision

    return 2 if currency is None else get_currency_precision(currency)


# --- the parts --------------------------------------------------------------------------------------------------------


def _named(store: Store, basket: Basket) -> Basket:
    """The basket with the customer's own id: a till may say any identifier, and it is one person's all the same."""
    if basket.customer is None:
        return basket
    return basket._replace(customer=store.resolve(basket.customer) or basket.customer)


_Decide = Callable[[_Known, Seen], tuple[Done, Answer]]


def _decided(
    store: Store,
    code: str,
    basket: Basket,
    now: datetime,
    offer: str | None,
    decide: _Decide,
    rolling_back: bool = False,
) -> Answer:
    known = _found(store, code, basket, offer)
    if isinstance(known, Answer):
        return known
    found = known
    answers: list[Answer] = []

    def in_transaction(seen: Seen) -> Done:
        before = None if rolling_back else _before(found, seen, basket)
        done, answer = (Done(), before) if before is not None else decide(found._replace(coupon=seen.coupon), seen)
        answers.append(answer)
        return done

    try:
        store.till(_asked(known, basket, now), in_transaction)
    except OrderUsed:
        return refused("order_used", known.code, known.offer)
    return answers[-1]


def _before(known: _Known, seen: Seen, basket: Basket) -> Answer | None:
    """What this order was told before; None: nothing, or that it is over."""
    order = seen.order
    if order is None or order.status != "redeemed":
        return None
    if order.code != known.code:
        return refused("order_used", known.code, known.offer)
    told = json.loads(order.answer)
    return Answer(None, told) if told else refused("redeemed", known.code, known.offer)


def _found(store: Store, code: str, basket: Basket, offer: str | None) -> _Known | Answer:
    """The code among the offers that are live. It may be typed in small letters, and with blanks around it."""
    typed = code.strip()
    if not 0 < len(typed) <= LONGEST_NAME or not typed.isprintable():
        return refused("not_found", typed[:LONGEST_NAME] if typed.isprintable() else "")
    offers = store.index.project.offers
    asked = {offer: offers[offer]} if offer is not None and offer in offers else {} if offer is not None else offers
    for one in asked.values():
        if one.public is not None and one.public.casefold() == typed.casefold():
            return _Known(one, one.public, None)
    found = store.coupons_coded(sorted(asked), tuple(dict.fromkeys((typed, typed.upper()))))
    exact = [coupon for coupon in found if coupon.code == typed] or list(found)
    if len(exact) > 1 and basket.customer is not None:
        exact = [coupon for coupon in exact if coupon.customer_id == basket.customer] or exact
    if len(exact) > 1:
        return refused("ambiguous", typed, offers=sorted({coupon.offer for coupon in exact}))
    if not exact:
        return refused("not_found", typed)
    return _Known(offers[exact[0].offer], exact[0].code, exact[0])


def _asked(known: _Known, basket: Basket, now: datetime) -> Asked:
    offer = known.offer
    since = now - offer.limits.per_customer_per if offer.limits.per_customer_per is not None else None
    own = basket.customer if offer.public is not None and offer.limits.per_customer is not None else None
    return Asked(offer.id, known.code, basket.order_id, own, is_counted(offer), since)


def _judged(known: _Known, seen: Seen, basket: Basket, now: datetime, real_at: datetime) -> Verdict:
    return judged(known.offer, seen, basket, now, real_at, digits_of(basket.currency))


def _answer(known: _Known, state: CodeState, verdict: Verdict, basket: Basket, real_at: datetime) -> Answer:
    if verdict.reason is not None:
        more = {"found": verdict.found, "expected": verdict.expected}
        if verdict.reason == "locked" and state.until is not None:
            more["locked_until"] = format_instant(state.until)
        return refused(verdict.reason, known.code, known.offer, **more)
    worth = verdict.worth
    discount: dict[str, Any] = dict(known.offer.discount)
    told = {**_base(known, real_at, state), "valid": True, "order_id": basket.order_id, "discount": discount}
    if basket.total is not None:
        told |= {"currency": basket.currency, "total": _number(basket.total), "saved": _number(worth.discount)}
        told["to_pay"] = _number(worth.to_pay)
    return Answer(None, {name: value for name, value in told.items() if value is not None})


def _base(known: _Known, real_at: datetime, state: CodeState) -> dict[str, Any]:
    """What is said of every code that is known."""
    ends = expires_at(known.offer, known.coupon)
    locked = state.until if is_locked(state, real_at) else None
    told = {
        "code": known.code,
        "offer": known.offer.id,
        "title": known.offer.title or known.offer.id,
        "status": state.status if state.status in ("locked", "redeemed", "void") else "issued",
        "expires_at": None if ends is None else format_instant(ends),
        "locked_until": None if locked is None else format_instant(locked),
    }
    return {name: value for name, value in told.items() if value is not None}


def _customer(known: _Known, basket: Basket) -> str | None:
    """Whose story it is: whom the code was given to, else who stands at the till."""
    if known.coupon is not None:
        return known.coupon.customer_id or None
    return basket.customer


def _arrivals(customer: str | None, body: Body, now: datetime) -> list[Arrival]:
    """Without a message id: the order is known in the same transaction. One that could be guessed could be taken
    before, by whoever has a write key, and the story would never hear of the order."""
    return [] if customer is None else [Arrival(customer, now, body)]


def _order_of(basket: Basket) -> str:
    order_id = basket.order_id
    if order_id is None or not 0 < len(order_id) <= LONGEST_NAME or _UNFIT.search(order_id):
        raise UsageError(f"an order_id of 1 to {LONGEST_NAME} characters is needed", "no_order")
    return order_id


def _number(money: Decimal | None) -> float | int | None:
    if money is None:
        return None
    return int(money) if money == money.to_integral_value() else float(money)


def money_of(counted: int) -> float:
    """Money as it is counted in rows, for people."""
    return counted / SCALE
