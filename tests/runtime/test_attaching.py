"""Files, calendar entries and pictures of a message, from the project to the bytes that leave."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from orchestrator.channels.mime import build_mime
from orchestrator.channels.protocol import Answer, Outgoing
from orchestrator.core.inbox import Identified
from orchestrator.core.index import Index
from orchestrator.definitions.load import LoadedProject
from orchestrator.runtime.delivery import deliver_once
from orchestrator.runtime.ingest import Incoming, ingest_once
from orchestrator.runtime.rendering import LedgerRenderer
from orchestrator.stores.memory import MemoryStore
from orchestrator.templating.failure import RenderError
from tests.small_projects import project_of
from tests.stores.driving import START, turns

SECRET = b"a secret for tests, of 32 bytes."
PDF, PNG = b"%PDF-1.7 terms", b"\x89PNG picture"
JOURNEYS: dict[str, Any] = {
    "stays": {
        "topic": "care",
        "enter": {"event": "booked", "key": "event.booking", "reentry": "always"},
        "steps": [
            {
                "id": "welcome",
                "email": {
                    "template": "welcome",
                    "attachments": [
                        "terms.pdf",
                        {"calendar": {"start": "{{ entry.check_in }}", "end": "{{ entry.check_out }}",
                                      "title": "Stay {{ entry.booking }}", "url": "https://example.com/b"}},
                    ],
                },
            }
        ],
    },
    "visits": {
        "topic": "care",
        "enter": {"event": "visit", "reentry": "always"},
        "steps": [{"email": "visit"}],
    },
}  # fmt: skip
TEMPLATES = {
    "email/welcome.html": (
        "---\nsubject: Welcome\nimages: inline\n---\n<img src='assets/logo.png' alt=''>"
        "<img src='assets/logo.png' alt=''><a href='assets/terms.pdf'>Terms</a>\n"
    ),
    "email/visit.html": (
        "---\nsubject: Your visit\nattachments:\n  - terms.pdf\n"
        "  - calendar: {start: '{{ entry.at_time }}', title: 'Visit, {{ entry.name }}',\n"
        "               uid: 'visit-{{ entry.at_time }}'}\n"
        "---\n<p>See you</p>\n"
    ),
}


@lru_cache(maxsize=1)
def _loaded() -> LoadedProject:
    with TemporaryDirectory() as folder:
        assets = Path(folder) / "templates" / "assets"
        assets.mkdir(parents=True)
        (assets / "terms.pdf").write_bytes(PDF)
        (assets / "logo.png").write_bytes(PNG)
        properties = {"booking": {"type": "string"}, "check_in": {"type": "date"}, "check_out": {"type": "date"}}
        visit = {"at_time": {"type": "datetime"}}
        schema = {"events": {"booked": properties, "visit": visit}}
        return project_of(Path(folder), JOURNEYS, templates=TEMPLATES, schema=schema)


class Postbox:
    """Keeps what it is given."""

    idempotent, width, rate = False, 1, None

    def __init__(self) -> None:
        self.given: list[Outgoing] = []
        self.answer = Answer("accepted")

    def send(self, messages: Sequence[Outgoing]) -> Sequence[Answer]:
        self.given += messages
        return [self.answer] * len(messages)

    def close(self) -> None:
        """There is nothing to give back."""


def sent(event: str, properties: dict[str, Any], answer: Answer | None = None) -> tuple[Postbox, LedgerRenderer]:
    store, post = MemoryStore(keep_journal=True), Postbox()
    post.answer = answer or post.answer
    loaded = _loaded()
    store.deploy(Index(loaded.project), START)
    renderer = LedgerRenderer(loaded.templates, loaded.project, "https://m.example.com", SECRET)
    ingest_once(store, [("u1", Identified({"email": "ana@example.com"}))], START)
    ingest_once(store, [Incoming("u1", event, properties)], START)
    turns(store, START)
    for hours in range(2):
        at = START + timedelta(hours=hours)
        deliver_once(store, {"email": post}, renderer, at, render_errors=RenderError, real_at=at)
    return post, renderer


def test_a_day_that_no_calendar_holds_stops_its_message_alone() -> None:
    post, _ = sent("booked", {"booking": "B", "check_in": "2026-07-01", "check_out": "9999-12-31"})
    assert post.given == []


def read(out: Outgoing) -> EmailMessage:
    message = message_from_bytes(build_mime(out).data, policy=default)
    assert isinstance(message, EmailMessage) and not message.defects
    return message


def test_a_stay_travels_with_its_terms_its_dates_and_its_pictures() -> None:
    post, _ = sent("booked", {"booking": "B,7", "check_in": "2026-07-01", "check_out": "2026-07-03"})
    message = read(post.given[0])
    related, terms, invite = message.iter_parts()
    assert (message.get_content_subtype(), related.get_content_subtype()) == ("mixed", "related")
    assert (terms.get_filename(), terms.get_content()) == ("terms.pdf", PDF)
    text = invite.get_content().replace("\r\n", "\n")
    assert "DTSTART;VALUE=DATE:20260701\n" in text and "DTEND;VALUE=DATE:20260704\n" in text
    assert "SUMMARY:Stay B\\,7\n" in text and ".welcome@m.example.com\n" in text
    alternative, picture = related.iter_parts()
    html = list(alternative.iter_parts())[1].get_content()
    assert html.count(f"cid:{picture['Content-ID'][1:-1]}") == 2 and picture.get_content() == PNG
    assert "https://m.example.com/assets/" in html  # the document stays a link


def test_a_retry_has_the_same_bytes() -> None:
    post, _ = sent("booked", {"booking": "b", "check_in": "2026-07-01", "check_out": "2026-07-03"}, Answer("retry"))
    first, second = post.given
    assert first._replace(at=None) == second._replace(at=None)


def test_a_template_brings_its_own_files() -> None:
    post, _ = sent("visit", {"at_time": "2026-07-01T15:00:00+01:00"})
    [_, terms, invite] = read(post.given[0]).iter_parts()
    text = invite.get_content()
    assert terms.get_filename() == "terms.pdf" and post.given[0].provider is None
    assert "DTSTART:20260701T140000Z" in text and "SUMMARY:Visit\\, visit" in text and "UID:visit-2026-07-01T" in text


def test_a_date_that_is_missing_stops_the_message() -> None:
    post, _ = sent("booked", {"booking": "b"})
    assert post.given == []
