"""What processes say names no person: people whose names cannot be missed, and all that can go wrong."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from orchestrator.wiring.logs import without_people
from tests.servers.postgres import clean_database
from tests.servers.redis import clean_redis
from tests.tasks import installation
from tests.tasks.installation import Installation, eventually, free_port

pytestmark = pytest.mark.slow

NAME, MAIL, PHONE = "Canarina Zeisig", "canarina.zeisig@aviary.example", "+351912345678"
FILES = {
    "journeys/schema.yaml": (
        "customer: {first_name: {type: string, pii: true}}\nevents: {ordered: {note: {type: string}}, paid: {}}\n"
    ),
    "journeys/breaks.yaml": (
        "journey: breaks\ntopic: orders\nenter: {event: ordered}\nsteps:\n"
        "  - wait: {until: date(customer.first_name)}\n  - email: first\n"
    ),
    "journeys/calls.yaml": (
        "journey: calls\ntopic: orders\nenter: {event: ordered}\nsteps:\n"
        "  - webhook: {url: 'https://crm.invalid/{{ customer.email }}', body: {name: '{{ customer.first_name }}'}}\n"
    ),
    "templates/email/first.txt": "---\nsubject: for {{ customer.first_name }}\n---\n{{ customer.first_name }}\n",
}


class Gossip:
    """A mail server that repeats whom a mail was for, whatever it answers."""

    def __init__(self) -> None:
        self.asked = 0

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        self.asked += 1
        envelope.rcpt_tos.append(address)
        if self.asked % 3 == 0:
            return f"550 5.1.1 <{address}>: no such person as {address}"
        return "250 OK" if self.asked % 3 == 1 else f"451 4.3.0 {address} come again"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        return f"421 4.3.2 {envelope.rcpt_tos[0]} go away"


@contextmanager
def gossiping() -> Iterator[tuple[Gossip, int]]:
    gossip = Gossip()
    controller = Controller(gossip, hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        yield gossip, controller.port
    finally:
        controller.stop()


def test_no_log_line_of_any_process_names_a_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with clean_redis() as redis, clean_database() as database, gossiping() as (gossip, port):
        more = {"ORCHESTRATOR_SMTP_URL": f"smtp://127.0.0.1:{port}", "ORCHESTRATOR_PROBE_PORT": str(free_port())}
        monkeypatch.setattr("tests.tasks.installation.FILES", {**installation.FILES, **FILES})
        with Installation(tmp_path, redis.url, database=database, **more) as site:
            worker = site.start("worker", "--concurrency", "1", "-v")
            site._environment.pop("ORCHESTRATOR_PROBE_PORT")
            site.start("serve", "-v")
            site.start("beat", "-v")
            site.start("rights", "export", "--follow", str(tmp_path / "rights.jsonl"), "-v")
            site.ready()
            for number in range(6):
                traits = {
                    "first_name": NAME, "email": f"{number}.{MAIL}", "phone": PHONE,
                    "consents": {"news": {"email": "in"}},
                }  # fmt: skip
                batch: list[dict[str, Any]] = [
                    {"type": "identify", "userId": f"c{number}", "traits": traits, "messageId": f"i{number}"},
                    {"type": "track", "event": "ordered", "userId": f"c{number}", "messageId": f"o{number}",
                     "properties": {"note": f"call {NAME} at {PHONE}"}},
                    {"type": "track", "event": "ordered", "properties": {"note": NAME}, "email": MAIL},
                ]  # fmt: skip
                site.post("/v1/batch", {"batch": batch})
            out = {**traits, "consents": {"news": {"email": "out"}}}
            site.post("/v1/identify", {"userId": "c1", "traits": out, "messageId": "out"})
            eventually(lambda: gossip.asked >= 6, site.told)
            eventually(lambda: '"c1"' in (tmp_path / "rights.jsonl").read_text(), site.told)
            status, text = site.get("/metrics")
            assert status == 200 and NAME not in text and MAIL not in text
            assert 'orchestrator_ingest_items_total{outcome="accepted"}' in text
            time.sleep(1.0)
            worker.send_signal(signal.SIGTERM)
            worker.wait(30)
        said = site.log.read_text(errors="replace")
    for secret in (NAME, NAME.split()[0], NAME.split()[1], MAIL, "aviary", PHONE, PHONE[1:]):
        assert secret not in said, [line for line in said.splitlines() if secret in line][:5]
    lines = [json.loads(line) for line in said.splitlines() if line.startswith('{"')]
    assert {"worker", "serve", "beat"} >= {line["process"] for line in lines} and len(lines) > 3
    assert all({"event", "level", "logger", "timestamp", "process", "pid"} <= line.keys() for line in lines)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("550 <ana.b+c@example.com>: no such user", "550 <[removed]>: no such user"),
        ("call +351 912 345 678 now", "call [removed] now"),
        (
            "the lane 'turn' of 2026-03-01T10:00:00Z took 12.25 s",
            "the lane 'turn' of 2026-03-01T10:00:00Z took 12.25 s",
        ),
        ("message 767fcc93cd7a2d7a.email_1.1 of c2ccd92ca0d5", "message 767fcc93cd7a2d7a.email_1.1 of c2ccd92ca0d5"),
        ("duplicate key\nDETAIL:  Failing row contains (7, Ana).", "duplicate key"),
    ],
)
def test_what_others_say_of_people_is_taken_away(said: str, shown: str) -> None:
    assert without_people(said) == shown
