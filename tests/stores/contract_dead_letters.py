"""The contract of messages that came to a bad end: they are found, with the reason, and can be sent again."""

from __future__ import annotations

import pytest

from orchestrator.core.transition import Transition
from orchestrator.errors import UsageError
from orchestrator.stores.protocol import Settlement, Store
from tests.stores.contract_pools import GIVES
from tests.stores.driving import START, WRITES, arrive, create, event, index_of, later, turns


class DeadLetterContract:
    """Tests of `dead_letters` and `retry_message`."""

    def test_bad_ends_are_listed_with_their_reasons_the_latest_first(self, store: Store) -> None:
        assert list(store.dead_letters(10)) == []
        ids = _queue(store, 4)
        for number, (status, reason) in enumerate(
            [("sent", None), ("rejected", "550 no such user"), ("unknown", "timed out"), ("suppressed", None)]
        ):
            _settle(store, status, reason, number)
        found = store.dead_letters(10)
        assert [(d.message.row.id, d.message.status, d.reason, d.at) for d in found] == [
            (ids[2], "unknown", "timed out", later(2)),
            (ids[1], "rejected", "550 no such user", later(1)),
        ]
        assert [d.message.status for d in store.dead_letters(10, "rejected")] == ["rejected"]
        assert len(store.dead_letters(1)) == 1

    def test_a_dead_letter_is_queued_again_once(self, store: Store) -> None:
        [id] = _queue(store, 1)
        [first] = store.claim_messages(START, 10)
        store.settle_messages([_end(first.row.id, "rejected", "full", first.fence)], START)
        assert store.overview().messages == {("email", "rejected"): 1}
        assert store.retry_message(id, later(5)) is True
        assert store.retry_message(id, later(5)) is False
        assert list(store.dead_letters(10)) == []
        assert store.next_due_at() == later(5)
        assert store.overview().messages == {("email", "queued"): 1}
        [again] = store.claim_messages(later(5), 10)
        assert again.row == first.row
        assert again.fence > first.fence
        assert (again.begun, again.uncertain) == (0, False)
        store.settle_messages([_end(id, "rejected", "late", first.fence)], later(5))
        assert store.overview().messages == {("email", "queued"): 1}  # of the first way through the queue
        store.settle_messages([_end(id, "sent", None, again.fence)], later(6))
        found = store.ledger(id)
        assert found is not None and found.status == "sent"
        assert store.overview().messages == {("email", "sent"): 1}

    def test_one_that_fails_again_is_listed_again(self, store: Store) -> None:
        [id] = _queue(store, 1)
        _settle(store, "unknown", "lost", 0)
        store.retry_message(id, later(1))
        _settle(store, "rejected", "no", 2)
        [letter] = store.dead_letters(10)
        assert (letter.message.status, letter.reason, letter.at) == ("rejected", "no", later(2))

    def test_what_is_no_dead_letter_is_not_sent_again(self, store: Store) -> None:
        [id] = _queue(store, 1)
        assert store.retry_message(id, START) is False
        assert store.retry_message("nothing", START) is False
        _settle(store, "sent", None, 0)
        assert store.retry_message(id, START) is False
        assert list(store.claim_messages(later(9), 10)) == []

    def test_a_coupon_that_was_taken_back_is_not_sent(self, store: Store) -> None:
        carries = {**GIVES, "steps": [*GIVES["steps"], {"email": "code"}]}
        offer = {"discount": {"percent": 10}, "codes": {"prefix": "TEN", "length": 6}, "limits": {"total": 1}}
        store.deploy(index_of({"j": carries}, offers={"ten": offer}), START)
        create(store, "u1")
        arrive(store, "u1", event(order="1"))
        turns(store, START)
        [claimed] = store.claim_messages(START, 10)
        store.settle_messages([Settlement(claimed.row.id, "u1", "rejected", release_coupon=claimed.row.coupon)], START)
        with pytest.raises(UsageError, match="taken back"):
            store.retry_message(claimed.row.id, later(1))
        assert len(store.dead_letters(10)) == 1


def _queue(store: Store, count: int) -> list[str]:
    store.deploy(index_of({"writes": WRITES}), START)
    create(store, "u1")
    for number in range(count):
        arrive(store, "u1", event(order=str(number)))
    turns(store, START)
    card = store.card("u1")
    assert card is not None
    return [message.row.id for message in card.messages]


def _settle(store: Store, status: str, reason: str | None, minutes: int) -> None:
    """Claim one message and settle it."""
    [claimed] = store.claim_messages(later(minutes), 1)
    store.settle_messages([_end(claimed.row.id, status, reason, claimed.fence)], later(minutes))


def _end(id: str, status: str, reason: str | None, fence: int) -> Settlement:
    lines = []
    if reason is not None:
        lines = [Transition(START, "u1", 99, "outcome", data={"status": status}, values={"error": reason})]
    return Settlement(id, "u1", status, lines, fence=fence)
