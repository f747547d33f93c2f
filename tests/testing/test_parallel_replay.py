"""A replay shared between processes says what one process says, and leaves none behind, whatever happens."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from multiprocessing import active_children
from pathlib import Path
from typing import Any, NoReturn

import pytest

from orchestrator.core.index import Index
from orchestrator.definitions.event_tables import ReplayTable, replay_events
from orchestrator.definitions.load import load_project
from orchestrator.definitions.mapping import load_mapping
from orchestrator.definitions.yaml_loader import load_document
from orchestrator.demo.bookings import write_bookings_csv
from orchestrator.runtime.breaker import MOST_RENDER_ERRORS
from orchestrator.testing.parallel_replay import customers_are_strangers, may_share, replay_shared
from orchestrator.testing.replay import TOGETHER, Replay
from orchestrator.testing.simulation import Emit, Progress, Summary, longest_after
from tests.small_projects import project_files, project_of, write_files

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
Lines = list[dict[str, Any]]


@cache
def bookings(folder: Path) -> tuple[Replay, ReplayTable]:
    """Three hundred bookings and the five reminders before each."""
    write_bookings_csv(folder / "bookings.csv", 7, 300)
    loaded = load_project(BENCHMARKS / "reminders")
    document = load_document("hotel.mapping.yaml", (BENCHMARKS / "hotel.mapping.yaml").read_text())
    mapping, problems = load_mapping(document, loaded.project.timezone)
    assert mapping is not None, problems
    table = replay_events(folder / "bookings.csv", mapping)
    assert table.first_at is not None and table.last_at is not None
    return Replay(loaded, table.first_at, longest_after(table.last_at)), table


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bookings")


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_lines_order_and_counts_are_those_of_one_process(folder: Path, parts: int) -> None:
    replay, table = bookings(folder)
    alone: Lines = []
    shared: Lines = []
    told: list[tuple[int, int]] = []
    expected = replay.run(table, alone.append, None)

    together = replace(replay, width=TOGETHER)
    summary = replay_shared(together.run, table, shared.append, lambda *done: told.append(done), parts)

    assert shared == alone
    assert len(alone) > 1_000
    assert summary == expected
    assert told[-1] == (len(table), len(table))
    assert active_children() == []


def test_what_is_made_of_the_lines_comes_in_their_order(folder: Path) -> None:
    replay, table = bookings(folder)
    alone: Lines = []
    replay.run(table, alone.append, None)
    made: list[str] = []
    replay_shared(replay.run, table, made.append, None, 2, prepare=json.dumps)
    assert made == [json.dumps(line) for line in alone]


def test_every_customer_is_in_one_part_with_all_events(folder: Path) -> None:
    _, table = bookings(folder)
    parts = [table.part(number, 3) for number in range(3)]
    customers = [{event.customer for event in part} for part in parts]
    assert sum(map(len, parts)) == len(table)
    assert sum(map(len, customers)) == table.customers == len(set().union(*customers))
    assert all(customers)


def raises() -> NoReturn:
    raise MemoryError


def dies() -> NoReturn:
    os._exit(1)


@pytest.mark.parametrize("fail", [raises, dies])
@pytest.mark.parametrize("after", [0, 700])
def test_when_a_process_fails_this_one_does_it_all_and_prints_nothing_twice(
    folder: Path, after: int, fail: Callable[[], NoReturn]
) -> None:
    replay, table = bookings(folder)
    here = os.getpid()
    alone: Lines = []
    expected = replay.run(table, alone.append, None)

    def run(events: ReplayTable, emit: Emit, progress: Progress | None) -> Summary:
        lines: Lines = []

        def emit_some(line: dict[str, Any]) -> None:
            lines.append(line)
            if os.getpid() != here and len(lines) > after:
                fail()
            emit(line)

        return replay.run(events, emit_some, progress)

    shared: Lines = []
    assert replay_shared(run, table, shared.append, None, 2) == expected
    assert shared == alone
    assert active_children() == []


def test_when_printing_fails_the_processes_end(folder: Path) -> None:
    replay, table = bookings(folder)

    def closed(line: dict[str, Any]) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        replay_shared(replay.run, table, closed, None, 2)
    assert active_children() == []


@pytest.mark.parametrize("errors", [MOST_RENDER_ERRORS - 1, MOST_RENDER_ERRORS + 20])
def test_the_breaker_counts_the_messages_of_all_processes(tmp_path: Path, errors: int) -> None:
    journey = {
        "topic": "care",
        "enter": {"event": "go"},
        "steps": [{"email": "named"}, {"wait": "1d"}, {"email": "hello"}],
    }
    loaded = load_project(write_files(tmp_path, project_files({"named": journey})))
    rows = "".join(f"2026-03-{1 + n // 20:02}T12:00:00Z,c{n},go\n" for n in range(errors))
    (tmp_path / "go.csv").write_text(f"at,customer,event\n{rows}")
    table = replay_events(tmp_path / "go.csv", None)
    replay = Replay(loaded, datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC))
    alone: Lines = []
    shared: Lines = []
    expected = replay.run(table, alone.append, None)
    together = replace(replay, width=TOGETHER)
    assert replay_shared(together.run, table, shared.append, None, 2, alone=replay.run) == expected
    assert shared == alone


STEPS: list[dict[str, Any]] = [{"email": "hello"}]


@pytest.mark.parametrize(
    ("journey", "strangers"),
    [
        ({"steps": STEPS}, True),
        ({"steps": [{"wait": "1d"}, *STEPS], "exit": {"event": "stop"}, "goal": {"event": "bought"}}, True),
        ({"steps": STEPS, "throttle": {"max": 10, "per": "1h"}}, False),
        ({"steps": STEPS, "limits": {"entries_per_day": 5}}, False),
        ({"steps": STEPS, "limits": {"messages_total": 5}}, False),
        ({"steps": [{"task": {"queue": "desk", "title": "Call"}}]}, False),
        ({"steps": STEPS, "enter": {"schedule": "0 9 * * 1"}}, False),
        ({"steps": STEPS, "exit": {"event": "message_sent"}}, False),
    ],
)
def test_customers_are_strangers_where_nothing_is_shared(
    tmp_path: Path, journey: dict[str, Any], strangers: bool
) -> None:
    loaded = project_of(tmp_path, {"one": {"topic": "care", "enter": {"event": "go"}, **journey}})
    assert customers_are_strangers(Index(loaded.project)) is strangers


def test_a_small_table_is_not_shared(folder: Path) -> None:
    replay, table = bookings(folder)
    assert not may_share(replay.loaded.project, table)
