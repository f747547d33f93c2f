"""Rows of hot records: whatever is written is read back the same, types included, with the columns beside the text."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.accumulators import NOTHING_COMPUTED, Computed
from orchestrator.core.customer import Customer, Timer
from orchestrator.core.enrollment import Enrollment, EntryRecord, LoopState
from orchestrator.core.inbox import Body
from orchestrator.core.ledger import Message
from orchestrator.core.scores import Points
from orchestrator.core.state import dumps, loads
from orchestrator.stores.arriving import prepared
from orchestrator.stores.instants import instant, micros
from orchestrator.stores.protocol import Arrival, content_of
from orchestrator.stores.records import (
    body_of,
    body_text,
    customer_of,
    enrollment_of,
    enrollment_state,
    entries_of,
    entries_state,
    message_of,
    message_row,
    state_of,
)
from orchestrator.stores.sealed_rows import HIDDEN
from orchestrator.stores.sealing import PLAIN, KeyRing
from tests.core.test_state import bodies, data, instants, maybe_at, maybe_name, names, same
from tests.stores.sealed_keys import keys

NONE = frozenset[str]()
pairs = st.tuples(names, names)
timers = st.dictionaries(pairs, st.builds(Timer, instants, data), max_size=2)


@st.composite
def customers(draw: st.DrawFn) -> Customer:
    customer = Customer(draw(names), draw(instants))
    customer.attributes = {name: value for name, value in draw(data).items() if name != HIDDEN}
    for name in ("email", "phone", "timezone", "locale", "country", "currency", "stage"):
        setattr(customer, name, draw(st.none() | names))
    customer.tags = tuple(draw(st.lists(names, max_size=3)))
    customer.consents = draw(st.dictionaries(pairs, st.sampled_from(["in", "out"]), max_size=3))
    customer.segments = draw(st.frozensets(names, max_size=3))
    customer.timers = draw(timers)
    customer.fresh = draw(st.booleans())
    return customer


@st.composite
def enrollments(draw: st.DrawFn) -> Enrollment:
    at = draw(instants)
    e = Enrollment(draw(names), draw(names), draw(names), draw(names), draw(names), draw(names), at, draw(data))
    for name in ("ended_at", "base_at", "until_at", "first_due_at", "look_at", "due_at", "converted_at"):
        setattr(e, name, draw(st.none() | instants))
    e.updated_at = draw(instants)
    e.held_out, e.ended_by_rule, e.past = draw(st.booleans()), draw(st.booleans()), draw(st.booleans())
    e.status = draw(st.sampled_from(["running", "parked", "completed", "exited"]))
    e.standing = draw(st.sampled_from([None, "wait", "hold", "retry", "reply"]))
    e.reason, e.step = draw(st.none() | names), draw(st.none() | names)
    e.outcome = draw(st.none() | data)
    e.results = draw(data)
    e.visits = draw(st.dictionaries(names, st.integers(0, 9), max_size=2))
    e.loops = draw(
        st.dictionaries(names, st.builds(LoopState, st.integers(1, 9), instants, st.integers(1, 9)), max_size=2)
    )
    e.attempts = draw(st.integers(0, 9))
    e.sent_ways = tuple(draw(st.lists(names, max_size=2)))
    e.pending = draw(st.dictionaries(names, names, max_size=2))
    return e


def row_of(e: Enrollment) -> Enrollment:
    """As a row of the table gives it back."""
    return enrollment_of(
        PLAIN,
        e.customer_id, e.id, e.journey, e.version, e.key, e.status, e.reason, int(e.ended_by_rule), e.step,
        micros(e.entered_at), enrollment_state(e, PLAIN),
    )  # fmt: skip


@given(customers())
def test_customers_come_back_the_same(customer: Customer) -> None:
    rows = "[" + ",".join(f'["{n}","c","in"]' for n in range(len(customer.consents))) + "]"
    customer.consents = {(str(n), "c"): "in" for n in range(len(customer.consents))}
    found = customer_of(PLAIN, customer.id, micros(customer.created_at), state_of(customer, PLAIN, NONE), rows)
    assert same(found, customer)


@given(enrollments())
def test_enrollments_come_back_the_same(e: Enrollment) -> None:
    assert same(row_of(e), e)


@given(enrollments(), data, st.booleans())
def test_an_entry_follows_from_its_properties(e: Enrollment, properties: dict[str, object], updated: bool) -> None:
    e.updated_at = e.updated_at if updated else e.entered_at
    e.entry = {
        **properties, "at": e.entered_at, "name": "go", "key": e.key, "trigger": e.trigger, "updated_at": e.updated_at,
        "properties": properties,
    }  # fmt: skip
    assert same(row_of(e), e)


@given(st.builds(EntryRecord, st.lists(instants, max_size=3).map(tuple), maybe_at, maybe_at))
def test_what_is_remembered_of_entries_comes_back_the_same(record: EntryRecord) -> None:
    assert entries_of(entries_state(record)) == record


messages = st.builds(
    Message, *[names] * 7, st.integers(1, 9), *[names] * 5, maybe_name, names, data, instants, instants,
    st.integers(0, 2**40), maybe_name, maybe_name, maybe_name, maybe_at, maybe_at, names, st.booleans(),
    st.booleans(), maybe_name, maybe_name, names,
)  # fmt: skip


@given(messages)
def test_messages_come_back_the_same(m: Message) -> None:
    found = message_of(
        PLAIN,
        m.id, m.enrollment_id, m.journey, m.step, m.channel, m.topic, m.klass, m.template, m.to, micros(m.at), m.seq,
        message_row(m),
    )  # fmt: skip
    assert same(found, m)


# --- rows of other versions -------------------------------------------------------------------------------------------

AT = datetime(2026, 3, 1, 10, tzinfo=UTC)
CUSTOMER = Customer("u1", AT)
ENROLLMENT = Enrollment("e", "u1", "j", "v", "k", "event", AT, {"more": 1})
SENT = Message("m", "u1", "e", "j", "v", "k", "s", 2, "email", "t", "service", "x", "h", None, "to", {}, AT, AT, 7)


def cut(text: str) -> Iterator[str]:
    """The row as versions wrote it that did not know the last fields yet."""
    values = loads(text)
    return (dumps(values[:count]) for count in range(len(values) + 1))


def test_a_customer_of_an_older_version_has_defaults_for_what_it_did_not_know() -> None:
    CUSTOMER.stage = None
    for text in cut(state_of(CUSTOMER, PLAIN, NONE)):
        assert same(customer_of(PLAIN, "u1", micros(AT), text, None), CUSTOMER)


def test_an_enrollment_of_an_older_version_has_defaults_for_what_it_did_not_know() -> None:
    row = ("u1", "e", "j", "v", "k", "running", None, 0, None, micros(AT))
    first, *older = reversed([*cut(enrollment_state(ENROLLMENT, PLAIN))])
    assert same(enrollment_of(PLAIN, *row, first), ENROLLMENT)
    for text in older[:-2]:  # without a trigger and an entry it is none
        assert same(enrollment_of(PLAIN, *row, text), ENROLLMENT)
    ended = ENROLLMENT.copy()
    ended.held_out, ended.look_at = True, AT
    *known, rare = loads(enrollment_state(ended, PLAIN))
    ended.look_at = None
    assert same(enrollment_of(PLAIN, *row, dumps([*known, rare[:1]])), ended)


def test_a_message_of_an_older_version_has_defaults_for_what_it_did_not_know() -> None:
    row = ("m", "e", "j", "s", "email", "t", "service", "x", "to", micros(AT), 7)
    for text in [*cut(message_row(SENT))][7:]:
        assert same(message_of(PLAIN, *row, text), SENT)


def test_entries_of_an_older_version_are_read() -> None:
    assert [entries_of(text) for text in cut("[null,null,[]]")] == [EntryRecord()] * 4


def test_what_a_newer_version_wrote_besides_is_left_out() -> None:
    newer = dumps([*loads(state_of(CUSTOMER, PLAIN, NONE)), "more"])
    assert same(customer_of(PLAIN, "u1", micros(AT), newer, None), CUSTOMER)


def test_defaults_are_not_shared_between_records() -> None:
    one, other = customer_of(PLAIN, "a", 0, "[]", None), customer_of(PLAIN, "b", 0, "[]", None)
    one.attributes["plan"] = "x"
    assert other.attributes == {}


def test_choices_are_not_shared_between_customers() -> None:
    text = '[["t","email","in"]]'
    one, other = (customer_of(PLAIN, id, 0, state_of(CUSTOMER, PLAIN, NONE), text) for id in "ab")
    one.consents["t", "email"] = "out"
    assert other.consents == {("t", "email"): "in"}


# --- the inbox --------------------------------------------------------------------------------------------------------


@given(bodies)
def test_bodies_come_back_the_same(body: Body) -> None:
    assert same(body_of(PLAIN, 0, body_text(body)), body)


@given(names, instants, bodies)
def test_a_repeated_arrival_is_told_by_its_content(customer: str, at: object, body: Body) -> None:
    arrival = Arrival(customer, at, body, "m")  # type: ignore[arg-type]
    assert prepared(arrival).content % 2**64 == content_of(arrival), "kept as databases have numbers: with a sign"
    assert prepared(arrival).body == body_text(body)


@given(instants)
def test_instants_come_back_in_utc(at: object) -> None:
    found = instant(micros(at))  # type: ignore[arg-type]
    assert found == at
    assert found.tzinfo is UTC


def test_what_events_added_up_to_comes_back_and_is_sealed_where_it_is_personal() -> None:
    customer = Customer("u1", datetime(2026, 3, 1, tzinfo=UTC))
    assert customer_of(PLAIN, "u1", 0, state_of(customer, PLAIN, frozenset()), None).computed is NOTHING_COMPUTED
    customer.scores = {"lead": Points(12.5, datetime(2026, 3, 2, tzinfo=UTC), 20.0)}
    states = {"orders": ("a1", 3), "illness": ("b2", {"hay fever": 2})}
    customer.computed = Computed("m", states)
    for sealer in (PLAIN, KeyRing(keys("k1"), bytes(64))):
        text = state_of(customer, sealer, frozenset({"illness"}))
        found = customer_of(sealer, "u1", 0, text, None)
        assert (found.scores, found.computed) == (customer.scores, customer.computed)
        assert found.attributes == {}
        assert ("hay fever" in text) == (sealer is PLAIN)
