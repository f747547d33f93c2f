"""Groups over the API: told of, changed, joined and left, on a real database."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from orchestrator.http.app import make_app
from orchestrator.runtime.sweep import sweep_once
from tests.http.api_seeded import PEOPLE, seeded
from tests.http.installation import BASE, Installation


@pytest.fixture
def site(tmp_path: Path) -> Installation:
    return seeded(tmp_path / "api.db")


@pytest.fixture
def client(site: Installation) -> TestClient:
    return TestClient(make_app(site), base_url=BASE + "/api/v1")


def attribute(client: TestClient, customer: str) -> Any:
    return client.get(f"/customers/{quote(customer, safe='')}").json()["attributes"].get("group")


def test_a_group_from_its_first_trait_to_its_last_member(site: Installation, client: TestClient) -> None:
    made = client.patch("/groups/acme", json={"traits": {"plan": "team", "seats": 3}})
    assert made.status_code == 200 and made.json() | {"changed_at": ""} == {
        "id": "acme", "traits": {"plan": "team", "seats": 3}, "changed_at": "", "members": 0,
    }  # fmt: skip
    for customer in PEOPLE:
        assert client.put(f"/groups/acme/members/{quote(customer, safe='')}").status_code == 202
    site.run()
    assert all(attribute(client, customer) == {"plan": "team", "seats": 3, "id": "acme"} for customer in PEOPLE)
    found: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    while True:
        page = client.get("/groups/acme/members", params=query).json()
        found += [item["customer"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert sorted(found) == sorted(PEOPLE)
    tag = client.get("/groups/acme").headers["etag"]
    changed = client.patch("/groups/acme", json={"traits": {"plan": "pro", "seats": None}}, headers={"If-Match": tag})
    assert changed.json()["traits"] == {"plan": "pro"}
    stale = client.patch("/groups/acme", json={"traits": {"plan": "free"}}, headers={"If-Match": tag})
    assert stale.status_code == 412
    assert attribute(client, "ana")["plan"] == "team", "members hear of it by themselves"
    assert sweep_once(site.store, site.now)
    site.run()
    assert all(attribute(client, customer) == {"plan": "pro", "id": "acme"} for customer in PEOPLE)
    assert [item["id"] for item in client.get("/customers/ana/groups").json()["items"]] == ["acme"]
    assert client.get("/customers/ana/scores").json() == {"scores": {}, "owner": None}
    assert client.delete("/groups/acme/members/ana").status_code == 202
    site.run()
    assert attribute(client, "ana") is None and client.get("/groups/acme").json()["members"] == len(PEOPLE) - 1
    assert [item["id"] for item in client.get("/groups", params={"prefix": "ac"}).json()["items"]] == ["acme"]
    assert client.get("/groups", params={"prefix": "x"}).json()["items"] == []


def test_what_is_not_there_and_what_cannot_be_kept(client: TestClient) -> None:
    assert client.get("/groups/none").json()["code"] == "unknown_group"
    assert client.put("/groups/none/members/ana").json()["code"] == "unknown_group"
    client.patch("/groups/acme", json={})
    assert client.put("/groups/acme/members/nobody").json()["code"] == "unknown_customer"
    assert client.patch("/groups/acme", json={"traits": {"id": "x"}}).json()["code"] == "bad_traits"
    assert client.patch("/groups/acme", json={"more": 1}).status_code == 422
