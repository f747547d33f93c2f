"""The contract of leases: a claim is one caller's for a time, and what comes of an older claim is not believed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from orchestrator.core.claim import Claimed
from orchestrator.core.inbox import Replied
from orchestrator.core.transition import Transition
from orchestrator.core.view import Switches
from orchestrator.stores.protocol import Settlement, Store
from tests.stores.driving import START, WRITES, arrive, create, event, index_of, later, turns

REAL = datetime(2030, 1, 1, tzinfo=UTC)
"""Real time is another than the journeys'."""
LEASE = timedelta(seconds=60)
FETCHES = {
    "enter": {"event": "go", "key": "event.order", "reentry": "always"},
    "steps": [{"fetch": {"url": "https://x.example/{{ entry.order }}", "as": "w"}}],
}


def after(seconds: float) -> datetime:
    """A real instant."""
    return REAL + timedelta(seconds=seconds)


class LeaseContract:
    """Tests of `claim_messages`, `begin_hand_over` and `settle_messages` by callers that die, sleep or come late."""

    # --- leases ----------------------------------------------------------------------------------------------------

    def test_a_claim_ends_in_real_time_and_the_next_has_a_higher_fence(self, store: Store) -> None:
        _queue(store, 1)
        [first] = _claim(store)
        assert first.fence > 0
        assert _claim(store, after(59), now=later(days=30)) == []
        [second] = _claim(store, after(60))
        assert second.row == first.row
        assert second.fence > first.fence
        assert _claim(store, after(61)) == []

    def test_a_message_that_is_claimed_again_keeps_its_place(self, store: Store) -> None:
        _queue(store, 3)
        _claim(store, limit=1)
        assert [c.row.key for c in _claim(store, after(60))] == ["0", "1", "2"]

    def test_a_stale_settlement_writes_nothing(self, store: Store) -> None:
        _queue(store, 1)
        [first] = _claim(store)
        [second] = _claim(store, after(60))
        store.settle_messages([_end(first, "rejected")], START)
        assert _status(store, first) == "queued"
        store.settle_messages([_end(second, "sent")], START)
        assert _status(store, first) == "sent"
        store.settle_messages([_end(second, "unknown")], START)
        assert _status(store, first) == "sent"

    def test_a_stale_settlement_keeps_nothing_waiting(self, store: Store) -> None:
        _queue(store, 1)
        [first] = _claim(store)
        _claim(store, after(60))
        store.settle_messages([_end(first, "queued", available_at=later(days=9))], START)
        assert len(_claim(store, after(120))) == 1

    def test_classes_are_claimed_apart(self, store: Store) -> None:
        _queue(store, 2)
        assert _claim(store, klass="promotional") == []
        assert [c.row.key for c in _claim(store, klass="transactional")] == ["0", "1"]

    # --- hand-overs ------------------------------------------------------------------------------------------------

    def test_a_hand_over_that_was_begun_and_not_settled_is_uncertain(self, store: Store) -> None:
        _queue(store, 1)
        [first] = _claim(store)
        assert (first.begun, first.uncertain, first.first_tried_at) == (0, False, None)
        assert store.begin_hand_over([first], after(1)) == {first.row.id}
        assert _claim(store, after(60)) == []  # the lease was extended
        [second] = _claim(store, after(61))
        assert (second.begun, second.uncertain, second.first_tried_at) == (1, True, after(1))
        assert store.begin_hand_over([second], after(62)) == {second.row.id}
        [third] = _claim(store, after(200))
        assert (third.begun, third.uncertain, third.first_tried_at) == (2, True, after(1))

    def test_a_claim_without_a_hand_over_is_certain(self, store: Store) -> None:
        _queue(store, 1)
        _claim(store)
        [second] = _claim(store, after(60))
        assert (second.begun, second.uncertain) == (0, False)

    def test_what_somebody_else_claimed_must_not_be_handed_over(self, store: Store) -> None:
        _queue(store, 3)
        [first, *others] = _claim(store)
        store.settle_messages([_end(others[0], "sent")], START)
        [again, _] = _claim(store, after(60))
        assert again.row == first.row
        assert store.begin_hand_over([first, *others], after(61)) == frozenset()
        assert store.begin_hand_over([again], after(61)) == {again.row.id}
        assert store.begin_hand_over([], after(61)) == frozenset()

    def test_a_message_refused_for_now_waits_in_real_time(self, store: Store) -> None:
        _queue(store, 2)
        [first, _] = _claim(store)
        store.begin_hand_over([first], after(1))
        store.settle_messages([_end(first, "queued", retry_at=after(300))], START)
        assert store.next_due_at() is None
        assert _claim(store, after(299), now=later(days=1), limit=9)[0].row.key == "1"
        [second] = _claim(store, after(300), now=START)
        assert second.row == first.row
        assert second.fence > first.fence
        assert (second.begun, second.uncertain, second.first_tried_at) == (1, False, after(1))

    def test_what_was_certainly_not_taken_does_not_count_and_doubt_stays(self, store: Store) -> None:
        _queue(store, 1)
        [first] = _claim(store)
        store.begin_hand_over([first], after(1))
        store.settle_messages([_end(first, "queued", retry_at=after(2), untaken=True)], START)
        [second] = _claim(store, after(2))
        assert (second.begun, second.uncertain, second.first_tried_at) == (0, False, after(1))
        store.begin_hand_over([second], after(2))
        store.settle_messages([_end(second, "queued", retry_at=after(3), uncertain=True)], START)
        [third] = _claim(store, after(3))
        assert (third.begun, third.uncertain) == (1, True)

    def test_lines_that_belong_to_nothing_else_join_the_journal(self, store: Store) -> None:
        _queue(store, 1)
        [claimed] = _claim(store)
        row = claimed.row
        store.drain_journal()
        store.record([Transition(START, row.customer_id, 9, "held", data={"reason": "send_limit"})])
        assert [(t.customer, t.type) for t in store.drain_journal()] == [(row.customer_id, "held")]
        store.record([])

    def test_an_operator_need_not_wait_for_a_provider(self, store: Store) -> None:
        _queue(store, 1)
        [first] = _claim(store)
        store.settle_messages([_end(first, "queued", retry_at=after(3_600))], START)
        store.set_switches(Switches(killed_journeys=frozenset({"writes"})))
        assert [c.row.key for c in _claim(store, after(1))] == ["0"]

    # --- throttles -------------------------------------------------------------------------------------------------

    def test_claimed_messages_take_room(self, store: Store) -> None:
        _queue(store, 4, throttle={"max": 2, "per": "1h"})
        first = _claim(store)
        assert [c.row.key for c in first] == ["0", "1"]
        assert _claim(store, after(1)) == []
        store.settle_messages([_end(first[0], "suppressed"), _end(first[1], "sent", handed_over=True)], START)
        assert [c.row.key for c in _claim(store, after(2))] == ["2"]

    def test_a_throttled_message_whose_claim_ended_goes_first(self, store: Store) -> None:
        _queue(store, 3, throttle={"max": 1, "per": "1h"})
        assert [c.row.key for c in _claim(store)] == ["0"]
        assert [c.row.key for c in _claim(store, after(60))] == ["0"]

    def test_what_was_told_to_wait_is_not_told_again(self, store: Store) -> None:
        _queue(store, 3, throttle={"max": 1, "per": "1h"})
        [first] = _claim(store)
        store.settle_messages([_end(first, "sent", handed_over=True)], START)
        assert _claim(store, after(1)) == []
        assert store.next_due_at() == later(60)
        assert [(row.key, at) for row, at in store.throttled(START)] == [("1", later(60)), ("2", later(120))]
        arrive(store, "u1", event(order="3"))
        turns(store, START)
        assert [(row.key, at) for row, at in store.throttled(START)] == [("3", later(180))]

    def test_a_stopped_journeys_messages_wait_for_no_throttle(self, store: Store) -> None:
        _queue(store, 3, throttle={"max": 1, "per": "1h"})
        store.set_switches(Switches(stopped=frozenset({"writes"})))
        assert [c.row.key for c in _claim(store)] == ["0", "1", "2"]

    # --- requests --------------------------------------------------------------------------------------------------

    def test_a_call_that_nobody_settled_is_made_again_and_answered_once(self, store: Store) -> None:
        store.deploy(index_of({"fetches": FETCHES}), START)
        arrive(store, "u1", event(order="1"))
        turns(store, START)
        [request] = store.claim_requests(START, 10, REAL)
        assert list(store.claim_requests(later(days=1), 10, after(59))) == []
        assert list(store.claim_requests(START, 10, after(60))) == [request]
        for status in (200, 500):
            store.settle_requests([(request, Replied(request.id, status, None))], START)
        [view] = store.load(START, 10).customers
        assert [item.body for item in view.inbox] == [Replied(request.id, 200, None)]


def _queue(store: Store, count: int, **rules: object) -> None:
    """Messages with the keys 0, 1, ... of a transactional topic."""
    store.deploy(index_of({"writes": {**WRITES, **rules}}), START)
    create(store, "u1")
    for number in range(count):
        arrive(store, "u1", event(order=str(number)))
    turns(store, START)


def _claim(
    store: Store, real_at: datetime = REAL, *, now: datetime = START, limit: int = 10, klass: str | None = None
) -> list[Claimed]:
    return list(store.claim_messages(now, limit, real_at, klass))


def _end(claimed: Claimed, status: str, **more: object) -> Settlement:
    return Settlement(claimed.row.id, claimed.row.customer_id, status, fence=claimed.fence, **more)  # type: ignore[arg-type]


def _status(store: Store, claimed: Claimed) -> str | None:
    found = store.ledger(claimed.row.id)
    return None if found is None else found.status
