"""`/api/v1/coupons`: what a till does with a code. What is answered with 200 stands in the database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import Field, WithJsonSchema

from orchestrator.core.till import Basket, Item
from orchestrator.http.api.call import Answer, Call
from orchestrator.http.api.frame import Api
from orchestrator.http.api.values import Body, Id, InstantShown, Name, Shown, Text
from orchestrator.http.problems import HttpRefusal
from orchestrator.runtime import till

_FINEST: Final = Decimal("0.0001")
_MOST: Final = 1_000_000_000_000
_MONEY: Final[dict[str, Any]] = {
    "anyOf": [
        {"type": "number", "minimum": 0, "maximum": _MOST},
        {"type": "string", "pattern": r"^[0-9]{1,12}(\.[0-9]{1,4})?$"},
    ],
    "description": "A number, or digits in a text",
    "examples": [99.9, "99.90"],
}
_Number = Annotated[int | float, Field(ge=0, le=_MOST)]
_Digits = Annotated[str, Field(pattern=r"^[0-9]{1,12}(\.[0-9]{1,4})?$")]
Money = Annotated[_Number | _Digits, WithJsonSchema(_MONEY)]
Short = Annotated[str, Field(min_length=1, max_length=till.LONGEST_NAME)]
_REFUSALS: Final = {
    404: "No offer has such a code (`not_found`)",
    409: "The code cannot be used so; `code` says why: " + ", ".join(sorted(set(till.WORDS) - {"not_found"})),
}


class OrderItem(Body):
    """One line of the order."""

    sku: Short
    price: Money = Field(description="Of one piece")
    quantity: Annotated[int, Field(ge=1, le=100_000)] = 1


class TillRequest(Body):
    """A code, and what the till knows of the order."""

    code: Annotated[str, Field(min_length=1, max_length=200, description="As it was typed or scanned")]
    offer: Name | None = Field(None, description="Where several offers may have the same code")
    order_id: Short | None = Field(None, description="The brand's own id of the order; a redemption is known by it")
    total: Money | None = Field(None, description="Of the order, before the discount")
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None
    items: Annotated[list[OrderItem], Field(max_length=1_000)] = Field(default_factory=list)
    store: Short | None = None
    till: Short | None = None
    customer: Id | None = Field(None, description="Who stands at the till, where that is known")


class LockRequest(TillRequest):
    """A code to keep for an order, or for a till."""

    seconds: Annotated[int, Field(ge=1, le=int(till.LONGEST_LOCK.total_seconds()))] = int(
        till.LOCKED_FOR.total_seconds()
    )


class OrderRequest(TillRequest):
    """A code, and the order that redeems it."""

    order_id: Short = Field(description="The same order again gets the same answer")


class RollbackRequest(Body):
    """An order that was cancelled."""

    code: Annotated[str, Field(min_length=1, max_length=200)]
    offer: Name | None = None
    order_id: Short


class CouponShown(Shown):
    """How a code stands."""

    code: str
    offer: str
    title: str
    status: Literal["issued", "not_yet_valid", "locked", "redeemed", "expired", "released", "void", "rolled_back"]
    expires_at: InstantShown = Field(default="", description="Left out where it has no end")
    locked_until: InstantShown = Field(default="", description="Left out where nobody holds it")


class WorthShown(CouponShown):
    """What a code does to an order."""

    valid: bool
    order_id: str = ""
    discount: dict[str, Any] = Field(default={}, description="As the offer says it: percent, amount, gift or points")
    total: float = 0
    currency: str = ""
    saved: float = Field(default=0, description="What the order costs less; rounded as the currency is")
    to_pay: float = 0


class JudgementShown(Shown):
    """Whether a code would be redeemed. `reason` and `message` say why not."""

    valid: bool
    code: str
    reason: str = ""
    message: Text = ""
    found: str = ""
    expected: str = ""


def add_coupons_api(api: Api) -> None:
    """Validate, lock, redeem, roll back, look up."""
    common: dict[str, Any] = {"scope": "coupons:write", "tag": "coupons"}
    api.add(
        "POST", "/coupons/validate", _validate, body=TillRequest, answer=JudgementShown,
        summary="Judge a code",
        description="Whether the code would be redeemed for this order now, and what it is worth. Changes nothing; an "
        "unknown code is answered with `valid: false`, too.", **common,
    )  # fmt: skip
    api.add(
        "POST", "/coupons/lock", _lock, body=LockRequest, answer=WorthShown, refusals={
            **_REFUSALS, 422: "Neither order_id nor till says who locks it (`no_holder`)",
        }, summary="Lock a code",
        description="Keeps the code for this order (or till) for a while; then it is free by itself.", **common,
    )  # fmt: skip
    api.add(
        "POST", "/coupons/redeem", _redeem, body=OrderRequest, answer=WorthShown, refusals=_REFUSALS,
        summary="Redeem a code",
        description="Once, whoever else asks at the same instant. The same order_id again gets the same answer, with "
        "or without an Idempotency-Key.", **common,
    )  # fmt: skip
    api.add(
        "POST", "/coupons/rollback", _rollback, body=RollbackRequest, answer=WorthShown, refusals=_REFUSALS,
        summary="Roll a redemption back",
        description="The order was cancelled: the code may be redeemed again by another order, or is void, as the "
        "offer's `on_rollback` says. Again it is answered alike.", **common,
    )  # fmt: skip
    api.add(
        "GET", "/coupons/{code}", _look_up, answer=CouponShown, refusals={
            404: _REFUSALS[404], 409: "Several offers have this code (`ambiguous`)",
        }, summary="Look a code up", **common,
    )  # fmt: skip


def _validate(call: Call) -> Answer:
    body: TillRequest = call.body
    return Answer(till.validate(call.store, body.code, _basket(body), call.now, call.real_at, body.offer).told)


def _lock(call: Call) -> Answer:
    body: LockRequest = call.body
    if body.order_id is None and body.till is None:
        raise HttpRefusal(422, "no_holder", "say order_id or till: whoever locks a code has to be known again")
    hold_for = timedelta(seconds=body.seconds)
    made = till.lock(call.store, body.code, _basket(body), call.now, call.real_at, body.offer, hold_for)
    return _told(made)


def _redeem(call: Call) -> Answer:
    return _changed(call, till.redeem, _basket(call.body))


def _rollback(call: Call) -> Answer:
    return _changed(call, till.rollback, Basket(order_id=call.body.order_id))


def _changed(call: Call, do: Callable[..., till.Answer], basket: Basket) -> Answer:
    answer = _told(do(call.store, call.body.code, basket, call.now, call.real_at, call.body.offer))
    call.service.nudge()
    return answer


def _look_up(call: Call) -> Answer:
    return _told(till.look_up(call.store, call.path["code"], call.now, call.real_at))


def _told(answer: till.Answer) -> Answer:
    """Raises HttpRefusal for whatever is not done."""
    if answer.reason is None:
        return Answer(answer.told)
    told = answer.told
    more = [f"{name}: {told[name]}" for name in ("found", "expected", "locked_until", "offers") if name in told]
    detail = told["message"] + (f" ({'; '.join(more)})" if more else "")
    raise HttpRefusal(404 if answer.reason == "not_found" else 409, answer.reason, detail)


def _basket(body: TillRequest) -> Basket:
    items = tuple(Item(item.sku, _money(item.price), item.quantity) for item in body.items)
    total = None if body.total is None else _money(body.total)
    return Basket(body.order_id, total, body.currency, items, body.store, body.till, body.customer)


def _money(given: int | float | str) -> Decimal:
    return Decimal(str(given)).quantize(_FINEST)
