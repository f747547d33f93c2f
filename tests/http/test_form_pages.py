"""Forms: what is taken of them, once, with its proof, and what nobody learns from their answers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from starlette.testclient import TestClient

from orchestrator.core.forms import said
from orchestrator.core.index import Index
from orchestrator.http.app import make_app
from orchestrator.http.form_limits import FormLimits
from orchestrator.http.form_reading import kept_text, read_answers
from orchestrator.http.form_taking import form_link, shortened, shown_url
from orchestrator.runtime.turns import turn_once
from tests.http.installation import BASE, Installation, installation
from tests.in_full import IN_FULL
from tests.small_projects import SCHEMA, loaded, project_files, write_files

SHOP = "https://shop.example.com"
FORM: dict[str, Any] = {
    "form": "newsletter",
    "title": {"en": "Stay in <touch>", "zh": "保持联系"},
    "event": "joined",
    "fields": {
        "email": {"type": "email", "required": True, "label": {"en": "E-mail", "zh": "电子邮件"}},
        "plan": {"to": "customer.plan"},
        "guests": {"type": "integer"},
        "kind": {"type": "choice", "options": {"sea": {"en": "The sea", "zh": "大海"}, "city": "City"}},
        "comment": {"type": "long_text"},
        "campaign": {"type": "hidden"},
        "desk": {"type": "hidden", "value": "front"},
    },
    "consents": [
        {"topic": "promotions", "channels": ["email", "sms"], "wording": {"en": "Yes, offers!", "zh": "接收优惠"}}
    ],
    "done": {"en": "Welcome aboard", "zh": "欢迎"},
    "origins": SHOP,
    "limit": {"max": 5, "per": "1h"},
}
JOINED = {name: {"type": "string"} for name in ("form", "url", "locale", "kind", "comment", "campaign", "desk")}
SCHEMAS = {**SCHEMA, "events": {**SCHEMA["events"], "joined": {**JOINED, "guests": {"type": "integer"}}}}
ADDRESS = {"email": "Ana@Example.com"}


@lru_cache(maxsize=8)
def _index(changes: str) -> Index:
    with TemporaryDirectory() as folder:
        return _made(Path(folder), **json.loads(changes))


def site_of(**changes: Any) -> Installation:
    made = installation()
    made.store.deploy(_index(json.dumps(changes)), made.journey_now())
    return made


def _made(folder: Path, **changes: Any) -> Index:
    form = {name: value for name, value in {**FORM, **changes}.items() if value is not None}
    form["fields"] = {**form["fields"], "phone": {"type": "phone"}}
    files = project_files(
        {"hears": {"enter": {"event": "joined", "reentry": "always"}, "steps": [{"wait": "30d"}]}}, schema=SCHEMAS
    )
    files["journeys/forms/newsletter.yaml"] = yaml.safe_dump(form, allow_unicode=True, sort_keys=False)
    return Index(loaded(write_files(folder, files)).project)


@pytest.fixture
def site() -> Installation:
    return site_of()


@pytest.fixture
def client(site: Installation) -> TestClient:
    return TestClient(make_app(site), base_url=BASE, follow_redirects=False)


def customers(site: Installation) -> list[Any]:
    """Whoever is there, decided."""
    while turn_once(site.store, site.journey_now()).customers:
        pass
    return [record.customer for record in site.store._records.values()]  # type: ignore[attr-defined]


def events(site: Installation) -> list[Mapping[str, Any]]:
    [*customers(site)]
    found = [e for record in site.store._records.values() for e in record.history.events("joined")]  # type: ignore[attr-defined]
    return [event.properties for event in found]


def test_a_page_that_needs_no_script(client: TestClient) -> None:
    answer = client.get("/f/newsletter", params={"campaign": "spring<"})
    assert answer.status_code == 200
    assert "<h1>Stay in &lt;touch&gt;</h1>" in answer.text
    assert 'name="campaign" value="spring&lt;"' in answer.text
    assert "<script" not in answer.text
    assert 'autocomplete="email"' in answer.text
    assert re.search(r'name="once" value="[0-9a-f]{16}"', answer.text)
    chinese = client.get("/f/newsletter", params={"lang": "zh"})
    assert "保持联系" in chinese.text
    assert "大海" in chinese.text
    assert client.head("/f/newsletter").status_code == 200
    assert client.get("/f/nothing").status_code == 404
    assert client.post("/f/nothing", data=ADDRESS).status_code == 404


def test_a_form_that_was_filled_in_is_a_person_a_choice_and_an_event(client: TestClient, site: Installation) -> None:
    data = {**ADDRESS, "plan": " gold ", "guests": "2", "kind": "sea", "consent.promotions": "on", "desk": "forged"}
    answer = client.post("/f/newsletter?lang=zh", data=data, headers={"User-Agent": "Browser/1"})
    assert (answer.status_code, "欢迎" in answer.text) == (200, True)
    [ana] = customers(site)
    assert re.fullmatch(r"form:[0-9a-f]{24}", ana.id)
    assert (ana.email, ana.locale, ana.attributes) == ("Ana@example.com", "zh", {"plan": "gold"})
    assert ana.consents == {("promotions", "email"): "in", ("promotions", "sms"): "in"}
    log = site.store.consent_log(ana.id)
    assert {(row.source, row.wording, row.channel) for row in log} == {
        ("form", "接收优惠", "email"),
        ("form", "接收优惠", "sms"),
    }
    assert log[0].proof == {"form": "newsletter", "user_agent": "Browser/1", "url": f"{BASE}/f/newsletter"}
    assert events(site) == [
        {
            "guests": 2,
            "kind": "sea",
            "desk": "front",
            "form": "newsletter",
            "locale": "zh",
            "url": f"{BASE}/f/newsletter",
        }
    ]


def test_the_same_post_counts_once(client: TestClient, site: Installation) -> None:
    for once in ("a", "a", "b"):
        assert client.post("/f/newsletter", data={**ADDRESS, "once": once}).status_code == 200
    for _ in range(2):
        assert client.post("/f/newsletter", json={"email": "ana@example.com"}).json()["ok"]
    assert len(customers(site)) == 1
    assert len(events(site)) == 3


def test_a_machine_gets_the_same_answer_and_does_nothing(client: TestClient, site: Installation) -> None:
    once = {**ADDRESS, "once": "x"}
    human, robot = (
        client.post("/f/newsletter", data=once),
        client.post("/f/newsletter", data={**once, "leave_empty": "x"}),
    )
    assert (robot.status_code, robot.text) == (human.status_code, human.text)
    assert len(events(site)) == 1


def test_nobody_learns_whether_an_address_is_known_and_nobody_changes_it(
    client: TestClient, site: Installation
) -> None:
    from orchestrator.core.inbox import Identified
    from orchestrator.runtime.ingest import ingest_once

    ingest_once(site.store, [("u1", Identified({"email": "ana@example.com", "plan": "gold"}))], site.journey_now())
    known = client.post("/f/newsletter", json={"email": "ana@example.com", "plan": "basic"})
    unknown = client.post("/f/newsletter", json={"email": "bea@example.com", "plan": "basic"})
    assert (known.status_code, known.json()) == (unknown.status_code, unknown.json())
    assert next(c for c in customers(site) if c.id == "u1").attributes["plan"] == "gold"


def test_what_is_wrong_is_told_beside_its_field(client: TestClient, site: Installation) -> None:
    data = {"email": "nobody", "guests": "2.5", "kind": "moon", "comment": "<b>" + "x" * 3_000}
    answer = client.post("/f/newsletter", data=data)
    assert answer.status_code == 422
    assert answer.text.count('aria-invalid="true"') == 4
    assert "&lt;b&gt;" in answer.text
    told = client.post("/f/newsletter", json={**data, "lang": "zh"}).json()
    assert (told["ok"], sorted(told["errors"])) == (False, ["comment", "email", "guests", "kind"])
    assert told["errors"]["guests"] == "请填写数字。"
    assert customers(site) == []


def test_other_sites_post_only_where_they_may(client: TestClient, site: Installation) -> None:
    asked = client.options("/f/newsletter", headers={"Origin": SHOP, "Access-Control-Request-Method": "POST"})
    assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (204, SHOP)
    taken = client.post("/f/newsletter", json={**ADDRESS, "url": f"{SHOP}/a?email=x"}, headers={"Origin": SHOP})
    assert taken.headers["access-control-allow-origin"] == SHOP
    assert events(site)[0]["url"] == f"{SHOP}/a"
    for origin in ("https://evil.example", "https://shop.example.com.evil.example", "null"):
        refused = client.post("/f/newsletter", json=ADDRESS, headers={"Origin": origin})
        assert (refused.status_code, refused.json()["code"]) == (403, "origin_refused")
        assert "access-control-allow-origin" not in refused.headers
    assert client.post("/f/newsletter", data=ADDRESS, headers={"Origin": "null"}).status_code == 200, "our own page"
    assert client.post("/f/newsletter", data=ADDRESS, headers={"Origin": BASE}).status_code == 200


def test_a_form_leads_only_where_it_may() -> None:
    site = site_of(redirect=[f"{SHOP}/thanks", f"{SHOP}/danke"])
    client = TestClient(make_app(site), base_url=BASE, follow_redirects=False)
    assert f"form-action 'self' {SHOP};" in client.get("/f/newsletter").headers["content-security-policy"]
    for asked, target in (
        ("", "thanks"),
        (f"{SHOP}/danke", "danke"),
        ("https://evil.example/", "thanks"),
        ("//evil", "thanks"),
    ):
        answer = client.post("/f/newsletter", data={**ADDRESS, "next": asked})
        assert (answer.status_code, answer.headers["location"]) == (303, f"{SHOP}/{target}")


def test_one_address_posts_so_often(client: TestClient) -> None:
    for _ in range(5):
        assert client.post("/f/newsletter", data=ADDRESS).status_code == 200
    many = client.post("/f/newsletter", data=ADDRESS)
    assert (many.status_code, 600 < int(many.headers["retry-after"]) <= 720) == (429, True)
    assert client.post("/f/newsletter", json=ADDRESS).status_code == 429


def test_processes_count_posts_together(site: Installation) -> None:
    first, second = (TestClient(make_app(site), base_url=BASE, follow_redirects=False) for _ in range(2))
    taken = [client.post("/f/newsletter", data=ADDRESS).status_code for client in (first, second) * 3]
    assert taken == [200] * 5 + [429]
    refused = second.post("/f/newsletter", json=ADDRESS)
    assert (refused.json()["code"], refused.headers["retry-after"]) == ("many", "720")


def test_limits_are_for_each_network_and_bounded() -> None:
    limits = FormLimits()
    assert [limits.wait("f", "10.0.0.1", 2, 60, 0) for _ in range(3)] == [0, 0, 30]
    assert limits.wait("f", "10.0.0.2", 2, 60, 0) == limits.wait("g", "10.0.0.1", 2, 60, 0) == 0
    assert limits.wait("f", "10.0.0.1", 2, 60, 31) == 0
    assert [limits.wait("f", ip, 1, 60, 0) for ip in ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1")] == [0, 60, 0]
    assert limits.wait("f", None, 1, 60, 0) == 0


def test_a_signed_link_fills_in_and_writes_to_whom_it_names(client: TestClient, site: Installation) -> None:
    from orchestrator.core.inbox import Identified
    from orchestrator.runtime.ingest import ingest_once

    ingest_once(site.store, [("ü/1", Identified({"email": "ana@example.com", "plan": "gold"}))], site.journey_now())
    customers(site)
    link = form_link(site, "newsletter", "ü/1", site.real_now()).removeprefix(BASE)
    shown = client.get(link).text
    assert 'value="ana@example.com"' in shown
    token = link.partition("t=")[2]
    switch = re.search(r'<footer><a href="([^"]+)"', client.get(f"{link}&campaign=a%26b%3C").text)
    assert switch is not None
    other = client.get(f"/f/newsletter{switch[1].replace('&amp;', '&')}").text
    assert "保持联系" in other
    assert 'value="ana@example.com"' in other
    assert 'name="campaign" value="a&amp;b&lt;"' in other
    client.post("/f/newsletter", data={"email": "ana@example.com", "plan": "free", "t": token})
    assert [(c.id, c.attributes["plan"]) for c in customers(site)] == [("ü/1", "free")]
    for bad in (token[:-1] + ("a" if token[-1] != "a" else "b"), "x", "é.é", token.replace("newsletter", "other"), ""):
        assert "ana@example.com" not in client.get("/f/newsletter", params={"t": bad}).text


HOSTILE = [
    "{{ 7*7 }}", "<script>alert(1)</script>", "a\x00b", "\ud800", "x" * 60_000, "=cmd|' /C calc'!A0", "\r\nBcc: x@y",
    "\u202eevil",
    "9" * 400, "NaN", "1e999", "-0", "٣", "0x10", [], {}, None, True, 1e308, [["a"]], {"a": "b"},
]  # fmt: skip


def test_whatever_is_sent_is_never_our_mistake() -> None:
    site = site_of(limit={"max": 10_000})
    client = TestClient(make_app(site), base_url=BASE, follow_redirects=False)
    fields = [*FORM["fields"], "consents", "consent.promotions", "once", "next", "lang", "t", "url"]
    for place, (field, value) in enumerate((field, value) for field in fields for value in HOSTILE):
        if not IN_FULL and place % 3 and field != "email":
            continue
        body = json.dumps({**ADDRESS, field: value})
        answer = client.post("/f/newsletter", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in (200, 400, 413, 422), (field, value)
        if isinstance(value, str) and "\ud800" not in value:
            assert client.post("/f/newsletter", data={**ADDRESS, field: value}).status_code in (200, 413, 422)
    customers(site)
    assert not site.store.overview().parked, "no turn fails by it"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b"1", b"\xff", b'{"a":1,"a":2}', b"[" * 9_000, b'{"email": NaN}', b"x" * 70_000]
)
def test_bodies_that_are_no_object(client: TestClient, body: bytes) -> None:
    answer = client.post("/f/newsletter", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 413)
    assert answer.json()["ok"] is False


def test_the_script_is_plain_and_needs_nothing(client: TestClient) -> None:
    answer = client.get("/f/newsletter.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "</" not in answer.text.replace("</script", "")
    assert "innerHTML" not in answer.text
    assert "__FORM__" not in answer.text
    assert "\\u003ctouch>" in answer.text
    assert client.get("/f/nothing.js").status_code == 404


def test_texts_and_proofs() -> None:
    assert said({"en": "a", "zh": "b"}, "zh-Hant-TW") == "b"
    assert said({"default": "a", "zh": "b"}, "fr") == "a"
    assert said({}, "fr") == ""
    assert [shortened(ip) for ip in ("192.0.2.77", "2001:db8:1:2::3", "testclient", None)] == [
        "192.0.2.0", "2001:db8:1::", None, None,
    ]  # fmt: skip
    assert shown_url("https://a.example/x?token=1#y") == "https://a.example/x"
    for bad in ("javascript:alert(1)", "https://u:p@a.example/", 7, None, "//a", "https://[", "x" * 9_000):
        assert shown_url(bad) is None
    assert kept_text(" a\r\nb\x00\x07 ") == "a b"
    assert kept_text("a\r\nb", True) == "a\nb"


def test_a_form_keeps_what_its_fields_say(site: Installation) -> None:
    form = site.store.index.project.forms["newsletter"]
    reading = read_answers(
        form, {"email": "a@example.com", "guests": 3, "kind": "sea", "consents": ["promotions"]}, "PT"
    )
    assert reading.values == {"email": "a@example.com", "guests": 3, "kind": "sea", "desk": "front"}
    assert [box.topic for box in reading.ticked] == ["promotions"]


def test_the_api_makes_a_customers_own_link(client: TestClient, site: Installation) -> None:
    from orchestrator.core.inbox import Identified
    from orchestrator.runtime.ingest import ingest_once

    ingest_once(site.store, [("u1", Identified({"email": "ana@example.com"}))], site.journey_now())
    customers(site)
    made = client.post("/api/v1/forms/newsletter/links", json={"customer": "u1"})
    assert made.status_code == 200
    assert 'value="ana@example.com"' in client.get(made.json()["url"].removeprefix(BASE)).text
    assert client.post("/api/v1/forms/newsletter/links", json={"customer": "u2"}).json()["code"] == "unknown_customer"
    assert client.post("/api/v1/forms/news/links", json={"customer": "u1"}).json()["code"] == "unknown_form"
