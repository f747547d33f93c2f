"""Tables of events, mapped and sorted for replay: the golden case, the order, and what is remembered between rows."""

from __future__ import annotations

import csv
import gzip
import json
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.time.iso import format_instant
from orchestrator.definitions.event_tables import ReplayTable, replay_events
from orchestrator.definitions.mapping import TableMapping, load_mapping
from orchestrator.definitions.table_readers import RejectedRow
from orchestrator.definitions.yaml_loader import load_document
from orchestrator.errors import ProjectInvalid, UsageError

CASES = Path(__file__).parents[2] / "cases" / "mapping"
LISBON = ZoneInfo("Europe/Lisbon")


def mapping_of(text: str) -> TableMapping:
    mapping, problems = load_mapping(load_document("mapping.yaml", text), LISBON)
    assert mapping is not None, [problem.headline() for problem in problems]
    return mapping


def written(table: ReplayTable) -> list[dict[str, Any]]:
    """Events as plain data; of a profile what it gives."""
    return [
        {
            "at": format_instant(event.at),
            "customer": event.customer,
            "event": event.name,
            "id": event.message_id,
            "properties": event.properties,
            "profile": None
            if event.profile is None
            else {
                name: format_instant(value) if isinstance(value, datetime) else value
                for name, value in asdict(event.profile).items()
                if value and name != "id"
            },
        }
        for event in table
    ]


@pytest.mark.parametrize("case", sorted(path.name for path in CASES.iterdir() if path.is_dir()))
def test_golden_cases(case: str) -> None:
    folder = CASES / case
    mapping = mapping_of((folder / "mapping.yaml").read_text()) if (folder / "mapping.yaml").exists() else None
    table = replay_events(next(folder.glob("table.*")), mapping, zone=LISBON)
    expected = json.loads((folder / "expected.json").read_text())
    assert json.loads(json.dumps(written(table))) == expected["events"]
    assert [[reject.row, reject.reason] for reject in table.rejects.first] == expected["rejected"]
    assert (table.rows, table.customers, len(table)) == (
        expected["rows"],
        expected["customers"],
        len(expected["events"]),
    )


SIMPLE = """\
customer: row.who
profile: {email: row.who ~ '@example.com'}
events:
  - {event: first, at: row.day}
  - {event: second, at: row.day, when: row.both == 'yes'}
"""

rows = st.lists(
    st.tuples(st.sampled_from("abc"), st.dates(date(2024, 3, 29), date(2024, 4, 2)), st.sampled_from(["yes", "no"])),
    min_size=1,
    max_size=12,
)


@given(rows)
def test_events_are_sorted_by_instant_row_and_place(tmp_path_factory: pytest.TempPathFactory, table: list[Any]) -> None:
    path = tmp_path_factory.mktemp("t") / "rows.csv"
    path.write_text("who,day,both\n" + "".join(f"{who},{day},{both}\n" for who, day, both in table))
    replayed = replay_events(path, mapping_of(SIMPLE))
    expected = sorted(
        (datetime(day.year, day.month, day.day, 12, tzinfo=LISBON).astimezone(UTC), row, place)
        for row, (_, day, both) in enumerate(table, start=1)
        for place in ([0, 1] if both == "yes" else [0])
    )
    assert [event.at for event in replayed] == [at for at, _, _ in expected]
    assert [event.message_id for event in replayed] == [f"rows.csv:{row}:{place}" for _, row, place in expected]
    assert replayed.first_at == expected[0][0] and replayed.last_at == expected[-1][0]


@given(rows)
def test_each_customer_is_created_once_before_the_first_event(
    tmp_path_factory: pytest.TempPathFactory, table: list[Any]
) -> None:
    path = tmp_path_factory.mktemp("t") / "rows.csv"
    path.write_text("who,day,both\n" + "".join(f"{who},{day},{both}\n" for who, day, both in table))
    seen: set[str] = set()
    for event in replay_events(path, mapping_of(SIMPLE)):
        assert (event.profile is None) == (event.customer in seen)
        if event.profile is not None:
            assert event.profile.id == event.customer
            assert event.profile.email == f"{event.customer}@example.com"
            assert event.profile.created_at == event.at
        seen.add(event.customer)
    assert seen == {who for who, _, _ in table}


MANY = """\
timezone: Asia/Kathmandu
vars:
  amount: row.amount | float
  day: date(row.day, '%d/%m/%Y')
customer: "'c' ~ row.n"
events:
  - event: paid
    at: day + days(row.lead | int)
    when: amount is not none
    properties: {amount: amount, twice: amount * 2, day: day, lead: row.lead | int, text: row.text, list: [row.text]}
"""

cells = st.tuples(
    st.sampled_from(["1", "1.0", "01", "1e0", "", "true", "x", "-0.0", "0"]),
    st.sampled_from(["01/02/2024", "29/02/2024", "31/12/9999", "30/02/2024", ""]),
    st.sampled_from(["1", "01", "0", "-3", "", "x", "99999999999"]),
    st.sampled_from(["1", "1.0", "true", "a b", ""]),
)


@given(st.lists(cells, min_size=1, max_size=8))
def test_what_is_remembered_is_what_would_be_computed(
    tmp_path_factory: pytest.TempPathFactory, table: list[tuple[str, ...]]
) -> None:
    """CSV remembers by text, JSON Lines computes every row: the same texts give the same events either way."""
    folder = tmp_path_factory.mktemp("t")
    names = ["amount", "day", "lead", "text"]
    with (folder / "rows.csv").open("w", newline="") as file:
        csv.writer(file).writerows([names, *table])
    (folder / "rows.jsonl").write_text("".join(json.dumps(dict(zip(names, row))) + "\n" for row in table))
    outcomes = []
    for kind in ("csv", "jsonl"):
        try:
            replayed = replay_events(folder / f"rows.{kind}", mapping_of(MANY))
            events = [(repr(tuple(event)).replace("jsonl", "csv")) for event in replayed]
            outcomes.append((events, [reject.reason for reject in replayed.rejects.first]))
        except ProjectInvalid as error:
            outcomes.append(([], [error.problems[0].message]))
    assert outcomes[0] == outcomes[1]


def test_one_and_true_are_not_the_same_in_typed_tables(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    values = [1, True, 1.0, "1"]
    path.write_text("".join(json.dumps({"v": value}) + "\n" for value in values))
    mapping = mapping_of(
        "vars: {v: row.v}\ncustomer: \"'c'\"\n"
        "events: [{event: e, at: \"'2024-01-01'\", properties: {v: v, w: row.v}}]\n"
    )
    found = [event.properties for event in replay_events(path, mapping)]
    assert [(type(p["v"]), type(p["w"])) for p in found] == [(type(value), type(value)) for value in values]


def test_without_a_mapping_columns_are_read_by_name(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text(
        "customer,at,event,id,total,note,n\n"
        "007,2024-01-01T10:00:00Z,order_placed,o-1,30,,9\n"
        "1e5,2024-01-01,order_placed,,40,hello,\n"
        "x,yesterday,order_placed,,40,hello,\n"
        ",2024-01-01,order_placed,,40,hello,\n"
    )
    table = replay_events(path, None, zone=LISBON)
    assert written(table) == [
        {
            "at": "2024-01-01T10:00:00Z",
            "customer": "007",
            "event": "order_placed",
            "id": "o-1",
            "properties": {"total": "30", "n": "9"},
            "profile": {"created_at": "2024-01-01T10:00:00Z"},
        },
        {
            "at": "2024-01-01T12:00:00Z",
            "customer": "1e5",
            "event": "order_placed",
            "id": "events.csv:2:0",
            "properties": {"total": "40", "note": "hello"},
            "profile": {"created_at": "2024-01-01T12:00:00Z"},
        },
    ]
    assert [reject.row for reject in table.rejects.first] == [3, 4]


def test_json_lines_hold_typed_properties(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl.gz"
    event = {
        "at": "2024-01-01T10:00:00Z",
        "customer": 17,
        "event": "e",
        "properties": {"a": [1, {"b": None}], "c": 1.5},
    }
    lines = [event, {**event, "customer": 17.0}, {**event, "customer": True}, {**event, "properties": 3}, {"at": "x"}]
    path.write_bytes(gzip.compress("".join(json.dumps(item) + "\n" for item in lines).encode()))
    table = replay_events(path, None)
    assert [(event.customer, event.properties) for event in table] == [("17", event["properties"])] * 2
    assert [(reject.row, reject.reason) for reject in table.rejects.first] == [
        (3, "`customer` is bool, not text"),
        (4, "`properties` is no object"),
        (5, "it has no `customer`"),
    ]


def test_a_column_that_does_not_exist_is_a_mistake_in_the_mapping(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("who,date\na,2024-01-01\n")
    mapping = mapping_of("customer: row.who\nevents: [{event: e, at: row.dat}]\n")
    with pytest.raises(ProjectInvalid) as caught:
        replay_events(path, mapping)
    [problem] = caught.value.problems
    assert (problem.path, problem.line, problem.column, problem.code) == ("mapping.yaml", 2, 29, "unknown_column")
    assert problem.hint == "did you mean 'date'?"


def test_a_table_without_the_needed_columns_asks_for_a_mapping(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("who,at\na,2024-01-01\n")
    with pytest.raises(ProjectInvalid, match=r"no column 'customer' and no column 'event'.*--mapping"):
        replay_events(path, None)


def test_when_no_row_can_be_used_the_first_reason_is_told(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("customer,event,at\na,e,soon\nb,e,later\n")
    with pytest.raises(ProjectInvalid, match="not one of 2 rows could be used; the first, row 1: `at`: found 'soon'"):
        replay_events(path, None)


def test_rejects_are_told_in_order_and_kept_within_bounds(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    bad = ["c,e,never\n" if row % 2 else "c,e\n" for row in range(2_500)]
    path.write_text("customer,event,at\nc,e,2024-01-01\n" + "".join(bad))
    told: list[RejectedRow] = []
    table = replay_events(path, None, rejected=told.append)
    assert [reject.row for reject in told] == list(range(2, 2_502))
    assert table.rejects.count == 2_500 and table.rejects.first == told[:1_000]
    assert table.rows == 2_501 and len(table) == 1


def test_progress_is_told_in_bytes_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "t.csv.gz"
    text = "customer,event,at\n" + "".join(f"c{n},e,2024-01-01\n" for n in range(100_000))
    path.write_bytes(gzip.compress(text.encode()))
    seen: list[tuple[int, int]] = []
    replay_events(path, None, progress=lambda done, size: seen.append((done, size)))
    size = path.stat().st_size
    assert seen == sorted(seen) and len(seen) > 3
    assert seen[-1] == (size, size) and all(total == size and done <= size for done, total in seen)


def test_dates_are_noon_in_the_zone_and_gaps_are_moved(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("at\n2024-03-31\n2024-03-31T01:30\n2024-10-27T01:30\n2024-03-31T01:30+00:00\n9999-12-31T23:59\n")
    table = replay_events(
        path, mapping_of("customer: \"'c'\"\nevents: [{event: e, at: row.at, properties: {n: row.n}}]\n")
    )
    assert {event.properties["n"]: format_instant(event.at) for event in table} == {
        1: "2024-03-31T11:00:00Z",
        2: "2024-03-31T01:00:00Z",
        3: "2024-10-27T00:30:00Z",
        4: "2024-03-31T01:30:00Z",
        5: "9999-12-31T23:59:00Z",
    }


def test_a_missing_table_is_a_request_that_cannot_be_carried_out(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        replay_events(tmp_path / "no.csv", None)
    with pytest.raises(UsageError, match="cannot be read"):
        replay_events(tmp_path, None)


def test_a_parquet_table(tmp_path: Path) -> None:
    polars = pytest.importorskip("polars")
    path = tmp_path / "t.parquet"
    polars.DataFrame(
        {
            "customer": [17850.0, float("nan"), 3.5],
            "event": ["e", "e", "e"],
            "at": [datetime(2024, 7, 1, 8, 26), datetime(2024, 7, 1), datetime(2024, 7, 1)],
            "day": [date(2024, 7, 1)] * 3,
            "size": [None, 1, 2],
        }
    ).write_parquet(path)
    table = replay_events(path, None, zone=LISBON)
    [event] = table
    assert (event.customer, event.at) == ("17850", datetime(2024, 7, 1, 7, 26, tzinfo=UTC))
    assert event.properties == {"day": "2024-07-01", "size": None}
    assert [(reject.row, reject.reason) for reject in table.rejects.first] == [
        (2, "`customer` is none, not text"),
        (3, "`customer` is float, not text"),
    ]


def test_created_at_is_the_first_event_unless_the_profile_says_so(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("who,day,since\na,2024-01-02,\na,2024-01-01,\nb,2024-01-01,2020-05-05T00:00:00Z\n")
    mapping = mapping_of(
        "customer: row.who\n"
        "profile: {created_at: row.since if row.since else none, country: row.n}\n"
        "events: [{event: e, at: row.day}]\n"
    )
    profiles = {event.customer: event.profile for event in replay_events(path, mapping) if event.profile}
    assert profiles["a"].created_at == datetime(2024, 1, 1, 12, tzinfo=UTC)
    assert profiles["a"].country == "2", "the profile is that of the row with the first event"
    assert profiles["b"].created_at == datetime(2020, 5, 5, tzinfo=UTC)
    assert datetime(2024, 1, 1, 12, tzinfo=UTC) - profiles["b"].created_at > timedelta(days=365)
