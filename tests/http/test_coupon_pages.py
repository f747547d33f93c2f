"""The page of a coupon: what it says to whom, in which state, and that it is small and changes nothing."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from starlette.testclient import TestClient

from orchestrator.core.inbox import Identified
from orchestrator.core.ledger import Message
from orchestrator.core.links import token
from orchestrator.core.till import Basket
from orchestrator.definitions.load import LoadedProject
from orchestrator.http.app import make_app
from orchestrator.http.coupon_pages import bars_of, qr_of
from orchestrator.runtime.ingest import Incoming, ingest_once
from orchestrator.runtime.till import lock, redeem
from orchestrator.stores.memory import MemoryStore
from tests.http.installation import BASE, SECRET, Installation
from tests.small_projects import project_of

OFFERS: dict[str, Any] = {
    "vip": {
        "title": "For our best <guests>",
        "discount": {"percent": 10},
        "codes": {"prefix": "VIP", "length": 8},
        "valid_for": "14d",
        "limits": {"budget": {"amount": 500, "currency": "EUR", "per_redemption": 20}},
        "conditions": {"minimum_spend": 50, "stores": ["Lisbon", "Porto"], "personal": True},
    },
    "money": {"discount": {"amount": {"EUR": 10, "CNY": 80}}, "codes": {"prefix": "M", "length": 8}},
}


def journey(offer: str, event: str) -> dict[str, Any]:
    return {
        "topic": "promotions",
        "enter": {"event": event, "reentry": "always"},
        "steps": [{"coupon": {"offer": offer, "as": "coupon"}}, {"email": "gift"}],
    }


@lru_cache(maxsize=1)
def loaded() -> LoadedProject:
    texts = {
        "email/gift.html": "---\nsubject: A gift\n---\n<a href='{{ coupon.url }}'>{{ coupon.code }}</a>"
        "<a href='{{ coupon_url }}'>again</a>\n"
    }
    journeys = {"gives": journey("vip", "go"), "pays": journey("money", "pay")}
    project = {"topics": {"promotions": {"class": "promotional"}}, "currency": "EUR", "timezone": "Europe/Lisbon"}
    with TemporaryDirectory() as folder:
        return project_of(Path(folder), journeys, project=project, templates=texts, offers=OFFERS)


@pytest.fixture
def site() -> Installation:
    return Installation(MemoryStore(keep_journal=True), loaded())


@pytest.fixture
def client(site: Installation) -> TestClient:
    return TestClient(make_app(site), base_url=BASE, raise_server_exceptions=False)


def carried(site: Installation, event: str = "go", **traits: Any) -> Message:
    """The message that carries a customer's coupon."""
    known = {"email": "u1@example.com", "consents": {"promotions": {"email": "in"}}, **traits}
    ingest_once(site.store, [("u1", Identified(known)), Incoming("u1", event, {})], site.now)
    site.run()
    return site.messages("u1")[-1]


def where(row: Message) -> str:
    return f"/k/{token(SECRET, 'coupon', row.id)}"


def code_of(site: Installation) -> str:
    card = site.store.card("u1")
    assert card is not None
    return card.coupons[-1].code


def test_the_mail_leads_to_the_page(site: Installation, client: TestClient) -> None:
    row = carried(site)
    html = site.renderer.render(row).html
    assert html is not None
    links = re.findall(r"""href=["']([^"']+)["']""", html)
    assert [link.removeprefix(BASE) for link in links[:2]] == [where(row)] * 2
    assert client.get(where(row)).status_code == 200


def test_what_the_page_says(site: Installation, client: TestClient) -> None:
    answer = client.get(where(carried(site, timezone="Asia/Shanghai")))
    assert code_of(site) in answer.text
    for text in (
        "For our best &lt;guests&gt;", "10% off", "March 16, 2026", "6:00", "(Shanghai)", "at least €50",
        "At most €20 off", "Lisbon, Porto", "For you alone", '<svg class="qr"', '<svg class="bars"',
    ):  # fmt: skip
        assert text in answer.text, text
    assert answer.headers["cache-control"] == "no-store" and "script" not in answer.text
    assert len(answer.content) < 30_000


def test_in_chinese_and_with_amounts(site: Installation, client: TestClient) -> None:
    text = client.get(where(carried(site, "pay", locale="zh-CN"))).text
    for word in ("您的优惠券", "立减 €10 / ¥80", 'lang="zh-Hans"'):
        assert word in text, word
    assert "€10 / CN¥80 off" in client.get(where(site.messages("u1")[-1]), params={"lang": "en"}).text


def test_the_page_follows_the_till(site: Installation, client: TestClient) -> None:
    row = carried(site)
    order = Basket("o1", Decimal(100), "EUR", store="Porto", customer="u1")
    assert lock(site.store, code_of(site), order, site.now, site.real).reason is None
    assert "A till is redeeming it" in client.get(where(row)).text
    assert redeem(site.store, code_of(site), order, site.now, site.real).reason is None
    shown = client.get(where(row)).text
    assert "has been used" in shown and "<svg" not in shown


def test_a_coupon_that_ended(site: Installation, client: TestClient) -> None:
    row = carried(site)
    site.now += timedelta(days=15)
    assert "has expired" in client.get(where(row)).text


def test_every_bad_token_looks_the_same(site: Installation, client: TestClient) -> None:
    row = carried(site)
    good = token(SECRET, "coupon", row.id)
    bad = [
        good[:-1], good[:-1] + "é", token(SECRET, "view", row.id), token(b"x" * 32, "coupon", row.id), "x", "%00",
        "a/b", token(SECRET, "coupon", "nothing"),
    ]  # fmt: skip
    answers = {(client.get(f"/k/{one}").status_code, client.get(f"/k/{one}").text) for one in bad}
    assert len(answers) == 1 and answers.pop()[0] == 404
    site.store.erase("u1", site.now, site.real, "operator")
    assert client.get(f"/k/{good}").status_code == 404


def test_looking_changes_nothing(site: Installation, client: TestClient) -> None:
    row = carried(site)
    for method in ("GET", "HEAD"):
        assert client.request(method, where(row)).status_code == 200
    assert client.post(where(row)).status_code == 405
    assert site.store.offer_figures("vip").coupons == {"issued": 1}


@pytest.mark.parametrize("code", ["A", "VIP23456789", "x" * 40, "x" * 150, "优惠码", "a b+c", "é" * 100])
def test_pictures_of_any_code(code: str) -> None:
    qr, bars = qr_of(code), bars_of(code)
    assert qr is not None and qr.startswith("<svg")
    assert (bars is not None) == (code.isascii() and len(code) <= 40)
