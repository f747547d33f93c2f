"""Every route of the API by every role: without a key, with a key of another scope, with the right one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from orchestrator.http.api.frame import PREFIX, Api
from orchestrator.http.api.operation import Operation
from orchestrator.http.api.routes import add_api_routes
from orchestrator.http.app import make_app
from orchestrator.runtime.keys import hash_of_key
from orchestrator.runtime.scopes import SCOPES
from orchestrator.stores.protocol_api import Key
from tests.http.api_seeded import seeded
from tests.http.installation import BASE, START, Installation, installation

REFUSED = {401, 403}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    made = seeded(tmp_path_factory.mktemp("roles") / "api.db")
    for scope in SCOPES:
        made.store.keep_key(_key(scope, scope))
        made.store.keep_key(_key(f"not {scope}", *(other for other in SCOPES if other != scope)))
    made.store.keep_key(_key("page", kind="write"))
    made.store.keep_key(_key("sender", "events:write"))
    made.store.keep_key(_key("revoked", *SCOPES, revoked_at=START))
    made.store.keep_key(_key("expired", *SCOPES, expires_at=START))
    return made


def _key(text: str, *scopes: str, kind: Any = "api", **more: Any) -> Key:
    key = Key(hash_of_key(text)[:12], hash_of_key(text), text[:4], text, kind, scopes, None, None, START)
    return key._replace(**more)


@pytest.fixture(scope="module")
def client(site: Installation) -> TestClient:
    return TestClient(make_app(site), base_url=BASE)


def operations() -> list[Operation]:
    from fastapi import FastAPI

    api: Api = add_api_routes(FastAPI(), installation())
    return api.operations


def ask(client: TestClient, operation: Operation, key: str | None) -> Any:
    """A request that changes nothing: what it is about is not there, and its body is none."""
    path = "/".join("nothing" if part.startswith("{") else part for part in operation.segments)
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    content = b"?" if operation.body is not None else None
    return client.request(operation.method, f"{PREFIX}/{path}", headers=headers, content=content)


@pytest.mark.parametrize("operation", operations(), ids=lambda operation: operation.name)
def test_only_a_key_of_the_right_scope_opens_a_route(client: TestClient, operation: Operation) -> None:
    for key in (None, "nobody's", "revoked", "expired"):
        assert ask(client, operation, key).status_code == 401, key
    assert ask(client, operation, "page").json()["code"] == "write_key"
    answer = ask(client, operation, f"not {operation.scope}")
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")
    answer = ask(client, operation, operation.scope)
    assert answer.status_code not in REFUSED and answer.status_code < 500, answer.text


def test_every_scope_opens_something(site: Installation) -> None:
    assert {operation.scope for operation in operations()} >= SCOPES.keys() - _NOT_YET


_NOT_YET = {"segments:write"}


def test_a_key_gives_no_more_than_it_has(client: TestClient) -> None:
    maker = {"Authorization": "Bearer keys:write"}
    answer = client.post("/api/v1/keys", json={"name": "x", "scopes": ["customers:erase"]}, headers=maker)
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")
    answer = client.post("/api/v1/keys", json={"name": "x", "scopes": ["keys:write"]}, headers=maker)
    assert client.post("/api/v1/keys", json={"name": "x", "kind": "write"}, headers=maker).status_code == 403
    made = answer.json()
    assert answer.status_code == 201 and made["key"].startswith(made["prefix"]) and "hash" not in made
    again = {"Authorization": f"Bearer {made['key']}"}
    listed = client.get("/api/v1/keys", headers=again)
    assert listed.status_code == 200 and made["key"] not in listed.text
    assert client.delete(f"/api/v1/keys/{made['id']}", headers=maker).json()["revoked_at"] is not None
    assert client.get("/api/v1/keys", headers=again).status_code == 401
    rows = client.get("/api/v1/audit", headers={"Authorization": "Bearer audit:read"}).json()["items"]
    assert [row["action"] for row in rows][-2:] == ["key made", "key revoked"]
    assert made["key"] not in str(rows) and rows[-1]["actor"] == "key keys:write"


def test_the_secret_of_a_key_is_told_once(site: Installation, client: TestClient) -> None:
    headers = {"Authorization": "Bearer keys:write", "Idempotency-Key": "once"}
    first, again = (client.post("/api/v1/keys", json={"name": "x"}, headers=headers) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == {**first.json(), "key": None} and again.headers["idempotent-replayed"] == "true"
    keys = [key for key in site.store.all_keys() if key.id == first.json()["id"]]
    assert len(keys) == 1
    begun = site.store.begin_write(_caller(site), "once", "", site.real_now())
    assert begun.given is not None and first.json()["key"] not in begun.given.body


def _caller(site: Installation) -> str:
    [key] = [key for key in site.store.all_keys() if key.name == "keys:write"]
    return key.id


class TestWriteKeys:
    """Write keys of the table, beside those of ORCHESTRATOR_WRITE_KEYS."""

    def track(self, client: TestClient, key: str | None, **more: Any) -> Any:
        body = {"userId": "u1", "event": "go", "properties": {"order": "x"}, **more}
        return client.post("/v1/track", json=body, auth=None if key is None else (key, ""))

    def test_a_write_key_sends_events(self, client: TestClient, site: Installation) -> None:
        assert self.track(client, "page").status_code == 200
        assert self.track(client, None, writeKey="page").status_code == 200
        assert self.track(client, "sender").status_code == 200
        for wrong in (None, "nobody's", "revoked", "expired"):
            assert self.track(client, wrong).status_code == 401, wrong

    def test_one_has_its_rate_and_its_source(self, client: TestClient, site: Installation) -> None:
        from orchestrator.http.api.access import ring_of

        site.store.keep_key(_key("shop", kind="write", rate=3.0, source="the shop"))
        ring_of(site.store).forget()
        batch = {"batch": [{"type": "track", "userId": "u1", "event": "go"}, {"type": "nothing"}]}
        assert client.post("/v1/batch", json=batch, auth=("shop", "")).status_code == 200
        answer = client.post("/v1/batch", json=batch, auth=("shop", ""))
        assert (answer.status_code, answer.json()["code"]) == (429, "too_many_events")
        assert int(answer.headers["retry-after"]) >= 1
        assert site.store.refused(1)[0].source == "the shop"

    def test_a_batch_larger_than_a_full_bucket_passes(self, client: TestClient, site: Installation) -> None:
        from orchestrator.http.api.access import ring_of

        site.store.keep_key(_key("slow", kind="write", rate=1.0))
        ring_of(site.store).forget()
        batch = {"batch": [{"type": "track", "userId": "u1", "event": "go", "messageId": f"m{n}"} for n in range(50)]}
        assert client.post("/v1/batch", json=batch, auth=("slow", "")).status_code == 200


def test_a_door_that_was_closed_stays_closed(tmp_path: Path) -> None:
    site = installation()
    client = TestClient(make_app(site), base_url=BASE)
    assert client.post("/v1/track", json={"userId": "u1", "event": "go"}).status_code == 200
    site.store.keep_key(_key("only", kind="write", revoked_at=START))
    from orchestrator.http.api.access import ring_of

    ring_of(site.store).forget()
    assert client.post("/v1/track", json={"userId": "u1", "event": "go"}).status_code == 401
    assert client.get("/api/v1/offers").status_code == 401
