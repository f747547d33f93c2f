"""Events whose own timestamp is not their arrival, which a scenario's timeline cannot have: the language reference,
sections 5 and 6."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.runtime.ingest import Incoming, ingest_once
from orchestrator.testing.simulation import Simulation
from tests.small_projects import PROJECT, project_of

START = datetime(2026, 3, 2, 10, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
Arriving = tuple[timedelta, str, timedelta, Mapping[str, Any]]
"""Arrival and timestamp, both counted from the start, around the event's name; its properties."""


def lines_of(
    folder: Path, journey: Mapping[str, Any], *arriving: Arriving, settings: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """What happens to one customer to whom events come in their own time."""
    project = {**PROJECT, "settings": settings} if settings else None
    lines: list[dict[str, Any]] = []
    run = Simulation(project_of(folder, {"j": journey}, project=project), START, lines.append)
    run.prepare((), ())
    for arrives, name, stamped, properties in arriving:
        run.advance_to(START + arrives)
        ingest_once(run.store, [Incoming("u1", name, properties, START + stamped)], run.now)
        run.run_engine()
    run.run_out(START + 100 * DAY)
    run.finish()
    return lines


def told(lines: list[dict[str, Any]], type_: str, key: str) -> list[Any]:
    return [line.get(key) for line in lines if line["type"] == type_]


def text(after: timedelta) -> str:
    return (START + after).strftime("%Y-%m-%dT%H:%M:%SZ")


WAITING = {"enter": {"event": "go"}, "steps": [{"wait": "1h"}]}


@pytest.mark.parametrize(
    ("lag", "based_on_timestamp"), [(4 * MINUTE, True), (5 * MINUTE, True), (5 * MINUTE + timedelta(seconds=1), False)]
)
def test_entry_is_due_at_a_timestamp_that_is_hardly_older_than_its_arrival(tmp_path, lag, based_on_timestamp):
    lines = lines_of(tmp_path, WAITING, (HOUR, "go", HOUR - lag, {}))
    base = HOUR - lag if based_on_timestamp else HOUR
    assert told(lines, "waiting", "until") == [text(base + HOUR)]


def test_a_timestamp_in_the_future_is_read_as_its_arrival(tmp_path):
    journey = {"enter": {"event": "go", "where": "count('go', within='1m') == 1"}, "steps": [{"wait": "1h"}]}
    lines = lines_of(tmp_path, journey, (HOUR, "go", 9 * DAY, {}))
    assert told(lines, "waiting", "until") == [text(2 * HOUR)]


@pytest.mark.parametrize(("age", "enters"), [(DAY, True), (DAY + timedelta(seconds=1), False)])
def test_an_event_that_comes_too_late_enters_nothing_and_is_not_refused(tmp_path, age, enters):
    lines = lines_of(tmp_path, WAITING, (2 * DAY, "go", 2 * DAY - age, {}))
    assert bool(told(lines, "entered", "at")) is enters
    assert told(lines, "refused", "reason") == []


def test_how_late_is_too_late_is_a_setting(tmp_path):
    lines = lines_of(tmp_path, WAITING, (3 * HOUR, "go", HOUR, {}), settings={"late_events": "1h"})
    assert lines == []


def test_an_event_that_comes_too_late_joins_the_history_by_its_own_time(tmp_path):
    journey = {
        "enter": {"event": "go"},
        "steps": [{"set": {"customer.points": "{{ count('ping', within='3d') * 10 + count('ping', within='9d') }}"}}],
    }
    lines = lines_of(tmp_path, journey, (8 * DAY, "ping", 2 * DAY, {}), (9 * DAY, "go", 9 * DAY, {}))
    assert told(lines, "attribute", "value") == [1]


def test_an_event_that_comes_too_late_updates_and_exits(tmp_path):
    journey = {
        "enter": {"event": "go"},
        "update": {"event": "changed"},
        "exit": {"event": "stop"},
        "steps": [{"wait": {"until": "entry.day"}}],
    }
    lines = lines_of(
        tmp_path,
        journey,
        (0 * DAY, "go", 0 * DAY, {"day": "2026-03-20"}),
        (5 * DAY, "changed", 1 * DAY, {"day": "2026-03-30"}),
        (6 * DAY, "stop", 2 * DAY, {}),
    )
    assert told(lines, "rescheduled", "until") == ["2026-03-30T00:00:00Z"]
    assert [(line["at"], line["reason"]) for line in lines if line["type"] == "exited"] == [(text(6 * DAY), "stop")]


@pytest.mark.parametrize(("stamped", "counts"), [(2 * DAY, True), (4 * DAY, False), (-DAY, False)])
def test_goals_count_late_events_by_their_own_time(tmp_path, stamped, counts):
    journey = {
        "enter": {"event": "go"},
        "goal": {"event": "bought", "within": "3d", "value": "event.total"},
        "steps": [{"wait": "1h"}],
    }
    lines = lines_of(tmp_path, journey, (0 * DAY, "go", 0 * DAY, {}), (9 * DAY, "bought", stamped, {"total": 7}))
    assert told(lines, "goal", "value") == ([7] if counts else [])


@pytest.mark.parametrize(
    ("stamped", "taken"), [(timedelta(0), "then"), (30 * MINUTE, "then"), (-MINUTE, "else")], ids=["at", "in", "before"]
)
def test_a_wait_takes_an_event_by_its_own_timestamp(tmp_path, stamped, taken):
    journey = {"enter": {"event": "go"}, "steps": [{"wait": {"event": "ping", "up_to": "1h"}}]}
    lines = lines_of(tmp_path, journey, (0 * DAY, "go", 0 * DAY, {}), (40 * MINUTE, "ping", stamped, {}))
    assert told(lines, "branched", "branch") == [taken]


def test_an_event_that_arrives_after_the_deadline_was_noticed_changes_nothing(tmp_path):
    journey = {"enter": {"event": "go"}, "steps": [{"wait": {"event": "ping", "up_to": "1h"}}, {"wait": "1d"}]}
    lines = lines_of(tmp_path, journey, (0 * DAY, "go", 0 * DAY, {}), (2 * HOUR, "ping", 30 * MINUTE, {}))
    assert told(lines, "branched", "branch") == ["else"]
    assert told(lines, "completed", "at") == [text(HOUR + DAY)]
