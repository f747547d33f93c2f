"""What analytics.js and RudderStack's library send from a page: short addresses, beacons, preflights, allow-lists."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from orchestrator.http.app import make_app
from tests.http.installation import BASE, Installation, installation
from tests.http.sending import events, traits

KEY = "page-key"
PAGE = "https://www.example.com"
PLAIN = {"Content-Type": "text/plain", "Origin": PAGE}
CONTEXT = {
    "page": {"path": "/rooms", "referrer": "", "search": "", "title": "Rooms", "url": "https://www.example.com/rooms"},
    "userAgent": "Mozilla/5.0", "locale": "pt-PT", "timezone": "Europe/Lisbon",
    "library": {"name": "analytics.js", "version": "next-1.81.0"},
}  # fmt: skip


def call(kind: str, n: int, **more: Any) -> dict[str, Any]:
    """As analytics.js posts it."""
    return {
        "timestamp": "2026-03-02T09:59:58.000Z", "integrations": {}, "type": kind, "context": CONTEXT,
        "messageId": f"ajs-next-{n}", "anonymousId": "a-1", "writeKey": KEY, "userId": None,
        "sentAt": "2026-03-02T09:59:59.000Z", "_metadata": {"bundled": ["Segment.io"], "unbundled": []}, **more,
    }  # fmt: skip


def browser(**options: Any) -> tuple[Installation, TestClient]:
    site = installation(write_keys=frozenset({KEY}), **options)
    return site, TestClient(make_app(site), base_url=BASE)


def test_the_calls_of_analytics_js() -> None:
    site, client = browser()
    sent = {
        "t": call("track", 1, event="go", properties={"order": "o1"}),
        "p": call("page", 2, name="Rooms", properties={}),
        "s": call("screen", 3, name="Main", properties={}),
        "i": call("identify", 4, userId="u1", traits={"email": "u1@example.com"}),
        "g": call("group", 5, userId="u1", groupId="acme", traits={}),
        "a": call("alias", 6, userId="u2", previousId="b-1"),
    }
    for letter, item in sent.items():
        answer = client.post(f"/v1/{letter}", content=json.dumps(item), headers=PLAIN)
        assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, "*"), answer.text
        assert "Access-Control-Allow-Credentials" not in answer.headers
    batch = {"batch": [sent["t"], call("track", 7, event="stop")], "writeKey": KEY, "sentAt": sent["t"]["sentAt"]}
    assert client.post("/v1/b", content=json.dumps(batch), headers=PLAIN).json() == {"success": True}
    found = {(who, name) for who, name, _, _ in events(site)}
    assert found == {("u1", name) for name in ("go", "page_viewed", "screen_viewed", "stop")}, "who a-1 was is known"
    assert {"email": "u1@example.com", "locale": "pt-PT", "timezone": "Europe/Lisbon"} in traits(site)
    figures = {"series": [{"type": "Counter", "metric": "analytics_js.invoke", "value": 1, "tags": {}}]}
    assert client.post("/v1/m", content=json.dumps(figures), headers=PLAIN).status_code == 200


def test_a_beacon_of_rudderstack_has_the_key_in_its_address() -> None:
    site, client = browser()
    body = json.dumps({"batch": [{"type": "track", "event": "go", "anonymousId": "a", "messageId": "m"}]})
    assert client.post(f"/beacon/v1/batch?writeKey={KEY}", content=body, headers=PLAIN).status_code == 200
    assert client.post("/beacon/v1/batch?writeKey=wrong", content=body, headers=PLAIN).status_code == 401
    assert len(events(site)) == 1


def test_a_preflight_before_each_address() -> None:
    _, client = browser()
    asks = {"Origin": PAGE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    paths = ("/v1/t", "/v1/batch", "/v1/track", "/v1/m", "/beacon/v1/batch", "/sourceConfig")
    for path in (*paths, f"/v1/projects/{KEY}/settings"):
        answer = client.options(path, headers=asks)
        assert answer.status_code == 204 and answer.headers["Access-Control-Allow-Origin"] == "*", path
        assert "POST" in answer.headers["Access-Control-Allow-Methods"]
        assert "Content-Type" in answer.headers["Access-Control-Allow-Headers"]


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://www.example.com", True), ("https://shop.example.org", True), ("https://a.b.example.org", True),
        ("https://example.org", False), ("http://www.example.com", False), ("https://www.example.com.evil.net", False),
        ("https://evilexample.org", False), ("null", False), ("https://www.example.com:8443", False),
    ],
)  # fmt: skip
def test_only_pages_on_the_list_may_send(origin: str, allowed: bool) -> None:
    site, client = browser(origins=("https://www.example.com", "https://*.example.org"))
    item = json.dumps(call("track", 1, event="go"))
    answer = client.post("/v1/t", content=item, headers={**PLAIN, "Origin": origin})
    asked = client.options("/v1/t", headers={"Origin": origin})
    assert answer.status_code == (200 if allowed else 403)
    for one in (answer, asked):
        assert one.headers.get("Access-Control-Allow-Origin") == (origin if allowed else None)
        assert one.headers["Vary"] == "Origin"
    assert len(events(site)) == int(allowed)


def test_a_server_names_no_origin() -> None:
    site, client = browser(origins=("https://www.example.com",))
    assert client.post("/v1/t", content=json.dumps(call("track", 1, event="go"))).status_code == 200
    assert len(events(site)) == 1


def test_the_settings_of_analytics_js() -> None:
    _, client = browser(base_url="https://journeys.example.com/in")
    answer = client.get(f"/v1/projects/{KEY}/settings", headers={"Origin": PAGE})
    found = answer.json()["integrations"]
    assert list(found) == ["Segment.io"]
    sends = found["Segment.io"]
    assert (sends["apiKey"], sends["apiHost"], sends["protocol"]) == (KEY, "journeys.example.com/in/v1", "https")
    assert answer.json()["metrics"]["sampleRate"] == 0 and answer.headers["Access-Control-Allow-Origin"] == "*"
    assert client.get("/v1/projects/another/settings").status_code == 401


def test_the_source_of_rudderstack() -> None:
    _, client = browser()
    found = client.get("/sourceConfig/?p=npm&v=3.7.0", auth=(KEY, ""), headers={"Origin": PAGE}).json()["source"]
    assert (found["writeKey"], found["enabled"], found["destinations"]) == (KEY, True, [])
    assert found["dataplanes"]["US"][0]["url"] == BASE
    assert client.get(f"/sourceConfig?writeKey={KEY}").status_code == 200
    assert client.get("/sourceConfig", auth=("wrong", "")).status_code == 401
