"""The contract of coupons at the till, and of the audit log."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from orchestrator.core.till import SCALE, Basket, Item
from orchestrator.errors import UsageError
from orchestrator.runtime.till import Answer, lock, look_up, redeem, rollback, validate
from orchestrator.stores.erasure_certificates import hash_of
from orchestrator.stores.protocol import Arrival, Settlement, Store
from orchestrator.stores.protocol_identity import Link
from orchestrator.stores.protocol_offers import Asked
from tests.stores.driving import START, arrive, create, event, index_of, later, lines, turns

GIVES: dict[str, Any] = {
    "topic": "orders",
    "enter": {"event": "go", "key": "event.order", "reentry": "always"},
    "steps": [{"coupon": {"offer": "ten", "as": "coupon"}}, {"wait": "30d"}],
}


def offering(
    store: Store, journeys: dict[str, Any] | None = None, offers: dict[str, Any] | None = None, **ten: Any
) -> None:
    """Deploy a journey that gives a code of the offer `ten`."""
    ten = {"discount": {"percent": 10}, "codes": {"prefix": "TEN", "length": 8}, **ten}
    store.deploy(index_of({"gives": GIVES, **(journeys or {})}, offers={"ten": ten, **(offers or {})}), START)


def give(store: Store, customer: str = "u1", order: str = "1", minutes: float = 0) -> str:
    """The code that a customer is given."""
    at = later(minutes)
    arrive(store, customer, event(at=at, order=order), at)
    turns(store, at)
    [code] = [line["code"] for line in lines(store) if line["type"] == "coupon"]
    return str(code)


def order(id: str | None = "o1", total: str | None = "100.00", currency: str | None = "EUR", **more: Any) -> Basket:
    """What a till says."""
    return Basket(id, None if total is None else Decimal(total), currency, **more)


def redeemed(store: Store, code: str, basket: Basket | None = None, minutes: float = 1, **more: Any) -> Answer:
    """A redemption some minutes after the start, in journey time and in real time."""
    return redeem(store, code, basket or order(), later(minutes), later(minutes), **more)


class OffersContract:
    """What tills are told is done, once."""

    def test_a_code_is_redeemed_once_and_the_story_hears_of_it(self, store: Store) -> None:
        waits = {"enter": {"event": "coupon_redeemed", "where": "event.total > 50"}, "steps": [{"wait": "1h"}]}
        offering(store, {"thanks": waits})
        code = give(store)
        answer = redeemed(store, code)
        assert (answer.reason, answer.told["saved"], answer.told["to_pay"]) == (None, 10, 90)
        assert redeemed(store, code).told == answer.told, "the same order again"
        assert redeemed(store, code, order("o2")).reason == "redeemed"
        turns(store, later(1))
        told = [line for line in lines(store) if line["type"] in ("redeemed", "entered")]
        assert [(line["type"], line.get("code"), line.get("journey")) for line in told] == [
            ("redeemed", code, None), ("entered", None, "thanks"),
        ]  # fmt: skip
        card = store.card("u1")
        assert card is not None and [(c.status, c.order_id) for c in card.coupons] == [("redeemed", "o1")]

    def test_nobody_keeps_a_redemption_from_the_story(self, store: Store) -> None:
        offering(store)
        code = give(store)
        taken = [Arrival("u2", START, event(id=id), id) for id in ("till:ten:o1:redeemed", "till:ten:o1:rolled_back")]
        store.ingest(taken)
        redeemed(store, code)
        rollback(store, code, order("o1"), later(1), later(1))
        turns(store, later(1))
        assert [line["type"] for line in lines(store)][-2:] == ["redeemed", "rolled_back"]

    def test_two_orders_at_once_are_told_apart_by_the_order(self, store: Store) -> None:
        offering(store)
        one, other = give(store), give(store, order="2", minutes=1)
        assert redeemed(store, one).reason is None
        assert redeemed(store, other).reason == "order_used"

    def test_a_lock_keeps_others_out_and_ends_by_itself(self, store: Store) -> None:
        offering(store)
        code = give(store)
        held = lock(store, code, order("o1"), later(1), later(1))
        assert (held.reason, held.told["status"]) == (None, "locked")
        for wanted in (lock(store, code, order("o2"), later(2), later(2)), redeemed(store, code, order("o2"), 2)):
            assert (wanted.reason, wanted.told["locked_until"]) == ("locked", held.told["locked_until"])
        assert validate(store, code, order("o1"), later(2), later(2)).reason is None
        assert look_up(store, code, later(2), later(2)).told["status"] == "locked"
        assert redeemed(store, code, order("o2"), 3.01).reason is None, "two minutes are over"
        assert redeemed(store, code, order("o1"), 3.02).reason == "redeemed"

    def test_a_till_that_locked_a_code_before_it_had_an_order_redeems_it(self, store: Store) -> None:
        offering(store)
        code = give(store)
        assert lock(store, code, order(None, till="3"), later(1), later(1)).reason is None
        assert redeemed(store, code, order("o2", till="4"), 2).reason == "locked"
        assert redeemed(store, code, order("o2"), 2).reason == "locked"
        assert lock(store, code, order("o1", till="3"), later(2), later(2)).reason is None
        assert redeemed(store, code, order("o2", till="3"), 2).reason == "locked", "it is the order's by now"
        assert redeemed(store, code, order("o1", till="3"), 3).reason is None

    def test_a_lock_is_made_longer_only_while_the_code_is_good(self, store: Store) -> None:
        offering(store, valid_for="1h")
        code = give(store)
        assert lock(store, code, order("o1"), later(59), later(59)).reason is None
        assert lock(store, code, order("o1"), later(60), later(60)).reason == "expired"
        assert redeemed(store, code, order("o1"), 60.5).reason is None

    @pytest.mark.parametrize(("redeemed_before", "given"), [(False, 1), (True, 0)])
    def test_what_a_till_redeemed_gives_nothing_back(self, store: Store, redeemed_before: bool, given: int) -> None:
        carries = {**GIVES, "steps": [*GIVES["steps"][:1], {"email": "code"}]}
        offering(store, {"gives": carries}, limits={"total": 1, "per_customer": 5})
        create(store, "u1", "u2")
        code = give(store)
        [claimed] = store.claim_messages(START, 10)
        if redeemed_before:  # and the customer's story does not know of it yet
            assert redeemed(store, code, minutes=0).reason is None
        store.settle_messages(
            [Settlement(claimed.row.id, "u1", "suppressed", release_coupon=claimed.row.coupon)], START
        )
        assert redeemed(store, code, minutes=0).reason == (None if redeemed_before else "released")
        arrive(store, "u2", event(at=later(1), order="2"), later(1))
        turns(store, later(1))
        assert [line["type"] for line in lines(store)].count("coupon") == given
        card = store.card("u1")
        assert card is not None and [c.status for c in card.coupons] == ["redeemed" if redeemed_before else "released"]

    def test_what_was_locked_in_time_is_redeemed_after_its_end(self, store: Store) -> None:
        offering(store, valid_for="1h")
        code = give(store)
        assert lock(store, code, order("o1"), later(59), later(59)).reason is None
        assert validate(store, code, order("o2"), later(60.5), later(60.5)).reason == "locked"
        assert redeemed(store, code, order("o1"), 60.5).reason is None

    def test_the_end_of_a_code(self, store: Store) -> None:
        offering(store, valid_for="1h", valid_from="2026-03-01")
        code = give(store)
        assert redeemed(store, code, minutes=60).reason == "expired"
        assert look_up(store, code, later(60), later(60)).told["status"] == "expired"
        assert redeemed(store, code, minutes=-60 * 48).reason == "not_yet_valid"

    @pytest.mark.parametrize(("rule", "again"), [("issued", None), ("void", "void")])
    def test_a_cancelled_order_gives_the_code_back_once(self, store: Store, rule: str, again: str | None) -> None:
        offering(store, on_rollback=rule)
        code = give(store)
        assert rollback(store, code, order("o1"), later(1), later(1)).reason == "not_redeemed"
        redeemed(store, code)
        turns(store, later(1))
        back = rollback(store, code, order("o1"), later(2), later(2))
        assert (back.reason, back.told["status"], back.told["code_status"]) == (None, "rolled_back", again or "issued")
        assert redeemed(store, code, minutes=2).reason == "rolled_back", "a late repetition of the order"
        assert redeemed(store, code, order("o2"), 2).reason == again, "before the story knows"
        assert rollback(store, code, order("o1"), later(3), later(3)).told["code_status"] == (again or "issued")
        turns(store, later(3))
        card = store.card("u1")
        assert card is not None and [c.status for c in card.coupons] == [again or "redeemed"]
        types = [line["type"] for line in lines(store)]
        assert types.count("rolled_back") == 1 and types.count("redeemed") == (1 if again else 2)

    def test_who_may_redeem_a_personal_code(self, store: Store) -> None:
        offering(store, conditions={"personal": True})
        code = give(store)
        assert redeemed(store, code).reason == "customer_required"
        assert redeemed(store, code, order(customer="u2")).reason == "wrong_customer"
        assert redeemed(store, code, order(customer="u1")).reason is None

    def test_what_the_order_must_have(self, store: Store) -> None:
        conditions = {"minimum_spend": 50, "products": ["A", "B"], "except_products": ["B"], "stores": ["lisbon"]}
        offering(store, conditions=conditions)
        code = give(store)
        items = (Item("A", Decimal(30)), Item("B", Decimal(10)), Item("C", Decimal(60)))
        good = order(items=items, store="lisbon")
        assert redeemed(store, code, good._replace(store="porto")).reason == "store"
        assert redeemed(store, code, good._replace(total=None)).reason == "total_required"
        assert redeemed(store, code, good._replace(total=Decimal(49))).reason == "minimum_spend"
        assert redeemed(store, code, good._replace(items=items[1:])).reason == "products"
        assert redeemed(store, code, good).told["saved"] == 3, "of the product that it is for"

    def test_money(self, store: Store) -> None:
        offering(store, discount={"amount": {"EUR": 10, "JPY": 1000}}, price_floor=5)
        code = give(store)
        assert validate(store, code, order(currency="CNY"), START, START).told["expected"] == "EUR, JPY"
        saved = {
            total: validate(store, code, order(total=total), START, START).told.get("saved")
            for total in ("100", "12.5", "5")
        }
        assert saved == {"100": 10, "12.5": 7.5, "5": None}
        assert validate(store, code, order(total="5"), START, START).reason == "price_floor"

    def test_a_public_code_is_redeemed_as_often_as_it_may_be(self, store: Store) -> None:
        summer = {"discount": {"percent": 5}, "codes": {"public": "SUMMER26"}, "limits": {"total": 2}}
        offering(store, offers={"summer": summer})
        assert [redeemed(store, " summer26", order(f"o{n}")).reason for n in range(3)] == [None, None, "exhausted"]
        assert redeemed(store, "SUMMER26", order("o0")).reason is None, "the same order again"
        rollback(store, "SUMMER26", order("o0"), later(2), later(2))
        assert redeemed(store, "SUMMER26", order("o9")).reason is None
        assert store.offer_figures("summer").redemptions == 2
        assert [r.status for r in store.redemptions_of("summer", None, "", 10)] == [
            "rolled_back",
            "redeemed",
            "redeemed",
        ]

    def test_a_public_code_and_one_customer(self, store: Store) -> None:
        public = {"discount": {"percent": 5}, "codes": {"public": "ONCE"}, "limits": {"per_customer": 1}}
        offering(store, offers={"once": public})
        assert redeemed(store, "ONCE").reason == "customer_required"
        assert redeemed(store, "ONCE", order("a", customer="new")).reason is None, "one who was not known before"
        assert redeemed(store, "ONCE", order("b", customer="new")).reason == "per_customer"
        assert redeemed(store, "ONCE", order("c", customer="u2")).reason is None
        turns(store, later(1))
        told = [(line["customer"], line["code"]) for line in lines(store) if line["type"] == "redeemed"]
        assert sorted(told) == [("new", "ONCE"), ("u2", "ONCE")]
        card = store.card("new")
        assert card is not None and [c.status for c in card.coupons] == ["redeemed"]
        link = Link("anonymous", "a9", "new", later(2))
        store.ingest([], [link])
        for waiting in store.links(10):
            store.settle_link(waiting, later(2))
        assert redeemed(store, "ONCE", order("d", customer="a9")).reason == "per_customer", "another id"

    def test_a_budget_that_is_counted_at_the_till(self, store: Store) -> None:
        offering(store, limits={"budget": {"amount": 25, "currency": "EUR"}})
        codes = [give(store, f"u{n}") for n in range(3)]
        given = [redeemed(store, code, order(f"o{n}")).reason for n, code in enumerate(codes)]
        assert given == [None, None, "budget"]
        assert redeemed(store, codes[2], order("o9", total="50.00")).reason is None, "what is left is enough for less"
        assert store.offer_figures("ten").discounts == {"EUR": 25 * SCALE}
        assert redeemed(store, codes[2], order("o8", currency="CNY")).reason == "redeemed"

    def test_what_one_redemption_may_cost_was_set_aside(self, store: Store) -> None:
        offering(store, limits={"budget": {"amount": 50, "currency": "EUR", "per_redemption": 20}})
        assert redeemed(store, give(store), order(total="1000")).told["saved"] == 20

    def test_unknown_codes_and_ambiguous_ones(self, store: Store) -> None:
        offering(store, offers={"other": {"discount": {"points": 5}, "codes": {"import": True}}})
        for code in ("", "NOBODY", "\x00", "x" * 1_000, "' OR 1=1 --", "\ud800"):
            assert redeemed(store, code).reason == "not_found"
        code = give(store)
        assert redeemed(store, f"  {code.lower()} ", minutes=0).reason is None
        assert redeemed(store, code, order("o2"), offer="other").reason == "not_found"
        with pytest.raises(UsageError, match="order_id"):
            redeemed(store, code, order(None))
        with pytest.raises(UsageError, match="order_id or a till"):
            lock(store, code, order(None), START, START)

    def test_lists_go_on_where_they_ended(self, store: Store) -> None:
        offering(store)
        codes = sorted(give(store, f"u{n}") for n in range(5))
        first = store.coupons_of_offer("ten", None, "", 3)
        rest = store.coupons_of_offer("ten", "issued", first[-1].code, 3)
        assert [c.code for c in (*first, *rest)] == codes
        assert store.offer_figures("ten").coupons == {"issued": 5}

    def test_whoever_is_erased_left_no_order(self, store: Store) -> None:
        offering(store)
        create(store, "u1")
        code = give(store)
        redeemed(store, code, order("order-of-u1", till="till 4"))
        turns(store, later(1))
        certificate = store.erase("u1", later(10), later(10), "operator")
        assert certificate is not None and certificate.tables["redemptions"] == {"anonymised": 1}
        [left] = store.redemptions_of("ten", None, "", 10)
        assert (left.customer, left.till, left.answer) == (None, None, "{}")
        assert left.order_id == f"erased:{hash_of(store.salt, 'order-of-u1')}"
        assert redeemed(store, code, order("o2"), 11).reason == "redeemed", "and yet it stays redeemed"
        assert redeemed(store, code, order("order-of-u1"), 11).reason == "redeemed"

    def test_whoever_is_erased_left_no_order_that_locked_a_code(self, store: Store) -> None:
        offering(store)
        create(store, "u1")
        code = give(store)
        lock(store, code, order("order-of-u1"), later(1), later(1))
        store.erase("u1", later(2), later(2), "operator")
        assert store.look_at_till(Asked("ten", code)).state.holder is None
        assert redeemed(store, code, order("o2"), 2).reason == "locked", "until it ends"

    def test_locks_are_in_real_time(self, store: Store) -> None:
        offering(store)
        code = give(store)
        lock(store, code, order("o1"), later(1), later(1))
        soon = later(1) + timedelta(seconds=2)
        assert redeem(store, code, order("o2"), later(days=1), soon).reason == "locked"


class AuditContract:
    """Each row goes on from the one before, and nothing else can be done to it."""

    def test_a_log_is_a_chain(self, store: Store) -> None:
        for n in range(5):
            store.audit(later(n), "ana", "kill", f"channel {n}")
        rows = store.audit_rows(0, 10)
        assert [row.detail for row in rows] == [f"channel {n}" for n in range(5)]
        assert [row.previous for row in rows] == ["", *(row.hash for row in rows[:-1])]
        assert [row.id for row in store.audit_rows(rows[1].id, 2)] == [row.id for row in rows[2:4]]
        assert list(store.audit_tail(2)) == list(rows[3:])
        found = store.verify_audit()
        assert (found.rows, found.fault, found.head) == (5, None, rows[-1].hash)
        assert store.verify_audit(rows[2].hash).fault is None
        missing = store.verify_audit("0" * 64).fault
        assert missing is not None and missing.id is None
        assert store.verify_audit_tail(2).fault is None

    def test_an_erasure_changes_words_and_not_the_chain(self, store: Store) -> None:
        create(store, "u1")
        store.audit(later(1), "ana", "customer export", "u1")
        store.audit(later(2), "ana", "deploy", "something else")
        store.erase("u1", later(10), later(10), "li")
        found = store.verify_audit()
        assert (found.rows, found.erased, found.fault) == (3, 1, None)
        assert [row.detail.startswith("erased:") for row in store.audit_tail(3)] == [True, False, False]
