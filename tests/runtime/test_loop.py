"""Lanes: passes that fail are told and tried again, nudges are coalesced, a fast clock makes nobody late."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.core.index import Index
from orchestrator.definitions.load import LoadedProject, load_project
from orchestrator.runtime.clock import JourneyClock
from orchestrator.runtime.deployment import deploy
from orchestrator.runtime.ingest import Incoming, ingest_once
from orchestrator.runtime.lateness import BOUNDS, Lateness
from orchestrator.runtime.loop import LONGEST_BACK_OFF, TICK, Engine, EngineLoop, Lane
from orchestrator.runtime.rendering import LedgerRenderer
from orchestrator.stores.memory import MemoryStore
from orchestrator.stores.protocol import StoreBusy
from orchestrator.stores.sqlite.store import open_store
from orchestrator.testing.sink import ScriptedHttp, SinkChannel

REAL = datetime(2026, 3, 1, 10, tzinfo=UTC)
CHANNELS = ("email", "sms", "push", "whatsapp", "wechat", "inbox")


class Scripted:
    """A pass that does what it is told, in turn."""

    def __init__(self, *outcomes: int | Exception) -> None:
        self.outcomes = list(outcomes)
        self.calls = 0

    def __call__(self) -> int:
        self.calls += 1
        outcome = self.outcomes.pop(0) if self.outcomes else 0
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def lane(once: Scripted, **options: object) -> Lane:
    return Lane("test", once, lambda: REAL, **options)  # type: ignore[arg-type]


def test_work_is_told_and_looked_for_again_at_once() -> None:
    told: list[int] = []
    tested = lane(Scripted(3, 0), told=lambda: told.append(1))
    assert tested.pass_once() == 0.0 and told == [1]
    assert tested.pass_once() == TICK and told == [1]
    assert (tested.state.passes, tested.state.work) == (2, 3)


def test_a_lane_looks_again_when_something_is_due() -> None:
    assert lane(Scripted(0), due_in=lambda: 0.25).pass_once() == 0.25
    assert lane(Scripted(0), due_in=lambda: 500.0).pass_once() == TICK


def test_a_busy_database_backs_off_longer_each_time_and_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    tested = lane(Scripted(*[StoreBusy("locked")] * 12, 1))
    waits = [tested.pass_once() for _ in range(12)]
    assert waits == sorted(waits) and waits[0] < 1 and waits[-1] == LONGEST_BACK_OFF
    assert tested.state.busy == 12 and tested.state.failures == 0 and tested.state.failing
    assert tested.state.last_error == "locked" and "locked" in caplog.text
    caplog.set_level(logging.INFO)
    assert tested.pass_once() == 0.0 and not tested.state.failing and "works again" in caplog.text


def test_any_other_exception_is_loud_counted_and_survived(caplog: pytest.LogCaptureFixture) -> None:
    tested = lane(Scripted(ZeroDivisionError("ours"), 1))
    assert tested.pass_once() > 0
    assert tested.state.failures == 1 and "ZeroDivisionError: ours" in str(tested.state.last_error)
    assert "Traceback" in caplog.text
    tested.pass_once()
    assert tested.state.work == 1


def test_a_lane_lags_while_it_fails_and_not_before_it_runs() -> None:
    tested = lane(Scripted(ValueError("x"), ValueError("x")), allowed=0.0)
    assert tested.lag() == 0.0
    tested.pass_once()
    first = tested.lag()
    tested.pass_once()
    assert tested.lag() > first > 0


def test_nudges_are_one_however_many() -> None:
    started, may_go = threading.Event(), threading.Event()
    calls: list[int] = []

    def once() -> int:
        calls.append(1)
        started.set()
        may_go.wait(5)
        return 0

    tested = Lane("test", once, lambda: REAL, due_in=lambda: TICK)
    tested.start()
    assert started.wait(5)
    for _ in range(1_000):
        tested.nudge()
    may_go.set()
    tested.stop()
    assert tested.join(5)
    assert len(calls) <= 3


# --- an engine -------------------------------------------------------------------------------------------------------


JOURNEY = """journey: hello
topic: orders
enter: {event: ordered, reentry: always}
steps:
  - email: first
  - wait: 3d
  - email: second
"""


@pytest.fixture
def loaded(tmp_path: Path) -> LoadedProject:
    files = {
        "journeys/project.yaml": "topics: {orders: {class: transactional}}\nsettings: {late_tolerance: 5m}\n",
        "journeys/schema.yaml": "events: {ordered: {}}\n",
        "journeys/hello.yaml": JOURNEY,
        "templates/email/first.txt": "---\nsubject: first\n---\nhello\n",
        "templates/email/second.txt": "---\nsubject: second\n---\nhello again\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return load_project(tmp_path).require_valid()


class RealClock:
    """The machine's clock, as a test moves it."""

    def __init__(self) -> None:
        self.at = REAL

    def __call__(self) -> datetime:
        return self.at


def engine_of(store: MemoryStore, loaded: LoadedProject, clock: JourneyClock, real: RealClock) -> Engine:
    channels = {name: SinkChannel() for name in CHANNELS}
    renderer = LedgerRenderer(loaded.templates, loaded.project, "https://example.com", b"tests")
    return Engine(store, channels, ScriptedHttp({}), renderer, clock, real)


def passes(engine: Engine) -> int:
    return engine.decide_once() + engine.deliver_once() + engine.requests_once()


def people(store: MemoryStore, count: int, at: datetime) -> None:
    for number in range(count):
        ingest_once(store, [("u" + str(number), _identity(number)), Incoming(f"u{number}", "ordered", {})], at)


def _identity(number: int) -> object:
    from orchestrator.core.inbox import Identified

    return Identified({"email": f"u{number}@example.com"})


def test_a_pass_decides_and_delivers(loaded: LoadedProject) -> None:
    store, real = MemoryStore(), RealClock()
    engine = engine_of(store, loaded, JourneyClock(REAL, REAL, virtual=False), real)
    deploy(store, loaded, REAL, None, REAL)
    people(store, 3, REAL)
    real.at += timedelta(seconds=2)
    while passes(engine):
        pass
    assert store.overview().messages == {("email", "sent"): 3}
    seen = engine.lateness.seen()
    assert seen.total >= 1 and seen.worst == pytest.approx(2.0)


def test_a_fast_clock_makes_nobody_late(loaded: LoadedProject) -> None:
    """A day a second: each pass may take its time, and every message is sent at its due instant or soon after."""
    store, real = MemoryStore(), RealClock()
    clock = JourneyClock(REAL, REAL, 86_400)
    engine = engine_of(store, loaded, clock, real)
    deploy(store, loaded, REAL, None, REAL)
    loop = EngineLoop(engine)
    loop.nudge()
    people(store, 20, REAL)
    for _ in range(200):
        passes(engine)
        real.at += timedelta(seconds=1)
    assert store.overview().messages == {("email", "sent"): 40}
    assert engine.lateness.seen().worst <= 150, "half of late_tolerance"
    assert all(line.type != "failed" for line in store.drain_journal())
    assert clock.now(real.at) > REAL + timedelta(days=30), "idle time runs at full speed"


def test_one_broken_provider_does_not_stop_time(loaded: LoadedProject) -> None:
    store, real = MemoryStore(), RealClock()
    clock = JourneyClock(REAL, REAL, 86_400)
    engine = engine_of(store, loaded, clock, real)
    deploy(store, loaded, REAL, None, REAL)
    engine.deliver_once = lambda stopping=lambda: False: 0  # type: ignore[method-assign]
    people(store, 1, REAL)
    for _ in range(100):
        engine.decide_once()
        real.at += timedelta(seconds=1)
    engine.awaited = False
    for _ in range(100):
        engine.decide_once()
        real.at += timedelta(seconds=1)
    assert clock.now(real.at) > REAL + timedelta(hours=4)


@pytest.fixture
def lanes(tmp_path: Path, loaded: LoadedProject) -> Iterator[tuple[EngineLoop, object]]:
    store = open_store(tmp_path / "lanes.db", durable=False)
    engine = engine_of(
        store,  # type: ignore[arg-type]
        loaded,
        JourneyClock(datetime.now(UTC), datetime.now(UTC), virtual=False),
        lambda: datetime.now(UTC),  # type: ignore[arg-type]
    )
    store.deploy(Index(loaded.project), datetime.now(UTC))
    loop = EngineLoop(engine)
    yield loop, store
    store.close()


def test_threads_on_a_file_deliver_what_is_nudged_and_end_when_told(lanes: tuple[EngineLoop, MemoryStore]) -> None:
    loop, store = lanes
    loop.start()
    people(store, 5, datetime.now(UTC))
    loop.nudge()
    until = datetime.now(UTC) + timedelta(seconds=20)
    while store.overview().messages.get(("email", "sent"), 0) < 5 and datetime.now(UTC) < until:
        threading.Event().wait(0.02)
    assert loop.stop(10)
    assert store.overview().messages == {("email", "sent"): 5}
    assert loop.lag() < timedelta(seconds=10) and not any(state.failing for state in loop.states())
    assert store.mark("clock:journey") is not None, "a stop writes the clock down"


def test_lateness_is_counted_in_buckets() -> None:
    late = Lateness()
    for seconds in (-1, 0, 0.005, 3, 1e9):
        late.observe(timedelta(seconds=min(seconds, 1e8)))
    seen = late.seen()
    assert seen.total == 5 and seen.counts[0] == 3 and seen.counts[-1] == 1 and len(seen.counts) == len(BOUNDS) + 1
