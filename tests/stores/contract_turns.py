"""The contract of turns: who is due, what the view holds, and that a turn is saved as a whole."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from orchestrator.core.changes import Changes, CustomerChanges
from orchestrator.core.decide import decide
from orchestrator.core.inbox import Deployed, Identified
from orchestrator.core.transition import Transition
from orchestrator.stores.protocol import Arrival, Store
from tests.stores.driving import START, WAITS_AN_HOUR, arrive, create, event, index_of, later, lines, turns, types

REPEATED: dict[str, Any] = {"enter": {"event": "go", "reentry": "always"}, "steps": [{"wait": "2h"}]}


class TurnContract:
    """Tests of `load`, `save`, `next_due_at`, `deploy` and `drain_journal`."""

    # --- who is due ------------------------------------------------------------------------------------------------

    def test_customers_come_in_the_order_of_their_ids(self, store: Store) -> None:
        names = ["b", "a10", "a9", "ä", "Z", "用户", "a"]
        for name in names:
            arrive(store, name, event())
        assert _loaded(store, START) == sorted(names)

    def test_the_budget_bounds_a_turn_and_the_others_come_next(self, store: Store) -> None:
        for name in "abcde":
            arrive(store, name, event(order=name))
        sizes = []
        while view := store.load(START, 2).customers:
            sizes.append(len(view))
            _save(store, START, [customer.customer.id for customer in view])
        assert sizes == [2, 2, 1]

    def test_nobody_is_due_in_a_quiet_store(self, store: Store) -> None:
        assert _loaded(store, later(days=400)) == []
        assert store.next_due_at() is None

    def test_a_timer_is_due_at_its_instant_and_not_before(self, store: Store) -> None:
        arrive(store, "u1", event(order="1"))
        turns(store, START)
        assert _loaded(store, later(60, seconds=-1)) == []
        assert _loaded(store, later(60)) == ["u1"]

    def test_next_due_at_is_exact(self, store: Store) -> None:
        for name, minutes in (("u2", 20), ("u1", 0), ("u3", 40)):
            arrive(store, name, event(at=later(minutes), order=name), later(minutes))
            turns(store, later(minutes))
        assert store.next_due_at() == later(60)
        turns(store, later(60))
        assert store.next_due_at() == later(80)
        turns(store, later(80))
        assert store.next_due_at() == later(100)
        turns(store, later(100))
        assert store.next_due_at() is None

    def test_what_arrived_is_due_at_its_arrival(self, store: Store) -> None:
        arrive(store, "u1", event(order="1"), later(5))
        assert store.next_due_at() == later(5)

    def test_an_earlier_timer_replaces_a_later_one_and_the_other_way_round(self, store: Store) -> None:
        store.deploy(index_of({"waits": {**WAITS_AN_HOUR, "exit": {"event": "stop"}}}), START)
        arrive(store, "u1", event(order="1"))
        turns(store, START)
        arrive(store, "u1", event("stop", at=later(5)), later(5))
        turns(store, later(5))
        assert store.next_due_at() is None
        assert _loaded(store, later(60)) == []

    # --- what the view holds ---------------------------------------------------------------------------------------

    def test_the_view_is_numbered_upwards(self, store: Store) -> None:
        ordinals = [store.load(later(n), 10).ordinal for n in range(3)]
        assert ordinals == sorted(set(ordinals))

    def test_running_enrollments_are_loaded_and_ended_ones_are_not(self, store: Store) -> None:
        arrive(store, "u1", event(order="1"))
        turns(store, START)
        arrive(store, "u1", event(at=later(30), order="2"), later(30))
        turns(store, later(30))
        [view] = store.load(later(60), 10).customers
        assert sorted(e.key for e in view.enrollments) == ["1", "2"]
        turns(store, later(60))
        [view] = store.load(later(90), 10).customers
        assert [e.key for e in view.enrollments] == ["2"]

    def test_an_ended_enrollment_is_loaded_while_its_goal_is_open(self, store: Store) -> None:
        store.deploy(index_of({"waits": {**WAITS_AN_HOUR, "goal": {"event": "bought", "within": "7d"}}}), START)
        arrive(store, "u1", event(order="1"))
        turns(store, START)
        turns(store, later(60))
        arrive(store, "u1", event("bought", at=later(90)), later(90))
        [view] = store.load(later(90), 10).customers
        assert [e.status for e in view.enrollments] == ["completed"]
        turns(store, later(90))
        assert ("u1", "goal") in types(store)
        arrive(store, "u1", event("bought", at=later(95)), later(95))
        [view] = store.load(later(95), 10).customers
        assert list(view.enrollments) == []

    def test_an_ended_enrollment_whose_goal_nothing_can_reach_any_more_is_not_loaded(self, store: Store) -> None:
        goal = {"event": "bought", "within": "7d"}
        store.deploy(index_of({"waits": {**WAITS_AN_HOUR, "goal": goal}}), START)
        arrive(store, "u1", event(order="1"))
        turns(store, START)
        turns(store, later(60))
        far = START + timedelta(days=500)
        assert store.retain(START + timedelta(days=2), 100) == 0
        store.retain(far, 100)
        arrive(store, "u1", event("bought", at=far), far)
        [view] = store.load(far, 10).customers
        assert list(view.enrollments) == []

    def test_entries_are_remembered_after_the_end(self, store: Store) -> None:
        arrive(store, "u1", event(order="1"))
        turns(store, START)
        turns(store, later(60))
        arrive(store, "u1", event(at=later(90), order="1"), later(90))
        [view] = store.load(later(90), 10).customers
        record = view.entries["waits", "1"]
        assert (record.entered_at, record.exited_at) == ((START,), later(60))

    def test_loading_changes_nothing(self, store: Store) -> None:
        arrive(store, "u1", event(order="1"))
        first, second = store.load(START, 10), store.load(START, 10)
        changes = [decide(view, START).customers for view in (first, second)]
        assert [change.consumed for change in changes[0]] == [change.consumed for change in changes[1]]
        store.save(decide(second, START))
        assert types(store) == [("u1", "entered"), ("u1", "waiting")]

    # --- a turn is saved as a whole --------------------------------------------------------------------------------

    def test_items_that_arrive_during_a_turn_stay(self, store: Store) -> None:
        arrive(store, "u1", event(order="1"))
        changes = decide(store.load(START, 10), START)
        arrive(store, "u1", event(order="2"))
        store.save(changes)
        assert types(store) == [("u1", "entered"), ("u1", "waiting")]
        assert store.next_due_at() == START
        turns(store, START)
        assert [(line["type"], line["key"]) for line in lines(store)] == [("entered", "2"), ("waiting", "2")]

    def test_exactly_the_taken_items_go(self, store: Store) -> None:
        store.ingest([Arrival("u1", START, event(order=str(n))) for n in range(4)])
        [view] = store.load(START, 10).customers
        taken = [view.inbox[1].seq, view.inbox[2].seq]
        store.save(Changes(1, [CustomerChanges("u1", consumed=taken)]))
        [view] = store.load(START, 10).customers
        assert [item.body.event.properties["order"] for item in view.inbox] == ["0", "3"]  # type: ignore[union-attr]

    def test_a_parked_customers_changes_are_dropped_and_the_others_saved(self, store: Store) -> None:
        for name in ("good", "poison", "quiet"):
            arrive(store, name, event(order="1"))
        changes = decide(store.load(START, 10), START)
        _poison(changes, "poison")
        store.save(changes)
        assert types(store) == [
            ("good", "entered"), ("good", "waiting"), ("poison", "failed"), ("quiet", "entered"), ("quiet", "waiting"),
        ]  # fmt: skip
        card = store.card("poison")
        assert card is not None and card.parked == "exception"
        assert store.next_due_at() == later(60)

    def test_a_parked_customers_items_wait_until_resume(self, store: Store) -> None:
        arrive(store, "poison", event(order="1"))
        changes = decide(store.load(START, 10), START)
        _poison(changes, "poison")
        store.save(changes)
        arrive(store, "poison", event(at=later(1), order="2"), later(1))
        assert _loaded(store, later(2)) == []
        assert store.next_due_at() is None
        store.drain_journal()
        store.operate("waits", "resume", later(2))
        turns(store, later(2))
        assert [line["key"] for line in lines(store) if line["type"] == "entered"] == ["1", "2"]

    def test_the_journal_is_drained_once(self, store: Store) -> None:
        arrive(store, "u1", event(order="1"))
        turns(store, START)
        assert types(store) == [("u1", "entered"), ("u1", "waiting")]
        assert types(store) == []

    # --- deploys ---------------------------------------------------------------------------------------------------

    def test_enrollments_stay_on_their_version(self, store: Store) -> None:
        store.deploy(index_of({"j": {**REPEATED, "steps": [{"wait": "1h"}, {"set": {"customer.plan": "old"}}]}}), START)
        arrive(store, "u1", event())
        turns(store, START)
        newer = {**REPEATED, "steps": [{"wait": "1h"}, {"set": {"customer.plan": "new"}}]}
        store.deploy(index_of({"j": newer}), later(30))
        arrive(store, "u2", event(at=later(30)), later(30))
        turns(store, later(30))
        turns(store, later(60))
        turns(store, later(90))
        values = [(line["customer"], line["value"]) for line in lines(store) if line["type"] == "attribute"]
        assert values == [("u1", "old"), ("u2", "new")]

    def test_a_journey_that_is_gone_is_walked_to_its_end(self, store: Store) -> None:
        arrive(store, "u1", event(order="1"))
        turns(store, START)
        store.deploy(index_of({"j": REPEATED}), later(30))
        arrive(store, "u2", event(at=later(30), order="2"), later(30))
        turns(store, later(30))
        turns(store, later(60))
        assert [(line["customer"], line["journey"]) for line in lines(store) if line["type"] == "entered"] == [
            ("u1", "waits"), ("u2", "j"),
        ]  # fmt: skip
        assert _loaded(store, later(60)) == []

    def test_everyone_is_told_of_a_deploy_with_the_journeys_that_are_new(self, store: Store) -> None:
        create(store, "u1", "u2")
        store.deploy(index_of({"waits": WAITS_AN_HOUR, "j": REPEATED}), later(1))
        assert _deploys(store, later(1)) == {"u1": frozenset({"j"}), "u2": frozenset({"j"})}
        turns(store, later(1))
        store.deploy(index_of({"j": {**REPEATED, "title": "Another version"}}), later(2))
        assert _deploys(store, later(2)) == {"u1": frozenset(), "u2": frozenset()}

    def test_profiles_are_kept(self, store: Store) -> None:
        create(store, "u1", timezone="Asia/Shanghai", tags=["a", "b"], stage="use")
        arrive(store, "u1", Identified({"plan": "gold"}), later(1))
        turns(store, later(1))
        arrive(store, "u1", event(at=later(2)), later(2))
        [view] = store.load(later(2), 10).customers
        c = view.customer
        assert (c.email, c.timezone, c.tags, c.stage) == ("u1@example.com", "Asia/Shanghai", ("a", "b"), "use")
        assert c.attributes == {"plan": "gold"}
        assert c.consents == {("promotions", "email"): "in", ("promotions", "sms"): "in"}


def _loaded(store: Store, now: datetime) -> list[str]:
    return [view.customer.id for view in store.load(now, 100).customers]


def _save(store: Store, now: datetime, customers: list[str]) -> None:
    changes = decide(store.load(now, len(customers)), now)
    assert [change.customer_id for change in changes.customers] == customers
    store.save(changes)


def _poison(changes: Changes, customer: str) -> None:
    """As `decide` leaves a customer whose decisions raised."""
    for place, change in enumerate(changes.customers):
        if change.customer_id == customer:
            line = Transition(START, customer, 1, "failed", data={"reason": "exception"})
            changes.customers[place] = CustomerChanges(customer, transitions=[line], parked="exception", detail="boom")


def _deploys(store: Store, now: datetime) -> dict[str, frozenset[str]]:
    found = {}
    for view in store.load(now, 100).customers:
        for item in view.inbox:
            if isinstance(item.body, Deployed):
                found[view.customer.id] = item.body.new_journeys
    return found
