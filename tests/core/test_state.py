"""State as JSON: whatever is written is read back the same, types included."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.customer import Customer
from orchestrator.core.enrollment import Enrollment
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
from orchestrator.core.ledger import Coupon, Request, Task
from orchestrator.core.state import body_from_json, body_to_json, data_text, dumps, from_json, loads, to_json

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


@given(values)
def test_the_faster_way_writes_the_same(value: Any) -> None:
    assert data_text(value) == dumps(value)


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

maybe_at, maybe_name, maybe_number = st.none() | instants, st.none() | names, st.none() | st.floats(allow_nan=False)
records = st.one_of(
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
    task = Task("t", "u1", "e", "s", "desk", "Call", None, None, None, AT)
    assert json.loads(to_json(task)).keys() == {
        "id", "customer_id", "enrollment_id", "step", "queue", "title", "body", "assignee", "due_at", "opened_at",
    }  # fmt: skip
    assert body_to_json(Identified({})) == '{"is":"identified","traits":{}}'


def test_a_row_from_before_a_field_was_added_is_read() -> None:
    texts = {"id": "c", "offer": "o", "code": "1", "customer_id": "u1", "enrollment_id": "e", "step": "s"}
    found = from_json(Coupon, dumps({**texts, "issued_at": AT.isoformat(), "expires_at": None}))
    assert found == Coupon("c", "o", "1", "u1", "e", "s", AT, None)
    with pytest.raises(ValueError, match="issued_at"):
        from_json(Coupon, dumps(texts))


def test_an_unknown_kind_of_body_is_said() -> None:
    with pytest.raises(KeyError, match="of_tomorrow"):
        body_from_json('{"is":"of_tomorrow"}')
