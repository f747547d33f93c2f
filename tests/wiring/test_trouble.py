"""What is out of order in an engine is written down, once a change, so that another process can tell."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from orchestrator.channels.protocol import Answer
from orchestrator.definitions.load import load_project
from orchestrator.runtime.clock import keep
from orchestrator.runtime.engine_lock import EngineLock
from orchestrator.settings import read_settings
from orchestrator.stores.memory import MemoryStore
from orchestrator.wiring.checks import examine
from orchestrator.wiring.databases import database_at, open_database, upgrade_database
from orchestrator.wiring.engine import Running, start_engine
from orchestrator.wiring.installation import real_now
from orchestrator.wiring.trouble import FINE, TROUBLES, TroubleBoard, told_trouble

TEMPLATE = Path(__file__).resolve().parents[2] / "orchestrator" / "project_template"
NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)


class Counting(MemoryStore):
    """Counts what is written."""

    written = 0

    def mark(self, name: str, at: datetime | None = None) -> datetime | None:
        self.written += at is not None
        return super().mark(name, at)


def test_only_changes_are_written() -> None:
    store = Counting()
    board = TroubleBoard(store, TROUBLES)
    wrong = frozenset({"channel email", "lane deliver"})
    for minute in range(5):
        board.once(lambda: wrong, NOW + timedelta(minutes=minute))
    assert told_trouble(store, TROUBLES) == {"channel email": NOW, "lane deliver": NOW} and store.written == 2
    after = TroubleBoard(store, TROUBLES)  # the engine was started again
    after.once(frozenset, NOW)
    assert told_trouble(store, TROUBLES) == {} and store.mark("trouble:channel email") == FINE


@pytest.fixture
def running(tmp_path: Path) -> Running:
    shutil.copytree(TEMPLATE, tmp_path, dirs_exist_ok=True)
    database = database_at(f"sqlite:///{tmp_path / 'e.db'}")
    upgrade_database(database)
    loaded = load_project(tmp_path).require_valid()
    settings = read_settings()
    return start_engine(
        open_database(database), loaded, settings, tmp_path, secret=b"s" * 32, base_url="http://localhost:8000"
    )


def test_the_doctor_and_the_figures_tell_of_a_channel_that_is_out_of_order(running: Running, tmp_path: Path) -> None:
    lock = EngineLock(tmp_path / "e.db")
    lock.acquire("here", real_now())
    try:
        gate = running.engine.gates.gate("email")
        down = Answer("retry", "535 wrong password", down=True)
        for _ in range(3):
            gate.note([down], running.engine.gates.clock())
        running.loop.states()[1].failing = True
        running.engine.decide_once()
        keep(running.store, running.engine.clock, real_now())
        found = list(examine(tmp_path, f"sqlite:///{tmp_path / 'e.db'}", None, {}, lambda root: ()))
        wrong = {finding.name: finding.words for finding in found if finding.state == "wrong"}
        assert wrong["channels"].startswith("the channel ") and "is out of order since" in wrong["channels"]
        assert wrong["engine"].startswith("the lane deliver fails since")
        figures = generate_latest(running.registry).decode()
        assert 'orchestrator_channel_circuit{channel="email",state="open"} 1.0' in figures
        assert 'orchestrator_channel_circuit{channel="email",state="closed"} 0.0' in figures
    finally:
        lock.release()
        running.close()
