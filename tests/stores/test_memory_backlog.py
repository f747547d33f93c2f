"""A backlog of more customers than one turn takes is worked off longest due first, whatever happens meanwhile."""

from __future__ import annotations

from datetime import timedelta
from heapq import nsmallest

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.decide import decide
from orchestrator.stores.memory import MemoryStore
from tests.stores.driving import START, arrive, event, index_of

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("arrive"), st.sampled_from("abcdefghij"), st.integers(-90, 0)),
        st.tuples(st.sampled_from(["turn", "abandoned"]), st.sampled_from(["a"]), st.integers(1, 4)),
        st.tuples(st.just("later"), st.just(""), st.integers(1, 90)),
    ),
    min_size=10,
    max_size=80,
)


@given(STEPS)
@settings(max_examples=150)
def test_the_longest_due_come_first(steps: list[tuple[str, str, int]]) -> None:
    store = MemoryStore()
    store.deploy(index_of(), START)
    now = START

    def longest_due(budget: int) -> list[str]:
        """The same by looking at everybody."""
        due = {}
        for name, record in store._records.items():
            at = [record.next_due_at] if record.next_due_at is not None and record.next_due_at <= now else []
            at += [item.received_at for item in record.inbox[:1]]
            if at:
                due[name] = min(at)
        return sorted(nsmallest(budget, due, key=lambda name: (due[name], name)))

    for order, (what, name, number) in enumerate(steps):
        if what == "later":
            now += timedelta(minutes=number)
        elif what == "arrive":
            at = now + timedelta(minutes=number)
            arrive(store, name, event(at=at, order=str(order)), at)
        else:
            expected = longest_due(number)
            view = store.load(now, number)
            assert [record.customer.id for record in view.customers] == expected
            if what == "turn":
                store.save(decide(view, now))
