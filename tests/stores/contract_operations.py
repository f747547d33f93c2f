"""The contract of operations: switches, stop and resume, fan-outs, marks, zones, and what people are shown."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.core.inbox import Identified, JourneyOperated, ScheduleFired
from orchestrator.core.view import Switches
from orchestrator.stores.protocol import Store
from tests.stores.driving import START, WAITS_AN_HOUR, arrive, create, event, index_of, later, lines, turns

SCHEDULED: dict[str, Any] = {
    "enter": [{"schedule": "0 12 * * *"}, {"schedule": "0 18 * * *", "segment": "golden"}],
    "steps": [{"wait": "1h"}],
}
GOLDEN = {"golden": {"where": "customer.plan == 'gold'"}}


class OperationContract:
    """Tests of everything around the turns."""

    # --- switches --------------------------------------------------------------------------------------------------

    def test_switches_are_effective_in_the_next_view(self, store: Store) -> None:
        assert store.switches() == Switches()
        thrown = Switches(
            paused=frozenset({"a"}), stopped=frozenset({"b"}), killed_journeys=frozenset({"c"}),
            killed_channels=frozenset({"sms"}), killed_all=True,
        )  # fmt: skip
        store.set_switches(thrown)
        assert store.switches() == thrown
        arrive(store, "u1", event())
        assert store.load(START, 10).switches == thrown
        store.set_switches(Switches())
        assert store.load(START, 10).switches == Switches()

    def test_a_paused_journeys_timers_are_not_due(self, store: Store) -> None:
        arrive(store, "u1", event(order="1"))
        turns(store, START)
        store.set_switches(Switches(paused=frozenset({"waits"})))
        turns(store, later(60))
        assert turns(store, later(120)) == 0
        store.set_switches(Switches())
        store.operate("waits", "resume", later(120))
        turns(store, later(120))
        assert store.next_due_at() is not None  # smeared
        turns(store, later(135))
        assert [line["type"] for line in lines(store)] == ["entered", "waiting", "completed"]

    @pytest.mark.parametrize("action", ["stop", "resume"])
    def test_everyone_in_a_journey_is_told_of_an_operation(self, store: Store, action: str) -> None:
        store.deploy(index_of({"waits": WAITS_AN_HOUR, "other": {**WAITS_AN_HOUR, "enter": {"event": "ping"}}}), START)
        create(store, "nobody")
        for customer, name in (("u1", "go"), ("u2", "go"), ("u3", "ping")):
            arrive(store, customer, event(name, order="1"))
        turns(store, START)
        assert store.operate("waits", action, later(1)) == 2
        told = {view.customer.id: [item.body for item in view.inbox] for view in store.load(later(1), 10).customers}
        operated = [JourneyOperated("waits", action)]  # type: ignore[arg-type]
        assert told == {"u1": operated, "u2": operated}

    # --- fan-outs --------------------------------------------------------------------------------------------------

    def test_a_fan_out_reaches_everyone_once(self, store: Store) -> None:
        store.deploy(index_of({"j": SCHEDULED}, segments=GOLDEN), START)
        create(store, "u1", "u2")
        assert store.fan_out("j", 0, "2026-03-02T12:00", None, None, later(120)) == 2
        assert store.fan_out("j", 0, "2026-03-02T12:00", None, None, later(120)) == 0
        views = store.load(later(120), 10).customers
        assert [item.body for view in views for item in view.inbox] == [ScheduleFired("j", 0, "2026-03-02T12:00")] * 2
        turns(store, later(120))
        assert store.fan_out("j", 0, "2026-03-02T12:00", None, None, later(120)) == 0

    def test_another_occurrence_trigger_or_zone_is_another_fan_out(self, store: Store) -> None:
        store.deploy(index_of({"j": SCHEDULED}, segments=GOLDEN), START)
        create(store, "u1")
        assert store.fan_out("j", 0, "2026-03-02T12:00", "UTC", None, later(120)) == 1
        assert store.fan_out("j", 0, "2026-03-03T12:00", "UTC", None, later(120)) == 1
        assert store.fan_out("j", 1, "2026-03-02T12:00", "UTC", None, later(120)) == 1
        assert store.fan_out("j", 0, "2026-03-02T12:00", "Asia/Tokyo", None, later(120)) == 0

    def test_a_fan_out_reaches_those_in_the_zone(self, store: Store) -> None:
        create(store, "tokyo", timezone="Asia/Tokyo")
        create(store, "lost", timezone="No/Where", phone=None)
        create(store, "phoned", phone="+81312345678")
        create(store, "lisbon", timezone="Europe/Lisbon")
        assert store.fan_out("waits", 0, "o", "Asia/Tokyo", None, START) == 2
        assert [view.customer.id for view in store.load(START, 10).customers] == ["phoned", "tokyo"]

    def test_a_fan_out_reaches_the_members_of_a_segment(self, store: Store) -> None:
        store.deploy(index_of({"j": SCHEDULED}, segments=GOLDEN), START)
        create(store, "in", plan="gold")
        create(store, "out", plan="lead")
        assert store.fan_out("j", 1, "2026-03-02T18:00", None, "golden", later(480)) == 1

    def test_those_whose_membership_is_not_decided_yet_are_asked(self, store: Store) -> None:
        store.deploy(index_of({"j": SCHEDULED}, segments=GOLDEN), START)
        create(store, "u1", plan="lead")
        arrive(store, "u1", Identified({"plan": "gold"}), later(479))
        store.fan_out("j", 1, "2026-03-02T18:00", None, "golden", later(480))
        turns(store, later(480))
        assert [line["trigger"] for line in lines(store) if line["type"] == "entered"] == ["schedule"]

    def test_who_comes_later_is_not_reached(self, store: Store) -> None:
        create(store, "u1")
        create(store, "u2", at=later(1), created_at=later(-1000))
        assert store.fan_out("waits", 0, "o", None, None, START) == 1
        assert [view.customer.id for view in store.load(later(1), 10).customers] == ["u1"]
        create(store, "u3", at=later(2))
        assert store.fan_out("waits", 0, "o", None, None, START) == 0
        assert store.load(later(2), 10).customers == []

    # --- marks and zones -------------------------------------------------------------------------------------------

    def test_a_mark_is_kept_until_it_is_set_again(self, store: Store) -> None:
        assert store.mark("a") is None
        assert store.mark("a", START) == START
        assert store.mark("a") == START
        assert store.mark("a", later(1)) == later(1)
        assert store.mark("b") is None

    def test_zones_are_those_in_force(self, store: Store) -> None:
        assert list(store.zones()) == []
        create(store, "u1", timezone="Asia/Tokyo")
        create(store, "u2", phone="+351912345678", timezone="No/Where")
        create(store, "u3", phone=None)
        # Portugal has several zones, the phone's country none of its own: the project's zone is in force.
        assert list(store.zones()) == ["Asia/Tokyo", "UTC"]
        arrive(store, "u1", Identified({"timezone": "Asia/Seoul"}), later(1))
        turns(store, later(1))
        assert list(store.zones()) == ["Asia/Seoul", "UTC"]

    # --- what people are shown -------------------------------------------------------------------------------------

    def test_a_card_shows_what_a_customer_has(self, store: Store) -> None:
        assert store.card("nobody") is None
        opens = {
            "enter": {"event": "go"},
            "steps": [{"task": {"queue": "desk", "title": "Call {{ entry.order }}", "due": "1h"}}],
        }
        store.deploy(index_of({"j": opens}), START)
        create(store, "u1")
        arrive(store, "u1", event(order="7"))
        turns(store, START)
        card = store.card("u1")
        assert card is not None
        assert (card.id, card.parked, list(card.messages), list(card.coupons)) == ("u1", None, [], [])
        [task] = card.tasks
        assert (task.title, task.due_at, task.closed_at) == ("Call 7", later(60), None)
        assert store.open_task("u1", "task_1") == task
        assert store.open_task("u1", "another") is None
        assert store.open_task("nobody", None) is None
        assert store.message("nobody", "email", None) is None
