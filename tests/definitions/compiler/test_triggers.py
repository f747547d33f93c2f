"""Each trigger compiles to what the language reference says, with its defaults."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from orchestrator.core.program import (
    ALWAYS,
    NEVER,
    OnApi,
    OnAttribute,
    OnceAt,
    OnDate,
    OnEvent,
    OnInactive,
    OnSchedule,
    OnSegment,
    OnStage,
    Reentry,
)
from orchestrator.core.time.cron import parse_cron
from orchestrator.core.time.durations import parse_duration

DAY = timedelta(days=1)
TOKYO = ZoneInfo("Asia/Tokyo")


def shown(value: Any) -> Any:
    return f"<{value.source}>" if hasattr(value, "source") else value


CASES: list[tuple[str, type, dict[str, Any]]] = [
    (
        "{event: booked}",
        OnEvent,
        {
            "id": "event",
            "event": "booked",
            "where": None,
            "key": None,
            "reentry": NEVER,
            "overlap": "refuse",
            "unless_in": (),
        },
    ),
    (
        "{id: in, event: booked, where: event.total == '1', key: event.booking_id}",
        OnEvent,
        {"id": "in", "where": "<event.total == '1'>", "key": "<event.booking_id>"},
    ),
    ("{event: booked, reentry: always, unless_in: other}", OnEvent, {"reentry": ALWAYS, "unless_in": ("other",)}),
    ("{event: booked, reentry: {after: 7d}}", OnEvent, {"reentry": Reentry(after=7 * DAY)}),
    (
        "{event: booked, reentry: {after: 1w, since: message}}",
        OnEvent,
        {"reentry": Reentry(after=7 * DAY, since="message")},
    ),
    ("{event: booked, overlap: restart}", OnEvent, {"overlap": "restart", "reentry": ALWAYS}),
    ("{event: booked, overlap: parallel}", OnEvent, {"overlap": "parallel", "reentry": ALWAYS}),
    ("{event: booked, overlap: parallel, reentry: never}", OnEvent, {"overlap": "parallel", "reentry": NEVER}),
    ("{segment: vip}", OnSegment, {"id": "segment", "segment": "vip", "edge": "entered", "include_existing": False}),
    ("{segment: vip, edge: left, existing: include}", OnSegment, {"edge": "left", "include_existing": True}),
    (
        "{attribute: customer.plan}",
        OnAttribute,
        {"id": "attribute", "attribute": "plan", "has_from": False, "has_to": False},
    ),
    (
        "{attribute: customer.plan, from: null, to: gold}",
        OnAttribute,
        {"has_from": True, "from_value": None, "has_to": True, "to_value": "gold"},
    ),
    (
        '{schedule: "0 9 * * MON", segment: vip}',
        OnSchedule,
        {"id": "schedule", "cron": parse_cron("0 9 * * MON"), "segment": "vip", "zone": None},
    ),
    ('{schedule: "0 9 * * MON", timezone: Asia/Tokyo}', OnSchedule, {"zone": TOKYO, "segment": None}),
    (
        "{once: 2026-11-27T10:00, segment: vip, spread: 2h}",
        OnceAt,
        {
            "id": "once",
            "local": datetime(2026, 11, 27, 10),
            "segment": "vip",
            "zone": None,
            "spread": timedelta(hours=2),
        },
    ),
    ("{once: 2026-11-27 10:00, timezone: Asia/Tokyo}", OnceAt, {"zone": TOKYO, "spread": timedelta(0)}),
    (
        "{date: customer.birthday}",
        OnDate,
        {
            "id": "date",
            "attribute": "birthday",
            "offset": None,
            "at": time(0),
            "every": "once",
            "calendar": "gregorian",
            "if_missed": "skip",
        },
    ),
    (
        "{date: customer.birthday, offset: -7d, at: 09:00, every: year, calendar: chinese, if_missed: enter}",
        OnDate,
        {"offset": parse_duration("-7d"), "at": time(9), "every": "year", "calendar": "chinese", "if_missed": "enter"},
    ),
    (
        "{inactive: {event: order_placed, for: 60d}}",
        OnInactive,
        {"id": "inactive", "event": "order_placed", "idle_for": 60 * DAY, "or_never": False, "include_existing": False},
    ),
    (
        "{inactive: {event: order_placed, for: 2w, or_never: true}, existing: include}",
        OnInactive,
        {"idle_for": 14 * DAY, "or_never": True, "include_existing": True},
    ),
    ("{stage: {to: loyalty, from: use}}", OnStage, {"id": "stage", "to": "loyalty", "from_stage": "use"}),
    ("{stage: loyalty}", OnStage, {"to": "loyalty", "from_stage": None}),
    ("{api: true}", OnApi, {"id": "api"}),
]


@pytest.mark.parametrize(("text", "kind", "expected"), CASES, ids=[text[:70] for text, _, _ in CASES])
def test_each_trigger_compiles_to_what_the_reference_says(journey_of, text, kind, expected):
    (trigger,) = journey_of(f"journey: j\nenter: {text}\nsteps: []\n").triggers
    assert type(trigger) is kind
    assert {name: shown(getattr(trigger, name)) for name in expected} == expected


def test_several_triggers_stand_in_the_order_of_the_file(journey_of):
    journey = journey_of("journey: j\nenter: [{event: booked}, {id: twice, event: booked}, {api: true}]\nsteps: []\n")
    assert [trigger.id for trigger in journey.triggers] == ["event", "twice", "api"]


@pytest.mark.parametrize(("zone", "expected"), [("Asia/Tokyo", TOKYO), ("customer", None), ("customer.zone", None)])
def test_a_schedule_goes_by_the_journeys_clock_if_that_is_one_zone(journey_of, zone, expected):
    journey = journey_of(f'journey: j\ntimezone: {zone}\nenter: {{schedule: "0 9 * * *"}}\nsteps: []\n')
    assert journey.triggers[0].zone == expected


def test_a_schedules_own_clock_goes_before_the_journeys(journey_of):
    text = 'journey: j\ntimezone: Asia/Tokyo\nenter: {schedule: "0 9 * * *", timezone: customer}\nsteps: []\n'
    assert journey_of(text).triggers[0].zone is None


MISTAKES = [
    ("{event: booked, where: entry.total == '1'}", "2:31: there is no 'entry' here"),
    (
        "{event: booked, where: event.totl == '1'}",
        "2:37: no property 'totl' of 'event' is declared; did you mean 'total'?",
    ),
    ('{schedule: "0 9 * *"}', "2:19: found a schedule of 4 fields"),
    ('{schedule: "0 0 31 2 *"}', "whose date never comes"),
    ("{date: customer.birthday, offset: days(3)}", "found 'days(3)' where a duration stands"),
    ("{date: customer.birthday, offset: -2h, at: 10:00}", "the offset -2h holds hours, minutes or seconds"),
]


@pytest.mark.parametrize(("text", "expected"), MISTAKES, ids=[text for text, _ in MISTAKES])
def test_mistakes_are_pointed_at(source_of, text, expected):
    source = source_of(f"journey: j\nenter: {text}\nsteps: []\n")
    (problem,) = source.problems
    assert expected in problem.headline()
    assert source.journey is None
