"""The contract of what reports read: hand-overs, what was withheld, and choices, customer by customer."""

from __future__ import annotations

from orchestrator.core.inbox import ConsentChanged
from orchestrator.core.transition import Transition
from orchestrator.stores.protocol import Settlement, Store
from tests.stores.driving import START, WRITES, arrive, create, event, index_of, later, turns

PROMOTES = {**WRITES, "topic": "promotions"}


class SendsContract:
    """Tests of `sends`."""

    def test_sends_are_what_was_handed_over_and_what_was_not(self, store: Store) -> None:
        store.deploy(index_of({"writes": PROMOTES}), START)
        create(store, "a", "b")
        arrive(store, "b", ConsentChanged("promotions", "email", "out", source="page"), later(1))
        turns(store, later(1))
        for number, customer in enumerate("ab"):
            arrive(store, customer, event(at=later(2), order=str(number)), later(2))
        turns(store, later(2))
        [claimed] = store.claim_messages(later(5), 10)
        row = claimed.row
        line = Transition(later(5), "a", row.seq, "message", row.journey, row.version, row.key, row.step,
                          {"channel": "email", "topic": "promotions", "text": "Hello"}, row.enrollment_id)  # fmt: skip
        store.settle_messages([Settlement(row.id, "a", "sent", [line], handed_over=True)], later(5))

        page = store.sends(START, later(60), "", 10)
        assert page.upto is None
        one, other = page.customers
        assert (one.customer.id, other.customer.id) == ("a", "b")
        assert one.customer.email == "a@example.com"
        assert [(c.row, c.handed_at, c.status) for c in one.contacts] == [(row, later(5), "sent")]
        assert (one.withheld, other.contacts) == ((), ())
        assert [(w.at, w.channel, w.reason) for w in other.withheld] == [(later(2), "email", "opted_out")]
        last = other.choices[-1]
        assert (last.topic, last.channel, last.state, last.source) == ("promotions", "email", "out", "page")
        assert (last.at, last.noted_at) == (later(1), later(1))

        nothing = store.sends(later(5.01), later(60), "", 10)
        assert [(s.contacts, s.withheld) for s in nothing.customers] == [((), ()), ((), ())]
        assert store.sends(START, later(5), "", 10).customers[0].contacts == (), "`until` is exclusive"
        assert store.sends(later(5), later(6), "", 10).customers[0].contacts != (), "`since` is not"
        early = store.sends(START, later(1), "", 10).customers[1]
        assert early.choices == other.choices, "whoever has chosen only since had no profile before the ledger"

    def test_sends_come_page_by_page(self, store: Store) -> None:
        store.deploy(index_of({"writes": WRITES}), START)
        nobody = store.sends(START, later(1), "", 10)
        assert (list(nobody.customers), nobody.upto) == ([], None)
        create(store, "a", "b", "c", "Z")
        seen: list[str] = []
        upto: str | None = ""
        while upto is not None:
            page = store.sends(START, later(1), upto, 2)
            seen += [sends.customer.id for sends in page.customers]
            upto = page.upto
        assert seen == ["Z", "a", "b", "c"]
