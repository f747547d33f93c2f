"""What a code is worth, whatever the offer and the order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.ledger import Coupon
from orchestrator.core.project import Offer, OfferLimits
from orchestrator.core.till import Basket, CodeState, Item, Seen, judged, parts

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
COUPON = Coupon("c", "ten", "TEN1", "u1", "e", "s", NOW, None)
MONEY = st.decimals(0, 10_000, places=2, allow_nan=False, allow_infinity=False)
DISCOUNTS = st.one_of(
    st.floats(0.01, 100).map(lambda percent: {"percent": percent}),
    st.floats(0.01, 500).map(lambda amount: {"amount": {"EUR": amount}}),
)


def worth(offer: Offer, basket: Basket, digits: int = 2) -> Any:
    return judged(offer, Seen(coupon=COUPON), basket, NOW, NOW, digits)


@given(DISCOUNTS, MONEY, st.none() | st.floats(0, 500), st.none() | st.floats(0.01, 50), st.sampled_from([0, 2, 3]))
@settings(max_examples=150, deadline=None)
def test_a_discount_keeps_within_its_bounds(
    discount: dict[str, Any], total: Decimal, floor: float | None, each: float | None, digits: int
) -> None:
    limits = OfferLimits(budget=1e6, budget_currency="EUR", budget_per_redemption=each) if each else OfferLimits()
    offer = Offer("ten", discount=discount, limits=limits, conditions={"price_floor": floor} if floor else {})
    verdict = worth(offer, Basket("o", total, "EUR"), digits)
    if verdict.reason is not None:
        assert verdict.reason == "price_floor" and total <= Decimal(str(floor))
        return
    saved, to_pay = verdict.worth.discount, verdict.worth.to_pay
    assert 0 <= saved <= total and saved + to_pay == total
    assert to_pay >= Decimal(str(floor or 0)) or saved == 0
    assert saved == saved.quantize(Decimal(1).scaleb(-digits)), "whole coins"
    assert each is None or saved <= Decimal(str(each))
    assert parts(saved) * Decimal("0.0001") == saved


@given(st.lists(st.tuples(st.sampled_from("ABC"), MONEY, st.integers(1, 5)), max_size=6))
@settings(max_examples=100, deadline=None)
def test_only_the_products_that_it_is_for(lines: list[tuple[str, Decimal, int]]) -> None:
    items = tuple(Item(*line) for line in lines)
    total = sum((i.price * i.quantity for i in items), Decimal(0))
    offer = Offer("ten", discount={"percent": 50}, conditions={"products": ["A", "B"], "except_products": ["B"]})
    verdict = worth(offer, Basket("o", total, "EUR", items))
    meant = [i for i in items if i.sku == "A"]
    if not meant:
        assert verdict.reason == "products"
    else:
        half = sum((i.price * i.quantity for i in meant), Decimal(0)) / 2
        assert abs(verdict.worth.discount - half) <= Decimal("0.005")


def test_rounding_is_half_up_and_by_the_currency() -> None:
    offer = Offer("ten", discount={"percent": 10})
    saved = {digits: worth(offer, Basket("o", Decimal("10.05"), "X"), digits).worth.discount for digits in (0, 2, 3)}
    assert saved == {0: Decimal(1), 2: Decimal("1.01"), 3: Decimal("1.005")}


def test_gifts_and_points_need_no_total() -> None:
    assert worth(Offer("g", discount={"gift": "CUP"}), Basket("o")).worth.gift == "CUP"
    assert worth(Offer("p", discount={"points": 100}), Basket("o")).worth.points == 100
    assert worth(Offer("t", discount={"percent": 10}), Basket("o")).reason == "total_required"


def test_a_lock_that_is_over_binds_nobody_and_helps_nobody() -> None:
    coupon = COUPON._replace(expires_at=NOW)
    offer, order = Offer("ten", discount={"points": 1}), Basket("o1")
    locked = CodeState("locked", "order:o1", NOW - timedelta(minutes=1), NOW + timedelta(minutes=1))
    over = locked._replace(until=NOW)
    reasons = [
        judged(offer, Seen(state, coupon), basket, NOW, NOW, 2).reason
        for state in (locked, over)
        for basket in (order, Basket("o2"))
    ]
    assert reasons == [None, "locked", "expired", "expired"]
