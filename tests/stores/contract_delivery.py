"""The contract of delivery: claims are exclusive, settlements final, throttles exact, and answers come back."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.core.inbox import Receipt, Replied
from orchestrator.core.transition import Transition
from orchestrator.core.view import Switches
from orchestrator.stores.protocol import Settlement, Store
from tests.stores.driving import START, WRITES, arrive, create, event, index_of, later, turns, types


class DeliveryContract:
    """Tests of `claim_messages`, `settle_messages`, `room`, `throttled`, and of requests."""

    # --- claims ----------------------------------------------------------------------------------------------------

    def test_a_message_is_claimed_by_one_caller_only(self, store: Store) -> None:
        _queue(store, 3)
        first, second = store.claim_messages(START, 2), store.claim_messages(START, 10)
        assert [claimed.row.key for claimed in first] == ["0", "1"]
        assert [claimed.row.key for claimed in second] == ["2"]
        assert list(store.claim_messages(START, 10)) == []

    def test_the_oldest_messages_go_first(self, store: Store) -> None:
        store.deploy(index_of({"writes": WRITES}), START)
        create(store, "b", "a")
        for number, customer in enumerate(("b", "a")):
            arrive(store, customer, event(at=later(number), order="1"), later(number))
            turns(store, later(number))
        assert [claimed.row.customer_id for claimed in store.claim_messages(later(5), 10)] == ["b", "a"]

    def test_a_claim_shows_the_row_and_the_customer_as_they_are(self, store: Store) -> None:
        _queue(store, 1, customer_traits={"plan": "gold"}, template="named")
        [claimed] = store.claim_messages(START, 10)
        row = claimed.row
        assert (row.channel, row.topic, row.klass, row.template, row.to) == (
            "email", "orders", "transactional", "named", "u1@example.com",
        )  # fmt: skip
        assert dict(row.values) == {"customer.plan": "gold"}
        assert (row.at, row.decided_at, row.visit, row.survives_exit) == (START, START, 1, False)
        assert claimed.customer.attributes == {"plan": "gold"}
        assert claimed.ended_by is None

    def test_a_sent_message_is_done_with(self, store: Store) -> None:
        _queue(store, 1)
        _settle(store, "sent")
        assert list(store.claim_messages(later(days=1), 10)) == []
        card = store.card("u1")
        assert card is not None and [message.status for message in card.messages] == ["sent"]
        found = store.message("u1", "email", "email_1")
        assert found is not None and found.key == "0"
        assert store.next_due_at() is None

    @pytest.mark.parametrize("status", ["suppressed", "rejected"])
    def test_an_unsent_message_is_not_found_for_receipts(self, store: Store, status: str) -> None:
        _queue(store, 1)
        _settle(store, status)
        assert store.message("u1", "email", None) is None
        card = store.card("u1")
        assert card is not None and [message.status for message in card.messages] == [status]

    def test_a_message_kept_is_claimed_again_at_its_instant(self, store: Store) -> None:
        _queue(store, 1)
        _settle(store, "queued", available_at=later(30))
        assert list(store.claim_messages(later(29), 10)) == []
        assert store.next_due_at() == later(30)
        assert len(store.claim_messages(later(30), 10)) == 1

    def test_a_message_frozen_by_a_pause_thaws_when_it_ends(self, store: Store) -> None:
        _queue(store, 1)
        store.set_switches(Switches(paused=frozenset({"writes"})))
        _settle(store, "queued")
        assert list(store.claim_messages(later(30), 10)) == []
        assert store.next_due_at() is None
        store.set_switches(Switches())
        assert len(store.claim_messages(later(30), 10)) == 1

    def test_settlements_are_recorded_and_their_receipts_arrive(self, store: Store) -> None:
        _queue(store, 1)
        store.drain_journal()
        line = Transition(START, "u1", 7, "message")
        [claimed] = store.claim_messages(START, 10)
        receipt = Receipt("bounce", "email", claimed.row.id)
        suppressed = ("email", "u1@example.com", "bounced")
        store.settle_messages(
            [Settlement(claimed.row.id, "u1", "sent", [line], None, True, [receipt], None, suppressed)], START
        )
        assert store.suppressions()["email", "u1@example.com"] == {"bounced"}
        assert types(store) == [("u1", "message")]
        [view] = store.load(START, 10).customers
        assert [item.body for item in view.inbox] == [receipt]
        turns(store, START)
        card = store.card("u1")
        assert card is not None and [message.status for message in card.messages] == ["bounced"]

    def test_the_view_holds_the_suppressions_of_its_customers(self, store: Store) -> None:
        _queue(store, 1)
        [claimed] = store.claim_messages(START, 10)
        causes = [("email", "u1@example.com", "bounced"), ("email", "u1@example.com", "complained")]
        store.settle_messages([Settlement(claimed.row.id, "u1", "sent", suppress=cause) for cause in causes], START)
        arrive(store, "u1", event(at=later(1), order="9"), later(1))
        assert store.load(later(1), 10).suppressions["email", "u1@example.com"] == {"bounced", "complained"}

    def test_the_view_holds_the_messages_that_caps_count_with_what_became_of_them(self, store: Store) -> None:
        _queue(store, 3, project={"caps": [{"max": 5, "per": "1h"}]})
        statuses = ("sent", "suppressed", "unknown")
        queued = store.claim_messages(START, 10)
        for status, claimed in zip(statuses, queued, strict=True):
            store.settle_messages([Settlement(claimed.row.id, "u1", status)], START)
        arrive(store, "u1", event(at=later(1), order="9"), later(1))
        [view] = store.load(later(1), 10).customers
        expected = [(claimed.row.id, status) for claimed, status in zip(queued, statuses, strict=True)]
        assert [(message.row.id, message.status) for message in view.messages] == expected

    def test_opens_and_clicks_are_kept_once(self, store: Store) -> None:
        _queue(store, 1)
        [claimed] = store.claim_messages(START, 10)
        store.settle_messages([Settlement(claimed.row.id, "u1", "sent")], START)
        for minutes, kind in ((1, "open"), (2, "click"), (3, "open")):
            arrive(store, "u1", Receipt(kind, "email", claimed.row.id), later(minutes))  # type: ignore[arg-type]
            turns(store, later(minutes))
        card = store.card("u1")
        assert card is not None
        assert (card.messages[0].opened_at, card.messages[0].clicked_at) == (later(1), later(2))

    # --- enrollments that were ended since -------------------------------------------------------------------------

    def test_a_claim_tells_why_the_enrollment_was_ended_from_outside(self, store: Store) -> None:
        _queue(store, 1, more=[{"wait": "1h"}], exit={"event": "stop"})
        arrive(store, "u1", event("stop", at=later(1)), later(1))
        turns(store, later(1))
        [claimed] = store.claim_messages(later(1), 10)
        assert claimed.ended_by == "stop"

    @pytest.mark.parametrize("more", [[], [{"exit": "done"}]])
    def test_an_end_of_its_own_does_not_hold_the_message_back(self, store: Store, more: list[Any]) -> None:
        _queue(store, 1, more=more)
        [claimed] = store.claim_messages(START, 10)
        assert claimed.ended_by is None

    # --- throttles -------------------------------------------------------------------------------------------------

    def test_a_throttle_is_rolling_and_exact(self, store: Store) -> None:
        _queue(store, 5, throttle={"max": 2, "per": "1h"})
        assert store.room("writes", START) == (2, None)
        assert _hand_over(store, 0) == ["0"]
        assert _hand_over(store, 10) == ["1"]
        assert store.room("writes", later(10)) == (0, later(60))
        assert _hand_over(store, 59) == []
        assert store.next_due_at() == later(60)
        assert _hand_over(store, 60) == ["2"]
        assert _hand_over(store, 69) == []
        assert _hand_over(store, 70) == ["3"]

    def test_a_message_that_was_not_handed_over_takes_no_room(self, store: Store) -> None:
        _queue(store, 3, throttle={"max": 1, "per": "1h"})
        [claimed] = store.claim_messages(START, 10)
        store.settle_messages([Settlement(claimed.row.id, "u1", "suppressed")], START)
        assert _hand_over(store, 0) == ["1"]

    def test_waiting_for_a_throttle_is_told_once_with_the_instant(self, store: Store) -> None:
        _queue(store, 4, throttle={"max": 1, "per": "1h"})
        assert _hand_over(store, 0) == ["0"]
        told = [(row.key, at) for row, at in store.throttled(START)]
        assert told == [("1", later(60)), ("2", later(120)), ("3", later(180))]
        assert list(store.throttled(START)) == []
        assert _hand_over(store, 60) == ["1"]
        assert list(store.throttled(later(60))) == []

    def test_others_do_not_wait_for_a_throttle(self, store: Store) -> None:
        other = {**WRITES, "enter": {**WRITES["enter"], "event": "ping"}}
        store.deploy(index_of({"writes": {**WRITES, "throttle": {"max": 1, "per": "1h"}}, "other": other}), START)
        create(store, "u1")
        for name, order in (("go", "1"), ("go", "2"), ("ping", "3")):
            arrive(store, "u1", event(name, order=order))
        turns(store, START)
        assert sorted(claimed.row.key for claimed in store.claim_messages(START, 10)) == ["1", "3"]
        assert store.room("other", START) == (None, None)

    # --- requests --------------------------------------------------------------------------------------------------

    def test_a_request_is_claimed_once_and_its_answer_arrives(self, store: Store) -> None:
        fetches = {
            "enter": {"event": "go"},
            "steps": [{"fetch": {"url": "https://x.example/{{ entry.order }}", "as": "w"}}],
        }
        store.deploy(index_of({"fetches": fetches}), START)
        arrive(store, "u1", event(order="a b"))
        turns(store, START)
        [request] = store.claim_requests(START, 10)
        assert (request.kind, request.method, request.url) == ("fetch", "GET", "https://x.example/a%20b")
        assert list(store.claim_requests(START, 10)) == []
        assert store.next_due_at() is None
        store.settle_requests([(request, Replied(request.id, 200, {"a": [1, None]}))], later(1))
        assert turns(store, later(1)) == 1
        assert ("u1", "completed") in types(store)

    def test_a_fetched_answer_is_kept_until_its_end(self, store: Store) -> None:
        assert store.cached_reply("https://x.example", START) is None
        store.keep_reply("https://x.example", 200, {"kind": "rain"}, later(60))
        assert store.cached_reply("https://x.example", later(59)) == (200, {"kind": "rain"})
        assert store.cached_reply("https://x.example", later(60)) is None
        store.keep_reply("https://x.example", 203, None, later(90))
        assert store.cached_reply("https://x.example", later(60)) == (203, None)


def _queue(
    store: Store,
    count: int,
    *,
    template: str = "hello",
    more: list[Any] | None = None,
    customer_traits: dict[str, Any] | None = None,
    project: dict[str, Any] | None = None,
    **rules: Any,
) -> None:
    """Deploy a journey that writes at once, and queue messages with the keys 0, 1, ..."""
    writes = {**WRITES, **rules, "steps": [{"email": template}, *(more or [])]}
    store.deploy(index_of({"writes": writes}, project=project), START)
    create(store, "u1", **(customer_traits or {}))
    for number in range(count):
        arrive(store, "u1", event(order=str(number)))
    turns(store, START)


def _settle(store: Store, status: str, **more: Any) -> None:
    [claimed] = store.claim_messages(START, 10)
    store.settle_messages([Settlement(claimed.row.id, "u1", status, **more)], START)


def _hand_over(store: Store, minutes: int) -> list[str]:
    """Claim what may go and send it, one at a time as long as there is room for one; at most one."""
    now = later(minutes)
    claimed = store.claim_messages(now, 1)
    store.settle_messages([Settlement(c.row.id, "u1", "sent", handed_over=True) for c in claimed], now)
    return [c.row.key for c in claimed]
