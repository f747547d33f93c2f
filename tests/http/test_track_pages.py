"""Tracked links and pictures: they lead where they should, count people, and tell programs apart."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import lru_cache
from html import unescape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from orchestrator.channels.smtp import SmtpChannel
from orchestrator.channels.smtp_wire import SmtpServer
from orchestrator.core.inbox import Identified
from orchestrator.core.ledger import Message
from orchestrator.core.links import click_token, token
from orchestrator.core.verp import verp_mark
from orchestrator.definitions.load import LoadedProject
from orchestrator.http.app import make_app
from orchestrator.runtime.delivery import deliver_once
from orchestrator.runtime.ingest import Incoming, ingest_once
from orchestrator.runtime.turns import turn_once
from orchestrator.stores.memory import MemoryStore
from tests.channels.mail_server import mail_server
from tests.http.installation import BASE, SECRET, Installation
from tests.small_projects import project_of

PERSON = {"User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148"}
SHOP = "https://shop.example.com/sale?a=1&b=2#top"
JOURNEYS: dict[str, Any] = {
    "nudges": {
        "topic": "care",
        "enter": {"event": "go", "reentry": "always"},
        "steps": [
            {"id": "nudge", "email": "sale"},
            {"wait": "1d"},
            {"if": "clicked('nudge')", "then": [{"email": "thanks"}], "else": [{"email": "again"}]},
        ],
    },
    "texts": {
        "topic": "care",
        "enter": {"event": "text", "reentry": "always"},
        "steps": [{"id": "note", "sms": "note"}, {"wait": {"when": "clicked('note')", "up_to": "3d"}}, {"sms": "bye"}],
    },
    "sees": {
        "enter": {"event": "email_opened", "reentry": "always"},
        "steps": [{"if": "entry.proxy == true", "then": [], "else": []}],
    },
    "private": {"topic": "quiet", "enter": {"event": "hush", "reentry": "always"}, "steps": [{"email": "sale"}]},
}
TEMPLATES = {
    "email/sale.html": (
        "---\nsubject: Sale\n---\n<body><p>Hi</p><a href='https://shop.example.com/sale?a=1&amp;b=2#top'>sale</a>"
        "<a href='https://elsewhere.org/x'>x</a><a href='{{ view_url }}'>view</a><a href='mailto:a@example.com'>m</a>"
        "</body>\n"
    ),
    "email/thanks.html": "---\nsubject: Thanks\n---\n<p>Thanks</p>\n",
    "email/again.html": "---\nsubject: Again\n---\n<p>Again</p>\n",
    "sms/note.txt": "Sale: https://shop.example.com/sale?id={{ customer.first_name | urlencode }}. Terms: https://example.com/t\n",
    "sms/bye.txt": "Bye\n",
}
PROJECT = {
    "brand": {"name": "Blue Harbour", "url": "https://www.example.com", "address": "1 Harbour Road"},
    "topics": {"care": {"class": "service"}, "quiet": {"class": "service", "tracking": False}},
    "tracking": {"opens": True, "clicks": True, "utm": {"source": "news"}},
}
UTM = "utm_source=news&utm_medium=email&utm_campaign=nudges&utm_content=nudge"


@lru_cache(maxsize=1)
def _loaded() -> LoadedProject:
    with TemporaryDirectory() as folder:
        schema = {"customer": {"first_name": {"type": "string"}}, "events": {n: {} for n in ("go", "text", "hush")}}
        return project_of(Path(folder), JOURNEYS, project=PROJECT, templates=TEMPLATES, schema=schema)


@pytest.fixture
def site() -> Installation:
    made = Installation(MemoryStore(keep_journal=True), _loaded())
    traits = {"email": "u1@example.com", "phone": "+351912345678", "first_name": "Ana & Co"}
    ingest_once(made.store, [("u1", Identified(traits))], made.now)
    return made


@pytest.fixture
def client(site: Installation) -> Iterator[TestClient]:
    with TestClient(make_app(site), base_url=BASE, follow_redirects=False, headers=PERSON) as made:
        yield made


def mailed(site: Installation, event: str = "go") -> tuple[Message, str]:
    """A message to the customer and what left of it, a minute ago."""
    ingest_once(site.store, [Incoming("u1", event, {})], site.now)
    site.run()
    row = site.messages("u1")[-1]
    dressed = site.renderer.dress(row, site.renderer.render(row))
    later(site, timedelta(minutes=1))
    return row, dressed.html or dressed.text


def later(site: Installation, by: timedelta) -> None:
    site.now += by
    site.real += by
    site.run()


def links(html: str) -> list[str]:
    return [unescape(url) for url in re.findall(r"href=['\"]([^'\"]+)", html)]


def state(site: Installation, row: Message) -> tuple[bool, bool]:
    """Whether it counts as opened and as clicked."""
    site.run()
    found = site.store.ledger(row.id)
    assert found is not None
    return found.opened_at is not None, found.clicked_at is not None


# --- what leaves ----------------------------------------------------------------------------------------------------


def test_what_leaves_of_an_email(site: Installation) -> None:
    row, html = mailed(site)
    shop, elsewhere, view, mailto, unsubscribe = links(html)
    assert shop.startswith(f"{BASE}/c/") and elsewhere.startswith(f"{BASE}/c/")
    assert view.startswith(f"{BASE}/v/") and unsubscribe.startswith(f"{BASE}/u/") and mailto == "mailto:a@example.com"
    assert html.count("<img ") == 1 and f"{BASE}/o/{token(SECRET, 'open', row.id)}.gif" in html
    assert site.renderer.dress(row, site.renderer.render(row)).html == html
    assert site.renderer.dress(row, site.renderer.render(row)).bounce_mark == verp_mark(SECRET, row.id)
    shown = site.renderer.render(row).html or ""
    assert (
        "/c/" not in shown
        and "/o/" not in shown
        and links(shown)[0] == f"https://shop.example.com/sale?a=1&b=2&{UTM}#top"
    )


def test_a_topic_that_is_not_tracked_leaves_as_it_was_written(site: Installation) -> None:
    _, html = mailed(site, "hush")
    assert "/c/" not in html and "/o/" not in html and "utm_campaign=private" in html


# --- clicks ---------------------------------------------------------------------------------------------------------


def test_a_click_leads_on_and_is_counted_once_a_minute(site: Installation, client: TestClient) -> None:
    row, html = mailed(site)
    for _ in range(3):
        answer = client.get(links(html)[0])
        assert answer.status_code == 302
        assert answer.headers["location"] == f"https://shop.example.com/sale?a=1&b=2&{UTM}#top"
        assert answer.headers["cache-control"] == "no-store"
    assert site.nudges == 3
    assert state(site, row) == (False, True)


@pytest.mark.parametrize(
    "headers",
    [{"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"}, {"User-Agent": ""}, {"Purpose": "prefetch"},
     {"Sec-Purpose": "prefetch;prerender"}, {"User-Agent": "WhatsApp/2.2"}, {"User-Agent": "python-requests/2.32"},
     {"User-Agent": "Mozilla/5.0 ... Barracuda Sentinel (EE)"}],
)  # fmt: skip
def test_programs_are_led_on_and_not_counted(site: Installation, client: TestClient, headers: dict[str, str]) -> None:
    row, html = mailed(site)
    assert client.get(links(html)[0], headers=headers).status_code == 302
    assert client.head(links(html)[0]).status_code == 302
    assert state(site, row) == (False, False)
    assert site.nudges == 0


def test_nobody_reads_a_mail_in_the_second_in_which_it_is_sent(site: Installation, client: TestClient) -> None:
    ingest_once(site.store, [Incoming("u1", "go", {})], site.now)
    site.run()
    [row] = site.messages("u1")
    html = site.renderer.dress(row, site.renderer.render(row)).html or ""
    assert client.get(links(html)[0]).status_code == 302
    assert state(site, row) == (False, False)
    later(site, timedelta(seconds=2))
    client.get(links(html)[0])
    assert state(site, row) == (False, True)


def test_a_link_outlives_its_message(site: Installation, client: TestClient) -> None:
    made = click_token(SECRET, "0123456789abcdef.gone.1", "https://example.com/早餐?q=1 2")
    answer = client.get(f"/c/{made}")
    assert (answer.status_code, site.nudges) == (302, 0)
    assert answer.headers["location"] == "https://example.com/%E6%97%A9%E9%A4%90?q=1%202"


@settings(max_examples=60, deadline=None)
@given(bad=st.text(min_size=1, max_size=60) | st.from_regex(r"[A-Za-z0-9_-]{11}", fullmatch=True))
def test_a_link_that_nobody_made_leads_home(bad: str) -> None:
    from urllib.parse import quote

    site = Installation(MemoryStore(), _loaded())
    client = TestClient(make_app(site), base_url=BASE, follow_redirects=False, headers=PERSON)
    answer = client.get(f"/c/{quote(bad, safe='', errors='replace')}")
    assert answer.status_code == 404 or answer.headers["location"] == "https://www.example.com"
    assert client.get(f"/o/{quote(bad, safe='', errors='replace')}").status_code in (200, 404)
    assert site.nudges == 0


def test_a_signed_target_is_the_only_one(site: Installation, client: TestClient) -> None:
    _, html = mailed(site)
    held, _, signature = links(html)[0].rpartition("/")[2].rpartition(".")
    other = click_token(b"another secret", "x", "https://evil.org").rpartition(".")[0]
    for forged in (f"{other}.{signature}", f"{held}.{'A' * 22}", held):
        assert client.get(f"/c/{forged}").headers["location"] == "https://www.example.com"


# --- short links ----------------------------------------------------------------------------------------------------


def test_links_of_a_text_are_short_and_lead_on(site: Installation, client: TestClient) -> None:
    row, text = mailed(site, "text")
    found = re.fullmatch(rf"Sale: {BASE}/c/([\w-]{{11}})\. Terms: {BASE}/c/([\w-]{{11}})", text.strip())
    assert found is not None, text
    target = "https://shop.example.com/sale?id=Ana%20%26%20Co&utm_source=news&utm_medium=sms"
    assert client.get(f"/c/{found[1]}").headers["location"].startswith(target)
    assert state(site, row) == (False, True)
    assert [m.step for m in site.messages("u1")] == ["note", "sms_2"]  # the wait for the click is over
    assert client.get(f"/c/{found[2]}").headers["location"].startswith("https://example.com/t?utm_source=news")


# --- opens ----------------------------------------------------------------------------------------------------------


def picture_of(html: str) -> str:
    [url] = re.findall(r'<img src="([^"]+)"', html)
    return str(url)


@pytest.mark.parametrize(
    ("agent", "proxy"),
    [(PERSON["User-Agent"], False), ("Mozilla/5.0", True),
     ("Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)", True)],
)  # fmt: skip
def test_an_open_is_counted_once_an_hour(site: Installation, client: TestClient, agent: str, proxy: bool) -> None:
    row, html = mailed(site)
    assert client.head(picture_of(html)).status_code == 200
    assert state(site, row) == (False, False)
    for _ in range(3):
        answer = client.get(picture_of(html), headers={"User-Agent": agent})
        assert (answer.headers["content-type"], answer.headers["cache-control"]) == ("image/gif", "no-store")
        assert answer.content.startswith(b"GIF89a")
    assert state(site, row) == (True, False)
    assert opens(site) == ["then" if proxy else "else"]
    later(site, timedelta(hours=1))
    client.get(picture_of(html))
    site.run()
    assert len(opens(site)) == 2


def opens(site: Installation) -> list[str]:
    """What a journey saw of each open."""
    return [str(t.data["branch"]) for t in site.store.journal("u1") if t.type == "branched" and t.journey == "sees"]


# --- from the mail server to the branch -----------------------------------------------------------------------------


@pytest.mark.parametrize("clicks", [True, False])
def test_who_clicks_takes_another_branch(site: Installation, client: TestClient, clicks: bool) -> None:
    with mail_server() as server:
        channel = SmtpChannel(SmtpServer("127.0.0.1", server.port))
        channels = {**site.sinks, "email": channel}

        def run() -> None:
            url = site.renderer.unsubscribe_url
            while turn_once(site.store, site.now).customers or sum(
                deliver_once(site.store, channels, site.renderer, site.now, unsubscribe_url=url)
            ):
                pass

        traits = {"email": "u1@example.com", "consents": {"care": {"email": "in"}}}
        ingest_once(site.store, [("u1", Identified(traits)), Incoming("u1", "go", {})], site.now)  # type: ignore[list-item]
        run()
        [(_, message)] = server.accepted
        body = message.get_body(("html",))
        assert body is not None and message["List-Id"] == "<care.example.com>"
        site.now += timedelta(minutes=5)
        if clicks:
            assert client.get(links(body.get_content())[0]).status_code == 302
        run()
        site.now += timedelta(days=1)
        run()
        channel.close()
    assert [str(mail["Subject"]) for _, mail in server.accepted] == ["Sale", "Thanks" if clicks else "Again"]
