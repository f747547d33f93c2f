"""Coupons over the API: what a till asks, what it is told, and that two tills never get the same code."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from orchestrator.http.app import make_app
from orchestrator.runtime.keys import KeyWanted, make_key
from orchestrator.stores.memory import MemoryStore
from tests.http.installation import BASE, Installation
from tests.http.test_coupon_pages import carried, code_of, loaded

ORDER = {"order_id": "o1", "total": "99.90", "currency": "EUR", "store": "Porto", "customer": "u1"}


@pytest.fixture
def site() -> Installation:
    return Installation(MemoryStore(keep_journal=True), loaded())


@pytest.fixture
def client(site: Installation) -> TestClient:
    return TestClient(make_app(site), base_url=BASE, raise_server_exceptions=False)


@pytest.fixture
def code(site: Installation) -> str:
    carried(site)
    return code_of(site)


def post(client: TestClient, what: str, code: str, status: int = 200, **more: Any) -> dict[str, Any]:
    answer = client.post(f"/api/v1/coupons/{what}", json={"code": code, **more})
    assert answer.status_code == status, answer.text
    return dict(answer.json())


def test_from_the_look_to_the_cancelled_order(site: Installation, client: TestClient, code: str) -> None:
    looked = post(client, "validate", code, **ORDER)
    assert (looked["valid"], looked["saved"], looked["to_pay"]) == (True, 9.99, 89.91)
    locked = post(client, "lock", code, **ORDER, seconds=30)
    assert locked["status"] == "locked" and locked["locked_until"] == "2026-03-02T10:00:30Z"
    other = post(client, "redeem", code, 409, **{**ORDER, "order_id": "o2"})
    assert other["code"] == "locked" and "10:00:30" in other["detail"]
    done = post(client, "redeem", code, **ORDER)
    assert done["status"] == "redeemed" and post(client, "redeem", code, **ORDER) == done
    assert site.nudges >= 1
    site.run()
    assert [k.status for k in site.store.card("u1").coupons] == ["redeemed"]  # type: ignore[union-attr]
    assert client.get(f"/api/v1/coupons/{code}").json()["status"] == "redeemed"
    back = post(client, "rollback", code, order_id="o1")
    assert (back["status"], back["code_status"]) == ("rolled_back", "issued")
    assert post(client, "redeem", code, 409, **ORDER)["code"] == "rolled_back"


def test_what_is_refused(client: TestClient, code: str) -> None:
    assert post(client, "validate", "NOTHING")["reason"] == "not_found"
    assert post(client, "redeem", "NOTHING", 404, order_id="x")["code"] == "not_found"
    assert client.get("/api/v1/coupons/NOTHING").status_code == 404
    assert post(client, "redeem", code, 409, **{**ORDER, "total": 12})["code"] == "minimum_spend"
    assert post(client, "redeem", code, 409, **{**ORDER, "customer": "u2"})["code"] == "wrong_customer"
    assert post(client, "lock", code, 422)["code"] == "no_holder"
    for wrong in ({}, {"order_id": ""}, {"order_id": "a", "total": -1}, {"order_id": "a", "total": "NaN"},
                  {"order_id": "a", "total": 1e300}, {"order_id": "a", "currency": "eur"}, {"order_id": "a", "x": 1},
                  {"order_id": "a" * 151}, {"order_id": "\x00"}, {"order_id": True}, {"order_id": "a", "total": True},
                  {"order_id": "a", "total": "1\n"}):  # fmt: skip
        post(client, "redeem", code, 422, **wrong)
    assert client.get(f"/api/v1/coupons/{code}").json()["status"] == "issued"


def test_a_key_needs_the_scope(site: Installation, client: TestClient, code: str) -> None:
    _, secret = make_key(site.store, KeyWanted("reader", "api", ("offers:read",)), site.real, "ana")
    headers = {"Authorization": f"Bearer {secret}"}
    answer = client.post("/api/v1/coupons/redeem", json={"code": code, **ORDER}, headers=headers)
    assert answer.status_code == 403
    assert client.post("/api/v1/coupons/redeem", json={"code": code, **ORDER}).status_code == 401
