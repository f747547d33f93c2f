"""The tracking API: what it refuses, how it says so, and what it takes beside it."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from orchestrator.http.app import make_app
from orchestrator.http.ingest import LARGEST_BATCH, LARGEST_ITEM, MOST_TOLD
from orchestrator.stores.memory import MemoryStore
from orchestrator.stores.protocol import Ingested, StoreBusy
from tests.http.installation import BASE, Installation, installation
from tests.http.sending import GO, basic, batch, bodies, events

# --- refusals ------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "item", "code"),
    [
        ("track", {"event": "go"}, "no_customer"),
        ("track", {"userId": "", "anonymousId": "  ", "event": "go"}, "no_customer"),
        ("track", {"userId": 1.5, "event": "go"}, "bad_id"),
        ("track", {"userId": "u1"}, "no_event"),
        ("track", {"userId": "u1", "event": ["go"]}, "no_event"),
        ("track", {"userId": "u1", "event": "go", "properties": []}, "bad_properties"),
        ("track", {"userId": "u" * 513, "event": "go"}, "refused"),
        ("track", {"userId": "u1", "event": "segment_changed"}, "refused"),
        ("track", {"userId": "u1\u0000", "event": "go"}, "refused"),
        ("track", {"userId": "\ud800", "event": "go"}, "refused"),
        ("track", {"userId": "u1", "event": "go", "properties": {"a": "\udfff"}}, "refused"),
        ("track", {"userId": "u1", "event": "go", "messageId": {}}, "bad_id"),
        ("identify", {"userId": "u1", "traits": "x"}, "bad_traits"),
        ("identify", {"userId": "u1", "traits": {"createdAt": "x"}}, "bad_traits"),
        ("identify", {"userId": "u1", "traits": {"email": 5}}, "refused"),
        ("identify", {"userId": "u1", "traits": {"stage": ["new"]}}, "unknown_stage"),
        ("group", {"userId": "u1"}, "no_group"),
        ("alias", {"userId": "u1"}, "no_customer"),
        ("alias", {"userId": "undefined", "previousId": "u2"}, "no_customer"),
        ("track", [], "no_object"),
        ("track", "text", "no_object"),
        ("batch", {"batch": [{"type": "trakc"}]}, "unknown_type"),
        ("batch", {"batch": [None]}, "no_object"),
        ("batch", {}, "no_batch"),
        ("batch", [], "no_batch"),
    ],
)
def test_what_cannot_be_taken_has_a_code(
    site: Installation, client: TestClient, path: str, item: Any, code: str
) -> None:
    answer = client.post(f"/v1/{path}", content=json.dumps(item))
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["message"], "Segment's clients read code and message"
    assert bodies(site) == []


def test_the_good_items_of_a_batch_are_taken(site: Installation, client: TestClient) -> None:
    answer = client.post("/v1/batch", json=batch({"type": "track", **GO}, {"type": "track", "messageId": "m2"}, 5))
    found = answer.json()
    assert (answer.status_code, found["success"], found["accepted"], found["refused"]) == (200, True, 1, 2)
    assert [(error["position"], error["code"]) for error in found["errors"]] == [(1, "no_event"), (2, "no_object")]
    assert found["errors"][0]["messageId"] == "m2"
    assert len(site.store.refused(9)) == 2


def test_a_type_that_is_nearly_one_is_named(client: TestClient) -> None:
    answer = client.post("/v1/batch", json=batch({"type": "trakc"}))
    assert "did you mean 'track'?" in answer.json()["detail"]


def test_a_flood_of_bad_items_is_counted_and_not_all_kept(site: Installation, client: TestClient) -> None:
    answer = client.post("/v1/batch", json=batch(*[0] * 5_000))
    assert (answer.status_code, len(answer.json()["errors"])) == (400, MOST_TOLD)
    kept = site.store.refused(999)
    assert len(kept) == MOST_TOLD + 1
    assert kept[0].reason == "and 4,900 more items of the same request"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "bad_json"),
        (b"{", "bad_json"),
        (b'{"userId": "u1", "event": "go", "properties": {"n": NaN}}', "bad_number"),
        (b'{"n": -Infinity}', "bad_number"),
        (b'{"n": 1e999}', "bad_number"),
        (b'{"n": ' + b"9" * 5000 + b"}", "bad_number"),
        (b'{"userId": "u1", "userId": "u2", "event": "go"}', "duplicate_key"),
        (b'{"a": {"\\ud800": 1, "\\ud800": 2}}', "duplicate_key"),
        (b"[" * 100_000, "nested_too_deeply"),
        (b'{"a":' * 50_000, "nested_too_deeply"),
        (b'{"userId": "\xff"}', "not_utf8"),
        ('{"userId": "u1"}'.encode("utf-16"), "not_utf8"),
    ],
)
@pytest.mark.parametrize("path", ["track", "batch"])
def test_bytes_that_are_no_json(site: Installation, client: TestClient, path: str, raw: bytes, code: str) -> None:
    answer = client.post(f"/v1/{path}", content=raw)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert site.store.refused(1)[0].reason == code
    assert len(site.store.refused(1)[0].content) <= 2000


def test_json_that_is_deep_but_readable_is_refused_by_its_item(client: TestClient) -> None:
    deep = "[" * 200 + "]" * 200
    answer = client.post("/v1/track", content=f'{{"userId": "u1", "event": "go", "properties": {{"a": {deep}}}}}')
    assert (answer.status_code, answer.json()["code"]) == (400, "refused")


# --- sizes and encodings ------------------------------------------------------


def test_gzip_is_read_whatever_the_content_type(site: Installation, client: TestClient) -> None:
    packed = gzip.compress(json.dumps(batch({"type": "track", **GO})).encode())
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/x-www-form-urlencoded"}
    assert client.post("/v1/batch", content=packed, headers=headers).json() == {"success": True}
    assert len(events(site)) == 1


@pytest.mark.parametrize(
    ("content", "encoding", "status", "code"),
    [
        (gzip.compress(b" " * 500_000_0), "gzip", 413, "too_large"),
        (gzip.compress(b"0" * (LARGEST_BATCH + 1)), "gzip", 413, "too_large"),
        (b"".join(gzip.compress(b" ") for _ in range(40)), "gzip", 400, "bad_gzip"),
        (b"not gzip at all", "gzip", 400, "bad_gzip"),
        (gzip.compress(b"{}")[:-9], "gzip", 400, "bad_gzip"),
        (gzip.compress(b"{}") + b"garbage", "gzip", 400, "bad_gzip"),
        (b"{}", "br", 415, "unknown_encoding"),
        (b" " * (LARGEST_BATCH + 1), "identity", 413, "too_large"),
    ],
    ids=[
        "bomb",
        "just too large",
        "many members",
        "no gzip",
        "cut off",
        "more behind it",
        "brotli",
        "too large",
    ],
)
def test_bodies_are_bounded(client: TestClient, content: bytes, encoding: str, status: int, code: str) -> None:
    answer = client.post("/v1/batch", content=content, headers={"Content-Encoding": encoding})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_body_without_a_length_is_bounded_too(client: TestClient) -> None:
    answer = client.post("/v1/batch", content=(b" " * 65_536 for _ in range(20)))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_one_item_may_have_32_kb(site: Installation, client: TestClient) -> None:
    large = {"type": "track", **GO, "properties": {"note": "x" * LARGEST_ITEM}}
    answer = client.post("/v1/batch", json=batch({"type": "track", **GO}, large))
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (200, "too_large")
    assert len(events(site)) == 1


# --- keys ------------------------------------------------------


def test_keys_are_checked_where_some_are_configured() -> None:
    site = installation(write_keys=frozenset({"right", "other"}))
    client = TestClient(make_app(site), base_url=BASE)
    refusals = [
        client.post("/v1/track", json=GO),
        client.post("/v1/track", json=GO, headers=basic("wrong")),
        client.post("/v1/track", json=GO, headers={"Authorization": "Basic %%%"}),
        client.post("/v1/track", json=GO, headers={"Authorization": "Bearer right"}),
        client.post("/v1/track", json={**GO, "writeKey": "wrong"}),
        client.post("/v1/track", content='{"writeKey": "\\ud800"}'),
        client.post("/v1/track", content=b"no json"),
    ]
    assert {(answer.status_code, answer.json()["code"]) for answer in refusals} == {(401, "unknown_write_key")}
    assert site.store.refused(9) == [], "strangers fill no tables"
    assert client.post("/v1/track", json=GO, headers=basic("right")).status_code == 200
    assert client.post("/v1/track", json={**GO, "writeKey": "other", "userId": "u2"}).status_code == 200
    assert client.post("/v1/batch", json=batch({"type": "page", "userId": "u3"}, writeKey="right")).status_code == 200
    assert len(events(site)) == 3


# --- trouble ------------------------------------------------------


class Busy(MemoryStore):
    """A database that somebody else has locked."""

    def ingest(self, arrivals: Any) -> Ingested:
        raise StoreBusy


class BusyAfterwards(MemoryStore):
    """A database that is locked just after events were stored."""

    def keep_refused(self, items: Any) -> None:
        raise StoreBusy


def test_a_busy_database_says_when_to_try_again() -> None:
    client = TestClient(make_app(installation(store=Busy())), base_url=BASE)
    answer = client.post("/v1/track", json=GO)
    assert (answer.status_code, answer.json()["code"]) == (503, "busy")
    assert int(answer.headers["retry-after"]) > 0


def test_what_was_taken_is_not_asked_for_again() -> None:
    site = installation(store=BusyAfterwards())
    client = TestClient(make_app(site), base_url=BASE)
    answer = client.post("/v1/batch", json=batch({"type": "track", **GO}, {"type": "nothing"}))
    assert (answer.status_code, answer.json()["accepted"]) == (200, 1)


def test_browsers_may_send_from_any_page(client: TestClient) -> None:
    assert client.options("/v1/track").headers["access-control-allow-origin"] == "*"
    assert client.post("/v1/track", json=GO).headers["access-control-allow-origin"] == "*"
    assert client.get("/v1/track").status_code == 405
