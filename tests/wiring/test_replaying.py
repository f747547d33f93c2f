"""Replays on a live installation: the lines of `simulate --events`, also when it was broken off in the middle."""

from __future__ import annotations

import argparse
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.terminal import Terminal
from orchestrator.cli.up_replay import ReplayThread
from orchestrator.core.transition import line_of
from orchestrator.definitions.event_tables import ReplayTable, replay_events
from orchestrator.definitions.load import LoadedProject, load_project
from orchestrator.errors import UsageError
from orchestrator.settings import read_settings
from orchestrator.stores.protocol import StoreBusy
from orchestrator.stores.sqlite.store import SqliteStore, open_store
from orchestrator.testing.replay import simulate_events
from orchestrator.wiring import replaying
from orchestrator.wiring.engine import Running, start_engine
from orchestrator.wiring.outside import kept_here
from orchestrator.wiring.replaying import LiveReplay, Stopped, refuse_later_clock

TEMPLATE = Path(__file__).resolve().parents[2] / "orchestrator" / "project_template"
CUSTOMERS = [f"u{number}" for number in range(12)]


@pytest.fixture
def loaded(tmp_path: Path) -> LoadedProject:
    shutil.copytree(TEMPLATE, tmp_path / "project")
    return load_project(tmp_path / "project").require_valid()


@pytest.fixture
def table(tmp_path: Path, loaded: LoadedProject) -> ReplayTable:
    lines = ["at,customer,event,total"]
    for number, customer in enumerate(CUSTOMERS):
        lines.append(f"2026-03-0{1 + number % 7}T1{number % 5}:00:00Z,{customer},signed_up,")
        lines.append(f"2026-03-1{number % 9}T12:00:00Z,{customer},order_placed,{number * 40}")
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    return replay_events(tmp_path / "t.csv", None)


def running_on(store: SqliteStore, loaded: LoadedProject, table: ReplayTable) -> Running:
    return start_engine(
        store,
        loaded,
        kept_here(read_settings()),
        loaded.root,
        secret=b"s" * 32,
        base_url="http://localhost:8000",
        begin_at=table.first_at,
    )


def journal(store: SqliteStore) -> list[Any]:
    found = [line_of(t) for customer in CUSTOMERS for t in store.journal(customer)]
    return sorted(found, key=lambda line: (line["at"], line["customer"]))


def same_text(line: dict[str, Any]) -> dict[str, Any]:
    """Without what the links in it are signed with."""
    return {key: value for key, value in line.items() if key not in ("html", "text")}


def replay(
    store: SqliteStore, loaded: LoadedProject, table: ReplayTable, wait: Callable[[float], bool], emit: Any = None
) -> LiveReplay:
    running = running_on(store, loaded, table)
    made = LiveReplay(running, loaded, table, emit or (lambda line: None), None, None, wait)
    made.run()
    return made


def never(seconds: float) -> bool:
    return False


def test_a_replay_prints_what_simulate_prints(tmp_path: Path, loaded: LoadedProject, table: ReplayTable) -> None:
    expected: list[Any] = []
    summary = simulate_events(loaded, table, expected.append)
    assert len(expected) > 50
    store = open_store(tmp_path / "r.db", salt="0", durable=False, drains=True)
    lines: list[Any] = []
    done = replay(store, loaded, table, never, lines.append)
    assert list(map(same_text, lines)) == list(map(same_text, expected))
    assert done.summary is not None and done.summary.events == summary.events
    assert store.mark("clock:journey") == done.summary.ended_at == summary.ended_at
    with pytest.raises(UsageError, match="leave out --replay"):
        refuse_later_clock(store, table.last_at)  # type: ignore[arg-type]
    store.close()


@pytest.mark.parametrize("steps", [1, 7, 23])
def test_a_replay_that_was_broken_off_goes_on_where_it_was(
    steps: int, tmp_path: Path, loaded: LoadedProject, table: ReplayTable
) -> None:
    whole = open_store(tmp_path / "whole.db", salt="0", durable=False, drains=True)
    replay(whole, loaded, table, never)
    broken = tmp_path / "broken.db"
    left = 500
    while left:
        store = open_store(broken, salt="0", durable=False, drains=True)
        count = 0

        def stop(seconds: float) -> bool:
            nonlocal count
            count += 1
            return count > steps

        try:
            replay(store, loaded, table, stop)
            break
        except Stopped:
            store.close()
        left -= 1
    assert left
    assert journal(store) == journal(whole)
    store.close()
    whole.close()


def test_a_database_that_is_busy_for_a_while_changes_nothing(
    tmp_path: Path, loaded: LoadedProject, table: ReplayTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = open_store(tmp_path / "whole.db", salt="0", durable=False, drains=True)
    replay(whole, loaded, table, never)
    monkeypatch.setattr(replaying, "KEPT_EVERY", replaying.KEPT_EVERY * 0)
    store = open_store(tmp_path / "busy.db", salt="0", durable=False, drains=True)
    taken = store.ingest
    calls = 0

    def ingest(arrivals: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls % 5 == 0:
            raise StoreBusy("locked by another process")
        return taken(arrivals)

    monkeypatch.setattr(store, "ingest", ingest)
    replay(store, loaded, table, never)
    assert calls > 10 and journal(store) == journal(whole)
    store.close()
    whole.close()


def test_a_speed_is_kept(tmp_path: Path, loaded: LoadedProject, table: ReplayTable) -> None:
    store = open_store(tmp_path / "r.db", salt="0", durable=False, drains=True)
    running = running_on(store, loaded, table)
    waited: list[float] = []

    def wait(seconds: float) -> bool:
        waited.append(seconds)
        return False

    LiveReplay(running, loaded, table, lambda line: None, None, 86_400.0, wait).run()
    days = (store.mark("clock:journey") - table.first_at).total_seconds() / 86_400  # type: ignore[operator]
    assert max(waited) == pytest.approx(days, abs=5.0)
    store.close()


@pytest.mark.parametrize("goes_on", [True, False])
def test_who_goes_on_after_the_replay_serves_from_a_durable_store(
    tmp_path: Path, loaded: LoadedProject, table: ReplayTable, goes_on: bool
) -> None:
    store = open_store(tmp_path / "r.db", durable=False, drains=True)
    running = running_on(store, loaded, table)
    args = argparse.Namespace(speed=None, exit_when_done=not goes_on)
    ended = threading.Event()
    thread = ReplayThread(args, Terminal(), loaded, running, table, ended.set)
    thread.start()
    assert thread.join() and thread.error is None
    assert running.loop.stop()
    with store.db.write() as c:
        assert c.execute("PRAGMA synchronous").fetchone() == (2,)
    assert ended.is_set() is not goes_on
    running.close()
