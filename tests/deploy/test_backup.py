"""A copy that is gone back to: whoever opted out since hears of nothing, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.channels.protocol import Answer, Outgoing
from orchestrator.core.inbox import ConsentChanged
from orchestrator.core.index import Index
from orchestrator.runtime.delivery import deliver_once
from orchestrator.runtime.deployment import renderer_of, revive
from orchestrator.runtime.ingest import Incoming, ingest_once
from orchestrator.runtime.rights import RightsFile
from orchestrator.runtime.turns import turn_once
from orchestrator.stores.protocol import Store
from orchestrator.testing.sink import SinkChannel
from orchestrator.wiring.databases import database_at, open_database, upgrade_database
from tests.servers.postgres import PostgresServer, empty_database, shared_server
from tests.tasks.installation import ROOT, deploy_from, traits_of, write_project

pytestmark = pytest.mark.slow

PROMOTES = {
    "journeys/hello.yaml": (
        "journey: hello\ntopic: news\nenter: {event: ordered}\nsteps:\n  - wait: 2s\n  - email: offer\n"
    )
}
SHIMS = """#!/bin/sh
exec {python} -m orchestrator.cli.main "$@"
"""


class Recorder(SinkChannel):
    """A provider that writes down whom it was given a message for."""

    def __init__(self) -> None:
        super().__init__()
        self.given: set[str] = set()

    def send(self, messages: Sequence[Outgoing]) -> Sequence[Answer]:
        self.given.update(message.to for message in messages)
        return super().send(messages)


class Site:
    """An installation on a database, with the scripts that operators use."""

    def __init__(self, root: Path, url: str, server: PostgresServer | None) -> None:
        self.root, self.url, self.server = root, url, server
        self.copies = root / "copies"
        self.copies.mkdir()
        self.rights = root / "elsewhere.jsonl"
        write_project(root / "project", PROMOTES)
        shim = root / "orchestrator"
        shim.write_text(SHIMS.format(python=sys.executable))
        shim.chmod(0o755)
        path = os.environ["PATH"] if server is None else f"{server._bin}:{os.environ['PATH']}"
        self.environment = {
            **os.environ,
            "PATH": path,
            "PYTHONPATH": str(ROOT),
            "ORCHESTRATOR": str(shim),
            "ORCHESTRATOR_DATABASE_URL": url,
            "ORCHESTRATOR_PROJECT": str(root / "project"),
        }

    def open(self) -> Store:
        database = database_at(self.url)
        upgrade_database(database)
        return open_database(database)

    def script(self, name: str, *words: str) -> subprocess.CompletedProcess[str]:
        """One of the scripts, from the project's folder."""
        return subprocess.run(
            [sys.executable, ROOT / "deploy" / name, *words],
            cwd=self.root / "project", env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip

    def copy(self) -> str:
        """Make a copy; its path."""
        done = self.script("backup", str(self.copies))
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def lose(self) -> None:
        """The database is gone."""
        if self.server is None:
            for path in self.root.glob("live.db*"):
                path.unlink()
        else:
            self.server.execute(
                "DROP SCHEMA public CASCADE; CREATE SCHEMA public", self.url.split("/")[3].split("?")[0]
            )


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    if request.param == "sqlite":
        yield Site(tmp_path, f"sqlite:///{tmp_path / 'live.db'}", None)
        return
    with empty_database() as url:
        yield Site(tmp_path, url, shared_server())


def now() -> datetime:
    return datetime.now(UTC)


def run_everything(site: Site, store: Store) -> set[str]:
    """Decide and deliver all that is due in a while. Returns the addresses that were written to."""
    revived = revive(store)
    assert revived.live is not None
    live = revived.live.require_valid()
    store.adopt(Index(live.project))
    renderer = renderer_of(revived, live, "http://localhost", b"x" * 32)
    sink = Recorder()
    for _ in range(2):
        at = now().replace(year=now().year + 1)
        while turn_once(store, at).customers:
            pass
        while sum(deliver_once(store, {"email": sink}, renderer, at)):
            pass
    return sink.given


def test_nobody_who_opted_out_since_the_copy_gets_a_promotion(site: Site) -> None:
    everybody = [f"u{n}" for n in range(8)]
    store = site.open()
    deploy_from(site.root / "project", store)
    ingest_once(store, [(customer, traits_of(customer)) for customer in everybody], now())
    ingest_once(store, [("u6", ConsentChanged("news", "email", "out"))], now())
    turn_once(store, now())
    ingest_once(store, [Incoming(customer, "ordered", {}, message_id=f"o-{customer}") for customer in everybody], now())
    turn_once(store, now())
    with RightsFile(site.rights) as file:
        assert file.add_once(store, now()) == 1
    copy = site.copy()

    ingest_once(store, [(customer, ConsentChanged("news", "email", "out")) for customer in ("u0", "u1", "new")], now())
    ingest_once(store, [("u6", ConsentChanged("news", "email", "in"))], now())
    store.suppress([("email", "u2@example.com", "complained")], now())
    turn_once(store, now())
    ingest_once(store, [("u1", ConsentChanged("news", "email", "in"))], now())
    turn_once(store, now())
    with RightsFile(site.rights) as file:
        assert file.add_once(store, now()) == 6
    store.close()
    site.lose()

    done = site.script("restore", copy, "--rights", str(site.rights))
    assert done.returncode == 0, done.stderr
    assert "2 opt-outs and 1 suppression stand" in done.stdout

    store = site.open()
    got = run_everything(site, store)
    store.close()
    # u1 changed her mind again; u6, whose last word was "in", was out when the copy was made: that is the safe side.
    assert got == {f"{customer}@example.com" for customer in ("u1", "u3", "u4", "u5", "u7")}


def test_a_restore_is_refused_where_it_could_do_harm(site: Site) -> None:
    store = site.open()
    deploy_from(site.root / "project", store)
    copy = site.copy()
    assert site.script("restore", copy).returncode == 2, "somebody has to say what became of people's rights"
    missing = site.script("restore", copy, "--rights", str(site.root / "nowhere"))
    assert "there is no file" in missing.stderr
    if site.server is not None:
        assert "stop them first" in site.script("restore", copy, "--without-rights", "--replace").stderr
    store.close()
    assert "--replace" in site.script("restore", copy, "--without-rights").stderr
    again = site.script("restore", copy, "--without-rights", "--replace")
    assert again.returncode == 0, again.stderr
    broken = site.root / "broken.jsonl"
    broken.write_text('{"at": "2026-03-01T10:00:00Z", "right": "opted_out", "customer": "u1"}\n')
    refused = site.script("restore", copy, "--rights", str(broken), "--replace")
    assert refused.returncode == 2
    assert "lacks topic, channel" in refused.stderr and "start nothing" in refused.stderr


def test_a_copy_that_fails_leaves_nothing_that_looks_like_one(site: Site) -> None:
    if site.server is None:
        site.environment["ORCHESTRATOR_DATABASE_URL"] = f"sqlite:///{site.root / 'nothing.db'}"
    else:
        site.environment["ORCHESTRATOR_DATABASE_URL"] = site.url.replace("/empty_", "/no_such_")
    assert site.script("backup", str(site.copies)).returncode == 2
    assert list(site.copies.iterdir()) == []
