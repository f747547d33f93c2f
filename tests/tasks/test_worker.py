"""The Celery tasks: a real worker over memory:// and a SQLite file does what `up` does."""

from __future__ import annotations

import importlib.util
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
from orchestrator.tasks.app import LANES, make_app, queue_of
from orchestrator.tasks.lanes import NAMES
from orchestrator.wiring import worker as process

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
        app.send_task("orchestrator.housekeeping")
        eventually(lambda: store.mark("clock:journey") is not None)
        for _ in range(20):  # ten times delivered is once done
            for klass in ("promotional", "transactional"):
                app.send_task("orchestrator.deliver", args=(klass,))
            app.send_task("orchestrator.requests")
            app.send_task("orchestrator.turn")
        time.sleep(1.0)
    assert store.overview().messages == {("email", "sent"): 2}
    assert len(list((tmp_path / ".orchestrator" / "outbox" / "email").glob("*.eml"))) == 2


def test_a_lane_that_does_not_exist_is_refused(store: Store) -> None:
    app = make_app()
    with pytest.raises(ValueError, match="there is no lane 'everything'"):
        app.tasks["orchestrator.deliver"]("everything")


def test_a_worker_without_a_deployment_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_PROJECT", str(tmp_path))
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_URL", f"sqlite:///{tmp_path}/none.db")
    with pytest.raises(Exception, match="orchestrator up"):
        process.running()
    open_store(tmp_path / "none.db").close()
    with pytest.raises(Exception, match="nothing is deployed"):
        process.running()
    process.shut()


def test_names_queues_and_settings() -> None:
    app = make_app("redis://localhost/0")
    assert set(NAMES) <= set(app.tasks)
    assert queue_of("orchestrator.deliver", ("service",)) == "service"
    assert queue_of("orchestrator.deliver", ("forged",)) == "promotional"
    assert queue_of("orchestrator.sweep") == "turn" and queue_of("orchestrator.requests") == "requests"
    assert {queue.name for queue in app.conf.task_queues} == set(LANES)
    assert app.conf.task_acks_late and app.conf.task_reject_on_worker_lost and app.conf.task_ignore_result
    assert app.conf.worker_prefetch_multiplier == 1 and app.conf.accept_content == ["json"]
    options: dict[str, Any] = app.conf.broker_transport_options
    assert options["unacked_restore_throttle"] == 1 and options["global_keyprefix"] == "orch:"
    assert {entry["task"] for entry in app.conf.beat_schedule.values()} == set(NAMES)


def test_the_file_that_celery_is_pointed_at(repository_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ORCHESTRATOR_BROKER_URL", raising=False)
    spec = importlib.util.spec_from_file_location("worker", repository_root / "worker.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.app.conf.broker_url == "memory://" and set(NAMES) <= set(module.app.tasks)
    assert threading.current_thread() is threading.main_thread()
