"""What stops a canary: rates of what became of its messages, counted as they happen."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.canary import Canary, goes_at_once
from orchestrator.core.changes import Changes, CustomerChanges
from orchestrator.core.consent import Choice
from orchestrator.core.project import CanaryBounds
from orchestrator.core.transition import Transition
from orchestrator.runtime.alarms import safety_troubles
from orchestrator.runtime.canary import LEAST_SEEN, CanaryWatch, Counts, canary_once, count_lines, counts_of, put
from orchestrator.stores.memory import MemoryStore
from tests.stores.driving import START, WRITES, arrive, create, event, index_of, later, turns

CANARY = Canary("j", 0.5, START, later(120), "old")


@given(st.text(max_size=8), st.floats(0, 1), st.floats(0, 1))
@settings(max_examples=100)
def test_a_larger_share_holds_all_of_a_smaller_one(customer: str, one: float, other: float) -> None:
    small, large = (CANARY._replace(share=share) for share in sorted((one, other)))
    if goes_at_once(small, "new", "7", customer):
        assert goes_at_once(large, "new", "7", customer)
    assert goes_at_once(small, "old", "7", customer)
    assert not goes_at_once(large._replace(state="stopped"), "new", "7", customer)
    assert goes_at_once(small._replace(state="over"), "new", "7", customer)


def test_about_so_many_go_first() -> None:
    first = sum(goes_at_once(CANARY._replace(share=0.05), "new", "7", f"u{n}") for n in range(20_000))
    assert 850 < first < 1_150


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        (Counts(sent=100, bounced=5), None),
        (Counts(sent=100, bounced=6), "6 of 100 messages (6.0%) came back or were refused for good; at most 5.0% may"),
        (Counts(sent=100, complained=2), None),
        (Counts(sent=900, complained=3), "3 of 900 messages (0.3%) were complained about; at most 0.3% may"),
        (Counts(sent=100, unsubscribed=3), "made their recipients opt out"),
        (Counts(render_error=3), "3 of 3 messages (100.0%) could not be rendered; at most 1.0% may"),
        (Counts(sent=1, bounced=1), None),
    ],
)
def test_bounds(counts: Counts, said: str | None) -> None:
    found = counts.breach(CanaryBounds())
    assert found is None if said is None else said in (found or "")


@given(st.integers(0, 10_000), st.integers(0, 50))
@settings(max_examples=100)
def test_more_of_what_is_bad_never_mends_it(sent: int, bounced: int) -> None:
    bounds = CanaryBounds()
    if Counts(sent=sent, bounced=bounced).breach(bounds):
        assert bounced >= LEAST_SEEN and Counts(sent=sent, bounced=bounced + 1).breach(bounds)


def line(type_: str, journey: str = "j", version: str = "new", **data: Any) -> Transition:
    return Transition(START, "u1", 1, type_, journey, version, data=data)


def test_what_counts_and_of_which_version() -> None:
    counted: Counter[str] = Counter()
    told = [
        line("message"), line("message", version="old"), line("message", journey="other"),
        line("outcome", status="bounced"), line("outcome", status="rejected"), line("outcome", status="unknown"),
        line("outcome", status="complained"), line("suppressed", reason="render_error"),
        line("suppressed", reason="no_consent"),
    ]  # fmt: skip
    count_lines(told, {"j": CANARY}, counted)
    found = {name.rpartition(":")[2]: count for name, count in counted.items()}
    assert found == {"sent": 1, "bounced": 2, "complained": 1, "render_error": 1}


def test_past_a_bound_the_hold_has_no_end_and_people_are_told() -> None:
    store = MemoryStore()
    store.deploy(index_of({"j": WRITES}), START)
    put(store, (), [CANARY])
    store.count({f"canary:{CANARY.place}:sent": 20, f"canary:{CANARY.place}:bounced": 3})
    assert counts_of(store, [CANARY])[CANARY] == Counts(20, 3)
    canary_once(store, later(1))
    [stopped] = store.switches().canaries
    assert stopped.state == "stopped" and "3 of 20 messages (15.0%)" in stopped.why
    [trouble] = safety_troubles(store, START)
    assert trouble.name == "canary:j" and stopped.why in trouble.what
    canary_once(store, later(500))
    assert store.switches().canaries == (stopped,)


def test_the_project_sets_the_bounds() -> None:
    index = index_of({"j": WRITES}, project={"settings": {"canary": {"bounces": "20%", "complaints": 0.1}}})
    assert index.project.settings.canary == CanaryBounds(bounced=0.2, complained=0.001)


def test_opt_outs_by_a_messages_link_count() -> None:
    store = MemoryStore()
    store.deploy(index_of({"j": WRITES}), START)
    put(store, (), [CANARY._replace(share=1.0)])
    create(store, "u1")
    arrive(store, "u1", event())
    turns(store, START)
    [message] = store.latest_messages(1)
    counted: Counter[str] = Counter()
    clock = [0.0]
    watch = CanaryWatch(store, counted.update, lambda: clock[0])
    change = CustomerChanges("u1")
    proof = {"message": message.row.id}
    change.choices = [Choice("promotions", "email", "out", START, START, "page", proof=proof) for _ in range(2)]
    watch.decided(Changes(1, [change]))
    assert counted == {f"canary:{CANARY.place}:unsubscribed": 1}
    put(store, (), [CANARY._replace(state="over")])
    clock[0] = 10.0
    watch.decided(Changes(1, [change]))
    assert counted.total() == 1


def test_where_there_is_no_canary_the_store_is_asked_now_and_then() -> None:
    store, asked = MemoryStore(), []
    known = store.switches

    def counted() -> Any:
        asked.append(1)
        return known()

    store.switches = counted  # type: ignore[method-assign]
    clock = [0.0]
    watch = CanaryWatch(store, lambda counts: None, lambda: clock[0])
    for _ in range(1_000):
        watch.decided(Changes(1))
        clock[0] += 0.01
    assert len(asked) == 2
