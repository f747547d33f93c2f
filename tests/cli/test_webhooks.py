"""`orchestrator webhooks`: shown, tried out, sent again, skipped; what lint says; lane, `doctor`, figures."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest
from pytest_httpserver import HTTPServer

from orchestrator.cli.commands import COMMANDS
from orchestrator.core.webhooks import LINES
from orchestrator.runtime.alarms import find_troubles
from orchestrator.tasks.lanes import webhooks as webhooks_task
from orchestrator.wiring.engine import Running
from orchestrator.wiring.installation import real_now
from orchestrator.wiring.webhooks import places_of
from orchestrator.wiring.worker import running, shut

GIVEN = """
webhooks:
  crm: {url: crm, lines: [entered, message, exited], past: true}
  plain: {url: "http://127.0.0.1:9/in", lines: exited}
"""


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("ORCHESTRATOR_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    with HTTPServer(host="127.0.0.1", port=0) as found:
        yield found


@pytest.fixture
def deployed(cli: Any, waking: Path, server: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with (waking / "journeys" / "project.yaml").open("a", encoding="utf-8") as file:
        file.write(GIVEN)
    monkeypatch.setenv("ORCHESTRATOR_HTTP_ALLOW", "127.0.0.1")
    key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8G"
    monkeypatch.setenv("ORCHESTRATOR_WEBHOOKS", f"crm={server.url_for('/in')}#{key}")
    monkeypatch.setenv("ORCHESTRATOR_PROJECT", str(waking))
    assert cli("db", "upgrade").code == 0 and cli("deploy", "--yes").code == 0
    yield waking
    shut()


@pytest.fixture
def engine(deployed: Path) -> Callable[[], Running]:
    def opened() -> Running:
        found = running()
        found.engine.watch()
        return found

    return opened


class _Process:
    def __init__(self, found: Running) -> None:
        self.engine = found.engine
        self.nudged: list[str] = []

    def nudge(self, lane: str) -> None:
        self.nudged.append(lane)


def enter(cli: Any, deployed: Path, found: Running) -> None:
    (deployed / "people.csv").write_text("id,email\nana,ana@example.com\n", encoding="utf-8")
    assert cli("import", "customers", "people.csv").code == 0
    from orchestrator.runtime.ingest import Incoming, ingest_once

    at = found.engine.now()
    event = found.store.index.project.journeys["welcome"]
    name = next(iter(_events(event)))
    assert not ingest_once(found.store, [Incoming("ana", name, {}, at, "m1")], at).refused
    found.engine.decide_once()


def _events(journey: Any) -> list[str]:
    return [trigger.event for trigger in journey.triggers if getattr(trigger, "event", None)]


def test_they_are_listed_tried_retried_and_skipped(
    cli: Any, deployed: Path, server: HTTPServer, engine: Callable[[], Running]
) -> None:
    assert [one["state"] for one in cli("webhooks", "list", "--json").json] == ["new", "new"]
    server.expect_oneshot_request("/in").respond_with_data(status=204)
    assert "took it: the answer was 204" in cli("webhooks", "test", "crm").out
    server.expect_request("/in").respond_with_data(status=410)
    found = cli("webhooks", "test", "crm", "--json")
    assert found.code == 1 and found.json["status"] == 410
    assert cli("webhooks", "test", "plain").code == 1
    first = engine()
    enter(cli, deployed, first)
    process = _Process(first)
    assert webhooks_task(process) == 1 and process.nudged == ["webhooks"]  # type: ignore[arg-type]
    assert webhooks_task(process) == 0  # type: ignore[arg-type]
    assert first.loop.webhooks.pass_once() > 0 and not first.loop.webhooks.state.failing
    [crm, plain] = cli("webhooks", "list", "--json").json
    assert crm["state"] == "paused" and "410" in crm["reason"] and plain["state"] == "going"
    assert "crm is told nothing any more" in cli("doctor").out
    assert "webhook:crm" in find_troubles(first.store, {}, real_now(), real_now())
    figures = generate_latest(first.registry).decode()
    assert 'orchestrator_webhook_state{state="paused",webhook="crm"} 1.0' in figures
    assert 'orchestrator_webhook_batches_total{outcome="refused",webhook="crm"} 1.0' in figures
    done = cli("webhooks", "skip", "crm", "--json").json
    assert done["put_aside"] >= 1 and cli("webhooks", "list", "--json").json[0]["put_aside"] == done["put_aside"]
    assert "put aside" in cli("doctor").out
    failed = cli("webhooks", "retry", "crm")
    assert failed.code == 1 and "the answer was 410" in failed.out
    server.clear()
    server.expect_request("/in").respond_with_data(status=200)
    again = cli("webhooks", "retry", "crm", "--json")
    assert again.code == 0 and again.json["sent"] == done["put_aside"] and again.json["left"] == 0
    assert cli("webhooks", "skip", "crm", "--all").code == 0
    told = [row["action"] for row in cli("audit", "list", "--json").json["rows"] if "webhook" in row["action"]]
    assert told == ["webhook test"] * 3 + ["webhook skip", "webhook retry", "webhook retry", "webhook skip"]
    assert "webhooks" in COMMANDS and [lane.name for lane in first.loop.states()][-1] == "webhooks"


def test_test_mode_tells_nobody(
    cli: Any, deployed: Path, monkeypatch: pytest.MonkeyPatch, engine: Callable[[], Running]
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_TEST_MODE", "seeds")
    monkeypatch.setenv("ORCHESTRATOR_SEEDS", "a@example.com")
    assert engine().engine.receivers is None and engine().engine.follow_once() == 0
    assert "test mode" in cli("webhooks", "test", "crm").err


def test_what_cannot_be(cli: Any, deployed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for words, told in (
        (("list", "crm"), "takes no name"), (("test",), "takes a NAME"), (("test", "cmr"), "did you mean crm?"),
        (("test", "crm", "--all"), "belongs to"), (("tset", "crm"), "test"),
    ):  # fmt: skip
        found = cli("webhooks", *words)
        assert found.code == 2 and told in found.err

    monkeypatch.setenv("ORCHESTRATOR_WEBHOOKS", "crn=https://example.com")
    assert "did you mean crn?" in cli("webhooks", "test", "crm").err
    assert "crm has no address" in cli("doctor").out
    for wrong in ("https://example.com/secret", "crm=ftp://x", "a=https://x a=https://y"):
        monkeypatch.setenv("ORCHESTRATOR_WEBHOOKS", wrong)
        found = cli("webhooks", "test", "crm")
        assert found.code == 2 and "ORCHESTRATOR_WEBHOOKS" in found.err and "secret" not in found.err
    place = places_of("a=https://x/?k=1#whsec_a b=http://y")["a"]
    assert (place.url, place.secret) == ("https://x/?k=1", "whsec_a")


FAULTS = (
    ("url: crm, lines: [mesage]", 26, "did you mean 'message'?"),
    ("url: crm, lines: message, where: customer.tier == 'gold'", 41, "knows the line alone"),
    ("url: crm, lines: message, where: line.journey ==", 56, "ends too early"),
    ("url: crm, lines: message, where: line.at < now", 41, "knows the line alone"),
    ("url: 'https://me:secret@example.com', lines: message", 13, "no place in this file"),
    ("url: 'ftp://example.com', lines: message", 13, "is no address"),
    ("url: crm, lines: message, timeout: 2m", 43, "from 1s to 30s"),
    ("url: crm, lines: message, give_up_after: 40d", 49, "from 60s to 30d"),
)


def test_lint_says_where(cli: Any, project: Path) -> None:
    path = project / "journeys" / "project.yaml"
    text = path.read_text(encoding="utf-8")
    hooks = "".join(f"  w{number}: {{{options}}}\n" for number, (options, _, _) in enumerate(FAULTS))
    path.write_text(f"webhooks:\n{hooks}{text}", encoding="utf-8")
    listed = cli("lint", "--json").json
    problems = {problem["line"]: problem for problem in listed}
    for line, (options, column, told) in enumerate(FAULTS, 2):
        said = problems[line]
        assert said["column"] == column and told in str(said), (options, said)
    wrong = "  a: {url: crm, lines: message, batch: 101}\n  b: {url: crm}\n  c: {url: x, lines: []}\n"
    path.write_text(f"webhooks:\n{wrong}{text}", encoding="utf-8")
    found = cli("lint")
    assert all(f"project.yaml:{line}:" in found.out for line in (2, 3, 4)) and "from 1 to 100" in found.out


def test_the_types_of_lines_are_those_of_the_page(repository_root: Path) -> None:
    text = (repository_root / "docs" / "interfaces.md").read_text(encoding="utf-8")
    table = text.partition("| type | keys | says |")[2].partition("\n\n")[0]
    named = [name.strip("` ") for line in table.splitlines()[2:] for name in line.split("|")[1].split(",")]
    assert named == list(LINES)
