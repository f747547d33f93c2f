"""The status page and its kin: what they tell, to whom, and that nothing in them can be injected."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import Histogram
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from orchestrator.channels.circuit import CircuitState
from orchestrator.core.inbox import Identified
from orchestrator.core.view import Switches
from orchestrator.http.app import make_app
from orchestrator.http.hosts import is_own_host
from orchestrator.runtime.ingest import Incoming, ingest_once
from orchestrator.runtime.loop import LaneState
from orchestrator.stores.memory import MemoryStore
from orchestrator.stores.protocol import RefusedItem, StoreBusy
from tests.http.installation import BASE, START, Installation, installation

NASTY = "<script>alert(1)</script>'\"&{{ 7*7 }}/../?#é退"


def busy_site() -> Installation:
    """Messages, a survey, a waiting customer, a parked one, a refused item, and somebody with a nasty id."""
    site = installation()
    for id in ("u1", NASTY):
        known = {"email": "u1@example.com", "plan": NASTY, "consents": {"promotions": {"email": "in"}}}
        ingest_once(site.store, [(id, Identified(known))], START)
        ingest_once(site.store, [Incoming(id, name, {"order": "o1"}) for name in ("go", "stop", "ping")], START)
    site.run()
    ingest_once(site.store, [Incoming("u1", "go", {"order": "o2"})], START)
    site.store.park("u1", "exception", f"ValueError: {NASTY}", START)
    site.store.keep_refused([RefusedItem(START, "http", NASTY, NASTY)])
    return site


@pytest.fixture(scope="module")
def busy() -> TestClient:
    return TestClient(make_app(busy_site()), base_url=BASE)


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<style>.*?</style>|<[^>]+>", " ", html, flags=re.S))


def test_an_installation_that_just_started_has_a_page(client: TestClient) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert "No message has been decided yet." in page.text
    assert "Says hello" in page.text


def test_the_status_page_tells_what_is_live_and_what_waits(busy: TestClient) -> None:
    text = text_of(busy.get("/").text)
    for told in ("greets live", "waits live", "Hello", "How was it?", "Parked customers", "orchestrator resume"):
        assert told in text
    assert "at real time" in text


def test_nothing_that_came_from_outside_is_markup(busy: TestClient) -> None:
    pages = [
        "/",
        "/customers/u1",
        "/customers?id=%3Cscript%3Ealert(1)%3C/script%3E",
        "/customers/<script>alert(1)",
    ]
    pages += re.findall(r'href="(/(?:messages|customers)/[^"]+)"', busy.get("/").text)
    assert len(pages) > 8
    for path in pages:
        answer = busy.get(path)
        assert answer.status_code in (200, 404)
        assert "<script" not in answer.text
        assert "49}}" not in answer.text
        assert "unsafe" not in answer.headers["content-security-policy"]


def test_every_link_of_the_page_leads_somewhere(busy: TestClient) -> None:
    links = re.findall(r'href="(/[^"#]*)"', busy.get("/").text)
    assert any("messages" in link for link in links)
    assert {busy.get(link).status_code for link in links} == {200}


def test_a_message_has_its_preview_in_a_sandbox(busy: TestClient) -> None:
    [link, *_] = re.findall(r'href="(/messages/[^"]+)"', busy.get("/").text)
    page = busy.get(link).text
    [frame] = re.findall(r"<iframe[^>]+>", page)
    [src] = re.findall(r'src="([^"]+)"', frame)
    assert 'sandbox="' in frame and "allow-scripts" not in frame and "allow-same-origin" not in frame
    body = busy.get(src)
    assert body.headers["content-type"] == "text/html; charset=utf-8"
    assert "frame-ancestors 'self'" in body.headers["content-security-policy"]


def test_a_customers_page_tells_the_story(busy: TestClient) -> None:
    text = text_of(busy.get("/customers/u1").text)
    assert "Says hello" in text
    assert "Parked: exception" in text
    found = busy.get("/customers", params={"id": f" {NASTY} "})
    assert found.status_code == 200
    assert len(found.history) == 1


def test_unknown_ids_have_a_page_too(busy: TestClient) -> None:
    for path in ("/customers/nobody", "/messages/none", "/messages/none/body", "/customers/%ff", "/favicon.ico"):
        assert busy.get(path).status_code == 404


def test_without_a_journal_the_page_says_so() -> None:
    site = installation(store=MemoryStore())
    ingest_once(site.store, [Incoming("u1", "go", {})], START)
    page = TestClient(make_app(site), base_url=BASE).get("/customers/u1")
    assert "This store keeps no journal." in page.text


def test_switches_are_shown(site: Installation, client: TestClient) -> None:
    site.store.set_switches(Switches(paused=frozenset({"greets"}), stopped=frozenset({"asks"})))
    text = text_of(client.get("/").text)
    assert "greets paused" in text and "asks stopped" in text.replace("asks asks", "asks")


def test_a_clock_that_runs_faster_is_told(site: Installation, client: TestClient) -> None:
    site.speed, site.now = 600.0, START + timedelta(days=40)
    assert "up to 600× real time" in client.get("/").text


def test_the_refresh_can_be_stopped(client: TestClient) -> None:
    assert 'http-equiv="refresh"' in client.get("/").text
    assert 'http-equiv="refresh"' not in client.get("/?refresh=off").text


def test_the_page_is_chinese_where_the_browser_asks_for_it(busy: TestClient) -> None:
    page = busy.get("/", headers={"Accept-Language": "zh-CN"}).text
    assert "运行中的旅程" in page and "Live journeys" not in page


# --- foreign names ------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("localhost:8000", True), ("127.0.0.1:8000", True), ("[::1]:8000", True), ("192.168.1.4", True),
        ("journeys.example.com", True), ("app.localhost", True),
        ("evil.example", False), ("localhost.evil.example", False), ("", False), (None, False), ("[", False),
        ("journeys.example.com.evil.example", False), ("@localhost", True), ("evil.example@x", False),
    ],
)  # fmt: skip
def test_which_hosts_are_our_own(host: str | None, own: bool) -> None:
    assert is_own_host(host, "https://journeys.example.com/x") is own


@pytest.mark.parametrize("path", ["/", "/messages/x", "/messages/x/body", "/customers/u1", "/customers", "/metrics"])
def test_a_foreign_name_reads_nothing(busy: TestClient, path: str) -> None:
    answer = busy.get(path, headers={"Host": "evil.example"})
    assert answer.status_code == 421
    assert "u1" not in answer.text.replace("charset=", "")


# --- probes ------------------------------------------------------


def test_probes(site: Installation, client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json()["status"] == "ok"
    site.lag = timedelta(seconds=11)
    late = client.get("/readyz")
    assert (late.status_code, late.json()["checks"]["store"]) == (503, "ok")
    assert "11.0 s late" in late.json()["checks"]["loop"]
    assert client.get("/healthz").status_code == 200


class Locked(MemoryStore):
    """A database that cannot be written."""

    def mark(self, name: str, at: Any = None) -> Any:
        raise StoreBusy

    def overview(self) -> Any:
        raise StoreBusy


def test_a_store_that_cannot_be_written_is_not_ready() -> None:
    client = TestClient(make_app(installation(store=Locked())), base_url=BASE)
    assert client.get("/readyz").status_code == 503
    assert client.get("/metrics").status_code == 503
    page = client.get("/")
    assert (page.status_code, page.headers["retry-after"]) == (503, "2")
    assert "One moment, please" in page.text


def test_metrics_are_prometheus_text() -> None:
    site = busy_site()
    assert site.registry is not None
    Histogram("lateness_seconds", "How late", registry=site.registry).observe(0.2)
    answer = TestClient(make_app(site), base_url=BASE).get("/metrics")
    found = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert found["orchestrator_customers",] == 2
    assert found["orchestrator_messages", "email", "sent"] == 4
    assert found["orchestrator_parked_customers",] == 1
    assert found["orchestrator_enrollments", "running", "waits"] == 2
    assert found["lateness_seconds_count",] == 1


def test_what_is_out_of_order_is_shown_with_the_reason_and_the_next_try() -> None:
    site = installation()
    client = TestClient(make_app(site), base_url=BASE)
    site.circuit_states["email"] = CircuitState("closed")
    site.lane_states = [LaneState("deliver", failures=3)]
    assert "Out of order" not in client.get("/").text
    site.circuit_states = {
        "email": CircuitState("open", "535 <b>wrong password", 14.2),
        "sms": CircuitState("half_open"),
    }
    site.lane_states[0].failing, site.lane_states[0].last_error = True, "ValueError: x"
    text = text_of(client.get("/").text)
    assert "Out of order" in text and "channel E-mail 535 &lt;b&gt;wrong password in 15 s" in text
    assert "channel Text message" in text and "lane deliver ValueError: x soon" in text
    assert "故障" in client.get("/", headers={"Accept-Language": "zh"}).text


# --- errors and the description ------------------------------------------------------


def test_addresses_that_are_not_there(client: TestClient) -> None:
    for path in ("/v1/nothing", "/api/v1/nothing", "/hooks/x/y"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert client.get("/nothing").headers["content-type"] == "text/html; charset=utf-8"


class Broken(MemoryStore):
    """A store with a mistake of ours."""

    def ingest(self, arrivals: Any) -> Any:
        raise ZeroDivisionError("secret detail")

    def overview(self) -> Any:
        raise ZeroDivisionError("secret detail")


def test_our_own_mistakes_are_500_and_tell_no_details() -> None:
    client = TestClient(make_app(installation(store=Broken())), base_url=BASE, raise_server_exceptions=False)
    answers = [client.post("/v1/track", json={"userId": "u", "event": "go"}), client.get("/")]
    assert [answer.status_code for answer in answers] == [500, 500]
    assert not any("secret" in answer.text for answer in answers)


def test_nothing_deployed_is_no_error_of_ours() -> None:
    site = installation()
    site.store = MemoryStore()
    client = TestClient(make_app(site), base_url=BASE)
    assert client.get("/").status_code == 503
    assert client.get("/readyz").status_code == 503
    assert client.get("/u/x.y").status_code == 404
    answer = client.post("/v1/track", json={"userId": "u", "event": "go"})
    assert (answer.status_code, answer.json()["code"]) == (503, "nothing_deployed")


def test_the_description_names_what_there_is(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    assert described["openapi"].startswith("3.1")
    others = {path for path in described["paths"] if not path.startswith("/api/v1/")}
    assert others == {  # those of the API have a test of their own: tests/http/test_api_document.py
        *(f"/v1/{name}" for name in ("identify", "track", "page", "screen", "group", "alias", "batch", "import")),
        "/v1/sources/{source}", "/healthz", "/readyz", "/metrics",
    }  # fmt: skip
    operation = described["paths"]["/v1/batch"]["post"]
    assert "batch" in operation["requestBody"]["content"]["application/json"]["schema"]["properties"]
    assert "422" not in operation["responses"]
