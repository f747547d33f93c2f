"""Schedules and campaigns: one occurrence each local minute, in every zone, whatever the engine went through."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.inbox import Identified
from orchestrator.core.index import Index
from orchestrator.runtime.sweep import next_sweep_at, start_schedules
from orchestrator.stores.memory import MemoryStore
from tests.small_projects import project_of
from tests.world import Engine, Happening, exactly

START = datetime(2026, 3, 28, 12, tzinfo=UTC)
"""The day before the clocks go forward in Europe."""


def engine_of(folder: Path, trigger: Mapping[str, Any], start: datetime = START, **journey: Any) -> Engine:
    steps = [{"wait": {"until": "entry.at"}}]
    rules = {"enter": dict(trigger), "steps": steps, **journey}
    return Engine(MemoryStore(), project_of(folder, {"j": rules}), start)


def there(engine: Engine, at: datetime = START, **zones: str) -> None:
    """Customers by name, each in a zone."""
    engine.arrive(Happening(at, name, Identified({"timezone": zone}, silent=True)) for name, zone in zones.items())
    engine.run(at)


def entries(engine: Engine) -> list[tuple[str, str, str]]:
    return [(line["at"], line["customer"], line["key"]) for line in engine.lines() if line["type"] == "entered"]


def kinds(engine: Engine) -> set[str]:
    return {line["type"] for line in engine.lines()}


def test_everyone_enters_at_the_local_minute(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, {"schedule": "0 17 * * *", "timezone": "customer"})
    there(engine, tokyo="Asia/Tokyo", lisbon="Europe/Lisbon", kathmandu="Asia/Kathmandu")
    exactly(engine, (), START + timedelta(days=1))
    assert entries(engine) == [
        ("2026-03-28T17:00:00Z", "lisbon", "2026-03-28T17:00"),
        ("2026-03-29T08:00:00Z", "tokyo", "2026-03-29T17:00"),
        ("2026-03-29T11:15:00Z", "kathmandu", "2026-03-29T17:00"),
    ]


def test_a_fixed_zone_reaches_all_at_once(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, {"schedule": "0 17 * * *", "timezone": "Europe/Lisbon"})
    there(engine, tokyo="Asia/Tokyo", lisbon="Europe/Lisbon")
    exactly(engine, (), START + timedelta(days=1))
    assert entries(engine) == [
        ("2026-03-28T17:00:00Z", "lisbon", "2026-03-28T17:00"),
        ("2026-03-28T17:00:00Z", "tokyo", "2026-03-28T17:00"),
    ]


def test_a_minute_in_the_gap_comes_at_its_end(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, {"schedule": "30 1 * * *", "timezone": "Europe/Lisbon"})
    there(engine, u1="Europe/Lisbon")
    exactly(engine, (), START + timedelta(days=2))
    assert entries(engine) == [
        ("2026-03-29T01:00:00Z", "u1", "2026-03-29T01:30"),
        ("2026-03-30T00:30:00Z", "u1", "2026-03-30T01:30"),
    ]


def test_a_minute_that_comes_twice_fires_once(tmp_path: Path) -> None:
    start = datetime(2026, 10, 24, 12, tzinfo=UTC)
    engine = engine_of(tmp_path, {"schedule": "30 1 * * *", "timezone": "customer"}, start)
    there(engine, start, u1="Europe/Lisbon")
    exactly(engine, (), start + timedelta(days=1))
    assert entries(engine) == [("2026-10-25T00:30:00Z", "u1", "2026-10-25T01:30")]


def test_an_outage_is_no_miss(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, {"schedule": "0 * * * *"})
    there(engine, u1="UTC")
    engine.run(START)
    engine.run(START + timedelta(hours=3, minutes=30))
    assert [key for _, _, key in entries(engine)] == [f"2026-03-28T{hour}:00" for hour in (12, 13, 14, 15)]
    at = {line["at"] for line in engine.lines() if line["key"] != "2026-03-28T12:00"}
    assert at == {"2026-03-28T15:30:00Z"}, "what the engine came too late for is decided when it comes"


def test_an_outage_is_judged_by_late(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, {"schedule": "0 * * * *"}, late={"after": "1h", "then": "exit"})
    there(engine, u1="UTC")
    engine.run(START + timedelta(hours=2, minutes=30))
    reasons = {line["key"]: line["reason"] for line in engine.lines() if line["type"] == "exited"}
    assert reasons == {"2026-03-28T13:00": "late"}


def test_a_repeated_sweep_brings_nothing(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, {"schedule": "0 13 * * *"})
    there(engine, u1="UTC")
    for minutes in (60, 60, 59, 61, 60):
        engine.run(START + timedelta(minutes=minutes))
    assert entries(engine) == [("2026-03-28T13:00:00Z", "u1", "2026-03-28T13:00")]
    assert kinds(engine) == {"entered", "waiting", "completed"}


def test_nothing_before_the_deploy_is_an_occurrence(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, {"schedule": "*/10 * * * *"}, START + timedelta(minutes=5))
    there(engine, START + timedelta(minutes=5), u1="UTC")
    exactly(engine, (), START + timedelta(minutes=21))
    assert [key for _, _, key in entries(engine)] == ["2026-03-28T12:10", "2026-03-28T12:20"]


def test_an_occurrence_at_the_very_instant_of_the_deploy_counts(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, {"schedule": "0 12 * * *"})
    there(engine, u1="UTC")
    assert [key for _, _, key in entries(engine)] == ["2026-03-28T12:00"]


def test_a_zone_in_which_nobody_was_brings_nothing_of_the_past(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, {"schedule": "0 9 * * *", "timezone": "customer"})
    there(engine, u1="UTC")
    late = START + timedelta(days=10)
    exactly(engine, (), late)
    assert len(entries(engine)) == 10
    there(engine, late, new="Asia/Tokyo")
    exactly(engine, (), late + timedelta(hours=13))
    assert [entry for entry in entries(engine) if entry[1] == "new"] == [
        ("2026-04-08T00:00:00Z", "new", "2026-04-08T09:00")
    ]


def test_who_moves_to_a_zone_that_was_empty_gets_nothing_of_the_past(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, {"schedule": "0 9 * * *", "timezone": "customer"})
    there(engine, u1="Asia/Tokyo", u2="UTC")
    moved = START + timedelta(days=5)
    exactly(engine, [Happening(START + timedelta(days=1), "u1", Identified({"timezone": "UTC"}))], moved)
    exactly(engine, [Happening(moved, "u1", Identified({"timezone": "Asia/Tokyo"}))], moved + timedelta(hours=13))
    keys = [key for _, customer, key in entries(engine) if customer == "u1"]
    assert keys == sorted(set(keys))
    assert "refused" not in kinds(engine)


def test_who_came_after_the_occurrence_is_not_entered_by_it(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, {"schedule": "0 13 * * *"})
    there(engine, u1="UTC")
    engine.arrive(
        [Happening(START + timedelta(minutes=60, seconds=20), "u2", Identified({"timezone": "UTC"}, silent=True))]
    )
    engine.run(START + timedelta(minutes=61))
    assert [customer for _, customer, _ in entries(engine)] == ["u1"]


def test_a_journey_that_was_away_brings_nothing_of_that_time(tmp_path: Path) -> None:
    engine = engine_of(tmp_path / "with", {"schedule": "0 * * * *"})
    there(engine, u1="UTC")
    exactly(engine, (), START + timedelta(minutes=90))
    without = project_of(tmp_path / "without", {"other": {"enter": {"event": "go"}, "steps": []}}).project
    engine.store.deploy(Index(without), START + timedelta(minutes=90))
    start_schedules(engine.store, START + timedelta(minutes=90))
    exactly(engine, (), START + timedelta(hours=5))
    engine.run(START + timedelta(hours=5))
    back = START + timedelta(hours=5, minutes=30)
    engine.store.deploy(Index(engine.project.project), back)
    start_schedules(engine.store, back)
    exactly(engine, (), START + timedelta(hours=6, minutes=1))
    assert [key for _, _, key in entries(engine)] == [f"2026-03-28T{hour}:00" for hour in (12, 13, 18)]


def test_an_outage_over_a_deploy_is_no_miss(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, {"schedule": "0 * * * *"})
    there(engine, u1="UTC")
    back = START + timedelta(hours=2, minutes=30)
    engine.store.deploy(Index(engine.project.project), back)
    start_schedules(engine.store, back)
    engine.run(back)
    assert [key for _, _, key in entries(engine)] == [f"2026-03-28T{hour}:00" for hour in (12, 13, 14)]


# --- campaigns ------------------------------------------------------


def test_a_campaign_comes_once_at_its_local_minute(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, {"once": "2026-03-29T10:00", "timezone": "customer"})
    there(engine, tokyo="Asia/Tokyo", lisbon="Europe/Lisbon")
    exactly(engine, (), START + timedelta(days=500))
    assert entries(engine) == [
        ("2026-03-29T01:00:00Z", "tokyo", "2026-03-29T10:00"),
        ("2026-03-29T09:00:00Z", "lisbon", "2026-03-29T10:00"),
    ]
    assert next_sweep_at(engine.store) is None


def test_a_campaign_in_the_past_reaches_nobody(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, {"once": "2026-03-28T11:59", "timezone": "UTC"})
    there(engine, u1="UTC")
    exactly(engine, (), START + timedelta(days=2))
    assert entries(engine) == []


def test_a_spread_lets_people_in_one_after_another(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, {"once": "2026-03-29T10:00", "timezone": "UTC", "spread": "2h"})
    there(engine, START, **{f"u{number}": "UTC" for number in range(40)})
    exactly(engine, (), START + timedelta(days=2))
    found = entries(engine)
    instants = [at for at, _, _ in found]
    assert len(found) == 40
    assert {key for _, _, key in found} == {"2026-03-29T10:00"}
    assert min(instants) >= "2026-03-29T10:00:00Z"
    assert max(instants) < "2026-03-29T12:00:00Z"
    assert len(set(instants)) > 30


@pytest.mark.parametrize("trigger", [{"schedule": "0 13 * * *"}, {"once": "2026-03-28T13:00"}])
def test_only_members_at_that_instant_are_concerned(tmp_path: Path, trigger: Mapping[str, Any]) -> None:
    rules = {"enter": {**trigger, "segment": "golden", "timezone": "UTC"}, "steps": []}
    parts = {"segments": {"golden": {"where": "customer.plan == 'gold'"}}}
    engine = Engine(MemoryStore(), project_of(tmp_path, {"j": rules}, **parts), START)
    there(engine, joins="UTC", leaves="UTC", never="UTC")
    hour = timedelta(minutes=60)
    happenings = [
        Happening(START, "leaves", Identified({"plan": "gold"})),
        Happening(START + hour, "joins", Identified({"plan": "gold"})),
        Happening(START + hour, "leaves", Identified({"plan": None})),
    ]
    exactly(engine, happenings, START + 2 * hour)
    assert [customer for _, customer, _ in entries(engine)] == ["joins"]
    assert "refused" not in kinds(engine)
