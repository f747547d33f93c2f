"""The contract of identity: who is who, merges of two customers, and their undoing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from orchestrator.core.claim import Claimed
from orchestrator.core.customer import Customer
from orchestrator.core.inbox import ConsentChanged, Identified, Receipt, Replied, TaskClosed
from orchestrator.core.index import Index
from orchestrator.core.linking import IdentityRules, Kind
from orchestrator.stores.protocol import Arrival, CustomerCard, Settlement, Store
from orchestrator.stores.protocol_identity import Identifier, Link
from orchestrator.stores.schema import METADATA
from tests.stores.contract_consents import EVERYTHING, PARTS
from tests.stores.driving import START, arrive, create, event, index_of, later, turns

NO_OWNER = {"erasures", "due"}
"""Tables in which nobody's row is followed: an erasure is about somebody else, and `due` has at most one row."""


class IdentityContract:
    """Tests of identifiers, links and merges."""

    def test_all_rows_of_every_table_are_the_targets(self, store: Store) -> None:
        _live(store, "anon", "u1")
        before = _rows_of(store, "anon"), _rows_of(store, "u1")
        assert not before[0] or {"outbox", "requests", "tasks", "coupons", "consent_log"} <= before[0].keys()
        assert store.merge("anon", "u1", later(10), "ana").outcome == "merged"
        after = _rows_of(store, "u1")
        for table, count in before[0].items():
            if table not in ("customers", "consents", "entries", "rights", "inbox"):
                more = {"identifiers": 1, "transitions": 0}.get(table, 0)
                assert after[table] == count + before[1].get(table, 0) + more, table
        assert not _orphans(store)
        turns(store, later(10))
        card = _card(store, "u1")
        assert {c.customer_id for c in card.coupons} == {t.customer_id for t in card.tasks} == {"u1"}
        assert {m.row.customer_id for m in card.messages} == {e.customer_id for e in card.enrollments} == {"u1"}

    def test_gaps_are_filled_and_the_target_stays_as_it_is(self, store: Store) -> None:
        create(store, "anon", first_name="Mary", locale="pt", tier="gold", tags=["a", "b"])
        create(store, "u1", first_name="Maria", tags=["b", "c"], email="maria@example.com")
        store.merge("anon", "u1", later(1), "ana")
        turns(store, later(1))
        c = _customer(store, "u1")
        assert (c.attributes, c.locale, c.email) == ({"first_name": "Maria", "tier": "gold"}, "pt", "maria@example.com")
        assert c.tags == ("b", "c", "a")
        assert Identifier("email", "anon@example.com") in store.identifiers("u1")

    def test_out_wins_and_is_told(self, store: Store) -> None:
        create(store, "anon", "u1", "u2", consents={"promotions": {"email": "in"}})
        arrive(store, "anon", ConsentChanged("promotions", "email", "out", source="page"), later(1))
        turns(store, later(1))
        store.merge("anon", "u1", later(2), "ana")
        assert _customer(store, "u1").consents["promotions", "email"] == "out"
        store.merge("u2", "u1", later(3), "ana")
        turns(store, later(3))
        assert _customer(store, "u1").consents["promotions", "email"] == "out"
        assert [r.customer for r in store.rights(None, 0, 10) if r.kind == "opted_out"][-1] == "u1"
        assert [choice.state for choice in store.consent_log("u1")].count("out") == 1

    def test_of_two_enrollments_the_earlier_goes_on(self, store: Store) -> None:
        create(store, "anon", "u1")
        arrive(store, "anon", event(order="1"))
        arrive(store, "u1", event(order="1", at=later(1)), later(1))
        arrive(store, "u1", event(order="2", at=later(1)), later(1))
        turns(store, later(1))
        store.merge("anon", "u1", later(2), "ana")
        turns(store, later(2))
        running = sorted((e.key, e.entered_at) for e in _card(store, "u1").enrollments if e.running)
        assert running == [("1", START), ("2", later(1))]
        [line] = [t for t in store.journal("u1") if t.type == "exited"]
        assert (line.customer, line.key, line.data, line.at) == ("u1", "1", {"reason": "merged"}, later(2))
        arrive(store, "anon", event(order="1", at=later(3)), later(3))
        assert turns(store, later(61)) > 0
        assert [t.key for t in store.journal("u1") if t.type == "completed"] == ["1", "2"]

    def test_whatever_names_the_source_reaches_the_target(self, store: Store) -> None:
        _live(store, "anon", "u1")
        [claimed] = _claimed(store, "anon")
        [request] = [r for r in store.claim_requests(later(9), 10) if r.customer_id == "anon"]
        task = store.open_task("anon", None)
        assert task is not None
        store.merge("anon", "u1", later(10), "ana")
        assert store.resolve("anon") == "u1" and store.resolve("u1") == "u1" and store.resolve("nobody") is None
        assert store.begin_hand_over([claimed], later(10)) == {claimed.row.id}
        done = Settlement(claimed.row.id, "anon", "sent", fence=claimed.fence, handed_over=True)
        store.settle_messages([done._replace(receipts=[Receipt("open", "email", claimed.row.id)])], later(10))
        store.settle_requests([(request, Replied(request.id, 204))], later(10))
        arrive(store, "anon", TaskClosed(task.id, "reached"), later(10))
        arrive(store, "anon", Receipt("click", "email", claimed.row.id), later(10))
        turns(store, later(10))
        card = _card(store, "anon")
        assert card.id == "u1" and card.customer is not None and card.customer.id == "u1"
        [message] = [m for m in card.messages if m.row.id == claimed.row.id]
        assert message.status == "sent" and message.opened_at and message.clicked_at
        [closed] = [t for t in card.tasks if t.id == task.id]
        assert closed.outcome == "reached"
        assert store.message("anon", "email", None) is not None
        assert store.consent_log("anon") == store.consent_log("u1")
        assert store.journal("anon") == store.journal("u1") != []

    def test_what_waits_keeps_its_order(self, store: Store) -> None:
        create(store, "anon", "u1")
        arrive(store, "anon", Identified({"first_name": "Early", "locale": "pt"}), later(1))
        arrive(store, "u1", Identified({"first_name": "Known"}), later(2))
        store.merge("anon", "u1", later(3), "ana")
        arrive(store, "anon", Identified({"tier": "gold"}), later(4))
        turns(store, later(5))
        c = _customer(store, "u1")
        assert (c.attributes["first_name"], c.attributes["tier"], c.locale) == ("Known", "gold", "pt")

    def test_history_is_joined_also_where_instants_meet(self, store: Store) -> None:
        create(store, "anon", "u1")
        for customer in ("anon", "u1"):
            arrive(store, customer, event("seen", n=customer), START)
            arrive(store, customer, event("seen", at=later(1), n=f"{customer}-2"), later(1))
            turns(store, later(1))
        store.merge("anon", "u1", later(2), "ana")
        assert _events(store, "u1", later(2)) == ["u1", "anon", "u1-2", "anon-2"]

    def test_an_id_that_is_merged_already_stays_so(self, store: Store) -> None:
        create(store, "a", "b", "c")
        assert store.merge("a", "b", later(1), "ana").outcome == "merged"
        assert store.merge("a", "b", later(1), "ana").outcome == "nothing"
        assert store.merge("b", "c", later(1), "ana").outcome == "merged"
        assert store.merge("a", "c", later(1), "ana").outcome == "nothing"
        assert store.merge("x", "c", later(1), "ana").outcome == "unknown"
        assert store.merge("c", "x", later(1), "ana").outcome == "unknown"
        assert {store.resolve(id) for id in "abc"} == {"c"}
        assert sorted(merge.source for merge in store.merges("a")) == ["a", "b"]
        arrive(store, "a", Identified({"tier": "gold"}), later(2))
        turns(store, later(2))
        assert _customer(store, "c").attributes["tier"] == "gold"
        store.lay_history("a", [event("seen", at=later(-9), n=1).event])
        assert _events(store, "c", later(3)) == [1]

    def test_unmerge_brings_the_source_back(self, store: Store) -> None:
        create(store, "anon", "u1", first_name="Mary")
        arrive(store, "anon", event("seen", n="own"), later(1))
        arrive(store, "anon", event(order="1", at=later(1)), later(1))
        turns(store, later(1))
        store.merge("anon", "u1", later(2), "ana")
        turns(store, later(2))
        arrive(store, "anon", event("seen", at=later(3), n="since"), later(3))
        arrive(store, "u1", ConsentChanged("promotions", "email", "out"), later(3))
        turns(store, later(3))
        done = store.unmerge("anon", later(4), "ana")
        assert (done.outcome, done.customer, done.source) == ("unmerged", "u1", "anon")
        turns(store, later(4))
        assert store.resolve("anon") == "anon" and store.merges("u1") == []
        assert _events(store, "anon", later(5)) == ["own"] and _events(store, "u1", later(5)) == ["since"]
        back = _customer(store, "anon")
        assert (back.email, back.attributes["first_name"]) == ("anon@example.com", "Mary")
        assert back.consents["promotions", "email"] == _customer(store, "u1").consents["promotions", "email"] == "out"
        assert [e.key for e in _card(store, "u1").enrollments] == ["1"] and not _card(store, "anon").enrollments
        assert store.identifiers("u1") == [Identifier("external", "u1")]
        assert store.unmerge("anon", later(5), "ana").outcome == "unknown"
        assert store.merge("anon", "u1", later(6), "ana").outcome == "merged", "and again"
        turns(store, later(6))
        assert sorted(_events(store, "u1", later(7))) == ["own", "since"]

    def test_an_unmerge_takes_along_whoever_had_become_part_of_the_source(self, store: Store) -> None:
        create(store, "a", "b", "c", "d")
        for minutes, customer in enumerate("ad"):
            arrive(store, customer, event("seen", at=later(minutes), n=customer), later(minutes))
        turns(store, later(1))
        _linked(store, Link("anonymous", "a-device", "a", later(1)))
        for minutes, pair in enumerate([("a", "b"), ("b", "c"), ("d", "c")], 2):
            store.merge(*pair, later(minutes), "ana")
            turns(store, later(minutes))
        assert store.unmerge("b", later(5), "ana").outcome == "unmerged"
        turns(store, later(5))
        assert [merge.source for merge in store.merges("b")] == ["a"]
        assert [merge.source for merge in store.merges("c")] == ["d"], "who came otherwise stays"
        assert store.resolve("a") == store.resolve("a-device") == "b"
        done = store.unmerge("a", later(6), "ana")
        assert (done.outcome, done.customer) == ("unmerged", "b")
        turns(store, later(6))
        assert store.identifiers("a") == [Identifier("anonymous", "a-device"), Identifier("external", "a")]
        assert store.identifiers("b") == [Identifier("external", "b")]
        assert _events(store, "a", later(7)) == ["a"] and _events(store, "c", later(7)) == ["d"]
        assert not _orphans(store)

    def test_an_erased_id_does_not_come_back_as_somebody_elses(self, store: Store) -> None:
        create(store, "u1", "u2")
        _linked(store, Link("anonymous", "a1", "u1", later(1)))
        assert store.erase("u1", later(2), later(2), "ana") is not None
        for link in (Link("external", "u1", "u2", later(3)), Link("anonymous", "a1", "u2", later(3))):
            assert _linked(store, link).outcome == "unknown"
            assert store.resolve(link.value) is None
            assert store.ingest([Arrival(link.value, later(3), event("seen", n=1))]).dropped == 1
        dedupe = store.index.project.settings.dedupe
        assert _linked(store, Link("anonymous", "a1", "u2", later(3) + dedupe)).outcome == "added", "a device goes on"

    def test_what_is_new_is_asked_for_many_links_at_once(self, store: Store) -> None:
        create(store, "u1", "u2")
        store.ingest([Arrival("a2", later(1), event("seen", n=1))], (), {"a2"})
        first: list[tuple[Kind, str]] = [("anonymous", "a1"), ("external", "x1"), ("email", "one@example.com")]
        for kind, value in first:
            _linked(store, Link(kind, value, "u1", later(1)))
        known: list[tuple[Kind, str, str]] = [
            ("anonymous", "a1", "u1"),
            ("email", "one@example.com", "u1"),
            ("external", "u1", "x1"),
        ]
        new: list[tuple[Kind, str, str]] = [
            ("anonymous", "a1", "u2"),
            ("email", "one@example.com", "u2"),
            ("anonymous", "a2", "u1"),
        ]
        new += [("anonymous", "a9", "u1"), ("phone", "+351910000000", "x1"), ("external", "a1", "nobody")]
        links = [Link(*said, later(2)) for said in [*known, *new]]
        assert [link[:3] for link in store.unlinked(links)] == new
        many = [Link("anonymous", f"a{n}", f"u{n}", later(2)) for n in range(3, 1_203)]
        assert list(store.unlinked(many)) == many

    def test_links_wait_until_somebody_acts_on_them(self, store: Store) -> None:
        link = Link("anonymous", "a1", "u1", later(1))
        arrivals = [
            Arrival("a1", later(1), event("seen", n=1)),
            Arrival("u1", later(1), Identified({"tier": "gold"})),
        ]
        store.ingest(arrivals, [link], {"a1"})
        assert list(store.unlinked([link])) == [link]
        [waiting] = store.links(10)
        assert (waiting.kind, waiting.value, waiting.customer, waiting.at) == link[:4]
        assert store.settle_link(waiting, later(2)).outcome == "merged"
        assert store.settle_link(waiting, later(2)).outcome == "nothing", "once"
        assert list(store.links(10)) == [] and list(store.unlinked([link])) == []
        assert store.identifiers("u1") == [Identifier("anonymous", "a1"), Identifier("external", "u1")]
        turns(store, later(3))
        assert _events(store, "u1", later(3)) == [1]

    def test_an_unknown_id_is_one_more_identifier(self, store: Store) -> None:
        create(store, "u1")
        assert _linked(store, Link("anonymous", "a1", "u1", later(1))).outcome == "added"
        assert _linked(store, Link("anonymous", "a1", "u1", later(1))).outcome == "nothing"
        assert store.ingest([Arrival("a1", later(2), event("seen", n=2))]).accepted == 1
        turns(store, later(2))
        assert store.overview().customers == 1
        assert _events(store, "u1", later(2)) == [2]
        assert _linked(store, Link("anonymous", "a2", "nobody", later(1))).outcome == "unknown"

    def test_two_known_customers_are_never_joined_by_what_they_share(self, store: Store) -> None:
        create(store, "u1", "u2")
        _linked(store, Link("anonymous", "a1", "u1", later(1)))
        done = _linked(store, Link("anonymous", "a1", "u2", later(2)))
        assert (done.outcome, done.reason) == ("blocked", "both_known")
        assert store.resolve("a1") == "u1"
        assert _linked(store, Link("external", "u1", "u2", later(2))).outcome == "merged", "an alias says so"

    def test_the_rules_of_the_project_hold(self, store: Store) -> None:
        project = store.index.project
        rules = IdentityRules(frozenset({"external", "anonymous", "email"}), frozenset({"kiosk"}), 2, 1)
        store.deploy(Index(replace(project, identity=rules)), START)
        create(store, "u1", "u2", "u3")
        assert _linked(store, Link("anonymous", "Kiosk", "u1", later(1))).reason == "never"
        assert _linked(store, Link("anonymous", "undefined", "u1", later(1))).reason == "never"
        assert (
            _linked(store, Link("anonymous", "00000000-0000-0000-0000-000000000000", "u1", later(1))).reason == "never"
        )
        for value, outcome in (("a1", "added"), ("a2", "added"), ("a3", "blocked")):
            assert _linked(store, Link("anonymous", value, "u1", later(1))).outcome == outcome
        assert _linked(store, Link("external", "u2", "u1", later(1))).outcome == "merged"
        assert _linked(store, Link("external", "u3", "u1", later(2))).reason in (
            "too_many_merges",
            "too_many_identifiers",
        )
        store.ingest([Arrival("a9", later(3), event("seen", n=1))], (), {"a9"})
        assert _linked(store, Link("email", "x@example.com", "u3", later(3))).outcome == "added"
        done = _linked(store, Link("email", "x@example.com", "a9", later(3)))
        assert (done.outcome, done.customer, done.source) == ("merged", "u3", "a9"), "the known one stays"

    def test_a_merge_of_long_ago_is_for_good(self, store: Store) -> None:
        create(store, "anon", "u1")
        store.merge("anon", "u1", later(1), "ana")
        turns(store, later(1))
        history = store.index.project.settings.history
        assert store.retain(later(0) + history, 10) == 0 and store.merges("u1")
        assert store.retain(later(2) + history, 10) >= 1 and not store.merges("u1")
        assert store.unmerge("anon", later(2) + history, "ana").outcome == "unknown"
        assert store.resolve("anon") == "u1"

    def test_an_erasure_follows_identifiers(self, store: Store) -> None:
        create(store, "anon", "u1")
        store.merge("anon", "u1", later(1), "ana")
        turns(store, later(1))
        assert store.erase("anon", later(2), later(2), "ana") is not None
        assert store.card("u1") is None and store.card("anon") is None
        late = [Arrival("u1", later(3), event(order="x")), Arrival("anon", later(3), event(order="y"))]
        assert store.ingest(late).dropped == 2
        assert "suppressed" in store.suppressions()["email", "anon@example.com"]
        assert store.unmerge("anon", later(4), "ana").outcome == "unknown"
        assert not _orphans(store)


def _live(store: Store, *ids: str) -> None:
    store.deploy(index_of(EVERYTHING, **PARTS), START)
    create(store, *ids)
    for minutes, id in enumerate(ids):
        arrive(store, id, event(order=f"{id}-1", at=later(minutes)), later(minutes))
        arrive(store, id, ConsentChanged("promotions", "sms", "out", source="page"), later(minutes))
    turns(store, later(2))


def _claimed(store: Store, id: str) -> list[Claimed]:
    return [claimed for claimed in store.claim_messages(later(9), 10) if claimed.row.customer_id == id]


def _linked(store: Store, link: Link) -> Any:
    store.ingest([], [link])
    [waiting] = store.links(10)
    return store.settle_link(waiting, link.at)


def _card(store: Store, id: str) -> CustomerCard:
    card = store.card(id)
    assert card is not None
    return card


def _customer(store: Store, id: str) -> Customer:
    customer = _card(store, id).customer
    assert customer is not None
    return customer


def _events(store: Store, id: str, at: Any) -> list[Any]:
    """The events that a turn sees, by their property `n`."""
    create(store, "bystander", at=at)
    whose = store.resolve(id)
    assert whose is not None
    arrive(store, whose, Identified({"looked": at.isoformat()}), at)
    view = store.load(at, 100, [whose])
    [record] = view.customers
    assert record.history is not None
    found = [past.properties["n"] for past in record.history.events("seen")]
    store.abandon()
    turns(store, at)
    return found


def _owned(store: Store) -> Iterator[tuple[str, tuple[int, int]]]:
    database = getattr(store, "db", None)
    if database is None:
        return
    with database.read() as c:
        for table in METADATA.sorted_tables:
            if {"shard", "customer"} <= set(table.columns.keys()) and table.name not in NO_OWNER:
                for row in c.execute(
                    f'SELECT shard, customer FROM "{table.name}" WHERE customer IS NOT NULL'
                ).fetchall():
                    yield table.name, (row[0], row[1])


def _place(store: Store, id: str) -> tuple[int, int]:
    with store.db.read() as c:  # type: ignore[attr-defined]
        row = c.execute(f"SELECT shard, id FROM customers WHERE external_id = '{id}'").fetchone()
    return row[0], row[1]


def _rows_of(store: Store, id: str) -> dict[str, int]:
    if getattr(store, "db", None) is None:
        return {}
    place = _place(store, id)
    counts: dict[str, int] = {}
    for table, key in _owned(store):
        if key == place:
            counts[table] = counts.get(table, 0) + 1
    return counts


def _orphans(store: Store) -> set[str]:
    """Tables with a row of somebody who is not there."""
    if getattr(store, "db", None) is None:
        return set()
    with store.db.read() as c:  # type: ignore[attr-defined]
        there = {(row[0], row[1]) for row in c.execute("SELECT shard, id FROM customers").fetchall()}
    kept = {"enrollments", "transitions", "messages", "coupons", "tasks", "consent_log", "rights", "redemptions"}
    erased = store.resolve("u1") is None
    return {table for table, key in _owned(store) if key not in there and not (erased and table in kept)}
