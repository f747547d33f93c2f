"""What a till did, as the customer's story tells it: the till has the last word, and what it did is only taken over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.core.identity import stable_hash
from orchestrator.core.inbox import RedemptionRequested, RedemptionRolledBack
from orchestrator.core.ledger import Coupon

if TYPE_CHECKING:
    from orchestrator.core.turn import CustomerTurn


def redeem_settled(turn: CustomerTurn, item: RedemptionRequested) -> None:
    """A code was redeemed at a till: the same lines, and the same event, as when a scenario redeems it."""
    mine = [c for c in turn.coupons.values() if c.offer == item.offer]
    if any(c.order_id == item.order_id for c in mine):
        return  # idempotent by order
    if item.public:
        coupon: Coupon | None = _of_everybody(turn, item)
    else:
        coupon = next((c for c in mine if c.code == item.code), None)
    if coupon is not None:
        turn.put_coupon(coupon._replace(status="redeemed", order_id=item.order_id))
    turn.say("redeemed", {"offer": item.offer, "code": item.code})
    told = {"offer": item.offer, "code": item.code, "order_id": item.order_id, "total": item.total}
    more = {"currency": item.currency, "discount": item.discount}
    told |= {name: value for name, value in more.items() if value is not None}
    turn.emit_event("coupon_redeemed", told, _occasion(item.offer, item.order_id, "redeemed"))


def roll_back(turn: CustomerTurn, item: RedemptionRolledBack) -> None:
    """An order was cancelled."""
    for coupon in list(turn.coupons.values()):
        if coupon.offer == item.offer and coupon.order_id == item.order_id and coupon.status == "redeemed":
            again = "void" if item.void or coupon.code != item.code else "issued"
            turn.put_coupon(coupon._replace(status=again, order_id=None))  # type: ignore[arg-type]
    turn.say("rolled_back", {"offer": item.offer, "code": item.code})
    told = {"offer": item.offer, "code": item.code, "order_id": item.order_id}
    turn.emit_event("coupon_rolled_back", told, _occasion(item.offer, item.order_id, "rolled_back"))


def _of_everybody(turn: CustomerTurn, item: RedemptionRequested) -> Coupon:
    """A coupon for the customer's part in a public code: with a name of its own, since a code is nobody's but one's."""
    mark = f"{stable_hash(item.offer, item.order_id):016x}"
    return Coupon(
        id=f"till.{mark}", offer=item.offer, code=f"{item.code}#{mark}", customer_id=turn.customer.id,
        enrollment_id="", step="", issued_at=turn.t, expires_at=None,
    )  # fmt: skip


def _occasion(offer: str, order_id: str, what: str) -> str:
    return f"till.{stable_hash(offer, order_id):016x}.{what}"
