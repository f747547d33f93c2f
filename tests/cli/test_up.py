"""`orchestrator up` as a process of its own: events in over HTTP, mail out as files, ended and killed at any time."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

PATIENCE = 60.0
"""Real seconds: machines that run tests are busy."""
TABLE = "at,customer,event,source\n2026-03-02T12:00:00Z,ana,signed_up,web\n2026-03-03T12:00:00Z,ben,signed_up,shop\n"
MAPPING = """customer: row.customer
profile: {email: "row.customer ~ '@example.com'", consents: {promotions: {email: in}}}
events:
  - {event: signed_up, at: row.at, properties: {source: row.source}}
"""

pytestmark = pytest.mark.slow


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Up:
    """One process. `url` answers once `ready` returned."""

    def __init__(self, root: Path, *words: str, **environment: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        variables = {name: value for name, value in os.environ.items() if not name.startswith("ORCHESTRATOR_")}
        with (root / "up.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "orchestrator.cli.main", "up", "--port", str(self.port), *words],
                cwd=root,
                env={**variables, "PYTHONPATH": str(Path(__file__).resolve().parents[2]), **environment},
                stdout=log,
                stderr=log,
            )
        self.log = root / "up.log"

    def ready(self) -> Up:
        eventually(lambda: self.get("/readyz")[0] == 200 or self.process.poll() is not None, self.log)
        assert self.process.poll() is None, self.log.read_text()
        return self

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def post(self, path: str, body: dict[str, Any]) -> Any:
        request = urllib.request.Request(
            self.url + path, json.dumps(body).encode(), {"Authorization": "Basic a2V5Og=="}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())

    def sign_up(self, customer: str) -> None:
        traits = {"email": f"{customer}@example.com", "consents": {"promotions": {"email": "in"}}}
        assert self.post("/v1/identify", {"userId": customer, "traits": traits}) == {"success": True}
        event = {
            "userId": customer,
            "event": "signed_up",
            "properties": {"source": "web"},
            "messageId": f"e-{customer}",
        }
        assert self.post("/v1/track", event) == {"success": True}

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(20)


def eventually(true: Callable[[], bool], log: Path, patience: float = PATIENCE) -> None:
    until = time.monotonic() + patience
    while not true():
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.05)


@pytest.fixture
def started(waking: Path) -> Iterator[Callable[..., Up]]:
    """Starts processes in the project; none is left."""
    running: list[Up] = []

    def start(*words: str, **environment: str) -> Up:
        running.append(Up(waking, *words, **environment))
        return running[-1]

    yield start
    for up in running:
        if up.process.poll() is None:
            up.process.kill()
            up.process.wait(10)


def mails(root: Path) -> list[str]:
    return sorted(path.name for path in (root / ".orchestrator" / "outbox" / "email").glob("*.eml"))


def test_events_come_in_mail_goes_out_and_killing_it_loses_nothing(started: Any, project: Path) -> None:
    first = started().ready()
    first.sign_up("ana")
    eventually(lambda: len(mails(project)) == 1, first.log)
    assert first.get("/")[0] == 200

    second = started()
    assert second.process.wait(60) == 2
    assert "another engine runs on this database already" in second.log.read_text()
    assert str(first.process.pid) in second.log.read_text()

    first.sign_up("ben")  # acknowledged, so it is there whatever happens next
    assert first.end(signal.SIGKILL) == -signal.SIGKILL
    again = started().ready()
    eventually(lambda: len(mails(project)) == 2, again.log)
    again.sign_up("ana")  # the same ids once more, as a client does that missed the answer
    time.sleep(1.5)
    began = time.monotonic()
    assert again.end(signal.SIGTERM) == 0
    assert time.monotonic() - began < 10
    assert len(mails(project)) == 2
    accepted = (project / ".orchestrator" / "outbox" / "accepted.log").read_text().splitlines()
    assert len({json.loads(line)["id"] for line in accepted}) == 2
    key = project / ".orchestrator" / "orchestrator.db.secret"
    assert key.stat().st_mode & 0o777 == 0o600
    assert "Traceback" not in again.log.read_text()


def test_a_deploy_beside_it_is_taken_over(started: Any, project: Path, cli: Any) -> None:
    up = started().ready()
    journey = project / "journeys" / "welcome.yaml"
    journey.write_text(journey.read_text().replace("journey: welcome\n", "journey: welcome\npriority: 60\n", 1))
    done = cli("deploy", "--yes", "--json")
    assert done.code == 0, done.err
    assert [(change["journey"], change["what"]) for change in done.json["journeys"]] == [("welcome", "changed")]
    version = done.json["journeys"][0]["to_version"]
    time.sleep(2.5)
    up.sign_up("ana")
    eventually(lambda: len(mails(project)) == 1, up.log)
    shown = cli("customer", "show", "ana", "--json")
    assert shown.json["enrollments"][0]["version"] == version
    assert up.end(signal.SIGINT) == 0


def test_a_replay_ends_with_a_summary(started: Any, project: Path, cli: Any) -> None:
    (project / "t.csv").write_text(TABLE)
    (project / "m.yaml").write_text(MAPPING)
    expected = cli("simulate", "--events", "t.csv", "--mapping", "m.yaml")
    up = started("--replay", "t.csv", "--mapping", "m.yaml", "--exit-when-done", "--database", "sqlite:///replay.db")
    assert up.process.wait(90) == 0, up.log.read_text()
    printed = up.log.read_text()
    for row in expected.out.splitlines()[2:]:
        assert row in printed
    story = cli("why", "ana", "--database", "sqlite:///replay.db")
    assert story.code == 0 and "welcome" in story.out
    again = started("--replay", "t.csv", "--mapping", "m.yaml", "--exit-when-done", "--database", "sqlite:///replay.db")
    assert again.process.wait(60) == 2 and "leave out --replay" in again.log.read_text()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--host", "0.0.0.0"], "ORCHESTRATOR_WRITE_KEYS"),
        (["--mapping", "m.yaml"], "--mapping belongs to --replay"),
        (["--exit-when-done"], "--exit-when-done belongs to --replay"),
        (["--speed", "0"], "above 0"),
        (["--port", "70000"], "65535"),
        (["--database", "memory://"], "needs a database that stays"),
        (["--database", "postgresql://u:secret@127.0.0.1:1/x"], "cannot be used"),
        (["--replay", "nothing.csv"], "there is no file nothing.csv"),
    ],
)
def test_what_cannot_run_is_refused_at_once(words: list[str], told: str, cli: Any, project: Path) -> None:
    done = cli("up", *words)
    assert done.code == 2 and told in done.err and "secret" not in done.err
    assert not (project / ".orchestrator").exists()


def test_a_port_in_use_is_told(cli: Any, project: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = cli("up", "--port", str(port))
    assert done.code == 2 and f"port {port} is in use" in done.err and f"--port {port + 1}" in done.err


def test_a_project_with_errors_does_not_start(cli: Any, project: Path) -> None:
    (project / "journeys" / "broken.yaml").write_text("journey: broken\n")
    done = cli("up")
    assert done.code == 1 and "journeys/broken.yaml" in done.err and not (project / ".orchestrator").exists()
