"""Dates, inactivity, and what an import or a deploy does to them (section 2 of the language)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from orchestrator.core.inbox import Identified
from orchestrator.core.index import Index
from orchestrator.runtime.ingest import Incoming
from orchestrator.stores.memory import MemoryStore
from tests.small_projects import project_of
from tests.world import Engine, Happening, exactly

START = datetime.fromisoformat("2026-03-02T10:00:00+00:00")
RENEWAL: dict[str, Any] = {"date": "customer.renewal", "offset": "-1d", "at": "09:00"}
IDLE: dict[str, Any] = {"inactive": {"event": "go", "for": "5h"}}
NOTHING: list[dict[str, Any]] = [{"wait": "0s"}]


def engine_of(folder: Path, *triggers: Mapping[str, Any], **journey: Any) -> Engine:
    return Engine(
        MemoryStore(), project_of(folder, {"j": {"enter": list(triggers), "steps": NOTHING, **journey}}), START
    )


def told(engine: Engine) -> list[tuple[Any, ...]]:
    """(instant, type, key, reason) of entries and refusals."""
    return [
        (line["at"][5:16], line["type"], line.get("key"), line.get("reason"))
        for line in engine.lines()
        if line["type"] in ("entered", "refused", "exited")
    ]


def traits(minutes: float, silent: bool = False, **given: Any) -> Happening:
    return Happening(START + timedelta(minutes=minutes), "u1", Identified(given, silent))


def go(minutes: float, ago: float = 0) -> Happening:
    at = START + timedelta(minutes=minutes)
    return Happening(at, "u1", Incoming("u1", "go", {}, at - timedelta(minutes=ago)))


# --- dates ------------------------------------------------------


def test_a_date_enters_once_at_its_local_time(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, RENEWAL)
    happenings = [traits(0, timezone="Asia/Tokyo"), traits(1, renewal=date(2026, 3, 5))]
    exactly(engine, happenings, START + timedelta(days=800))
    assert told(engine) == [("03-04T00:00", "entered", "2026-03-05", None)]


def test_a_changed_date_moves_the_entry(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, RENEWAL)
    happenings = [traits(0, renewal=date(2026, 3, 5)), traits(60, renewal="2026-03-10"), traits(120, renewal="soon")]
    exactly(engine, happenings[:2], START + timedelta(minutes=90))
    assert engine.next_due_at() == datetime.fromisoformat("2026-03-09T09:00:00+00:00")
    exactly(engine, happenings[2:], START + timedelta(days=30))
    assert told(engine) == []


def test_a_missed_date_is_skipped_or_entered_as_the_trigger_says(tmp_path: Path) -> None:
    for if_missed, expected in (("skip", []), ("enter", [("03-02T10:00", "entered", "2026-03-02", None)])):
        engine = engine_of(tmp_path / if_missed, {**RENEWAL, "offset": "0d", "if_missed": if_missed})
        exactly(engine, [traits(0, renewal=date(2026, 3, 2))], START + timedelta(days=30))
        assert told(engine) == expected


def test_a_missed_date_enters_once_whatever_else_changes(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, {**RENEWAL, "if_missed": "enter", "reentry": "always"})
    happenings = [traits(0, renewal=date(2026, 3, 2)), traits(9, timezone="Asia/Tokyo"), traits(10, plan="x")]
    exactly(engine, happenings, START + timedelta(days=30))
    assert told(engine) == [("03-02T10:00", "entered", "2026-03-02", None)]


def test_an_import_enters_nobody_for_a_missed_date(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, {**RENEWAL, "if_missed": "enter"})
    exactly(engine, [traits(0, silent=True, renewal=date(2026, 3, 2))], START + timedelta(days=30))
    assert told(engine) == []


def test_an_import_sets_the_date_of_the_future(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, RENEWAL)
    exactly(engine, [traits(0, silent=True, renewal=date(2026, 3, 5))], START + timedelta(days=30))
    assert told(engine) == [("03-04T09:00", "entered", "2026-03-05", None)]


def test_an_outage_is_no_miss(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, RENEWAL)
    engine.arrive([traits(0, renewal=date(2026, 3, 5))])
    engine.run(START)
    engine.run(START + timedelta(days=9))
    assert told(engine) == [("03-11T10:00", "entered", "2026-03-05", None)]


def test_a_deploy_of_another_time_moves_the_entry(tmp_path: Path) -> None:
    engine = engine_of(tmp_path / "old", RENEWAL)
    exactly(engine, [traits(0, renewal=date(2026, 3, 5))], START + timedelta(hours=1))
    newer = {"enter": [{**RENEWAL, "at": "17:30"}], "steps": NOTHING}
    engine.store.deploy(Index(project_of(tmp_path / "new", {"j": newer}).project), START + timedelta(hours=1))
    exactly(engine, (), START + timedelta(days=9))
    assert told(engine) == [("03-04T17:30", "entered", "2026-03-05", None)]


def test_every_year_and_every_month_keep_the_anchor_day(tmp_path: Path) -> None:
    monthly = engine_of(tmp_path / "m", {"date": "customer.renewal", "every": "month"})
    exactly(monthly, [traits(0, renewal=date(2026, 1, 31))], START + timedelta(days=125))
    assert [key for _, _, key, _ in told(monthly)] == ["2026-03-31", "2026-04-30", "2026-05-31", "2026-06-30"]
    yearly = engine_of(tmp_path / "y", {"date": "customer.renewal", "every": "year"})
    exactly(yearly, [traits(0, renewal=date(2024, 2, 29))], START + timedelta(days=800))
    assert [key for _, _, key, _ in told(yearly)] == ["2027-02-28", "2028-02-29"]


# --- inactivity ------------------------------------------------------


def test_inactivity_counts_from_the_last_event(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, IDLE)
    exactly(engine, [go(0), go(60), go(600)], START + timedelta(days=2))
    assert told(engine) == [
        ("03-02T16:00", "entered", "2026-03-02T11:00:00Z", None),
        ("03-03T01:00", "entered", "2026-03-02T20:00:00Z", None),
    ]


def test_who_never_did_it_counts_only_where_the_trigger_says(tmp_path: Path) -> None:
    for or_never, expected in ((False, []), (True, [("03-02T15:00", "entered", "2026-03-02T10:00:00Z", None)])):
        trigger = {"inactive": {**IDLE["inactive"], "or_never": or_never}}
        engine = engine_of(tmp_path / str(or_never), trigger)
        exactly(engine, [traits(0, silent=True, plan="x", created_at=START)], START + timedelta(days=2))
        assert told(engine) == expected


def test_an_older_event_that_comes_later_changes_nothing(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, IDLE)
    exactly(engine, [go(0), go(120, ago=180), go(400, ago=500)], START + timedelta(days=2))
    assert told(engine) == [("03-02T15:00", "entered", "2026-03-02T10:00:00Z", None)]


def test_an_event_older_than_the_bound_lets_nobody_in(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, IDLE)
    exactly(engine, [go(0, ago=25 * 60)], START + timedelta(days=2))
    assert told(engine) == []


def test_an_event_that_is_late_within_the_bound_lets_in_at_once(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, IDLE)
    exactly(engine, [go(0, ago=6 * 60)], START + timedelta(days=2))
    assert told(engine) == [("03-02T10:00", "entered", "2026-03-02T04:00:00Z", None)]


def test_a_deploy_in_an_outage_loses_no_overdue_inactivity(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, IDLE)
    exactly(engine, [go(0)], START + timedelta(hours=1))
    engine.store.deploy(Index(engine.project.project), START + timedelta(hours=9))
    engine.run(START + timedelta(hours=9))
    assert told(engine) == [("03-02T19:00", "entered", "2026-03-02T10:00:00Z", None)]


def test_those_who_qualify_at_the_first_deploy_enter_only_where_the_trigger_says(tmp_path: Path) -> None:
    for existing, expected in (
        ("exclude", []),
        ("include", [("03-03T10:00", "entered", "2026-03-02T10:00:00Z", None)]),
    ):
        other = {"other": {"enter": {"event": "ping"}, "steps": []}}
        engine = Engine(MemoryStore(), project_of(tmp_path / existing / "a", other), START)
        exactly(engine, [go(0)], START + timedelta(days=1))
        idle = {"j": {"enter": {**IDLE, "existing": existing}, "steps": NOTHING}}
        newer = project_of(tmp_path / existing / "b", {**other, **idle})
        engine.store.deploy(Index(newer.project), START + timedelta(days=1))
        exactly(engine, (), START + timedelta(days=3))
        assert told(engine) == expected
