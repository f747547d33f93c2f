"""The contract of canaries: who goes first, who is held or enters the old version, and that nobody is lost."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from orchestrator.core.canary import Canary, goes_at_once
from orchestrator.core.index import Index
from orchestrator.core.view import Switches
from orchestrator.runtime.canary import SETTLED_AFTER, Plan, canary_once, held, move, planned, put
from orchestrator.stores.protocol import Store
from tests.stores.driving import START, arrive, event, index_of, later, lines, turns

GREETS: dict[str, Any] = {"enter": {"event": "go"}, "exit": {"event": "stop"}, "steps": [{"wait": "1h"}]}
GREETS_LATER = {**GREETS, "steps": [{"wait": "2h"}]}
OTHER_DOOR = {**GREETS, "enter": {"event": "ping"}}
MOVES = {**GREETS_LATER, "migrate": {"from": "any"}}
PEOPLE = [f"u{number}" for number in range(40)]
SHARE = 0.3


def begin(store: Store, was: Index | None, now: Index, at: Any = START, share: float = SHARE) -> None:
    """Deploy with a canary on every journey that is new or changed."""
    before = was.project.journeys if was is not None else {}
    after = now.project.journeys
    changed = [j for j in after if j not in before or before[j].version != after[j].version]
    plan = Plan(share, timedelta(hours=2))
    known = store.switches().canaries
    put(store, known, planned(known, changed, before, after, {}, plan, at))
    store.deploy(now, at)
    turns(store, at)
    store.drain_journal()


def come(store: Store, at: Any, name: str = "go", people: list[str] = PEOPLE) -> None:
    for customer in people:
        arrive(store, customer, event(name, at), at)
    turns(store, at)


def first(store: Store) -> set[str]:
    """Those of the share."""
    [canary] = store.switches().canaries
    return {customer for customer in PEOPLE if goes_at_once(canary, "new", store.salt, customer)}


class CanaryContract:
    """Tests of `deploy --canary`."""

    def test_a_canary_is_kept_with_the_switches(self, store: Store) -> None:
        canaries = (
            Canary("waits", 0.05, START, later(120), "abc", True),
            Canary("x", 0.5, START, START, None, False, "stopped", "why"),
        )
        thrown = Switches(paused=frozenset({"a"}), canaries=canaries)
        store.set_switches(thrown)
        arrive(store, "u1", event())
        assert store.switches() == thrown == store.load(START, 1).switches
        store.abandon()
        assert store.change_switches(lambda known: Switches(canaries=known.canaries[:1])).canaries == canaries[:1]
        assert store.switches() == Switches(canaries=canaries[:1])

    def test_of_a_new_journey_the_others_wait_and_go_on_when_the_hold_ends(self, store: Store) -> None:
        begin(store, None, index_of({"greets": GREETS}))
        come(store, later(1))
        told, chosen = lines(store), first(store)
        assert 0 < len(chosen) < len(PEOPLE)
        assert {line["customer"] for line in told if line["type"] == "waiting"} == chosen
        [until] = {line["until"] for line in told if line["type"] == "held" and line["reason"] == "canary"}
        assert until == "2026-03-02T12:00:00Z"
        assert held(store)["greets"] == len(PEOPLE) - len(chosen)
        assert turns(store, later(119)) == len(chosen), "only the others' wait was due"
        assert canary_once(store, later(119)) == 0
        canary_once(store, later(120))
        turns(store, later(120))
        turns(store, later(140))
        done = {line["customer"] for line in lines(store) if line["type"] == "waiting"}
        assert done == set(PEOPLE) - chosen and not held(store)
        come(store, later(200), people=["v1", "v2", "v3", "v4", "v5", "v6"])
        assert not held(store), "who comes now goes in"
        canary_once(store, later(120) + SETTLED_AFTER)
        assert not store.switches().canaries

    def test_who_is_held_leaves_by_an_exit_and_by_stop(self, store: Store) -> None:
        begin(store, None, index_of({"greets": GREETS}))
        come(store, later(1))
        waiting = sorted(set(PEOPLE) - first(store))
        arrive(store, waiting[0], event("stop", later(2)), later(2))
        turns(store, later(2))
        assert held(store)["greets"] == len(waiting) - 1
        store.change_switches(lambda known: Switches(stopped=frozenset({"greets"}), canaries=known.canaries))
        store.operate("greets", "stop", later(3))
        turns(store, later(3))
        assert not held(store)
        canary_once(store, later(3))
        assert not store.switches().canaries

    def test_beside_a_changed_journey_the_others_enter_the_old_version(self, store: Store) -> None:
        old, new = index_of({"greets": GREETS}), index_of({"greets": GREETS_LATER})
        store.deploy(old, START)
        begin(store, old, new)
        come(store, later(1))
        told, chosen = lines(store), first(store)
        ends = {line["customer"]: line["until"] for line in told if line["type"] == "waiting"}
        assert {c for c, until in ends.items() if until == "2026-03-02T12:01:00Z"} == chosen
        assert {c for c, until in ends.items() if until == "2026-03-02T11:01:00Z"} == set(PEOPLE) - chosen
        assert not held(store)
        canary_once(store, later(120))
        store.drain_journal()
        come(store, later(121), people=["v1", "v2", "v3"])
        assert {line["until"] for line in lines(store) if line["type"] == "waiting"} == {"2026-03-02T14:01:00Z"}

    def test_where_the_doors_are_others_the_rest_waits(self, store: Store) -> None:
        old, new = index_of({"greets": GREETS}), index_of({"greets": OTHER_DOOR})
        store.deploy(old, START)
        begin(store, old, new)
        come(store, later(1), "ping")
        assert held(store)["greets"] == len(PEOPLE) - len(first(store))
        [canary] = store.switches().canaries
        # The files of before are deployed again: whom it holds leaves.
        back = planned((canary,), ["greets"], new.project.journeys, old.project.journeys, {}, None, later(5))
        put(store, (canary,), back)
        store.deploy(old, later(5))
        turns(store, later(5))
        store.drain_journal()
        canary_once(store, later(5) + SETTLED_AFTER)
        turns(store, later(7))
        left = [line for line in lines(store) if line["type"] == "exited"]
        assert {line["reason"] for line in left} == {"canary"}
        assert len(left) == len(PEOPLE) - sum(goes_at_once(canary, "new", store.salt, c) for c in PEOPLE)
        assert not held(store) and not store.switches().canaries

    def test_what_others_do_to_canaries_while_a_deploy_is_confirmed_stays(self, store: Store) -> None:
        one, two = index_of({"greets": GREETS}), index_of({"greets": GREETS_LATER})
        begin(store, None, one)
        known = store.switches().canaries
        goes_on = planned(known, ["greets"], one.project.journeys, two.project.journeys, {}, None, later(3))
        move(store, "greets", "stopped", later(2), "three of three messages came back")
        put(store, (), [Canary("other", SHARE, START, later(9))])
        put(store, known, goes_on)
        assert [(c.journey, c.state) for c in store.switches().canaries] == [("greets", "stopped"), ("other", "on")]

    def test_who_is_in_the_old_version_moves_with_the_share(self, store: Store) -> None:
        old, new = index_of({"greets": GREETS}), index_of({"greets": MOVES})
        store.deploy(old, START)
        come(store, START)
        begin(store, old, new, later(1))
        chosen = first(store)
        version = new.project.journeys["greets"].version
        moved = {key: count for key, count in store.standing().items() if key[1] == version}
        assert sum(moved.values()) == len(chosen)
        move(store, "greets", "over", later(2))
        turns(store, later(2))
        assert {key[1] for key in store.standing()} == {version}

    def test_a_mended_version_is_what_the_held_go_on_in(self, store: Store) -> None:
        one, two = index_of({"greets": GREETS}), index_of({"greets": GREETS_LATER})
        begin(store, None, one)
        come(store, later(1))
        waiting = held(store)["greets"]
        move(store, "greets", "stopped", later(2), "three of three messages came back")
        known = store.switches().canaries
        put(store, known, planned(known, ["greets"], one.project.journeys, two.project.journeys, {}, None, later(3)))
        store.deploy(two, later(3))
        turns(store, later(3))
        come(store, later(3), people=["w1", "w2"])
        assert held(store)["greets"] == waiting + 2, "a deploy lets nobody go by the way"
        assert canary_once(store, later(500)) == 0, "without an end"
        assert held(store)["greets"] == waiting + 2
        store.drain_journal()
        move(store, "greets", "over", later(500))
        turns(store, later(500))
        turns(store, later(520))
        told = lines(store)
        assert sum(line["type"] == "migrated" for line in told) == waiting
        assert sum(line["type"] == "waiting" for line in told) == waiting + 2 and not held(store)

    def test_a_hold_does_not_end_while_the_journey_is_paused(self, store: Store) -> None:
        begin(store, None, index_of({"greets": GREETS}))
        come(store, later(1))
        waiting = held(store)["greets"]
        store.change_switches(lambda known: Switches(paused=frozenset({"greets"}), canaries=known.canaries))
        assert canary_once(store, later(300)) == 0
        store.change_switches(lambda known: Switches(canaries=known.canaries))
        store.operate("greets", "resume", later(301))
        turns(store, later(301))
        assert held(store)["greets"] == waiting
        canary_once(store, later(302))
        turns(store, later(320))
        assert not held(store)
