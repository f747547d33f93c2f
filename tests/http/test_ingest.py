"""The tracking API: what becomes of each kind of item, and of its ids and times."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from orchestrator.core.inbox import Grouped
from tests.http.installation import START, Installation
from tests.http.sending import GO, batch, bodies, events, traits

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


def test_a_group_is_kept_with_its_member(site: Installation, client: TestClient) -> None:
    client.post("/v1/group", json={"userId": "u1", "groupId": "acme", "traits": {"seats": 3}})
    assert bodies(site) == [("u1", Grouped("acme", {"seats": 3}))]
    client.post("/v1/group", json={"userId": "u2", "groupId": "acme", "traits": {"plan": "pro", "id": "other"}})
    found = site.store.group("acme")
    assert found is not None and found.traits == {"seats": 3, "plan": "pro"} and site.store.group_size("acme") == 2


def test_an_alias_of_an_unknown_id_is_one_more_identifier(site: Installation, client: TestClient) -> None:
    client.post("/v1/track", json=GO)
    assert client.post("/v1/alias", json={"previousId": "a1", "userId": "u1"}).json() == {"success": True}
    assert site.store.identifiers("u1") == [("external", "a1"), ("external", "u1")]
    client.post("/v1/track", json={**GO, "userId": "a1"})
    assert [customer for customer, *_ in events(site)] == ["u1", "u1"]


def test_an_alias_between_two_customers_makes_them_one(site: Installation, client: TestClient) -> None:
    client.post("/v1/batch", json=batch({**GO, "type": "track"}, {**GO, "type": "track", "userId": "u2"}))
    assert client.post("/v1/alias", json={"previousId": "u2", "userId": "u1"}).json() == {"success": True}
    assert site.store.resolve("u2") == "u1" and site.store.links(9) == []
    assert [customer for customer, *_ in events(site)] == ["u1", "u1"]


@pytest.mark.parametrize("kind", ["identify", "track", "page", "screen", "group"])
def test_an_anonymous_person_who_says_who_it_is(site: Installation, client: TestClient, kind: str) -> None:
    client.post("/v1/page", json={"anonymousId": "a1", "name": "Home"})
    client.post(f"/v1/{kind}", json={"userId": "u1", "anonymousId": "a1", "event": "go", "groupId": "g"})
    client.post("/v1/page", json={"anonymousId": "a1", "name": "Later"})
    assert site.store.resolve("a1") == "u1"
    assert {customer for customer, *_ in events(site)} == {"u1"}
    assert site.store.identifiers("u1") == [("anonymous", "a1"), ("external", "u1")]


def test_the_brands_own_id_in_both_places_is_no_anonymous_one(site: Installation, client: TestClient) -> None:
    client.post("/v1/track", json={**GO, "userId": "u1", "anonymousId": "u1"})
    client.post("/v1/track", json={"event": "go", "userId": "undefined", "anonymousId": "a1"})
    assert site.store.identifiers("u1") == [("external", "u1")]
    assert site.store.identifiers("a1") == [("anonymous", "a1")]


def test_a_device_that_two_people_share_joins_nobody(site: Installation, client: TestClient) -> None:
    for user in ("u1", "u2", "u2"):
        assert client.post("/v1/track", json={**GO, "userId": user, "anonymousId": "a1"}).json() == {"success": True}
    assert (site.store.resolve("a1"), site.store.resolve("u2")) == ("u1", "u2")
    [kept] = site.store.refused(9)
    assert (kept.source, kept.reason) == ("identity", "blocked: both_known"), "once, though it was said twice"
    assert json.loads(kept.content) == {"anonymousId": "a1", "userId": "u2"}


def test_what_is_nobodys_id_is_none(site: Installation, client: TestClient) -> None:
    client.post("/v1/track", json={**GO, "userId": "undefined", "anonymousId": "a1"})
    assert [customer for customer, *_ in events(site)] == ["a1"]
    answer = client.post("/v1/track", json={**GO, "userId": "00000000-0000-0000-0000-000000000000"})
    assert (answer.status_code, answer.json()["code"]) == (400, "no_customer")


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
    assert len(traits(site)) == 2, "an alias is one that says nothing of the profile"


def test_the_user_comes_before_the_anonymous_id(site: Installation, client: TestClient) -> None:
    for ids in ({"userId": "u1", "anonymousId": "a1"}, {"userId": None, "anonymousId": "a1"}, {"userId": 42}):
        client.post("/v1/track", json={**ids, "event": "go"})
    assert [customer for customer, *_ in events(site)] == ["42", "u1", "u1"], "a1 is u1 from then on"


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
