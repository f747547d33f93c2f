"""`coupon`: a code for one customer, claimed in the transaction of the step."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from orchestrator.core.advance import STOP, is_late, leave
from orchestrator.core.enrollment import Enrollment
from orchestrator.core.guard import NoReach, reach
from orchestrator.core.ledger import Coupon, effect_id
from orchestrator.core.program import IssueCoupon, Journey, Send, Survey
from orchestrator.core.project import Offer
from orchestrator.core.steps.message import suppress
from orchestrator.errors import DecisionError

if TYPE_CHECKING:
    from orchestrator.core.turn import CustomerTurn


def run_coupon(turn: CustomerTurn, e: Enrollment, journey: Journey, step: IssueCoupon) -> int:
    """Issue a code, after the guards up to consent of the message that is to carry it."""
    offer = turn.project.offers.get(step.offer)
    if offer is None:
        raise DecisionError(f"there is no offer '{step.offer}' any more; put it back into offers.yaml")
    e.results[step.as_name] = None
    if e.held_out:
        suppress(turn, e, step, None, "holdout")
        return step.next
    if is_late(turn, journey):
        suppress(turn, e, step, None, "late")
        return step.next
    closed = _closed_ways(turn, e, journey, step)
    if closed:
        for refusal in closed:
            suppress(turn, e, step, refusal.way.channel, refusal.reason)
        return step.next
    code = None if _has_enough(turn, offer) else turn.pools.code(offer)
    if code is None:
        return _exhausted(turn, e, step)
    visit = e.visits.get(step.id, 1)
    coupon = Coupon(
        id=effect_id(e.id, step.id, visit),
        offer=offer.id,
        code=code,
        customer_id=e.customer_id,
        enrollment_id=e.id,
        step=step.id,
        issued_at=turn.t,
        expires_at=_expires_at(turn, e, step, offer),
        journey=e.journey,
        version=e.version,
        key=e.key,
        amount=offer.limits.budget_per_redemption or 0.0,
    )
    turn.put_coupon(coupon)
    if step.carrier is not None:
        e.pending[journey.steps[step.carrier].id] = coupon.id
    base = str(turn.project.brand.get("url", "")).rstrip("/")
    e.results[step.as_name] = {"code": code, "expires_at": coupon.expires_at, "url": f"{base}/k/{code}"}
    turn.say("coupon", {"offer": offer.id, "code": code, "expires_at": coupon.expires_at}, e, step.id)
    return step.next


def _closed_ways(turn: CustomerTurn, e: Enrollment, journey: Journey, step: IssueCoupon) -> list[NoReach]:
    """The channels of the carrying message if every one of them is closed, else nothing."""
    if step.carrier is None:
        return []
    carrier = journey.steps[step.carrier]
    if isinstance(carrier, Send):
        ways, options = carrier.ways, carrier.options
    elif isinstance(carrier, Survey):
        ways, options = (carrier.way,), carrier.options
    else:
        return []
    found = [reach(turn, e, journey, carrier, way, options) for way in ways]
    closed = [refusal for refusal in found if isinstance(refusal, NoReach)]
    return closed if len(closed) == len(found) else []


def _has_enough(turn: CustomerTurn, offer: Offer) -> bool:
    """Whether `per_customer` is reached: codes issued and not released, within its period."""
    most = offer.limits.per_customer
    if most is None:
        return False
    per = offer.limits.per_customer_per
    held = [
        coupon
        for coupon in turn.coupons.values()
        if coupon.offer == offer.id and coupon.status != "released" and (per is None or coupon.issued_at > turn.t - per)
    ]
    return len(held) >= most


def _expires_at(turn: CustomerTurn, e: Enrollment, step: IssueCoupon, offer: Offer) -> datetime | None:
    """`valid_for` after issue or `valid_until`, whichever ends first."""
    ends = []
    if offer.valid_for is not None:
        ends.append(offer.valid_for.after(turn.t, turn.zone_of(e, step.timezone).zone))
    if offer.valid_until is not None:
        ends.append(offer.valid_until)
    return min(ends, default=None)


def _exhausted(turn: CustomerTurn, e: Enrollment, step: IssueCoupon) -> int:
    turn.say("exhausted", {"offer": step.offer}, e, step.id)
    if step.on_exhausted == "exit":
        leave(turn, e, "exhausted")
        return STOP
    return step.exhausted_target if step.on_exhausted == "goto" else step.next
