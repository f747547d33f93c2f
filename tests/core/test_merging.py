"""Two customers become one: what holds whatever they were."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.customer import Customer, Timer
from orchestrator.core.enrollment import Enrollment, EntryRecord
from orchestrator.core.inbox import Event, Identified, Item, Occurred
from orchestrator.core.ledger import Coupon
from orchestrator.core.merging import filling_gaps, merge, merged_consents, merged_entry, merged_profile
from orchestrator.core.view import CustomerView

AT = datetime(2026, 3, 2, 10, tzinfo=UTC)
PLACES = [("promotions", "email"), ("promotions", "sms"), ("care", "email")]
instants = st.integers(0, 5).map(lambda days: AT + timedelta(days=days))
values = st.none() | st.sampled_from(["x", "y", 7, True, ["a"]])
few = settings(max_examples=40, deadline=None)


@st.composite
def customers(draw: st.DrawFn, id: str = "c") -> Customer:
    """A profile with whatever it may hold."""
    c = Customer(id, draw(instants))
    c.attributes = draw(st.dictionaries(st.sampled_from(["a", "b", "c"]), values, max_size=3))
    c.email = draw(st.none() | st.sampled_from(["a@example.com", "b@example.com"]))
    c.locale = draw(st.none() | st.sampled_from(["pt", "en"]))
    c.tags = tuple(draw(st.lists(st.sampled_from("xyz"), unique=True)))
    c.stage = draw(st.none() | st.sampled_from(["use", "loyalty"]))
    c.consents = draw(st.dictionaries(st.sampled_from(PLACES), st.sampled_from(["in", "out", "pending", "expired"])))
    c.consent_dates = {place: draw(instants) for place in c.consents if draw(st.booleans())}
    return c


@st.composite
def views(draw: st.DrawFn, id: str) -> CustomerView:
    """A customer in journeys of which no version is known any more, which are keyed by what they like."""
    customer = draw(customers(id))
    enrollments = []
    for number in range(draw(st.integers(0, 3))):
        e = Enrollment(f"{id}{number}", id, draw(st.sampled_from("jk")), "v", draw(st.sampled_from("12")), "event",
                       draw(instants), {})  # fmt: skip
        e.status = draw(st.sampled_from(["running", "parked", "exited"]))
        e.due_at = AT if e.status == "running" else None
        enrollments.append(e)
    entries = {(e.journey, e.key): EntryRecord((e.entered_at,)) for e in enrollments}
    return CustomerView(customer, (), enrollments, entries)


def facts(customer: Customer) -> tuple[Any, ...]:
    return customer.consents, dict(customer.consent_dates), customer.created_at, set(customer.tags)


@few
@given(customers("s"), customers("t"))
def test_out_wins_always(source: Customer, target: Customer) -> None:
    merged = merged_profile(source, target)
    outs = {place for c in (source, target) for place, state in c.consents.items() if state == "out"}
    assert {place for place, state in merged.consents.items() if state == "out"} == outs
    for place in outs:
        said = [c.consent_dates[place] for c in (source, target)
                if c.consents.get(place) == "out" and place in c.consent_dates]  # fmt: skip
        assert merged.consent_dates.get(place) == max(said, default=None), "nothing said in between opens it"


@few
@given(customers("s"), customers("t"))
def test_the_target_keeps_what_it_has_and_nothing_is_lost(source: Customer, target: Customer) -> None:
    merged = merged_profile(source, target)
    for name, value in target.attributes.items():
        assert value is None or merged.attributes[name] == value
    for name, value in source.attributes.items():
        if value is not None and target.attributes.get(name) is None:
            assert merged.attributes[name] == value
    assert merged.email == (target.email if target.email is not None else source.email)
    assert merged.stage == (target.stage if target.stage is not None else source.stage)
    assert set(merged.tags) == {*source.tags, *target.tags} and merged.consents.keys() == {
        *source.consents, *target.consents,
    }  # fmt: skip
    assert merged.id == target.id and source.id == "s", "and neither of them was changed"


@few
@given(customers("s"), customers("t"))
def test_a_consent_that_ends_has_its_timer_and_no_other_has(source: Customer, target: Customer) -> None:
    source.timers["consent", "promotions.email"] = Timer(AT)
    merged = merged_profile(source, target)
    ending = {place for place, state in merged.consents.items() if state == "in" and place in merged.consent_dates}
    assert {name for kind, name in merged.timers if kind == "consent"} == {".".join(place) for place in ending}


@few
@given(customers("a"), customers("b"), customers("c"))
def test_the_order_of_merges_does_not_matter_for_consent(a: Customer, b: Customer, c: Customer) -> None:
    one = merged_profile(b, merged_profile(a, c))
    other = merged_profile(a, merged_profile(b, c))
    third = merged_profile(merged_profile(a, b), c)
    assert facts(one) == facts(other) == facts(third)


@few
@given(customers("s"), customers("t"))
def test_to_merge_again_changes_nothing(source: Customer, target: Customer) -> None:
    once = merged_profile(source, target)
    twice = merged_profile(source, once)
    assert facts(once) == facts(twice) and once.attributes == twice.attributes
    assert merged_consents(once, once) == (once.consents, once.consent_dates)


@few
@given(views("s"), views("t"))
def test_of_each_journey_and_key_one_side_goes_on(source: CustomerView, target: CustomerView) -> None:
    done = merge(source, target, {}, "7", AT + timedelta(days=9), 1)
    all_of = {**{e.id: e for e in target.enrollments}, **{e.id: e for e in done.enrollments}}
    assert all_of.keys() == {e.id for e in (*source.enrollments, *target.enrollments)}, "nothing is lost"
    for journey, key in {(e.journey, e.key) for e in all_of.values()}:
        before = [e for e in (*source.enrollments, *target.enrollments)
                  if (e.journey, e.key) == (journey, key) and not e.ended]  # fmt: skip
        after = [e for e in all_of.values() if (e.journey, e.key) == (journey, key) and not e.ended]
        if before:
            first = min(before, key=lambda e: (e.entered_at, e.id))
            assert {e.id for e in after} == {e.id for e in before if e.customer_id == first.customer_id}
    assert {(t.key, t.data["reason"], t.enrollment) for t in done.transitions} == {
        (e.key, "merged", e.id) for e in done.ended
    }  # fmt: skip
    assert all(e.customer_id == "t" for e in done.enrollments if e.id.startswith("s"))
    assert all(e.ended_by_rule and e.due_at is None for e in done.ended)
    assert done.entries.keys() == {*source.entries, *target.entries}
    assert all(e.status != "exited" or e in source.enrollments for e in source.enrollments if not e.ended)


@few
@given(st.lists(instants, max_size=3), st.lists(instants, max_size=3))
def test_entries_of_both_are_remembered(one: list[datetime], other: list[datetime]) -> None:
    first, second = EntryRecord(tuple(sorted(one))), EntryRecord(tuple(sorted(other)), AT)
    assert merged_entry(first, second) == merged_entry(second, first)
    assert sorted(merged_entry(first, second).entered_at) == sorted([*one, *other])


def test_codes_of_whoever_leaves_are_free_again() -> None:
    source, target = CustomerView(Customer("s", AT)), CustomerView(Customer("t", AT))
    for view, days in ((source, 1), (target, 0)):
        id = view.customer.id
        e = Enrollment(f"e{id}", id, "j", "v", "1", "event", AT + timedelta(days=days), {})
        e.pending = {"mail": f"k{id}"}
        view.enrollments = [e]
        view.coupons = [Coupon(f"k{id}", "vip", f"CODE-{id}", id, e.id, "coupon_1", AT, None)]
    done = merge(source, target, {}, "7", AT + timedelta(days=2), 5)
    [coupon] = done.coupons
    assert (coupon.id, coupon.status, coupon.customer_id) == ("ks", "released", "t")
    assert [(t.type, t.seq) for t in done.transitions] == [("exited", 5), ("released", 6)]


def test_traits_that_wait_fill_gaps_only() -> None:
    target = Customer("t", AT)
    target.attributes = {"name": "One"}
    target.email = "t@example.com"
    said = Identified({"name": "Two", "email": "s@example.com", "tier": "gold", "plan": "x", "tags": ["a"]})
    assert filling_gaps(said, target, {"plan"}) == Identified({"tier": "gold", "tags": ["a"]})
    assert filling_gaps(Occurred(Event("go", AT, {}, "1")), target, ()) == Occurred(Event("go", AT, {}, "1"))
    view = CustomerView(target, [Item(9, AT, Identified({"plan": "y"}))])
    other = CustomerView(Customer("s", AT), [Item(8, AT, said)])
    assert merge(other, view, {}, "7", AT, 1).bodies == {8: Identified({"tier": "gold", "tags": ["a"]})}
