"""Figures that are right across processes, logs, traces and probes, over stores that all of them share."""

from __future__ import annotations

import io
import json
import logging
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from pytest_httpserver import HTTPServer

from orchestrator.channels.providers.wire import ProviderWire
from orchestrator.core.inbox import ConsentChanged
from orchestrator.http.probes import Kept
from orchestrator.runtime.figures import FigureKeeper, Figures
from orchestrator.runtime.ingest import Incoming, ingest_once
from orchestrator.runtime.lateness import Lateness
from orchestrator.settings import read_settings
from orchestrator.stores.memory import MemoryStore
from orchestrator.stores.protocol import StoreBusy
from orchestrator.wiring.checks import examine
from orchestrator.wiring.databases import database_at, open_database, upgrade_database
from orchestrator.wiring.engine import Running
from orchestrator.wiring.installation import real_now
from orchestrator.wiring.logs import configure_logs
from orchestrator.wiring.probe_server import answering_probes
from orchestrator.wiring.processes import seen
from orchestrator.wiring.worker import open_deployed
from tests.servers.postgres import clean_database
from tests.tasks.installation import deploy_from, free_port, traits_of, write_project


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'figures.db'}"
        return
    with clean_database() as url:
        yield url


@pytest.fixture
def two(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Running, Running]]:
    """Two processes of one installation."""
    monkeypatch.setenv("ORCHESTRATOR_SECRET_KEY", "only for tests, and long enough for one")
    write_project(tmp_path)
    database = database_at(url)
    upgrade_database(database)
    first = open_database(database)
    deploy_from(tmp_path, first)
    first.close()
    running = [open_deployed(open_database(database), database, read_settings(), tmp_path) for _ in range(2)]
    yield running[0], running[1]
    for one in running:
        one.close()


def samples(running: Running) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(generate_latest(running.registry).decode())
        for sample in family.samples
    }


def order(running: Running, *customers: str) -> None:
    items: list[Any] = []
    for customer in customers:
        items += [(customer, traits_of(customer)), Incoming(customer, "ordered", {})]
    ingest_once(running.store, items, running.journey_now())


def test_figures_are_those_of_all_processes(two: tuple[Running, Running]) -> None:
    api, worker = two
    order(api, "u1", "u2")
    ingest_once(api.store, [("u2", ConsentChanged("news", "email", "out"))], api.journey_now())
    api.count({"ingest:accepted": 4, "ingest:refused": 1})
    assert samples(api)["orchestrator_oldest_due_seconds", "turn"] > 0
    while worker.engine.turns_once(lambda counts: None):
        pass
    assert samples(api)["orchestrator_turns_total",] == 0, "what a process counted comes with its next flush"
    while worker.engine.deliver_class_once("transactional"):
        pass
    assert worker.engine.figures.flush(worker.store)
    seen(worker.store, "worker", "here:1", worker.real_now())
    found = samples(api)
    assert found["orchestrator_turns_total",] >= 1
    assert found["orchestrator_turn_customers_count",] == found["orchestrator_turns_total",]
    assert found["orchestrator_turn_customers_sum",] >= 2
    assert found["orchestrator_lateness_seconds_count",] >= 1
    assert found["orchestrator_sends_total", "email", "accepted"] == 2
    assert found["orchestrator_ingest_items_total", "accepted"] == 4
    assert found["orchestrator_ingest_items_total", "refused"] == 1
    assert found["orchestrator_processes", "worker"] == 1
    assert found["orchestrator_channel_circuit", "email", "closed"] == 1
    lanes = {name[1] for name in found if name[0] == "orchestrator_oldest_due_seconds"}
    assert lanes == {"turn", "transactional", "service", "promotional", "requests"}
    assert found["orchestrator_oldest_due_seconds", "transactional"] == 0
    # Both processes tell the same, but for what is their own.
    assert samples(worker)["orchestrator_sends_total", "email", "accepted"] == 2


def test_doctor_tells_how_long_each_lane_has_waited(two: tuple[Running, Running], url: str, tmp_path: Path) -> None:
    api, _ = two

    def due() -> tuple[str, str]:
        [finding] = [found for found in examine(tmp_path, url, None, {}, lambda root: ()) if found.name == "due"]
        return finding.state, finding.words

    assert due() == ("ok", "nothing is overdue")
    ingest_once(api.store, [("u1", traits_of("u1"))], real_now() - timedelta(minutes=5))
    state, words = due()
    assert state == "wrong" and "turn for 30" in words


class Busy(MemoryStore):
    """A database that cannot be written just now."""

    busy = True

    def count(self, changed: Any) -> None:
        if self.busy:
            raise StoreBusy("later")
        super().count(changed)


def test_counts_wait_for_a_database_that_is_busy() -> None:
    store, lateness = Busy(), Lateness()
    figures = Figures(lateness)
    figures.add({"turns": 1})
    lateness.observe(timedelta(seconds=2))
    assert not figures.flush(store)
    figures.add({"turns": 1})
    store.busy = False
    assert figures.flush(store) and figures.flush(store)
    assert store.counted() == {"turns": 2, "late:5": 1, "late_us": 2_000_000}


def test_a_keeper_flushes_when_it_ends() -> None:
    store, figures = MemoryStore(), Figures(Lateness())
    keeper = FigureKeeper(figures, store)
    keeper.start()
    figures.add({"turns": 3})
    keeper.stop()
    assert store.counted() == {"turns": 3}


def test_what_costs_much_is_asked_seldom() -> None:
    clock, asked = [0.0], []

    def ask() -> bytes:
        asked.append(clock[0])
        clock[0] += cost
        return b"%d" % len(asked)

    kept = Kept(ask, lambda: clock[0])
    cost = 0.001
    assert [kept(), kept()] == [b"1", b"2"]
    cost = 0.5
    assert [kept(), kept()] == [b"3", b"3"]
    clock[0] += 49
    assert kept() == b"3"
    clock[0] += 2
    assert kept() == b"4"


def test_a_process_answers_on_a_port_of_its_own() -> None:
    port = free_port()
    settings = read_settings().model_copy(update={"probe_port": port})
    with answering_probes(settings, "beat", childless=True, more=lambda: b"more 1\n") as answering:
        assert answering == port
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=10) as answer:
            assert json.load(answer)["process"] == "beat"
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        assert "orchestrator_process_memory_bytes{" in text and text.endswith("more 1\n")
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10)
    with answering_probes(read_settings(), "beat", childless=True) as nowhere:
        assert nowhere is None


@pytest.fixture
def _logs_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("_logs_as_before")
def test_lines_are_json_where_nobody_sits_and_text_where_somebody_does() -> None:
    stream = io.StringIO()
    configure_logs("worker", "auto", False, stream)
    logging.getLogger("orchestrator.x").warning("the lane '%s' failed", "turn", extra={"message_id": "m.1"})
    logging.getLogger("orchestrator.x").info("not said")
    line = json.loads(stream.getvalue())
    assert (line["event"], line["level"], line["process"]) == ("the lane 'turn' failed", "warning", "worker")
    assert line["message_id"] == "m.1" and line["logger"] == "orchestrator.x"
    stream = io.StringIO()
    configure_logs("worker", "text", True, stream)
    try:
        raise ValueError("ana@example.com")
    except ValueError:
        logging.getLogger("orchestrator.x").exception("it failed")
    text = stream.getvalue()
    assert " ERROR orchestrator.x: it failed\n" in text and "ValueError: [removed]" in text


@pytest.mark.usefixtures("_logs_as_before")
@pytest.mark.parametrize("verbose", [False, True])
def test_no_secret_of_a_providers_address_is_said(
    httpserver: HTTPServer, verbose: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("werkzeug"), "disabled", True)  # what the other side says is its affair
    httpserver.expect_request("/cgi-bin/gettoken").respond_with_json({"errcode": 0})
    stream, wire = io.StringIO(), ProviderWire(1, 5)
    configure_logs("worker", "text", verbose, stream)
    wire.call("GET", httpserver.url_for("/cgi-bin/gettoken?corpsecret=SECRET"), {"Authorization": "SECRET"})
    wire.close()
    logging.getLogger("orchestrator.x").error("the last line")
    assert "SECRET" not in stream.getvalue() and "the last line" in stream.getvalue()


def test_providers_and_money_are_figures(two: tuple[Running, Running]) -> None:
    api, worker = two
    api.count({"provider:email/ses:accepted": 3, "provider:email/smtp-2:retry": 1, "spend:sms:EUR": 1_500_000})
    worker.count({"spend:sms:EUR": 250_000})
    assert worker.engine.figures.flush(worker.store)
    found = samples(api)
    assert found["orchestrator_provider_sends_total", "email", "accepted", "ses"] == 3  # labels are sorted
    assert found["orchestrator_provider_sends_total", "email", "retry", "smtp-2"] == 1
    assert found["orchestrator_spend_total", "sms", "EUR"] == 1.75
