"""The reader of a running engine: a bounce put into a Maildir stops the next promotional message, on SQLite."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.channels.bounces.mailbox import MailboxFailed
from orchestrator.core.inbox import Event, Identified, Occurred
from orchestrator.core.verp import marked_id, verp_mark
from orchestrator.runtime.bounces import BounceCounts
from orchestrator.settings import read_settings
from orchestrator.stores.protocol import Arrival
from orchestrator.wiring.bounces import BounceReader, bounce_place
from orchestrator.wiring.databases import database_at, open_database, upgrade_database
from orchestrator.wiring.engine import Running, start_engine
from tests.channels.bounces.mails import dsn
from tests.small_projects import project_of

NEWS = {
    "topic": "promotions",
    "enter": {"event": "go", "key": "event.order", "reentry": "always"},
    "steps": [{"email": "hello"}],
}
TO = "ana@example.com"
SECRET = b"s" * 32


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    root = tmp_path / "project"
    root.mkdir()
    loaded = project_of(root, {"news": NEWS}).require_valid()
    for name in ("new", "cur"):
        (root / "mails" / name).mkdir(parents=True)
    database = database_at(f"sqlite:///{tmp_path / 'b.db'}")
    upgrade_database(database)
    settings = read_settings(smtp_url="null:", bounce_url="maildir:mails?every=1")
    found = start_engine(
        open_database(database), loaded, settings, root, secret=SECRET, base_url="http://localhost:8000"
    )
    yield found
    found.close()


def go(running: Running, order: str) -> str | None:
    """An event, its decision, its delivery; the id of the message that was sent."""
    now = running.journey_now()
    traits = {"email": TO, "consents": {"promotions": {"email": "in"}}}
    running.store.ingest([
        Arrival("ana", now, Identified(traits, silent=True)),
        Arrival("ana", now, Occurred(Event("go", now, {"order": order}, f"go:{order}"))),
    ])  # fmt: skip
    before = {message.row.id for message in running.store.latest_messages(100)}
    running.engine.decide_once()
    running.engine.deliver_once()
    return next((m.row.id for m in running.store.latest_messages(100) if m.row.id not in before), None)


def test_a_bounce_in_the_folder_stops_the_next_message(running: Running, tmp_path: Path) -> None:
    id = go(running, "1")
    assert id is not None
    (tmp_path / "project" / "mails" / "new" / "1").write_bytes(dsn(to=TO, id=marked_id(id, verp_mark(SECRET, id))))
    assert running.bounces.once() == BounceCounts(mails=1, hard=1)
    assert running.bounces.once() == BounceCounts(), "one look in a second, whoever looks"
    assert go(running, "2") is None
    lines = [json.dumps(t.data) for t in running.store.journal("ana") if t.type == "suppressed"]
    assert len(lines) == 1 and "bounced" in lines[0]


def test_the_thread_reads_by_itself_and_ends(running: Running, tmp_path: Path) -> None:
    id = go(running, "1")
    assert id is not None
    running.bounces.start()
    try:
        (tmp_path / "project" / "mails" / "new" / "1").write_bytes(dsn(to=TO, id=marked_id(id, verp_mark(SECRET, id))))
        until = time.monotonic() + 20
        while ("email", TO) not in running.store.suppressions() and time.monotonic() < until:
            time.sleep(0.05)
        assert running.store.suppressions()["email", TO] == {"bounced"}
    finally:
        running.bounces.stop()


def test_without_a_mailbox_nothing_runs(running: Running, tmp_path: Path) -> None:
    assert bounce_place(read_settings(), tmp_path) is None
    reader = BounceReader(running, None)
    reader.start()
    assert reader.once() == BounceCounts()
    reader.stop()


def test_a_folder_that_is_gone_is_told(running: Running, tmp_path: Path) -> None:
    (tmp_path / "project" / "mails" / "new").rmdir()
    with pytest.raises(MailboxFailed):
        running.bounces.once()
