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
from orchestrator.core.enrollment import Enrollment, EntryRecord, entry_record
from orchestrator.core.identity import enrollment_id, stable_hash
from orchestrator.core.inbox import Event, Item, Occurred
from orchestrator.core.index import Index
from orchestrator.core.ledger import Message, message
from orchestrator.core.pools import WorkingPools
from orchestrator.core.time.durations import parse_duration, shift_days
from orchestrator.core.time.iso import format_instant
from orchestrator.core.time.quiet import QuietHours, next_quiet_start, quiet_and_next, quiet_until
from orchestrator.core.time.waits import date_end
from orchestrator.core.time.zones import local, to_utc
from orchestrator.core.transition import Transition, transition
from orchestrator.core.view import Pools, View
from orchestrator.definitions.collector import seldom_collected
from orchestrator.stores.memory_record import CustomerRecord
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


def test_who_enters_anew_is_remembered_with_the_exit_that_made_room(tmp_path: Path) -> None:
    journey = {"topic": "care", "enter": {"event": "go", "overlap": "restart"}, "steps": [{"wait": "1d"}]}
    index = Index(project_of(tmp_path, {"one": journey}).project)
    record = CustomerRecord(Customer("u1", NOW))
    record.customer.fresh = False
    for number in range(2):
        record.inbox.append(Item(number, NOW, Occurred(Event("go", NOW, {}, f"m{number}"))))
    versions = {(j.id, j.version): j for j in index.journeys}
    view = View(1, "0", index, versions, [record.view()])
    changes = deciding.decide_customer(view, WorkingPools(Pools(), "0"), view.customers[0], NOW)
    assert changes.entries == {("one", "u1"): EntryRecord((NOW, NOW), NOW)}


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


ODD_ZONES = [ZoneInfo(n) for n in ("Europe/Lisbon", "Pacific/Apia", "Australia/Lord_Howe", "America/Caracas")]
INSTANTS = st.datetimes(datetime(1990, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))


@given(INSTANTS, st.integers(-400, 400), st.sampled_from(ODD_ZONES))
def test_days_between_clocks_that_stand_alike_are_shifted_as_all_others_are(
    base: datetime, days: int, zone: ZoneInfo
) -> None:
    shifted = to_utc(shift_days(local(base, zone), 0, days), zone)
    assert parse_duration(f"{days}d").after(base, zone) == shifted
    assert parse_duration(f"{days}d").after(base, zone, times=2) == to_utc(
        shift_days(local(base, zone), 0, 2 * days), zone
    )


@given(INSTANTS, st.lists(st.sampled_from(ODD_ZONES), min_size=1, max_size=2), st.times(), st.times())
def test_quiet_hours_asked_at_once_are_those_asked_one_by_one(
    at: datetime, zones: list[ZoneInfo], start: time, end: time
) -> None:
    quiet = QuietHours(start, end)
    until_at, next_at = quiet_and_next(at, tuple(zones), quiet)
    assert until_at == quiet_until(at, tuple(zones), quiet)
    assert next_at == (next_quiet_start(at, tuple(zones), quiet) if until_at is None else None)


@given(st.text(), st.text(), st.text(), st.text())
def test_the_id_of_an_enrollment_is_the_stable_hash_in_hexadecimal(j: str, customer: str, key: str, what: str) -> None:
    assert enrollment_id(j, customer, key, what) == f"{stable_hash(j, customer, key, what):016x}"


def test_rows_made_of_their_fields_in_order_are_rows() -> None:
    assert transition(tuple(range(len(Transition._fields)))) == Transition(*range(len(Transition._fields)))
    assert type(transition(tuple(range(len(Transition._fields))))) is Transition
    assert entry_record(((NOW,), None, NOW)) == EntryRecord((NOW,), None, NOW)
    row = message(tuple(range(len(Message._fields))))
    assert isinstance(row, Message) and row.survey == Message._fields.index("survey")


def test_a_message_says_in_each_field_what_the_field_is_called(tmp_path: Path) -> None:
    """The row is made of its fields in their order: this is what one is like."""
    journey = {
        "topic": "care",
        "timezone": "Europe/Lisbon",
        "enter": {"event": "go", "key": "event.n"},
        "steps": [
            {
                "id": "hi",
                "email": {"template": "hello", "valid_for": "2h", "on_quiet": "skip", "reply_to": "r@example.com"},
            }
        ],
    }
    index = Index(project_of(tmp_path, {"one": journey}).project)
    record = CustomerRecord(Customer("u1", NOW))
    record.customer.fresh = False
    record.customer.email = "u1@example.com"
    record.inbox.append(Item(7, NOW, Occurred(Event("go", NOW, {"n": "k1"}, "m1"))))
    versions = {(j.id, j.version): j for j in index.journeys}
    view = View(1, "0", index, versions, [record.view()])
    changes = deciding.decide_customer(view, WorkingPools(Pools(), "0"), view.customers[0], NOW + timedelta(minutes=1))
    (row,) = changes.messages
    (e,) = changes.enrollments
    template = index.project.templates.pick("email", "hello", None)
    assert template is not None
    assert row._replace(values={}) == Message(
        id=f"{e.id}.hi.1",
        customer_id="u1",
        enrollment_id=e.id,
        journey="one",
        version=index.journeys[0].version,
        key="k1",
        step="hi",
        visit=1,
        channel="email",
        topic="care",
        klass=index.project.topics["care"].klass,
        template="hello",
        template_hash=template.hash,
        locale=template.locale,
        to="u1@example.com",
        values={},
        at=NOW,
        decided_at=NOW + timedelta(minutes=1),
        seq=100_002,
        reply_to="r@example.com",
        expires_at=NOW + timedelta(hours=2),
        on_quiet="skip",
        zone="Europe/Lisbon",
        fixed_zone="Europe/Lisbon",
    )


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
