"""A small installation as several processes: serve, workers, beats, over a real Redis and a database that stays."""

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
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from email import message_from_bytes
from pathlib import Path
from typing import Any, Final

from orchestrator.core.inbox import Identified
from orchestrator.definitions.load import load_project
from orchestrator.runtime.deployment import deploy, snapshot_of
from orchestrator.runtime.ingest import Incoming, ingest_once
from orchestrator.stores.protocol import Store
from orchestrator.wiring.databases import database_at, open_database, upgrade_database

ROOT: Final = Path(__file__).resolve().parents[2]
PATIENCE: Final = 60.0
"""Real seconds: machines that run tests are busy."""
FILES: Final = {
    "journeys/project.yaml": (
        "topics: {orders: {class: transactional}, news: {class: promotional}}\n"
        "channels: {email: {from: shop@example.com}}\n"
    ),
    "journeys/schema.yaml": "events: {ordered: {}, paid: {}}\n",
    "journeys/hello.yaml": (
        "journey: hello\ntopic: orders\nenter: {event: ordered}\nsteps:\n"
        "  - email: first\n  - wait: 2s\n  - email: {template: offer, topic: news}\n"
    ),
    "templates/email/first.txt": "---\nsubject: first\n---\nhello\n",
    "templates/email/offer.txt": "---\nsubject: offer\n---\nhello\n",
}


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(true: Callable[[], Any], why: Callable[[], str] = lambda: "", seconds: float = PATIENCE) -> None:
    """Wait until something holds."""
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, why()
        time.sleep(0.05)


def write_project(root: Path, files: dict[str, str] | None = None) -> None:
    """The project's files."""
    for name, text in {**FILES, **(files or {})}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def deploy_from(root: Path, store: Store) -> None:
    """Make the files below `root` live."""
    now = datetime.now(UTC)
    deploy(store, load_project(root).require_valid(), now, snapshot_of(root), now)


class Installation:
    """A project that is deployed, and the processes that run on it. Use it with `with`: they end then."""

    def __init__(
        self,
        root: Path,
        broker: str,
        *,
        database: str | None = None,
        files: dict[str, str] | None = None,
        **environment: str,
    ) -> None:
        self.root = root
        self._files = files
        self.processes: list[subprocess.Popen[bytes]] = []
        self.store: Store
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = root / "processes.log"
        self._database = database or f"sqlite:///{root / 'worker.db'}"
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ORCHESTRATOR_")},
            "PYTHONPATH": str(ROOT),
            "ORCHESTRATOR_BROKER_URL": broker,
            "ORCHESTRATOR_DATABASE_URL": self._database,
            "ORCHESTRATOR_SECRET_KEY": "only for tests, and long enough for one",
            **environment,
        }

    def __enter__(self) -> Installation:
        write_project(self.root, self._files)
        database = database_at(self._database)
        upgrade_database(database)
        self.store = open_database(database, durable=False)
        deploy_from(self.root, self.store)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self.store.close()

    @property
    def environment(self) -> dict[str, str]:
        """The settings of its processes."""
        return {
            name: value for name, value in self._environment.items() if name.startswith(("ORCHESTRATOR_", "PYTHON"))
        }

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """A process of the installation: `worker`, `beat`, or `serve`."""
        more = ["--port", str(self.port)] if words[0] == "serve" else []
        return self._popen([sys.executable, "-m", "orchestrator.cli.main", *words, *more])

    def celery(self, *words: str) -> subprocess.Popen[bytes]:
        """The same by Celery's own command line."""
        command = [sys.executable, "-m", "celery", "-A", "worker", *words]
        return self._popen(command, ORCHESTRATOR_PROJECT=str(self.root))

    def _popen(self, words: list[str], **environment: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                words,
                cwd=self.root if not environment else ROOT,
                env={**self._environment, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def told(self) -> str:
        """The end of what the processes said."""
        return self.log.read_text(errors="replace")[-4_000:] if self.log.exists() else ""

    def ingest(self, *customers: str) -> None:
        """Each of them orders: to be called where no process nudges."""
        now = datetime.now(UTC)
        items: list[Any] = []
        for customer in customers:
            items += [(customer, traits_of(customer)), Incoming(customer, "ordered", {}, message_id=f"o-{customer}")]
        ingest_once(self.store, items, now)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """A request of a client."""
        request = urllib.request.Request(
            self.url + path, json.dumps(body).encode(), {"Authorization": "Basic a2V5Og=="}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def order(self, customer: str) -> None:
        """A customer orders over HTTP."""
        traits = {"email": f"{customer}@example.com", "consents": {"news": {"email": "in"}}}
        batch = [
            {"type": "identify", "userId": customer, "traits": traits, "messageId": f"i-{customer}"},
            {"type": "track", "event": "ordered", "userId": customer, "messageId": f"o-{customer}"},
        ]
        assert self.post("/v1/batch", {"batch": batch}) == {"success": True}

    def get(self, path: str) -> tuple[int, str]:
        """Status and body; 0 where nobody answers."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def ready(self) -> None:
        """Wait until the API answers."""
        eventually(lambda: self.get("/readyz")[0] == 200, self.told)

    def sent(self) -> Counter[tuple[str, str]]:
        """What left: (address, subject) of each mail, counted in the channel's own files, not in the database."""
        found: Counter[tuple[str, str]] = Counter()
        for path in (self.root / ".orchestrator" / "outbox" / "email").glob("*.eml"):
            mail = message_from_bytes(path.read_bytes())
            found[str(mail["To"]), str(mail["Subject"])] += 1
        return found

    def expect(self, *customers: str) -> None:
        """Wait until each of them got both mails, and see that nobody got anything twice."""
        wanted = Counter({(f"{c}@example.com", subject): 1 for c in customers for subject in ("first", "offer")})
        eventually(lambda: self.sent() == wanted, lambda: f"{self.sent()}\n{self.store.overview()}\n{self.told()}")
        eventually(lambda: self.store.overview().messages == {("email", "sent"): len(wanted)}, self.told)


def traits_of(customer: str) -> Identified:
    """A customer who may be written to."""
    return Identified({"email": f"{customer}@example.com", "consents": {"news": {"email": "in"}}})
