"""State as JSON: whatever is written is read back the same, types included."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.customer import Customer, Timer
from orchestrator.core.enrollment import Enrollment, EntryRecord, LoopState
from orchestrator.core.expression.scope import PastEvent
from orchestrator.core.inbox import (
    Body,
    ConsentChanged,
    Deployed,
    EnrollmentRequested,
    Event,
    Identified,
    JourneyOperated,
    Occurred,
    Receipt,
    RedemptionRequested,
    Replied,
    ScheduleFired,
    SurveyAnswered,
    TaskClosed,
)
from orchestrator.core.ledger import Coupon, Message, Request, Task
from orchestrator.core.state import body_from_json, body_to_json, dumps, from_json, loads, to_json

AT = datetime(2026, 3, 1, 10, 0, 0, 123456, tzinfo=UTC)

instants = st.datetimes(timezones=st.just(UTC))
spans = st.timedeltas()
texts = st.one_of(st.text(max_size=8), st.sampled_from(["$t", "$$", "$", '"$', "\\$t", "$d", "2026-03-01", "\ud800"]))
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), texts, instants, st.datetimes(), st.dates(), spans
)  # fmt: skip
values = st.recursive(
    scalars, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3))
)
data = st.dictionaries(texts, values, max_size=4)
names = st.text(max_size=6)


def same(one: Any, other: Any) -> bool:
    """Equal in value and in type, all the way down; NaN is NaN."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, (Customer, Enrollment)):
        return all(same(getattr(one, name), getattr(other, name)) for name in type(one).__slots__)
    if hasattr(one, "__dataclass_fields__"):
        return all(same(getattr(one, name), getattr(other, name)) for name in one.__dataclass_fields__)
    return bool(one == other)


# --- values ------------------------------------------------------


@given(values)
def test_values_come_back_with_their_types(value: Any) -> None:
    assert same(loads(dumps(value)), value)


@given(values)
def test_what_is_written_is_strict_json(value: Any) -> None:
    json.loads(dumps(value), parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


def test_plain_data_is_plain_json() -> None:
    assert dumps({"a": [1, None, True, "x", 1.5], "b": {}}) == '{"a":[1,null,true,"x",1.5],"b":{}}'


def test_tags_are_short_and_readable() -> None:
    found = dumps({"at": AT, "day": date(2026, 3, 1), "for": timedelta(minutes=1), "n": math.inf})
    assert json.loads(found) == {
        "at": {"$t": "2026-03-01T10:00:00.123456+00:00"},
        "day": {"$d": "2026-03-01"},
        "for": {"$s": 60_000_000},
        "n": {"$f": "inf"},
    }


def test_instants_of_other_zones_come_back_in_utc() -> None:
    there = datetime(2026, 3, 1, 18, tzinfo=timezone(timedelta(hours=8)))
    found = loads(dumps(there))
    assert found == there
    assert found.tzinfo is UTC


@pytest.mark.parametrize("forged", [{"$t": "2026-03-01"}, {"$d": 1}, {"$s": 5}, {"$f": "nan"}, {"$$t": 1}, {"$": {}}])
def test_data_cannot_pass_for_a_tag(forged: dict[str, Any]) -> None:
    assert loads(dumps(forged)) == forged
    assert loads(dumps({"at": AT, "inner": [forged]})) == {"at": AT, "inner": [forged]}


def test_what_is_no_data_is_refused() -> None:
    with pytest.raises(TypeError, match="set is no data"):
        dumps({"tags": {1, 2}})
    with pytest.raises(TypeError, match="object is no data"):
        dumps([math.nan, object()])
    with pytest.raises(TypeError, match="datetime is no record"):
        to_json(AT)


# --- records ------------------------------------------------------

pairs = st.tuples(names, names)
timers = st.dictionaries(pairs, st.builds(Timer, instants, data), max_size=2)


@st.composite
def customers(draw: st.DrawFn) -> Customer:
    customer = Customer(draw(names), draw(instants))
    customer.attributes = draw(data)
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


maybe_at, maybe_name, maybe_number = st.none() | instants, st.none() | names, st.none() | st.floats(allow_nan=False)
records = st.one_of(
    customers(),
    enrollments(),
    st.builds(EntryRecord, st.lists(instants, max_size=3).map(tuple), maybe_at, maybe_at),
    st.builds(Timer, instants, data),
    st.builds(PastEvent, instants, names, data, names),
    st.builds(Event, names, instants, data, names),
    st.builds(
        Message, *[names] * 7, st.integers(1, 9), *[names] * 5, maybe_name, names, data, instants, instants,
        st.integers(0, 2**40), maybe_name, maybe_name, maybe_name, maybe_at, maybe_at, names, st.booleans(),
        st.booleans(), maybe_name, maybe_name, names,
    ),
    st.builds(
        Request, *[names] * 4, st.integers(1, 9), st.sampled_from(["fetch", "webhook"]), names, names,
        st.dictionaries(names, names, max_size=2), values, spans, st.none() | spans, instants, maybe_name,
    ),
    st.builds(
        Coupon, *[names] * 6, instants, maybe_at, st.sampled_from(["issued", "released", "redeemed"]), maybe_name,
        maybe_name, maybe_name, maybe_name, st.floats(0, 100),
    ),
    st.builds(
        Task, *[names] * 6, maybe_name, maybe_name, maybe_at, instants, maybe_at, maybe_name
    ),
)  # fmt: skip

bodies: st.SearchStrategy[Body] = st.one_of(
    st.builds(Occurred, st.builds(Event, names, instants, data, names)),
    st.builds(Identified, data, st.booleans()),
    st.builds(ConsentChanged, names, names, st.sampled_from(["in", "out"])),
    st.builds(Receipt, st.sampled_from(["open", "click", "bounce"]), names, maybe_name, maybe_name, maybe_name),
    st.builds(Replied, names, st.none() | st.integers(100, 599), values, maybe_name),
    st.builds(TaskClosed, names, maybe_name, maybe_name),
    st.builds(SurveyAnswered, names, maybe_number, maybe_name, maybe_name, maybe_name),
    st.builds(RedemptionRequested, names, names, maybe_number, maybe_name),
    st.builds(EnrollmentRequested, names, data, names, names),
    st.builds(JourneyOperated, names, st.sampled_from(["stop", "resume", "pause"])),
    st.builds(Deployed, st.frozensets(names, max_size=3)),
    st.builds(ScheduleFired, names, st.integers(0, 9), names),
)


@given(records)
def test_records_come_back_the_same(record: Any) -> None:
    assert same(from_json(type(record), to_json(record)), record)


@given(bodies)
def test_bodies_come_back_the_same(body: Body) -> None:
    assert same(body_from_json(body_to_json(body)), body)
    assert same(from_json(type(body), to_json(body)), body)


def test_fields_with_their_default_are_left_out() -> None:
    customer = Customer("u1", AT)
    assert json.loads(to_json(customer)) == {"id": "u1", "created_at": AT.isoformat()}
    assert to_json(EntryRecord()) == "{}"
    assert body_to_json(Identified({})) == '{"is":"identified","traits":{}}'


def test_a_row_from_before_a_field_was_added_is_read() -> None:
    found = from_json(Customer, '{"id":"u1","created_at":"2026-03-01T10:00:00+00:00"}')
    assert (found.tags, found.consents, found.fresh) == ((), {}, True)


def test_what_an_enrollment_knows_itself_is_not_written_with_its_entry() -> None:
    e = Enrollment("e", "u1", "j", "v", "k", "event", AT, {})
    properties = {"n": 1, "at": "of its own"}
    e.entry = {
        **properties, "at": AT, "name": "go", "key": "k", "trigger": "event", "updated_at": AT,
        "properties": properties,
    }  # fmt: skip
    text = to_json(e)
    assert json.loads(text)["entry"] == ["go", properties]
    assert same(from_json(Enrollment, text).entry["properties"], properties)
    assert from_json(Enrollment, text).entry == e.entry
    e.entry = {**e.entry, "more": 1}
    assert from_json(Enrollment, to_json(e)).entry == e.entry


def test_defaults_are_not_shared_between_records() -> None:
    text = to_json(Customer("u1", AT))
    one, other = from_json(Customer, text), from_json(Customer, text)
    one.attributes["plan"] = "x"
    assert other.attributes == {}


def test_an_unknown_kind_of_body_is_said() -> None:
    with pytest.raises(KeyError, match="of_tomorrow"):
        body_from_json('{"is":"of_tomorrow"}')
