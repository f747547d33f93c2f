"""The contract of deploys: what is live, who hears of it, and which files are kept for those who are on older ones."""

from __future__ import annotations

from orchestrator.core.inbox import Deployed
from orchestrator.runtime.turns import turn_once
from orchestrator.stores.protocol import Snapshot, Store
from tests.stores.driving import START, WAITS_AN_HOUR, arrive, create, event, index_of, later, lines, turns

FIRST = Snapshot("1" * 64, {"journeys/waits.yaml": b"enter: ...", "templates/\u00e9.html": b"\x00\xff\n"})
SECOND = Snapshot("2" * 64, {"journeys/waits.yaml": b""})
MOVES = {
    **WAITS_AN_HOUR,
    "migrate": {"map": {"wait_1": "rest"}},
    "steps": [{"id": "rest", "wait": "2h"}],
}
FAILS = {"enter": {"event": "ping"}, "goal": {"event": "bought"}, "steps": [{"wait": {"until": "entry.day"}}]}
LONGER = {**WAITS_AN_HOUR, "steps": [{"wait": "2h"}]}


class DeploymentContract:
    """Tests of `deploy` with snapshots, and of what it tells customers."""

    def test_the_same_files_again_are_no_news(self, empty_store: Store) -> None:
        store = empty_store
        assert store.deploy(index_of(), START, FIRST) is True
        create(store, "u1")
        assert store.deploy(index_of(), later(1), FIRST) is False
        assert store.next_due_at() is None
        assert store.deploy(index_of({"waits": LONGER}), later(2), SECOND) is True
        assert _told(store) == [Deployed(frozenset())]
        turns(store, later(2))
        assert store.deploy(index_of(), later(3), FIRST) is True  # a rollback is news
        assert _told(store) == [Deployed(frozenset())]

    def test_the_digest_of_what_is_live_is_known(self, empty_store: Store) -> None:
        assert empty_store.deployed() is None
        empty_store.deploy(index_of(), START, FIRST)
        assert empty_store.deployed() == FIRST.digest
        empty_store.deploy(index_of({"waits": LONGER}), later(1), SECOND)
        assert empty_store.deployed() == SECOND.digest
        empty_store.deploy(index_of(), later(2))
        assert empty_store.deployed() is None

    def test_a_deploy_moves_who_waits_a_few_at_a_time(self, store: Store) -> None:
        customers = [f"u{n:02}" for n in range(12)]
        create(store, *customers)
        for customer in customers:
            arrive(store, customer, event(order="1"))
        turns(store, START)
        [(_, old, _)] = store.standing()
        store.deploy(index_of({"waits": MOVES}), later(1), SECOND)
        new = store.index.project.journeys["waits"].version
        turn_once(store, later(1), 5)
        some = store.standing()
        assert some.keys() == {("waits", old, "wait_1"), ("waits", new, "rest")}, some
        assert sum(some.values()) == 12
        turns(store, later(1), 5)
        assert store.standing() == {("waits", new, "rest"): 12}
        told = [line for line in lines(store) if line["type"] in ("migrated", "rescheduled")]
        assert [line["type"] for line in told if line["customer"] == "u03"] == ["migrated", "rescheduled"]
        assert len(told) == 24
        turns(store, later(59))
        assert store.standing() == {("waits", new, "rest"): 12}
        turns(store, later(120))
        assert store.standing() == {}

    def test_standing_counts_who_runs_or_is_parked(self, store: Store) -> None:
        assert store.standing() == {}
        store.deploy(index_of({"waits": WAITS_AN_HOUR, "fails": FAILS}), START)
        create(store, "u1", "u2")
        for customer, order in (("u1", "1"), ("u1", "2"), ("u2", "1")):
            arrive(store, customer, event(order=order))
        arrive(store, "u2", event("ping"))
        turns(store, START)
        found = {(journey, step): count for (journey, _, step), count in store.standing().items()}
        assert found == {("waits", "wait_1"): 3, ("fails", "wait_1"): 1}
        turns(store, later(60))
        assert {journey for journey, _, _ in store.standing()} == {"fails"}

    def test_without_files_every_deploy_is_news(self, empty_store: Store) -> None:
        assert empty_store.deploy(index_of(), START) is True
        assert empty_store.deploy(index_of(), START) is True
        assert list(empty_store.snapshots()) == []

    def test_the_live_files_are_kept(self, empty_store: Store) -> None:
        assert list(empty_store.snapshots()) == []
        empty_store.deploy(index_of(), START, FIRST)
        [kept] = empty_store.snapshots()
        assert (kept.digest, dict(kept.files)) == (FIRST.digest, dict(FIRST.files))
        empty_store.deploy(index_of({"waits": LONGER}), later(1), SECOND)
        assert empty_store.snapshots()[-1].digest == SECOND.digest

    def test_what_arrives_after_a_deploy_is_taken_after_it(self, store: Store) -> None:
        create(store, "u1")
        store.deploy(index_of({"waits": LONGER}), later(1))
        arrive(store, "u1", event(at=later(1), order="1"), later(1))
        [view] = store.load(later(1), 10).customers
        assert [type(item.body).__name__ for item in view.inbox] == ["Deployed", "Occurred"]

    def test_who_adopts_a_deploy_writes_nothing(self, empty_store: Store) -> None:
        store = empty_store
        store.deploy(index_of(), START, FIRST)
        create(store, "u1")
        turns(store, START)
        store.adopt(index_of({"waits": LONGER}))
        assert _told(store) == [] and [kept.digest for kept in store.snapshots()] == [FIRST.digest]
        [adopted] = index_of({"waits": LONGER}).project.journeys.values()
        assert store.index.project.journeys["waits"].version == adopted.version
        arrive(store, "u1", event(at=later(1), order="1"), later(1))
        turns(store, later(1))
        card = store.card("u1")
        assert card is not None
        assert [e.version for e in card.enrollments] == [store.index.project.journeys["waits"].version]

    def test_versions_that_are_known_are_no_new_journeys(self, empty_store: Store) -> None:
        empty_store.know(index_of().project.journeys.values())
        empty_store.deploy(index_of({}, segments={}), START)
        create(empty_store, "u1")
        empty_store.deploy(index_of({"waits": LONGER}), later(1))
        assert _told(empty_store) == [Deployed(frozenset())]

    def test_who_has_no_zone_moves_with_the_project(self, store: Store) -> None:
        create(store, "here", phone=None)
        create(store, "there", phone=None, timezone="Asia/Tokyo")
        assert list(store.zones()) == ["Asia/Tokyo", "UTC"]
        store.deploy(index_of(project={"timezone": "Europe/Lisbon"}), later(1))
        assert list(store.zones()) == ["Asia/Tokyo", "Europe/Lisbon"]
        assert store.fan_out("waits", 0, "o", "Europe/Lisbon", None, later(1)) == 1


def _told(store: Store) -> list[object]:
    return [item.body for view in store.load(later(days=1), 10).customers for item in view.inbox]
