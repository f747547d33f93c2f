"""The contract of the quantities shared by all customers: coupons, entries, messages, the turns of a queue."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

import pytest

from orchestrator.core.decide import decide
from orchestrator.core.index import Index
from orchestrator.stores.protocol import Settlement, Store
from tests.stores.driving import START, arrive, create, event, index_of, later, lines, turns

GIVES: dict[str, Any] = {
    "topic": "orders",
    "enter": {"event": "go", "key": "event.order", "reentry": "always"},
    "steps": [{"coupon": {"offer": "ten", "as": "coupon"}}],
}
TASKS: dict[str, Any] = {
    "enter": {"event": "go", "key": "event.order", "reentry": "always"},
    "steps": [{"task": {"queue": "desk", "title": "Call", "assign": "round_robin"}}],
}


class PoolContract:
    """Nothing is ever given out beyond its limit, nor counted when it was given back."""

    @pytest.mark.parametrize("budget", [1, 3, 100])
    def test_a_total_is_never_exceeded(self, store: Store, budget: int) -> None:
        store.deploy(_offering(limits={"total": 4}), START)
        for number in range(10):
            arrive(store, f"u{number}", event(order="1"))
        turns(store, START, budget)
        codes = _codes(store)
        assert len(codes) == 4
        assert len(set(codes)) == 4

    def test_a_total_counts_over_turns(self, store: Store) -> None:
        store.deploy(_offering(limits={"total": 3}), START)
        for number in range(5):
            arrive(store, f"u{number}", event(at=later(number), order="1"), later(number))
            turns(store, later(number))
        assert [line["customer"] for line in lines(store) if line["type"] == "coupon"] == ["u0", "u1", "u2"]

    def test_a_limit_per_day_is_one_of_the_projects_days(self, store: Store) -> None:
        store.deploy(_offering(project={"timezone": "Asia/Shanghai"}, limits={"per_day": 2}), START)
        midnight = START.replace(hour=16)  # in Shanghai
        for number, at in enumerate([START, START, START, midnight, midnight, midnight]):
            arrive(store, f"u{number}", event(at=at, order="1"), at)
            turns(store, at)
        assert [line["customer"] for line in lines(store) if line["type"] == "coupon"] == ["u0", "u1", "u3", "u4"]

    def test_a_budget_is_never_exceeded(self, store: Store) -> None:
        money = {"amount": 50, "currency": "EUR", "per_redemption": 20}
        store.deploy(_offering(limits={"budget": money}), START)
        for number in range(5):
            arrive(store, f"u{number}", event(order="1"))
        turns(store, START)
        assert len(_codes(store)) == 2

    def test_imported_codes_are_given_once_each(self, store: Store) -> None:
        store.deploy(_offering(codes={"import": True}), START)
        assert store.import_codes("ten", ["A1", "B2", "A1"]) == 2
        assert store.import_codes("ten", ["B2", "C3"]) == 1
        for number in range(5):
            arrive(store, f"u{number}", event(order="1"))
        turns(store, START)
        assert sorted(_codes(store)) == ["A1", "B2", "C3"]
        assert store.import_codes("ten", ["A1"]) == 0

    def test_generated_codes_never_repeat(self, store: Store) -> None:
        store.deploy(_offering(codes={"length": 6}), START)
        for number in range(200):
            arrive(store, f"u{number:03}", event(order="1"))
        turns(store, START, 7)
        assert max(Counter(_codes(store)).values()) == 1

    def test_a_released_coupon_makes_room_and_its_code_is_never_given_again(self, store: Store) -> None:
        carries = {**GIVES, "steps": [*GIVES["steps"], {"email": "code"}]}
        store.deploy(_offering(carries, limits={"total": 1}), START)
        create(store, "u1", "u2")
        arrive(store, "u1", event(order="1"))
        turns(store, START)
        [claimed] = store.claim_messages(START, 10)
        settlement = Settlement(claimed.row.id, "u1", "suppressed", release_coupon=claimed.row.coupon)
        store.settle_messages([settlement, settlement], START)
        card = store.card("u1")
        assert card is not None and [coupon.status for coupon in card.coupons] == ["released"]
        for customer in ("u1", "u2"):
            arrive(store, customer, event(at=later(1), order="2"), later(1))
        turns(store, later(1))
        first, second = _codes(store)
        assert first != second

    def test_entries_are_limited_by_day(self, store: Store) -> None:
        limited = {**GIVES, "limits": {"entries_per_day": 2}}
        store.deploy(_offering(limited), START)
        for number, at in enumerate([START, START, START, later(days=1), later(days=1), later(days=1)]):
            arrive(store, f"u{number}", event(at=at, order="1"), at)
            turns(store, at)
        told = [(line["customer"], line["type"]) for line in lines(store) if line["type"] in ("entered", "refused")]
        assert told == [
            ("u0", "entered"), ("u1", "entered"), ("u2", "refused"), ("u3", "entered"), ("u4", "entered"),
            ("u5", "refused"),
        ]  # fmt: skip

    def test_messages_are_limited_in_total(self, store: Store) -> None:
        writes = {**GIVES, "steps": [{"email": "hello"}], "limits": {"messages_total": 2}}
        store.deploy(_offering(writes), START)
        create(store, "u1", "u2", "u3")
        for customer in ("u1", "u2", "u3"):
            arrive(store, customer, event(order="1"))
        turns(store, START)
        assert [(line["customer"], line["reason"]) for line in lines(store) if line["type"] == "suppressed"] == [
            ("u3", "send_limit")
        ]
        assert len(store.claim_messages(START, 10)) == 2

    def test_tasks_go_round_over_turns(self, store: Store) -> None:
        store.deploy(index_of({"j": TASKS}), START)
        assert _assignees(store, [START] * 3 + [later(1)] * 2) == ["ana", "li", "ana", "li", "ana"]

    def test_the_least_busy_have_the_fewest_open_tasks(self, store: Store) -> None:
        from orchestrator.core.inbox import TaskClosed

        busy = {**TASKS, "steps": [{"task": {"queue": "desk", "title": "Call", "assign": "least_busy"}}]}
        store.deploy(index_of({"j": busy}), START)
        assert _assignees(store, [START] * 3) == ["ana", "li", "ana"]
        for number in (0, 2):
            task = store.open_task(f"u{number}", None)
            assert task is not None and task.assignee == "ana"
            arrive(store, f"u{number}", TaskClosed(task.id, "reached"), later(1))
        turns(store, later(1))
        assert _assignees(store, [later(2)] * 2) == ["ana", "ana"]

    def test_what_a_parked_customer_took_is_given_back(self, store: Store) -> None:
        store.deploy(_offering(limits={"total": 2}), START)
        for name in ("a", "poison", "z"):
            arrive(store, name, event(order="1"))
        view = store.load(START, 10)
        view.customers[1].entries = None  # type: ignore[assignment]  # reading it raises
        store.save(decide(view, START))
        card = store.card("poison")
        assert card is not None and card.parked == "exception"
        assert len(_codes(store)) == 2


def _offering(journey: dict[str, Any] = GIVES, project: dict[str, Any] | None = None, **offer: Any) -> Index:
    offered = {"discount": {"percent": 10}, "codes": {"prefix": "TEN", "length": 6}, **offer}
    return index_of({"j": journey}, offers={"ten": offered}, project=project)


def _codes(store: Store) -> list[str]:
    return [line["code"] for line in lines(store) if line["type"] == "coupon"]


def _assignees(store: Store, instants: list[datetime]) -> list[str | None]:
    found = []
    for number, at in enumerate(instants):
        customer = f"u{number}"
        arrive(store, customer, event(at=at, order=f"{at.isoformat()}{number}"), at)
        turns(store, at)
        card = store.card(customer)
        assert card is not None
        found.append(card.tasks[-1].assignee)
    return found
