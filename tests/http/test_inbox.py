"""The inbox in the brand's app: tokens, the feed, what its reader does, and what is not shown."""

from __future__ import annotations

from base64 import b64encode
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from orchestrator.core.inbox_feed import MOST, inbox_owner, inbox_token
from orchestrator.core.view import Switches
from orchestrator.http.app import make_app
from orchestrator.runtime.ingest import Incoming, ingest_once
from orchestrator.stores.memory import MemoryStore
from tests.http.installation import BASE, SECRET, START, Installation
from tests.small_projects import project_of

NOTE = (
    "title: 'Order {{ entry.order }}'\nbody: 'It is on its way'\nurl: 'https://example.com/o/{{ entry.order }}'\n"
    "action: Look\ndata: {order: '{{ entry.order }}'}\nexpires: '{{ 30 if entry.order == \"long\" else 2 }}d'\n"
)
JOURNEYS: dict[str, Any] = {
    "tells": {
        "topic": "orders",
        "enter": {"event": "go", "reentry": "always", "overlap": "parallel"},
        "steps": [{"inbox": "note"}],
    },
    "mails": {"topic": "orders", "enter": {"event": "ping"}, "steps": [{"email": "hello"}]},
    "thanks": {"topic": "orders", "enter": {"event": "inbox_clicked"}, "steps": [{"email": "hello"}]},
}


@pytest.fixture
def site(tmp_path: Path) -> Installation:
    templates = {"inbox/note.yaml": NOTE, "email/hello.html": "---\nsubject: Hello\n---\n<p>Hello</p>\n"}
    project = project_of(tmp_path, JOURNEYS, project={"channels": {"inbox": {}, "email": {}}}, templates=templates)
    return Installation(MemoryStore(keep_journal=True), project)


@pytest.fixture
def client(site: Installation) -> TestClient:
    return TestClient(make_app(site), base_url=BASE)


def go(site: Installation, *orders: str, customer: str = "u1", hours: float = 0) -> None:
    for order in orders:
        site.now = START + timedelta(hours=hours)
        ingest_once(site.store, [Incoming(customer, "go", {"order": order})], site.now)
        site.run()
        hours += 0.01


def url(site: Installation, customer: str = "u1", days: float = 1) -> str:
    return f"/inbox/{inbox_token(SECRET, customer, site.real + timedelta(days=days))}"


def titles(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["title"] for item in answer.json()["items"]]


class TestTokens:
    @pytest.mark.parametrize("customer", ["u1", "ana@example.com", "a/b c", "a.b.c", "周", "x" * 300])
    def test_a_token_names_its_customer(self, customer: str) -> None:
        token = inbox_token(SECRET, customer, START)
        assert inbox_owner(SECRET, token, START - timedelta(seconds=1)) == customer
        assert inbox_owner(SECRET, token, START) is None
        assert inbox_owner(b"another secret of thirty-two byte", token, START - timedelta(days=1)) is None
        assert token.isascii() and "/" not in token

    def test_any_other_text_is_refused_alike(self, client: TestClient, site: Installation) -> None:
        good = inbox_token(SECRET, "u1", site.real + timedelta(days=1))
        name, until, signature = good.split(".")
        wrong = [
            "x", "...", good[:-1], f"{name}.{int(until) + 1}.{signature}", f"{name}x.{until}.{signature}",
            inbox_token(SECRET, "u1", site.real), f"u1.{signature}",
        ]  # fmt: skip
        for token in wrong:
            answer = client.get(f"/inbox/{token}")
            assert (answer.status_code, answer.json()["code"]) == (401, "bad_token"), token
            assert answer.headers["access-control-allow-origin"] == "*"
            assert client.post(f"/inbox/{token}/read", json={"ids": []}).status_code == 401

    def test_the_backend_gets_one(self, client: TestClient, site: Installation) -> None:
        go(site, "a", customer="a/b@example.com")
        answer = client.get("/api/v1/customers/a%2Fb@example.com/inbox-token?for=2h")
        assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
        given = answer.json()
        assert given["url"] == f"{BASE}/inbox/{given['token']}"
        assert given["expires_at"] == "2026-03-02T12:00:00Z"
        assert titles(client.get(f"/inbox/{given['token']}")) == ["Order a"]

    def test_only_with_an_api_key_and_for_a_customer(self, client: TestClient, site: Installation) -> None:
        assert client.get("/api/v1/customers/nobody/inbox-token").json()["code"] == "unknown_customer"
        go(site, "a")
        for lasts in ("0s", "401d", "-1d", "soon", "1mo"):
            answer = client.get("/api/v1/customers/u1/inbox-token", params={"for": lasts})
            assert (answer.status_code, answer.json()["code"]) == (422, "bad_duration"), lasts
        path, basic = "/api/v1/customers/u1/inbox-token", {"Authorization": "Basic " + b64encode(b"key:").decode()}
        site.write_keys = frozenset({"key"})  # which stands in every page
        assert client.get(path, headers=basic).status_code == 403
        site.api_keys = frozenset({"secret", "other"})
        assert client.get(path).status_code == 401 and client.get(path, headers=basic).status_code == 403
        assert client.get(path, headers={"Authorization": "Bearer wrong"}).status_code == 401
        assert client.get(path, headers={"Authorization": "Bearer secret"}).status_code == 200


class TestFeed:
    def test_an_item(self, client: TestClient, site: Installation) -> None:
        go(site, "7")
        ingest_once(site.store, [Incoming("u1", "ping", {})], site.now)
        site.run()
        answer = client.get(url(site)).json()
        [message] = [row for row in site.messages("u1") if row.channel == "inbox"]
        assert answer == {
            "items": [
                {
                    "id": message.id, "at": "2026-03-02T10:00:00Z", "topic": "orders", "title": "Order 7",
                    "body": "It is on its way", "url": "https://example.com/o/7", "image": None, "action": "Look",
                    "data": {"order": "7"}, "expires_at": "2026-03-04T10:00:00Z", "read": False, "clicked": False,
                }
            ],
            "unread": 1,
            "cursor": None,
        }  # fmt: skip

    def test_newest_first_page_by_page(self, client: TestClient, site: Installation) -> None:
        go(site, "a", "b", "c", "d", "e")
        seen: list[str] = []
        cursor: str | None = None
        for _ in range(3):
            answer = client.get(url(site), params={"limit": 2, **({"cursor": cursor} if cursor else {})})
            seen += titles(answer)
            cursor = answer.json()["cursor"]
            assert answer.json()["unread"] == 5
        assert seen == ["Order e", "Order d", "Order c", "Order b", "Order a"] and cursor is None
        assert client.get(url(site), params={"cursor": "x"}).json()["code"] == "cursor_gone"
        for limit in ("0", "101", "x", "-1", "1" * 50):
            assert client.get(url(site), params={"limit": limit}).json()["code"] == "bad_limit"

    def test_nobody_sees_what_is_another_s(self, client: TestClient, site: Installation) -> None:
        go(site, "a")
        go(site, "b", customer="u2")
        assert titles(client.get(url(site, "u2"))) == ["Order b"]
        assert titles(client.get(url(site, "nobody"))) == []

    def test_what_has_run_out_is_not_shown(self, client: TestClient, site: Installation) -> None:
        go(site, "short", "long")
        site.now = START + timedelta(days=3)
        assert titles(client.get(url(site))) == ["Order long"]
        assert client.get(url(site)).json()["unread"] == 1
        site.now = START + timedelta(days=40)
        assert titles(client.get(url(site))) == []

    def test_it_holds_the_newest_hundred(self, client: TestClient, site: Installation) -> None:
        ingest_once(site.store, [Incoming("u1", "go", {"order": str(n)}, message_id=str(n)) for n in range(105)], START)
        site.run()
        answer = client.get(url(site), params={"limit": 100})
        assert len(titles(answer)) == MOST == answer.json()["unread"]

    def test_a_kill_takes_it_back(self, client: TestClient, site: Installation) -> None:
        go(site, "a")
        for switches in (Switches(killed_all=True), Switches(killed_channels=frozenset({"inbox"})),
                         Switches(killed_journeys=frozenset({"tells"}))):  # fmt: skip
            site.store.set_switches(switches)
            assert titles(client.get(url(site))) == []
        site.store.set_switches(Switches(killed_journeys=frozenset({"mails"})))
        assert titles(client.get(url(site))) == ["Order a"]

    def test_what_did_not_change_is_not_sent_again(self, client: TestClient, site: Installation) -> None:
        go(site, "a")
        tag = client.get(url(site)).headers["etag"]
        for given in (tag, f"W/{tag}", f'"x", {tag}'):
            again = client.get(url(site), headers={"If-None-Match": given})
            assert (again.status_code, again.content) == (304, b"")
        go(site, "b", hours=1)
        assert client.get(url(site), headers={"If-None-Match": tag}).status_code == 200

    def test_any_page_may_ask(self, client: TestClient, site: Installation) -> None:
        answer = client.get(url(site), headers={"Origin": "https://app.example"})
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["cache-control"] == "private, no-cache"
        for path in (url(site), f"{url(site)}/read"):
            preflight = client.options(path)
            assert preflight.status_code == 204
            assert "If-None-Match" in preflight.headers["access-control-allow-headers"]


class TestDeeds:
    def ids(self, client: TestClient, site: Installation) -> list[str]:
        return [item["id"] for item in client.get(url(site)).json()["items"]]

    def test_reading_and_clicking(self, client: TestClient, site: Installation) -> None:
        go(site, "a", "b", "c")
        newest, middle, _ = self.ids(client, site)
        assert client.post(f"{url(site)}/read", json={"ids": [newest]}).json() == {"success": True, "messages": 1}
        assert client.post(f"{url(site)}/click", json={"ids": [middle, middle]}).json()["messages"] == 1
        site.run()
        answer = client.get(url(site)).json()
        assert [(item["read"], item["clicked"]) for item in answer["items"]] == [
            (True, False),
            (True, True),
            (False, False),
        ]
        assert answer["unread"] == 1

    def test_a_click_is_an_event_once(self, client: TestClient, site: Installation) -> None:
        go(site, "a")
        ids = self.ids(client, site)
        for _ in range(3):
            client.post(f"{url(site)}/click", json={"ids": ids})
            site.run()
        lines = [line for line in site.store.journal("u1") if line.journey == "thanks" and line.type == "entered"]
        assert len(lines) == 1

    def test_putting_away(self, client: TestClient, site: Installation) -> None:
        go(site, "a", "b")
        newest, _ = self.ids(client, site)
        client.post(f"{url(site)}/dismiss", json={"ids": [newest]})
        site.run()
        assert titles(client.get(url(site))) == ["Order a"]
        [message] = [m for m in site.store.card("u1").messages if m.row.id == newest]  # type: ignore[union-attr]
        assert message.opened_at is not None
        assert client.post(f"{url(site)}/dismiss", json={"ids": [newest]}).json()["messages"] == 0

    def test_only_one_s_own_messages(self, client: TestClient, site: Installation) -> None:
        go(site, "a")
        go(site, "b", customer="u2")
        ids = self.ids(client, site)
        assert client.post(f"{url(site, 'u2')}/read", json={"ids": [*ids, "x"]}).json()["messages"] == 0
        site.run()
        assert client.get(url(site)).json()["unread"] == 1

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"x",
            b"[]",
            b"{}",
            b'{"ids": "a"}',
            b'{"ids": [1]}',
            b"[" * 20_000,
            b'{"ids": [' + b'"a",' * 100 + b'"b"]}',
            b'{"ids": ["\\ud800"',
            "\ud800".encode("utf-8", "surrogatepass"),
        ],
    )
    def test_bodies_that_say_nothing(self, client: TestClient, site: Installation, body: bytes) -> None:
        answer = client.post(f"{url(site)}/read", content=body)
        assert answer.status_code == 400 and answer.json()["code"] == "bad_ids"

    def test_other_addresses(self, client: TestClient, site: Installation) -> None:
        assert client.post(f"{url(site)}/burn", json={"ids": []}).status_code == 404
        assert client.post(f"{url(site)}/read", content=b"x" * 40_000).status_code == 413
        assert client.delete(url(site)).status_code == 405
