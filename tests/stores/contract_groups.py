"""Groups of customers: what is told of them reaches every member, once, and a part at a time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from orchestrator.core.inbox import Grouped, Identified
from orchestrator.runtime.groups import change_group, forget_groups_once, move_member
from orchestrator.runtime.ingest import Told, ingest_once
from orchestrator.runtime.sweep import next_sweep_at, sweep_once
from orchestrator.runtime.turns import turn_once
from orchestrator.stores.protocol import Store
from tests.stores.driving import index_of

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
SCHEMA = {"customer": {"group": {"type": "object", "of": {"plan": "string", "id": "string"}}, "greeted": "string"}}
UPGRADED = {
    "topic": "promotions",
    "enter": {"attribute": "customer.group.plan", "to": "pro"},
    "steps": [{"set": {"customer.greeted": "{{ customer.group.plan }} of {{ customer.group.id }}"}}],
}


def joins(store: Store, customer: str, group: str, message_id: str | None = None, **traits: Any) -> Any:
    return ingest_once(store, [Told(customer, Grouped(group, traits), message_id)], NOW)


def everything(store: Store) -> None:
    while turn_once(store, NOW).customers:
        pass


def attributes(store: Store, customer: str) -> dict[str, Any]:
    card = store.card(customer)
    assert card is not None and card.customer is not None
    return dict(card.customer.attributes)


class GroupsContract:
    """Signed by every store."""

    def test_who_sends_last_decides_and_the_latest_group_is_the_customers(self, store: Store) -> None:
        joins(store, "ana", "acme", plan="free", seats=3)
        joins(store, "ana", "acme", plan="team", seats=None, id="other")
        everything(store)
        assert attributes(store, "ana")["group"] == {"plan": "team", "id": "acme"}
        joins(store, "ana", "globex")
        everything(store)
        assert attributes(store, "ana")["group"] == {"id": "globex"}
        assert [group.id for group in store.groups_of("ana")][-1:] == ["acme"] or len(store.groups_of("ana")) == 2
        known = store.group("acme")
        assert known is not None and known.traits == {"plan": "team"} and known.version == 2
        assert [group.id for group in store.groups("", "", 9)] == ["acme", "globex"]
        assert [group.id for group in store.groups("a", "", 9)] == ["acme"] and not store.groups("", "globex", 9)
        assert store.group("none") is None and not store.group_members("none", None, 9)

    def test_a_call_that_comes_again_says_nothing_new(self, store: Store) -> None:
        joins(store, "ana", "acme", "m1", plan="free")
        joins(store, "ana", "acme", "m2", plan="pro")
        again = joins(store, "ana", "acme", "m1", plan="free")
        assert (again.accepted, again.duplicates, again.conflicts) == (0, 1, ())
        known = store.group("acme")
        assert known is not None and known.traits == {"plan": "pro"}
        assert joins(store, "ana", "acme", "m2", plan="free").conflicts == ("m2",)

    def test_an_id_that_no_table_holds_is_refused(self, store: Store) -> None:
        for id in ("x" * 600, "", "a\x00b"):
            assert joins(store, "ana", id).accepted == 0
        assert joins(store, "ana", "acme", bad="\ud800").accepted == 0 and not store.groups("", "", 9)

    def test_one_pass_takes_many_calls_in_their_order(self, store: Store) -> None:
        ingest_once(store, [("u1", Grouped("b", {"n": 1})), ("u2", Grouped("a", {"n": 2})),
                            ("u1", Grouped("b", {"m": 3})), ("u1", Grouped("b", {}, "left"))], NOW)  # fmt: skip
        everything(store)
        assert store.group_size("b") == 0 and store.group_size("a") == 1
        assert "group" not in attributes(store, "u1") and attributes(store, "u2")["group"] == {"n": 2, "id": "a"}
        known = store.group("b")
        assert known is not None and known.traits == {"n": 1, "m": 3}

    def test_a_change_reaches_every_member_a_part_at_a_time(self, make_store: Callable[..., Store]) -> None:
        store = make_store()
        store.deploy(index_of({"upgraded": UPGRADED}, schema=SCHEMA), NOW)
        for n in range(25):
            joins(store, f"u{n:02}", "acme", plan="free")
        joins(store, "u07", "globex", plan="team")
        ingest_once(store, [("else", Identified({"name": "Li"}))], NOW)
        everything(store)
        while sweep_once(store, NOW):
            everything(store)
        assert store.next_group_at() is None and next_sweep_at(store) is None
        changed = change_group(store, "acme", {"plan": "pro"}, NOW)
        assert changed.telling and store.next_group_at() == NOW == next_sweep_at(store)
        parts = 0
        while done := store.spread_groups(NOW, 10):
            assert done <= 11 and store.spread_groups(NOW, 5) == 0, "inboxes are full: nobody is told more"
            everything(store)
            parts += 1
        assert parts == 3 and store.next_group_at() is None
        everything(store)
        for n in range(25):
            found = attributes(store, f"u{n:02}")
            if n == 7:
                assert found == {"group": {"plan": "team", "id": "globex"}}, "acme is not this one's group any more"
            else:
                assert found == {"group": {"plan": "pro", "id": "acme"}, "greeted": "pro of acme"}
        entered = [line for line in store.drain_journal() if line.type == "entered"]
        assert len(entered) == 24, "each once"
        assert change_group(store, "acme", {"plan": "pro"}, NOW).version == changed.version
        assert store.spread_groups(NOW, 10) == 0

    def test_a_group_that_changes_while_members_hear(self, store: Store) -> None:
        for n in range(9):
            joins(store, f"u{n}", "acme", v=1)
        everything(store)
        change_group(store, "acme", {"v": 2}, NOW)
        store.spread_groups(NOW, 4)
        everything(store)
        joins(store, "new", "acme", v=3)
        everything(store)
        while store.spread_groups(NOW, 4):
            everything(store)
        assert all(attributes(store, id)["group"]["v"] == 3 for id in ("new", *(f"u{n}" for n in range(9))))

    def test_leaving_brings_the_group_before_back(self, store: Store) -> None:
        joins(store, "ana", "acme", plan="pro")
        ingest_once(store, [("ana", Grouped("globex", {"plan": "free"}))], NOW + timedelta(seconds=1))
        everything(store)
        for group, left in (("globex", {"plan": "pro", "id": "acme"}), ("acme", None), ("acme", None)):
            move_member(store, group, "ana", NOW, leaves=True, message_id=f"left-{group}-{left is None}")
            turn_once(store, NOW + timedelta(seconds=2))
            assert attributes(store, "ana").get("group") == left
        assert not store.groups_of("ana") and store.group_size("acme") == 0

    def test_members_page_by_page(self, store: Store) -> None:
        for n in range(7):
            joins(store, f"u{n}", "acme")
        place, found = None, []
        while page := store.group_members("acme", place, 3):
            place = page[-1].place
            found += page
        assert {member.customer for member in found} == {f"u{n}" for n in range(7)} and len(found) == 7
        assert all(member.joined_at == NOW for member in found)

    def test_two_who_are_one_and_one_who_is_erased(self, store: Store) -> None:
        joins(store, "ana", "acme")
        joins(store, "ana2", "acme")
        joins(store, "ana2", "globex", plan="pro")
        everything(store)
        assert store.merge("ana2", "ana", NOW, "test").outcome == "merged"
        everything(store)
        assert {group.id for group in store.groups_of("ana")} == {"acme", "globex"} and store.group_size("acme") == 1
        assert store.erase("ana", NOW, NOW, "test") is not None
        assert store.group_size("acme") == store.group_size("globex") == 0
        change_group(store, "globex", {"plan": "team"}, NOW)
        while store.spread_groups(NOW, 9):
            pass
        assert store.next_group_at() is None

    def test_groups_that_nobody_is_in_go_after_a_while(self, store: Store) -> None:
        joins(store, "ana", "acme")
        change_group(store, "empty", {"plan": "pro"}, NOW)
        later = NOW + store.index.project.settings.history + timedelta(days=2)
        assert forget_groups_once(store, NOW, 9) == 0 and forget_groups_once(store, NOW, 9) == 0
        assert forget_groups_once(store, later, 9) == 1 and store.group("empty") is None
        assert store.group("acme") is not None
