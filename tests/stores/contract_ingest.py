"""The contract of ingest: what arrives is kept once, in its order."""

from __future__ import annotations

from datetime import timedelta

import pytest

from orchestrator.core.inbox import ConsentChanged, Event, Identified, Occurred
from orchestrator.errors import UsageError
from orchestrator.stores.protocol import Arrival, Store
from tests.stores.driving import START, WRITES, arrive, create, event, index_of, later, turns


class IngestContract:
    """Tests of `deploy` as a precondition, `ingest` and `lay_history`."""

    def test_nothing_is_deployed_at_first(self, empty_store: Store) -> None:
        with pytest.raises(UsageError, match="deploy a project first"):
            empty_store.index

    def test_unknown_customers_are_created_at_their_first_arrival(self, store: Store) -> None:
        arrive(store, "new", event(), later(5))
        [view] = store.load(later(5), 10).customers
        assert (view.customer.id, view.customer.created_at) == ("new", later(5))

    def test_a_message_id_is_accepted_once(self, store: Store) -> None:
        first = Arrival("u1", START, event(id="m"), "m")
        counts = store.ingest([first, first])
        assert (counts.accepted, counts.duplicates, counts.conflicts) == (1, 1, ())
        counts = store.ingest([first._replace(received_at=later(5))])
        assert (counts.accepted, counts.duplicates) == (0, 1)
        [view] = store.load(later(5), 10).customers
        assert len(view.inbox) == 1

    def test_a_message_id_stays_known_after_its_turn(self, store: Store) -> None:
        arrive(store, "u1", event(id="m"), START, "m")
        turns(store, START)
        assert store.ingest([Arrival("u1", later(1), event(id="m"), "m")]).duplicates == 1
        assert turns(store, later(1)) == 0

    def test_a_message_id_counts_over_all_customers(self, store: Store) -> None:
        arrive(store, "u1", event(id="m"), START, "m")
        counts = store.ingest([Arrival("u2", START, event(id="m"), "m")])
        assert (counts.accepted, counts.duplicates, counts.conflicts) == (0, 1, ("m",))
        assert store.card("u2") is None

    def test_the_first_of_two_contents_wins_and_the_conflict_is_told(self, store: Store) -> None:
        arrive(store, "u1", event(id="m", n=1), START, "m")
        counts = store.ingest([Arrival("u1", START, event(id="m", n=2), "m")])
        assert (counts.duplicates, counts.conflicts) == (1, ("m",))
        [view] = store.load(START, 10).customers
        [item] = view.inbox
        assert isinstance(item.body, Occurred)
        assert item.body.event.properties == {"n": 1}

    def test_the_same_content_at_another_time_is_no_conflict(self, store: Store) -> None:
        arrive(store, "u1", event(id="m", n=1), START, "m")
        counts = store.ingest([Arrival("u1", later(1), event(id="m", at=later(1), n=1), "m")])
        assert (counts.duplicates, counts.conflicts) == (1, ())

    def test_ids_are_known_as_long_as_they_are_not_taken_again(self, store: Store) -> None:
        window = store.index.project.settings.dedupe
        assert store.known_ids([], START) == frozenset()
        store.keep_ids([], START)
        store.keep_ids(["kept", "kept"], START)
        store.keep_ids(["kept"], later(1))
        arrive(store, "u1", event(id="m"), START, "m")
        asked = ["m", "kept", "other", 'q"\\{}']
        assert store.known_ids(asked, START) == {"m", "kept"}
        assert store.known_ids(asked, START + window) == {"m", "kept"}
        assert "m" not in store.known_ids(asked, START + window + timedelta(minutes=5))
        assert store.ingest([Arrival("u2", later(2), event(id="kept"), "kept")]).duplicates == 1
        assert store.card("u2") is None

    def test_a_message_id_may_come_again_after_the_window(self, store: Store) -> None:
        arrive(store, "u1", event(id="m"), START, "m")
        assert store.ingest([Arrival("u1", later(days=35), event(id="m"), "m")]).accepted == 0
        assert store.ingest([Arrival("u1", later(days=35, seconds=1), event(id="m"), "m")]).accepted == 1

    def test_without_a_message_id_everything_is_new(self, store: Store) -> None:
        same = Arrival("u1", START, event())
        assert store.ingest([same, same]).accepted == 2
        [view] = store.load(START, 10).customers
        assert len(view.inbox) == 2

    def test_arrivals_of_one_instant_keep_their_order(self, store: Store) -> None:
        store.ingest([Arrival("u1", START, event(id=f"a{n}")) for n in range(5)])
        store.ingest([Arrival("u1", START, event(id=f"b{n}")) for n in range(5)])
        [view] = store.load(START, 10).customers
        assert _ids(view.inbox) == [f"a{n}" for n in range(5)] + [f"b{n}" for n in range(5)]
        seqs = [item.seq for item in view.inbox]
        assert seqs == sorted(set(seqs))

    def test_the_history_is_in_the_order_of_timestamps_not_of_arrival(self, store: Store) -> None:
        store.lay_history("u1", [Event("go", later(-n), {}, f"h{n}") for n in (2, 9, 5)])
        arrive(store, "u1", event(at=later(-7), id="e7"))
        arrive(store, "u1", event(at=later(-5), id="e5"))
        turns(store, START)
        arrive(store, "u1", Identified({"plan": "x"}))
        [view] = store.load(START, 10).customers
        assert view.history is not None
        assert [past.id for past in view.history.events("go")] == ["h9", "e7", "h5", "e5", "h2"]
        assert list(view.history.events("never")) == []

    def test_an_opt_out_is_effective_before_its_turn(self, store: Store) -> None:
        _queue_a_message(store)
        arrive(store, "u1", ConsentChanged("orders", "email", "out"))
        [claimed] = store.claim_messages(START, 10)
        assert claimed.customer.consents["orders", "email"] == "out"

    def test_an_opt_in_waits_for_its_turn(self, store: Store) -> None:
        _queue_a_message(store)
        arrive(store, "u1", ConsentChanged("orders", "email", "in"))
        [claimed] = store.claim_messages(START, 10)
        assert ("orders", "email") not in claimed.customer.consents

    def test_an_opt_out_during_a_turn_is_not_overwritten_by_it(self, store: Store) -> None:
        from orchestrator.core.decide import decide

        _queue_a_message(store)
        arrive(store, "u1", Identified({"plan": "x"}))
        view = store.load(START, 10)
        changes = decide(view, START)
        arrive(store, "u1", ConsentChanged("orders", "email", "out"))
        store.save(changes)
        [claimed] = store.claim_messages(START, 10)
        assert claimed.customer.consents["orders", "email"] == "out"
        assert claimed.customer.attributes["plan"] == "x"


def _queue_a_message(store: Store) -> None:
    store.deploy(index_of({"writes": WRITES}), START)
    create(store, "u1")
    arrive(store, "u1", event(order="1"))
    turns(store, START)


def _ids(items: object) -> list[str]:
    return [item.body.event.id for item in items]  # type: ignore[attr-defined]
