"""The contract of figures and rights: what processes count together, what waits how long, who asked for silence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from orchestrator.core.inbox import ConsentChanged, Identified
from orchestrator.core.view import Switches
from orchestrator.stores.protocol import Settlement, Store
from tests.stores.driving import START, arrive, event, index_of, later, turns

MAILS = {
    "enter": {"event": "go", "key": "event.order", "reentry": "always"},
    "topic": "orders",
    "steps": [{"email": "hello"}],
}
TOPICS = {"orders": {"class": "transactional"}, "news": {"class": "promotional"}}
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def rights_of(store: Store, after: int = 0) -> list[tuple[str | None, ...]]:
    return [tuple(right)[2:] for right in store.rights(None, after, 100)]


class FiguresContract:
    """Tests of what people watch an installation by."""

    def test_figures_are_added_up(self, store: Store) -> None:
        assert store.counted() == {}
        store.count({"turns": 2, "sends:email:accepted": 5})
        store.count({"turns": 1})
        assert store.counted() == {"turns": 3, "sends:email:accepted": 5}
        assert store.overview().messages == {}

    def test_marks_are_found_by_how_they_begin(self, store: Store) -> None:
        for name, minutes in (("process:api:1", 1), ("process:worker:1", 2), ("other", 3)):
            store.mark(name, later(minutes))
        assert store.marks("process:") == {"process:api:1": later(1), "process:worker:1": later(2)}
        assert store.marks("process:api") == {"process:api:1": later(1)}

    def test_an_idle_store_has_nothing_due(self, store: Store) -> None:
        assert store.oldest_due(START) == {}

    def test_items_and_timers_are_due_for_a_turn(self, store: Store) -> None:
        arrive(store, "u1", event(order="1"))
        assert store.oldest_due(later(5)) == {"turn": START}
        turns(store, START)
        assert store.oldest_due(later(59)) == {}
        assert store.oldest_due(later(61)) == {"turn": later(60)}

    def test_messages_are_due_by_class_until_they_are_settled(self, store: Store) -> None:
        store.deploy(index_of({"mails": MAILS}, project={"topics": TOPICS}), START)
        arrive(store, "u1", Identified({"email": "a@example.com"}))
        arrive(store, "u1", event(order="1"))
        turns(store, START)
        assert store.oldest_due(later(3)) == {"transactional": START}
        [claimed] = store.claim_messages(later(3), 10)
        assert store.oldest_due(later(4)) == {"transactional": START}
        store.settle_messages([Settlement(claimed.row.id, "u1", "sent", fence=claimed.fence)], later(4))
        assert store.oldest_due(later(5)) == {}

    def test_what_is_held_back_is_not_late(self, store: Store) -> None:
        store.deploy(index_of({"mails": MAILS}, project={"topics": TOPICS}), START)
        arrive(store, "u1", Identified({"email": "a@example.com"}))
        arrive(store, "u1", event(order="1"))
        turns(store, START)
        store.set_switches(Switches(paused=frozenset({"mails"})))
        [claimed] = store.claim_messages(START, 10)
        store.settle_messages([Settlement(claimed.row.id, "u1", "queued", fence=claimed.fence)], START)
        assert store.oldest_due(later(5)) == {}


class RightsContract:
    """Tests of what a restored backup is brought up to date from."""

    def test_an_opt_out_is_a_right_at_once_and_only_once(self, store: Store) -> None:
        out = ConsentChanged("promotions", "email", "out")
        arrive(store, "u1", out)
        assert rights_of(store) == [("opted_out", "u1", "promotions", "email", None, None)]
        turns(store, START)
        arrive(store, "u1", out)
        turns(store, START)
        assert len(rights_of(store)) == 1

    def test_a_first_consent_is_no_right_and_one_after_an_opt_out_ends_it(self, store: Store) -> None:
        arrive(store, "u1", ConsentChanged("promotions", "email", "in"))
        turns(store, START)
        assert rights_of(store) == []
        for state in ("out", "in", "out"):
            arrive(store, "u1", ConsentChanged("promotions", "email", state))
            turns(store, START)
        assert [kind for kind, *_ in rights_of(store)] == ["opted_out", "opted_in", "opted_out"]

    def test_an_opt_out_during_a_turn_is_written_once(self, store: Store) -> None:
        arrive(store, "u1", Identified({"consents": {"promotions": {"sms": "in"}}}))
        view = store.load(START, 10)
        arrive(store, "u1", ConsentChanged("promotions", "email", "out"))
        from orchestrator.core.decide import decide

        store.save(decide(view, START))
        turns(store, START)
        assert rights_of(store) == [("opted_out", "u1", "promotions", "email", None, None)]

    def test_a_suppression_is_a_right_once(self, store: Store) -> None:
        store.suppress([("email", "a@example.com", "bounced"), ("email", "a@example.com", "complained")], START)
        store.suppress([("email", "a@example.com", "bounced")], later(1))
        assert sorted(rights_of(store), key=str) == [
            ("suppressed", None, None, "email", "a@example.com", "bounced"),
            ("suppressed", None, None, "email", "a@example.com", "complained"),
        ]
        assert store.suppressions()["email", "a@example.com"] == {"bounced", "complained"}

    def test_rights_come_in_pages_and_from_an_instant(self, store: Store) -> None:
        store.suppress([("email", f"{n}@example.com", "bounced") for n in range(5)], START)
        first = store.rights(None, 0, 3)
        rest = store.rights(None, first[-1].id, 3)
        assert [right.id for right in (*first, *rest)] == sorted({right.id for right in (*first, *rest)})
        assert len(first) + len(rest) == 5
        assert len(store.rights(LONG_AGO, 0, 10)) == 5
        assert store.rights(max(right.at for right in rest) + timedelta(days=30_000), 0, 10) == []
