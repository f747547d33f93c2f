"""What a process that begins finds in the file: the deployments, and fan-outs that are not done."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.core.inbox import Deployed, Identified, ScheduleFired
from orchestrator.core.view import Switches
from orchestrator.runtime.turns import turn_once
from orchestrator.stores.protocol import Snapshot
from orchestrator.stores.sqlite import fanout
from orchestrator.stores.sqlite.store import SqliteStore
from tests.stores.driving import START, WAITS_AN_HOUR, arrive, create, event, index_of, later, lines, turns
from tests.stores.sqlite_files import opened

OLD, NEW, THIRD = (Snapshot(str(n) * 64, {"journeys/j.yaml": b"%d" % n}) for n in range(3))
LONGER = {**WAITS_AN_HOUR, "steps": [{"wait": "2h"}, {"set": {"customer.plan": "new"}}]}
GOLDEN = {"golden": {"where": "customer.plan == 'gold'"}}


# --- deployments --------------------------------------------------------------------------------------------------


def test_older_deployments_are_kept_while_someone_is_pinned_to_them(path: Path) -> None:
    with opened(path) as store:
        store.deploy(index_of(), START, OLD)
        arrive(store, "u1", event(order="1"))
        turns(store, START)
        store.deploy(index_of({"waits": LONGER}), later(1), NEW)
        turns(store, later(1))
    with opened(path) as store:
        assert [s.digest for s in store.snapshots()] == [OLD.digest, NEW.digest]
        store.know(index_of().project.journeys.values())
        assert store.deploy(index_of({"waits": LONGER}), later(2), NEW) is False
        turns(store, later(60))
        assert [line["type"] for line in lines(store)] == ["completed"]
        assert [s.digest for s in store.snapshots()] == [NEW.digest]
        assert store.deploy(index_of({"waits": LONGER}, segments=GOLDEN), later(61), THIRD) is True
        assert [s.digest for s in store.snapshots()] == [THIRD.digest]


def test_a_journey_is_new_once_for_all_processes(path: Path) -> None:
    with opened(path) as store:
        store.deploy(index_of(), START, OLD)
        create(store, "u1")
    with opened(path) as store:
        store.deploy(index_of({"waits": LONGER, "other": WAITS_AN_HOUR}), later(1), NEW)
        [view] = store.load(later(1), 10).customers
        assert [item.body for item in view.inbox] == [Deployed(frozenset({"other"}))]
        store.abandon()


def test_switches_and_marks_outlive_the_process(path: Path) -> None:
    with opened(path) as store:
        store.set_switches(Switches(killed_channels=frozenset({"sms"}), killed_all=True))
        store.mark("a", START)
        store.tally("t")
    with opened(path) as store:
        assert store.switches() == Switches(killed_channels=frozenset({"sms"}), killed_all=True)
        assert store.mark("a") == START
        assert store.tally("t") == 2


# --- fan-outs that are not done -----------------------------------------------------------------------------------


@pytest.fixture
def in_small_bites(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanout, "AT_ONCE", 2)


@pytest.mark.usefixtures("in_small_bites")
def test_a_large_fan_out_reaches_everyone_once_in_the_order_of_their_ids(store: SqliteStore) -> None:
    names = [f"u{n:02}" for n in range(20)]
    create(store, *reversed(names))
    assert store.fan_out("waits", 0, "o", None, None, later(1)) == 2
    arrive(store, "u03a", Identified({}, silent=True), later(2))
    reached: list[str] = []
    while store.next_due_at() == later(1):
        for customer in store.load(later(3), 3).customers:
            told = [item.body for item in customer.inbox if isinstance(item.body, ScheduleFired)]
            assert told in ([], [ScheduleFired("waits", 0, "o")])
            reached += [customer.customer.id] * len(told)
        store.abandon()
        turn_once(store, later(3), 3)
    turns(store, later(3))
    assert store.next_due_at() is None
    assert reached == names
    assert store.fan_out("waits", 0, "o", None, None, later(1)) == 0


@pytest.mark.usefixtures("in_small_bites")
def test_an_unfinished_deploy_goes_on_in_the_next_process(path: Path) -> None:
    with opened(path) as store:
        store.deploy(index_of(), START, OLD)
        create(store, *(f"u{n}" for n in range(9)))
        store.deploy(index_of({"waits": LONGER}), later(1), NEW)
        assert store.overview().inbox == 2
    with opened(path) as store:
        assert store.deploy(index_of({"waits": LONGER}), later(2), NEW) is False
        assert store.next_due_at() == later(1)
        assert turns(store, later(2)) == 9
        assert store.next_due_at() is None


@pytest.mark.usefixtures("in_small_bites")
def test_a_rare_segment_is_searched_in_bounded_steps(store: SqliteStore) -> None:
    create(store, *(f"u{n:02}" for n in range(40)))
    create(store, "u99", plan="gold")
    store.deploy(index_of(segments=GOLDEN), START)  # the segment's rows are not worked out yet
    turns(store, START)
    assert store.fan_out("waits", 0, "o", None, "golden", later(1)) == 0
    for _ in range(10):
        view = store.load(later(1), 2)
        store.abandon()
        if view.customers:
            break
    assert [customer.customer.id for customer in view.customers] == ["u99"]


@pytest.mark.usefixtures("in_small_bites")
def test_a_full_inbox_goes_before_the_rest_of_a_fan_out(store: SqliteStore) -> None:
    create(store, *(f"u{n}" for n in range(9)))
    store.fan_out("waits", 0, "o", None, None, later(1))
    for number in range(5):
        arrive(store, "u8", event(at=later(1), order=str(number)), later(1))
    assert store.overview().inbox == 7
    store.load(later(1), 5)
    store.abandon()
    assert store.overview().inbox == 7
    store.load(later(1), 8)
    store.abandon()
    assert store.overview().inbox == 14
