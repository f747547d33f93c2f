"""The Celery tasks: a real worker over memory:// and a SQLite file does what `up` does."""

from __future__ import annotations

import importlib.util
import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from celery.contrib.testing.worker import start_worker

from orchestrator.core.inbox import Identified
from orchestrator.definitions.load import load_project
from orchestrator.runtime.deployment import deploy, snapshot_of
from orchestrator.runtime.ingest import Incoming, ingest_once
from orchestrator.stores.protocol import Store
from orchestrator.stores.sqlite.store import open_store
from orchestrator.tasks.app import BEAT, lane_of, make_app, task_of
from orchestrator.tasks.lanes import NAMES
from orchestrator.tasks.process import Process
from orchestrator.wiring import worker as process
from orchestrator.wiring.broker import LANES, queues_of, sending_options

FILES = {
    "journeys/project.yaml": "topics: {orders: {class: transactional}, news: {class: promotional}}\n",
    "journeys/schema.yaml": "events: {ordered: {}}\n",
    "journeys/hello.yaml": (
        "journey: hello\ntopic: orders\nenter: {event: ordered}\nsteps:\n"
        "  - email: first\n  - email: {template: offer, topic: news}\n"
    ),
    "templates/email/first.txt": "---\nsubject: first\n---\nhello\n",
    "templates/email/offer.txt": "---\nsubject: offer\n---\nhello\n",
}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A project that is deployed in a database of its own, and another process's look at it."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    database = tmp_path / "worker.db"
    monkeypatch.setenv("ORCHESTRATOR_PROJECT", str(tmp_path))
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_URL", f"sqlite:///{database}")
    monkeypatch.delenv("ORCHESTRATOR_BROKER_URL", raising=False)
    beside = open_store(database)
    now = datetime.now(UTC)
    deploy(beside, load_project(tmp_path).require_valid(), now, snapshot_of(tmp_path), now)
    yield beside
    process.shut()
    beside.close()


def eventually(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 40
    while not true():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_one_nudge_brings_an_event_to_its_mails(store: Store, tmp_path: Path) -> None:
    app = make_app()
    app.loader.import_default_modules()
    now = datetime.now(UTC)
    traits = {"email": "ana@example.com", "consents": {"news": {"email": "in"}}}
    ingest_once(store, [("ana", Identified(traits)), Incoming("ana", "ordered", {})], now)
    with start_worker(app, pool="solo", perform_ping_check=False, shutdown_timeout=30):
        app.send_task("orchestrator.sweep")
        app.send_task("orchestrator.turn")
        eventually(lambda: store.overview().messages == {("email", "sent"): 2})
        eventually(lambda: store.mark("clock:journey") is not None)
        for _ in range(20):  # twenty times delivered is once done
            for klass in ("promotional", "transactional"):
                app.send_task("orchestrator.deliver", args=(klass,))
            app.send_task("orchestrator.requests")
            app.send_task("orchestrator.turn")
        time.sleep(1.0)
    assert store.overview().messages == {("email", "sent"): 2}
    assert len(list((tmp_path / ".orchestrator" / "outbox" / "email").glob("*.eml"))) == 2


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "why"),
    [
        ("deliver", ("everything",), {}, "there is no lane 'everything'"),
        ("deliver", ({"$": 1},), {}, "there is no lane"),
        ("turn", (), {"shards": [1024]}, "shards are whole numbers from 0 to 1023"),
        ("turn", (), {"shards": ["1; DROP TABLE customers"]}, "shards are whole numbers"),
        ("turn", (), {"shards": [True]}, "shards are whole numbers"),
        ("turn", (), {"shards": "12"}, "shards are whole numbers"),
        ("turn", (), {"shards": 7}, "shards are whole numbers"),
    ],
)
def test_forged_arguments_are_refused(store: Store, name: str, args: Any, kwargs: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        make_app().tasks[f"orchestrator.{name}"](*args, **kwargs)


def test_a_turn_of_named_shards_and_one_that_a_newer_pass_has_done_already(store: Store) -> None:
    app = make_app()
    ingest_once(store, [("ana", Identified({"email": "ana@example.com"})), Incoming("ana", "ordered", {})], real())
    assert app.tasks["orchestrator.turn"](shards=list(range(64))) >= 0
    while app.tasks["orchestrator.turn"]():
        pass
    ingest_once(store, [Incoming("ana", "ordered", {"n": 2})], real())
    assert app.tasks["orchestrator.turn"](sent=time.time() - 60) == 0, "it was sent before the last pass began"
    assert app.tasks["orchestrator.turn"](sent=time.time() + 60) == 1
    assert app.tasks["orchestrator.turn"](sent="yesterday") == 0, "nonsense saves no work, and there is none"


def test_a_nudge_is_only_dropped_for_a_pass_that_began_after_it_and_lately(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0, 5_000.0]
    monkeypatch.setattr("orchestrator.tasks.process.time.monotonic", lambda: now[0])
    monkeypatch.setattr("orchestrator.tasks.process.time.time", lambda: now[1])
    process = Process(make_app())
    assert not process.has_begun_since("turn", 4_999.0)
    process.begins("turn")
    assert process.has_begun_since("turn", 4_999.0) and not process.has_begun_since("turn", 5_000.1)
    assert not process.has_begun_since("requests", 4_999.0)
    now[0] += 0.6
    assert not process.has_begun_since("turn", 4_999.0), "a clock that is wrong costs half a second"


def real() -> datetime:
    return datetime.now(UTC)


def test_a_worker_without_a_deployment_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_PROJECT", str(tmp_path))
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_URL", f"sqlite:///{tmp_path}/none.db")
    with pytest.raises(Exception, match="orchestrator up"):
        process.running()
    open_store(tmp_path / "none.db").close()
    with pytest.raises(Exception, match="nothing is deployed"):
        process.running()
    process.shut()


def test_a_task_waits_for_a_deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_PROJECT", str(tmp_path))
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_URL", f"sqlite:///{tmp_path}/none.db")
    open_store(tmp_path / "none.db").close()
    app = make_app()
    assert [app.tasks[name](*(["service"] if name.endswith("deliver") else [])) for name in NAMES] == [0] * len(NAMES)
    process.shut()


def test_names_queues_and_settings() -> None:
    app = make_app("redis://localhost/0")
    assert set(NAMES) <= set(app.tasks)
    assert lane_of("orchestrator.deliver", ("service",)) == "service"
    assert lane_of("orchestrator.deliver", ("forged",)) == "promotional"
    assert lane_of("orchestrator.sweep") == "housekeeping" and lane_of("orchestrator.requests") == "requests"
    assert all(lane_of(*task_of(lane)) == lane for lane in LANES)
    assert {queue.name for queue in app.conf.task_queues} == set(LANES) == set(BEAT)
    assert app.conf.task_acks_late and app.conf.task_reject_on_worker_lost and app.conf.task_ignore_result
    assert app.conf.worker_prefetch_multiplier == 1 and app.conf.accept_content == ["json"]
    options: dict[str, Any] = app.conf.broker_transport_options
    assert options["unacked_restore_throttle"] == 1 and options["global_keyprefix"] == "orch:"
    assert options["visibility_timeout"] > app.conf.task_time_limit
    assert {entry["task"] for entry in app.conf.beat_schedule.values()} == set(NAMES)
    assert all(entry["schedule"].total_seconds() == 1 for entry in app.conf.beat_schedule.values())


def test_rabbitmq_gets_quorum_queues_behind_a_topic_exchange() -> None:
    for queue in queues_of("amqp://localhost//"):
        assert queue.exchange.type == "topic" and queue.queue_arguments["x-queue-type"] == "quorum"
        assert queue.queue_arguments["x-message-ttl"] == 30_000
    assert "socket_timeout" in sending_options("redis://localhost") and not sending_options("memory://").get("x")


def test_nothing_waits_in_the_broker(repository_root: Path) -> None:
    """Waits are rows: an ETA or a countdown would be executed many times by Redis, or never."""
    words = re.compile(r"countdown|\beta\b\s*=|apply_async|\.retry\(|autoretry")
    found = [
        f"{path.name}:{number}"
        for folder in ("tasks", "cli", "wiring", "runtime", "http")
        for path in sorted((repository_root / "orchestrator" / folder).rglob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if words.search(line)
    ]
    assert found == []


def test_the_file_that_celery_is_pointed_at(repository_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ORCHESTRATOR_BROKER_URL", raising=False)
    spec = importlib.util.spec_from_file_location("worker", repository_root / "worker.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.app.conf.broker_url == "memory://" and set(NAMES) <= set(module.app.tasks)
    assert threading.current_thread() is threading.main_thread()
