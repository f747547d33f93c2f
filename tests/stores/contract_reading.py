"""The contract of what people are shown: the journal, the ledger, figures, what was refused, who is parked."""

from __future__ import annotations

from orchestrator.core.transition import Transition, line_of
from orchestrator.core.view import Switches
from orchestrator.stores.protocol import ParkedCustomer, RefusedItem, Settlement, Store
from tests.stores.contract_leases import FETCHES
from tests.stores.driving import START, WAITS_AN_HOUR, WRITES, arrive, create, event, index_of, later, lines, turns


class ReadingContract:
    """Tests of everything that only reads, and of the little that is written to be read."""

    # --- the journal -----------------------------------------------------------------------------------------------

    def test_the_journal_holds_everything_in_order(self, store: Store) -> None:
        for number in range(3):
            arrive(store, "u1", event(at=later(number), order=str(number)), later(number))
            arrive(store, "u2", event(at=later(number), order=str(number)), later(number))
            turns(store, later(number))
        turns(store, later(61))
        told = [t for t in store.drain_journal() if t.customer == "u1"]
        journal = store.journal("u1")
        assert [line_of(t) for t in journal] == [line_of(t) for t in sorted(told, key=lambda t: (t.at, t.seq))]
        assert [t.type for t in journal].count("completed") == 2
        assert [t.enrollment is not None for t in journal] == [True] * len(journal)
        assert store.journal("nobody") == []

    def test_the_journal_keeps_what_settlements_tell_with_their_values(self, store: Store) -> None:
        _queue(store, 1)
        [claimed] = store.claim_messages(START, 1)
        told = [
            Transition(START, "u1", claimed.row.seq, "suppressed", "writes", "v", "0", "email_1", {"reason": "expired"},
                       claimed.row.enrollment_id, {"expires_at": START, "tries": [1, None]}),
            Transition(START, "u1", claimed.row.seq, "released", data={"offer": "o", "code": "C"}),
        ]  # fmt: skip
        store.settle_messages([Settlement(claimed.row.id, "u1", "suppressed", told)], START)
        assert [t for t in store.journal("u1") if t.type in ("suppressed", "released")] == told
        assert {t.type for t in store.drain_journal()} >= {"suppressed", "released"}
        assert store.drain_journal() == []
        assert [t for t in store.journal("u1") if t.type in ("suppressed", "released")] == told

    # --- the ledger ------------------------------------------------------------------------------------------------

    def test_a_message_is_found_by_its_id(self, store: Store) -> None:
        _queue(store, 1)
        [claimed] = store.claim_messages(START, 1)
        found = store.ledger(claimed.row.id)
        assert found is not None
        assert (found.row, found.status) == (claimed.row, "queued")
        assert store.ledger("nothing") is None

    def test_messages_are_found_by_the_beginning_of_their_ids(self, store: Store) -> None:
        _queue(store, 3)
        rows = [claimed.row for claimed in store.claim_messages(START, 3)]
        for row in rows:
            found = store.messages_under(row.id[:12])
            assert [m.row for m in found] == [row]
        assert list(store.messages_under("0" * 16)) == []

    def test_the_latest_messages_come_first(self, store: Store) -> None:
        store.deploy(index_of({"writes": WRITES}), START)
        create(store, "u1", "u2")
        for number in range(4):
            arrive(store, f"u{1 + number % 2}", event(at=later(number), order=str(number)), later(number))
            turns(store, later(number))
        assert [m.row.key for m in store.latest_messages(3)] == ["3", "2", "1"]
        assert list(store.latest_messages(0)) == []

    # --- figures ---------------------------------------------------------------------------------------------------

    def test_an_empty_store_shows_nothing(self, store: Store) -> None:
        shown = store.overview()
        assert (shown.customers, shown.inbox, shown.oldest_at, shown.queued, shown.refused) == (0, 0, None, 0, 0)
        assert (dict(shown.messages), dict(shown.enrollments), list(shown.parked)) == ({}, {}, [])

    def test_figures_are_exact(self, store: Store) -> None:
        task = {"enter": {"event": "ping"}, "steps": [{"task": {"queue": "desk", "title": "Call"}}, {"wait": "1h"}]}
        fetches = {**FETCHES, "enter": {"event": "ask", "key": "event.order"}}
        store.deploy(index_of({"writes": WRITES, "task": task, "fetches": fetches}), START)
        create(store, "u1", "u2")
        for number in range(5):
            arrive(store, "u1", event(order=str(number)))
        arrive(store, "u2", event("ping"))
        arrive(store, "u2", event("ask", order="1"))
        turns(store, START)
        first, second, third, *_ = store.claim_messages(START, 10)
        ends = [Settlement(m.row.id, "u1", status) for m, status in ((first, "sent"), (second, "suppressed"))]
        store.settle_messages([*ends, Settlement(third.row.id, "u1", "queued")], START)
        arrive(store, "u2", event(at=later(3), order="9"), later(3))
        shown = store.overview()
        assert (shown.customers, shown.inbox, shown.oldest_at, shown.queued, shown.requests) == (2, 1, later(3), 3, 1)
        assert shown.messages == {("email", "queued"): 3, ("email", "sent"): 1, ("email", "suppressed"): 1}
        assert shown.enrollments == {("task", "running"): 1, ("fetches", "running"): 1}
        assert shown.tasks_open == {"desk": 1}

    def test_coupons_are_counted_by_what_became_of_them(self, store: Store) -> None:
        gives = {**WAITS_AN_HOUR, "steps": [{"coupon": {"offer": "ten", "as": "coupon"}}]}
        offer = {"discount": {"percent": 10}, "codes": {"length": 8}}
        store.deploy(index_of({"gives": gives}, offers={"ten": offer}), START)
        create(store, "u1", "u2")
        arrive(store, "u1", event(order="1"))
        arrive(store, "u2", event(order="1"))
        turns(store, START)
        assert store.overview().coupons == {("ten", "issued"): 2}

    # --- who is parked ---------------------------------------------------------------------------------------------

    def test_a_parked_customer_takes_no_turn_until_it_is_resumed(self, store: Store) -> None:
        create(store, "u1", "u2")
        arrive(store, "u1", event(order="1"))
        turns(store, START)
        arrive(store, "u1", event(at=later(1), order="2"), later(1))
        store.park("u1", "poison", "the process died", later(2))
        arrive(store, "u1", event(at=later(3), order="3"), later(3))
        assert turns(store, later(70)) == 0
        assert store.next_due_at() is None
        shown = store.overview()
        assert list(shown.parked) == [ParkedCustomer("u1", "poison", "the process died", later(2), 2)]
        assert (shown.inbox, shown.oldest_at) == (0, None)
        card = store.card("u1")
        assert card is not None
        assert card.parked == "poison"
        store.drain_journal()
        store.operate("anything", "resume", later(71))
        assert store.next_due_at() is not None
        turns(store, later(71))
        assert [line["key"] for line in lines(store) if line["type"] == "entered"] == ["2", "3"]
        assert list(store.overview().parked) == []

    def test_those_who_are_parked_for_one_reason_are_taken_up_alone(self, store: Store) -> None:
        create(store, "a", "b", "c", "d")
        for name in ("a", "b", "c", "d"):
            arrive(store, name, event(order="1"))
        for name in ("a", "b", "c"):
            store.park(name, "unknown_version", "version 7 of waits", later(1))
        store.park("d", "exception", "boom", later(1))
        assert list(store.take_up("another", 10, later(2))) == []
        first = list(store.take_up("unknown_version", 2, later(2)))
        assert len(first) == 2
        assert sorted([*first, *store.take_up("unknown_version", 2, later(2))]) == ["a", "b", "c"]
        assert list(store.take_up("unknown_version", 2, later(2))) == []
        turns(store, later(3))
        assert [line["customer"] for line in lines(store) if line["type"] == "entered"] == ["a", "b", "c"]
        assert [(one.customer, one.reason) for one in store.overview().parked] == [("d", "exception")]

    def test_a_customer_with_nothing_waiting_is_resumed_too(self, store: Store) -> None:
        arrive(store, "u1", event(order="1"))
        turns(store, START)
        store.park("u1", "poison", "", later(1))
        store.operate("anything", "resume", later(2))
        assert store.next_due_at() == later(2)
        turns(store, later(2))
        assert store.next_due_at() == later(60)

    # --- what was refused, and what operators did ------------------------------------------------------------------

    def test_refused_items_are_shown_newest_first(self, store: Store) -> None:
        items = [RefusedItem(later(n), "http", f"reason {n}", "x" * 3_000) for n in range(3)]
        store.keep_refused(items[:2])
        store.keep_refused(items[2:])
        store.keep_refused([])
        found = store.refused(2)
        assert [(item.at, item.reason) for item in found] == [(later(2), "reason 2"), (later(1), "reason 1")]
        assert found[0].content == "x" * 2_000
        assert store.overview().refused == 3

    def test_operators_leave_a_trace(self, store: Store) -> None:
        store.audit(START, "ana", "pause", "writes")
        store.audit(START, "ana", "resume")

    def test_a_tally_counts_on(self, store: Store) -> None:
        assert [store.tally("a"), store.tally("a"), store.tally("b"), store.tally("a")] == [1, 2, 1, 3]

    def test_suppressions_can_be_asked_and_listed(self, store: Store) -> None:
        assert not store.suppressions()
        _queue(store, 1)
        [claimed] = store.claim_messages(START, 1)
        gone = Settlement(claimed.row.id, "u1", "sent", suppress=("email", "a@example.com", "bounced"))
        store.settle_messages([gone], START)
        listed = store.suppressions()
        assert dict(listed) == {("email", "a@example.com"): {"bounced"}}
        assert ("email", "b@example.com") not in listed
        assert listed.get(("email", "b@example.com")) is None
        assert len(listed) == 1

    def test_switches_that_end_a_pause_thaw_only_once(self, store: Store) -> None:
        _queue(store, 2)
        store.set_switches(Switches(paused=frozenset({"writes"})))
        store.settle_messages([Settlement(c.row.id, "u1", "queued") for c in store.claim_messages(START, 9)], START)
        store.set_switches(Switches(paused=frozenset({"writes", "other"})))
        assert list(store.claim_messages(START, 9)) == []
        store.set_switches(Switches())
        assert [c.row.key for c in store.claim_messages(START, 9)] == ["0", "1"]


def _queue(store: Store, count: int) -> None:
    store.deploy(index_of({"writes": WRITES}), START)
    create(store, "u1")
    for number in range(count):
        arrive(store, "u1", event(order=str(number)))
    turns(store, START)
