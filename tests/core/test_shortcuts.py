"""What is done in a short way for speed gives exactly what the long way gives."""

from __future__ import annotations

import gc
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core import decide as deciding
from orchestrator.core.addresses import email_address
from orchestrator.core.changes import CustomerChanges
from orchestrator.core.customer import Customer, Timer
from orchestrator.core.enrollment import Enrollment
from orchestrator.core.inbox import Event, Item, Occurred
from orchestrator.core.index import Index
from orchestrator.core.pools import WorkingPools
from orchestrator.core.time.durations import parse_duration
from orchestrator.core.time.iso import format_instant
from orchestrator.core.time.waits import date_end
from orchestrator.core.view import Pools, View
from orchestrator.stores.memory_record import CustomerRecord
from orchestrator.testing.collector import seldom_collected
from tests.small_projects import project_of

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
LISBON = ZoneInfo("Europe/Lisbon")


def test_a_copy_of_an_enrollment_has_every_field_and_its_own_collections() -> None:
    e = Enrollment("e1", "u1", "j", "v", "k", "t", NOW, {"at": NOW})
    for number, name in enumerate(Enrollment.__slots__):
        if not isinstance(getattr(e, name), dict):
            setattr(e, name, number)
    e.results, e.visits, e.pending = {"a": 1}, {"b": 2}, {"c": "d"}
    twin = e.copy()
    assert {name: getattr(twin, name) for name in Enrollment.__slots__} == {
        name: getattr(e, name) for name in Enrollment.__slots__
    }
    for name in ("results", "visits", "loops", "pending"):
        assert getattr(twin, name) is not getattr(e, name)


def test_a_copy_of_a_customer_has_every_field_and_its_own_collections() -> None:
    customer = Customer("u1", NOW)
    for number, name in enumerate(Customer.__slots__):
        if not isinstance(getattr(customer, name), dict):
            setattr(customer, name, number)
    twin = customer.copy()
    assert {name: getattr(twin, name) for name in Customer.__slots__} == {
        name: getattr(customer, name) for name in Customer.__slots__
    }
    for name in ("attributes", "consents", "timers"):
        assert getattr(twin, name) is not getattr(customer, name)


@pytest.mark.parametrize("timer", [None, timedelta(hours=1), timedelta(hours=-1)])
@pytest.mark.parametrize("event", ["ping", "go", "stop", "segment_changed"])
def test_an_event_that_nobody_listens_to_changes_what_a_whole_turn_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, event: str, timer: timedelta | None
) -> None:
    journey = {"topic": "care", "enter": {"event": "go"}, "exit": {"event": "stop"}, "steps": [{"wait": "1d"}]}
    index = Index(project_of(tmp_path, {"one": journey}).project)
    record = CustomerRecord(Customer("u1", NOW))
    record.customer.fresh = False
    if timer is not None:
        record.customer.timers["segment", "gone"] = Timer(NOW + timer)
    record.inbox.append(
        Item(7, NOW, Occurred(Event(event, NOW, {"n": 1, "from": 1, "to": 2, "segment": 3, "edge": 4}, "m1")))
    )
    versions = {(j.id, j.version): j for j in index.journeys}
    view = View(1, "0", index, versions, [record.view()])

    def decided() -> CustomerChanges:
        return deciding.decide_customer(view, WorkingPools(Pools(), "0"), view.customers[0], NOW)

    def as_told(changes: CustomerChanges) -> list[object]:
        customer = (
            None if changes.customer is None else {name: getattr(changes.customer, name) for name in Customer.__slots__}
        )
        ids = [e.id for e in changes.enrollments]
        return [
            changes.consumed,
            changes.events,
            changes.transitions,
            changes.entries,
            changes.next_due_at,
            customer,
            ids,
        ]

    short = decided()
    monkeypatch.setattr(deciding, "_remembered", lambda *_: None)
    assert as_told(short) == as_told(decided())
    assert index.hearers(event).only_remembered is (event == "ping")


def test_equal_local_times_on_both_sides_of_a_fold_are_written_as_the_two_instants_they_are() -> None:
    first = datetime(2026, 10, 25, 1, 30, tzinfo=LISBON)
    second = first.replace(fold=1)
    assert first == second
    assert (format_instant(first), format_instant(second)) == ("2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z")


@given(
    st.dates(date(1990, 1, 1), date(2100, 1, 1)),
    st.sampled_from(["-7d", "1mo", "2d", "0d"]),
    st.sampled_from([None, time(12), time(1, 30)]),
    st.sampled_from([None, frozenset({0}), frozenset({5, 6})]),
)
def test_a_remembered_day_ends_where_its_text_does(
    day: date, offset: str, at: time | None, days: frozenset[int] | None
) -> None:
    moved = parse_duration(offset)
    by_date = date_end(day, LISBON, offset=moved, at=at, days=days)
    assert by_date == date_end(day.isoformat(), LISBON, offset=moved, at=at, days=days)
    assert by_date == date_end(day, LISBON, offset=moved, at=at, days=days)


@given(st.from_regex(r"[a-z0-9._-]{1,12}@[a-z0-9.-]{1,12}\.[a-z]{1,4}", fullmatch=True))
def test_plain_addresses_are_read_as_any_other_is(text: str) -> None:
    plain, spelt = email_address(text), email_address(f"\u200b{text} ")
    assert plain == spelt


def test_the_collector_of_cycles_is_as_before_after_a_run() -> None:
    def fails() -> None:
        with seldom_collected():
            assert gc.get_threshold()[0] > before[0][0]
            raise KeyError

    before = gc.get_threshold(), gc.get_freeze_count() > 0, gc.isenabled()
    with pytest.raises(KeyError):
        fails()
    assert (gc.get_threshold(), gc.get_freeze_count() > 0, gc.isenabled()) == before
