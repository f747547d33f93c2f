"""Whom a reply is from, and a STOP that is taken back: what every store promises."""

from __future__ import annotations

from orchestrator.core.changes import STOPPED
from orchestrator.stores.protocol import Settlement, Store
from tests.stores.driving import START, arrive, create, event, index_of, later, turns

PHONE = "+351912345678"
TEXTS = {
    "topic": "orders",
    "enter": {"event": "go", "key": "event.order", "reentry": "always"},
    "steps": [{"sms": "hello"}, {"email": "hello"}],
}


class AddresseeContract:
    """Tests of `addressee` and `unsuppress`."""

    def test_whoever_was_written_to_last_at_an_address_is_who_writes_back(self, store: Store) -> None:
        store.deploy(index_of({"texts": TEXTS}), START)
        create(store, "ana", "ben", phone=PHONE)
        create(store, "eve", phone="+351910000000")
        assert store.addressee("sms", PHONE) is None
        answering = []
        for number, customer in enumerate(["ana", "ben", "eve", "ana"]):
            _write(store, customer, number)
            answering.append(store.addressee("sms", PHONE))
        assert answering == ["ana", "ben", "ben", "ana"]
        assert store.addressee("sms", "+351910000000") == "eve"
        assert store.addressee("email", "ana@example.com") is None
        assert store.addressee("whatsapp", PHONE) is None

    def test_the_last_of_many_that_are_settled_at_once_counts(self, store: Store) -> None:
        store.deploy(index_of({"texts": TEXTS}), START)
        create(store, "ana", "ben", phone=PHONE)
        for number in range(3):
            for customer in ("ben", "ana"):
                arrive(store, customer, event(order=str(number)), later(number))
                turns(store, later(number))
        claimed = [c for c in store.claim_messages(later(9), 100) if c.row.channel == "sms"]
        assert len(claimed) == 6
        ends = [Settlement(c.row.id, c.row.customer_id, "sent", handed_over=True, fence=c.fence) for c in claimed]
        store.settle_messages(ends, later(9))
        assert store.addressee("sms", PHONE) == claimed[-1].row.customer_id

    def test_who_got_nothing_does_not_write_back(self, store: Store) -> None:
        store.deploy(index_of({"texts": TEXTS}), START)
        create(store, "ana", "ben", phone=PHONE)
        _write(store, "ana", 0)
        _write(store, "ben", 1, "suppressed", handed_over=False)
        assert store.addressee("sms", PHONE) == "ana"
        _write(store, "ben", 2, "unknown")
        assert store.addressee("sms", PHONE) == "ben"

    def test_one_cause_is_taken_back_and_others_stay(self, store: Store) -> None:
        store.suppress([("sms", PHONE, STOPPED), ("sms", PHONE, "bounced"), ("whatsapp", PHONE, STOPPED)], START)
        store.unsuppress([("sms", PHONE, STOPPED), ("sms", PHONE, STOPPED), ("sms", "+1", STOPPED)])
        assert store.suppressions()["sms", PHONE] == {"bounced"}
        assert store.suppressions()["whatsapp", PHONE] == {STOPPED}
        store.unsuppress([("whatsapp", PHONE, STOPPED)])
        assert ("whatsapp", PHONE) not in store.suppressions()
        store.suppress([("whatsapp", PHONE, STOPPED)], START)
        assert store.suppressions()["whatsapp", PHONE] == {STOPPED}
        stops = [right for right in store.rights(None, 0, 100) if right.channel == "whatsapp"]
        assert [right.cause for right in stops] == [STOPPED, STOPPED]


def _write(store: Store, customer: str, number: int, status: str = "sent", handed_over: bool = True) -> None:
    arrive(store, customer, event(order=str(number)), later(number))
    turns(store, later(number))
    for claimed in store.claim_messages(later(number), 10):
        end = Settlement(claimed.row.id, customer, status, handed_over=handed_over, fence=claimed.fence)
        store.settle_messages([end], later(number))
