"""The API of catalogs that are kept as rows."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from orchestrator.http.app import make_app
from tests.http.installation import BASE, Installation, installation
from tests.stores.contract_catalogs import catalogs_of

PRODUCTS = "/api/v1/catalogs/products/items"


@pytest.fixture
def site() -> Installation:
    made = installation()
    made.store.deploy(catalogs_of(), made.journey_now())
    return made


@pytest.fixture
def client(site: Installation) -> TestClient:
    return TestClient(make_app(site), base_url=BASE)


def test_catalogs_and_their_rows_are_listed(client: TestClient) -> None:
    [catalog] = client.get("/api/v1/catalogs").json()["items"]
    assert (catalog["name"], catalog["key"], catalog["version"]) == ("products", "sku", 1)
    assert catalog["columns"]["price"] == "number"
    first = client.get(PRODUCTS, params={"limit": 2}).json()
    assert [item["key"] for item in first["items"]] == ["A", "B"]
    rest = client.get(PRODUCTS, params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert ([item["key"] for item in rest["items"]], rest["next_cursor"]) == (["C"], None)


def test_a_row_is_written_changed_and_deleted(client: TestClient, site: Installation) -> None:
    made = client.put(f"{PRODUCTS}/N%2F1", json={"title": "New", "price": 5})
    assert (made.status_code, made.json()["data"]["sku"], made.json()["data"]["stock"]) == (200, "N/1", None)
    tag = client.get(f"{PRODUCTS}/N%2F1").headers["etag"]
    changed = client.patch(f"{PRODUCTS}/N%2F1", json={"stock": 3}, headers={"If-Match": tag})
    assert (changed.status_code, changed.json()["data"]["title"]) == (200, "New")
    late = client.patch(f"{PRODUCTS}/N%2F1", json={"stock": 4}, headers={"If-Match": tag})
    assert (late.status_code, late.json()["code"]) == (412, "changed_meanwhile")
    assert client.delete(f"{PRODUCTS}/N%2F1").status_code == 204
    assert client.get(f"{PRODUCTS}/N%2F1").status_code == 404
    assert client.delete(f"{PRODUCTS}/N%2F1").json()["code"] == "unknown_item"
    assert site.store.catalog_version("products") == 4


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"pricee": 5}, "did you mean 'price'"),
        ({"price": "cheap"}, "a number"),
        ({"price": True}, "a number"),
        ({"title": 5}, "a text"),
        ({"sku": "Z"}, "its key is 'A'"),
        ({"title": "x" * 20_000}, "bytes"),
        ([1], "object"),
        ("A", "object"),
    ],
)
def test_a_row_that_cannot_be_kept_is_refused_in_words(client: TestClient, data: Any, words: str) -> None:
    answer = client.put(f"{PRODUCTS}/A", json=data)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_row")
    assert words in answer.json()["detail"]
    assert client.get(f"{PRODUCTS}/A").json()["version"] == 1


def test_many_rows_are_changed_at_once(client: TestClient) -> None:
    items = [
        {"key": "A", "data": {"price": 90}},
        {"key": "C", "delete": True},
        {"key": "X", "data": {"price": 1}},
        {"key": "B", "data": {"price": "x"}},
        {"key": "B", "data": {"price": 1}, "delete": True},
        {"key": "B", "colour": 1},
        7,
    ]
    answer = client.post(f"{PRODUCTS}/bulk", json={"mode": "patch", "items": items})
    told = answer.json()
    assert answer.status_code == 200
    assert (told["changed"], told["removed"], told["missing"]) == (1, 1, ["X"])
    assert [one["index"] for one in told["rejected"]] == [3, 4, 5, 6]
    for bad in ({}, {"items": []}, {"items": items, "mode": "x"}, [], {"items": items, "more": 1}):
        assert client.post(f"{PRODUCTS}/bulk", json=bad).status_code == 422


def test_what_is_not_there(client: TestClient) -> None:
    answer = client.get("/api/v1/catalogs/product/items")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_catalog")
    assert "products" in answer.json()["detail"]
    assert client.patch(f"{PRODUCTS}/nobody", json={}).json()["code"] == "unknown_item"
    assert client.put(f"{PRODUCTS}/%00", json={}).status_code == 404
