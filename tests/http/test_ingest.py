"""The tracking API: what is taken, what is refused and how it is told, and that nothing makes it fail."""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from orchestrator.core.inbox import Identified, Occurred
from orchestrator.http.app import make_app
from orchestrator.http.ingest import LARGEST_BATCH, LARGEST_ITEM, MOST_TOLD
from orchestrator.stores.memory import MemoryStore
from orchestrator.stores.protocol import Arrival, Ingested, RefusedItem, StoreBusy
from tests.http.installation import BASE, START, Installation, installation

GO = {"userId": "u1", "event": "go", "properties": {"order": "o1"}}


def bodies(site: Installation) -> list[Any]:
    views = site.store.load(START + timedelta(days=999), 999).customers
    return [(view.customer.id, item.body) for view in views for item in view.inbox]


def events(site: Installation) -> list[tuple[str, str, dict[str, Any], datetime]]:
    return [
        (customer, body.event.name, dict(body.event.properties), body.event.at)
        for customer, body in bodies(site)
        if isinstance(body, Occurred)
    ]


def traits(site: Installation) -> list[dict[str, Any]]:
    return [dict(body.traits) for _, body in bodies(site) if isinstance(body, Identified)]


def basic(key: str) -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(f"{key}:".encode()).decode()}


def batch(*items: Any, **more: Any) -> dict[str, Any]:
    return {"batch": list(items), **more}


# --- each kind of item ------------------------------------------------------


def test_a_track_is_an_event_of_its_customer(site: Installation, client: TestClient) -> None:
    answer = client.post("/v1/track", json=GO)
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert events(site) == [("u1", "go", {"order": "o1"}, START)]
    assert site.nudges == 1


def test_an_identify_sets_reserved_traits_and_attributes(site: Installation, client: TestClient) -> None:
    given_traits = {
        "email": "u1@example.com", "phone": 351912345678, "tags": ["vip"], "plan": "pro", "stage": "loyal",
        "createdAt": "2020-01-01", "consents": {"promotions": {"email": "out"}},
    }  # fmt: skip
    assert client.post("/v1/identify", json={"userId": "u1", "traits": given_traits}).status_code == 200
    [found] = traits(site)
    assert found["phone"] == "351912345678"
    assert found["created_at"] == datetime.fromisoformat("2020-01-01T00:00:00Z")
    assert "createdAt" not in found
    assert found["plan"] == "pro"
    assert site.consents("u1") == {("promotions", "email"): "out"}, "before any turn"


def test_traits_in_the_context_are_found_and_those_at_top_level_win(site: Installation, client: TestClient) -> None:
    context = {"traits": {"plan": "a", "tier": "gold"}, "locale": "pt-PT", "timezone": "Europe/Lisbon"}
    client.post("/v1/identify", json={"userId": "u1", "traits": {"plan": "b"}, "context": context})
    assert traits(site) == [{"plan": "b", "tier": "gold", "locale": "pt-PT", "timezone": "Europe/Lisbon"}]


def test_a_zone_that_is_none_and_a_trait_that_says_otherwise_leave_the_context_aside(
    site: Installation, client: TestClient
) -> None:
    context = {"timezone": "Middle/Earth", "locale": "pt-PT"}
    client.post("/v1/identify", json={"userId": "u1", "traits": {"locale": "en"}, "context": context})
    assert traits(site) == [{"locale": "en"}]


def test_pages_and_screens_are_events(site: Installation, client: TestClient) -> None:
    page = {"url": "https://example.com/a", "title": "A", "secret": 1}
    client.post("/v1/page", json={"anonymousId": "a1", "name": "Home", "context": {"page": page}})
    client.post("/v1/screen", json={"anonymousId": "a1", "name": "Main", "properties": {"n": 1}})
    assert [(name, properties) for _, name, properties, _ in events(site)] == [
        ("page_viewed", {"url": "https://example.com/a", "title": "A", "name": "Home"}),
        ("screen_viewed", {"n": 1, "name": "Main"}),
    ]


def test_a_group_is_an_attribute(site: Installation, client: TestClient) -> None:
    client.post("/v1/group", json={"userId": "u1", "groupId": "acme", "traits": {"seats": 3}})
    assert traits(site) == [{"group": {"seats": 3, "id": "acme"}}]


def test_an_alias_of_an_unknown_id_is_kept_for_later(site: Installation, client: TestClient) -> None:
    client.post("/v1/track", json=GO)
    assert client.post("/v1/alias", json={"previousId": "a1", "userId": "u1"}).json() == {"success": True}
    [kept] = site.store.refused(9)
    assert (kept.source, kept.reason) == ("alias", "identifier_kept")
    assert json.loads(kept.content) == {"previousId": "a1", "userId": "u1"}


def test_an_alias_between_two_customers_is_refused_as_a_merge(site: Installation, client: TestClient) -> None:
    client.post("/v1/batch", json=batch({**GO, "type": "track"}, {**GO, "type": "track", "userId": "u2"}))
    answer = client.post("/v1/alias", json={"previousId": "u2", "userId": "u1"})
    assert (answer.status_code, answer.json()["code"]) == (400, "merge_unsupported")


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/import"])
def test_a_batch_takes_every_kind(site: Installation, client: TestClient, path: str) -> None:
    items = [
        {"type": "identify", "userId": "u1", "traits": {"plan": "x"}},
        {"type": "track", "userId": "u1", "event": "go"},
        {"type": "page", "anonymousId": "a1"},
        {"type": "screen", "anonymousId": "a1"},
        {"type": "group", "userId": "u1", "groupId": 7},
        {"type": "alias", "previousId": "a2", "userId": "u1"},
    ]
    assert client.post(path, json=batch(*items)).json() == {"success": True}
    assert [name for _, name, _, _ in events(site)] == ["page_viewed", "screen_viewed", "go"]
    assert len(traits(site)) == 2


def test_the_user_comes_before_the_anonymous_id(site: Installation, client: TestClient) -> None:
    for ids in ({"userId": "u1", "anonymousId": "a1"}, {"userId": None, "anonymousId": "a1"}, {"userId": 42}):
        client.post("/v1/track", json={**ids, "event": "go"})
    assert [customer for customer, *_ in events(site)] == ["42", "a1", "u1"]


# --- ids and times ------------------------------------------------------


def test_a_retry_of_a_batch_changes_nothing(site: Installation, client: TestClient) -> None:
    items = batch(
        {"type": "identify", "userId": "u1", "messageId": "m1", "traits": {"consents": {"care": {"sms": "out"}}}},
        {"type": "track", "userId": "u1", "messageId": "m2", "event": "go", "timestamp": "2026-03-02T09:00:00Z"},
        {"type": "track", "userId": "u1", "event": "go", "timestamp": "2026-03-02T09:00:00Z"},
    )
    for sent in ("2026-03-02T09:00:01Z", "2026-03-02T09:59:01Z"):
        assert client.post("/v1/batch", json={**items, "sentAt": sent}).json() == {"success": True}
    assert len(bodies(site)) == 4, "the opt-out is an item of its own"


def test_two_looks_at_one_page_without_ids_and_times_are_two(site: Installation, client: TestClient) -> None:
    client.post("/v1/page", json={"userId": "u1", "name": "Home"})
    site.now += timedelta(seconds=5)
    client.post("/v1/page", json={"userId": "u1", "name": "Home"})
    assert len(events(site)) == 2


def test_the_same_id_with_another_content_is_told_and_kept(site: Installation, client: TestClient) -> None:
    client.post("/v1/track", json={**GO, "messageId": "m1"})
    answer = client.post("/v1/batch", json=batch(
        {**GO, "type": "track", "messageId": "m1", "event": "stop"}, {**GO, "type": "track", "messageId": "m2"}
    ))  # fmt: skip
    [error] = answer.json()["errors"]
    assert (answer.status_code, error["position"], error["messageId"], error["code"]) == (200, 0, "m1", "conflict")
    assert [name for _, name, *_ in events(site)] == ["go", "go"]
    assert len(site.store.refused(9)) == 1


@pytest.mark.parametrize(
    ("timestamp", "sent_at", "age"),
    [
        ("2026-03-02T09:00:00Z", None, timedelta(hours=1)),
        ("2026-03-02T09:00:00", None, timedelta(hours=1)),
        ("2026-03-02T09:00:00.5+00:00", None, timedelta(minutes=59, seconds=59, milliseconds=500)),
        (1772442000, None, timedelta(hours=1)),
        (1772442000000, None, timedelta(hours=1)),
        ("1772442000000", None, timedelta(hours=1)),
        # The client's clock is years off: how long ago it was by that clock is what counts.
        ("2031-01-01T00:00:00Z", "2031-01-01T00:02:00Z", timedelta(minutes=2)),
        ("1999-12-31T23:59:60Z", "2000-01-01T00:00:07Z", timedelta(seconds=7)),
        ("2026-03-02T11:00:00Z", None, timedelta(0)),
        ("2026-03-02T09:30:00Z", "2026-03-02T09:00:00Z", timedelta(0)),
        ("10000-01-01T00:00:00Z", None, timedelta(0)),
        (1e19, None, timedelta(0)),
        ("2026-03-02T09:00:00Z", "nonsense", timedelta(hours=1)),
    ],
)
def test_timestamps(site: Installation, client: TestClient, timestamp: Any, sent_at: Any, age: timedelta) -> None:
    client.post("/v1/track", json={**GO, "timestamp": timestamp, "sentAt": sent_at})
    assert [START - at for *_, at in events(site)] == [age]


@pytest.mark.parametrize("timestamp", ["yesterday", "0001-01-01T00:00:00Z", True, [], -5, "1e5", "2026-13-01", 1e300])
def test_a_timestamp_that_is_none_refuses_its_item(site: Installation, client: TestClient, timestamp: Any) -> None:
    answer = client.post("/v1/track", json={**GO, "timestamp": timestamp})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_timestamp")
    assert events(site) == []
    assert "bad_timestamp" in site.store.refused(1)[0].reason


def test_the_batch_of_another_clock_is_corrected_item_by_item(site: Installation, client: TestClient) -> None:
    items = [{**GO, "type": "track", "originalTimestamp": f"2010-01-01T00:0{n}:00Z", "messageId": n} for n in (1, 2)]
    client.post("/v1/batch", json=batch(*items, sentAt="2010-01-01T00:03:00Z"))
    assert sorted(START - at for *_, at in events(site)) == [timedelta(minutes=1), timedelta(minutes=2)]


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


# --- whatever arrives ------------------------------------------------------

SHARED = installation()
WEB = TestClient(make_app(SHARED), base_url=BASE)
PATHS = st.sampled_from(["identify", "track", "page", "screen", "group", "alias", "batch", "import"])
WORDS = st.sampled_from([
    "type", "userId", "anonymousId", "event", "properties", "traits", "context", "timestamp", "sentAt", "messageId",
    "originalTimestamp", "batch", "groupId", "previousId", "name", "consents", "tags", "email", "createdAt", "locale",
    "timezone", "track", "identify", "group", "alias", "page", "promotions", "out", "2026-03-02T09:00:00Z", "stage",
])  # fmt: skip
TEXTS = st.one_of(WORDS, st.text(max_size=8), st.text(st.characters(min_codepoint=0xD7F0, max_codepoint=0xE010)))
NUMBERS = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([2**70, 1e18]))
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=6)),
    max_leaves=12,
)


def check(path: str, content: bytes, encoding: str = "identity") -> None:
    answer = WEB.post(f"/v1/{path}", content=content, headers={"Content-Encoding": encoding})
    assert answer.status_code in (200, 400, 413, 415)
    found = answer.json()
    assert found["success"] is (answer.status_code == 200)
    assert answer.status_code == 200 or isinstance(found["code"], str)


@given(path=PATHS, content=st.binary(max_size=200), encoding=st.sampled_from(["identity", "gzip"]))
def test_random_bytes_never_make_it_fail(path: str, content: bytes, encoding: str) -> None:
    check(path, content, encoding)


@settings(max_examples=150)
@given(path=PATHS, value=VALUES)
def test_random_json_never_makes_it_fail(path: str, value: Any) -> None:
    check(path, json.dumps(value).encode())


@settings(max_examples=150)
@given(
    kind=st.sampled_from(["identify", "track", "page", "screen", "group", "alias"]),
    item=st.fixed_dictionaries(
        {"userId": TEXTS, "event": TEXTS, "groupId": TEXTS, "previousId": TEXTS},
        optional={
            "properties": st.dictionaries(TEXTS, VALUES, max_size=4),
            "traits": st.dictionaries(TEXTS, VALUES, max_size=4),
            "context": st.dictionaries(TEXTS, VALUES, max_size=4),
            "timestamp": VALUES,
            "messageId": VALUES,
            "sentAt": VALUES,
        },
    ),
)
def test_items_that_are_nearly_right_never_make_it_fail(kind: str, item: dict[str, Any]) -> None:
    check(kind, json.dumps(item).encode())
    check("batch", json.dumps({"batch": [{"type": kind, **item}] * 2}).encode())


def test_the_engine_gets_through_whatever_was_taken() -> None:
    SHARED.run()
    overview = SHARED.store.overview()
    assert overview.parked == []
    assert overview.inbox == 0


def test_kept_items_can_be_stored_anywhere(site: Installation, client: TestClient) -> None:
    client.post("/v1/track", content='{"userId": "u\\u0000\\ud800", "event": "go"}')
    [kept] = site.store.refused(9)
    assert isinstance(kept, RefusedItem)
    assert kept.content.isascii() and "\x00" not in kept.content
    assert Arrival("x", START, kept, None).customer == "x"
