"""Push tokens that phones' libraries bring along (Segment's `context.device`)."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from orchestrator.core.devices import Device, devices_of
from tests.http.installation import Installation

APPLE = "740f4707bebcf74f9b7c25d48e3358945f6aa01da5ddb387462c7eaf61bb78ad"
FIREBASE = "dQ3kTq:APA91bHun4MxP5egoKMwt2KZFBaFUH"


def devices(site: Installation, customer: str = "u1") -> list[Device]:
    site.run()
    card = site.store.card(customer)
    assert card is not None and card.customer is not None
    return devices_of(card.customer.attributes)


def call(client: TestClient, kind: str, context: Any, **more: Any) -> None:
    given = {"event": "Opened"} if kind == "track" else {}
    answer = client.post(f"/v1/{kind}", json={"userId": "u1", "context": context, **given, **more})
    assert answer.json() == {"success": True}, answer.text


@pytest.mark.parametrize("kind", ["identify", "track", "screen", "page"])
def test_any_call_may_bring_a_token(client: TestClient, site: Installation, kind: str) -> None:
    context = {"device": {"type": "ios", "token": APPLE}, "app": {"namespace": "com.example.harbour"}}
    call(client, kind, context)
    assert devices(site) == [Device("apns", APPLE, app="com.example.harbour")]


@pytest.mark.parametrize(
    ("device", "kind"),
    [
        ({"type": "android", "token": FIREBASE}, "fcm"),
        ({"type": "iOS", "token": FIREBASE}, "fcm"),
        ({"type": "ios", "token": APPLE.upper()}, "apns"),
        ({"type": "android", "token": APPLE}, "fcm"),
        ({"token": FIREBASE}, "fcm"),
    ],
)
def test_the_token_says_whose_it_is(client: TestClient, site: Installation, device: Any, kind: str) -> None:
    call(client, "track", {"device": device})
    assert [found.kind for found in devices(site)] == [kind]


@pytest.mark.parametrize(
    "context",
    [
        {"device": None},
        {"device": "x"},
        {"device": {"token": 7}},
        {"device": {"token": ""}},
        {"device": {"token": "a b"}},
        {"device": {"token": "x" * 5000}},
        {"device": {"id": "no token"}, "app": 7},
        {"device": [{"token": FIREBASE}]},
    ],
)
def test_what_is_no_token_is_left_aside(client: TestClient, site: Installation, context: Any) -> None:
    for kind in ("track", "identify"):
        call(client, kind, context)
    assert devices(site) == []


def test_a_phone_says_something_new_once(client: TestClient, site: Installation) -> None:
    for n in range(5):
        call(client, "track", {"device": {"type": "android", "token": FIREBASE}}, messageId=f"m{n}")
    counts = site.store.counted()
    assert (counts["ingest:accepted"], counts["ingest:duplicates"]) == (6, 4)  # five events, and the token once
    assert len(devices(site)) == 1


def test_a_batch_of_several_people(client: TestClient, site: Installation) -> None:
    items = [
        {"type": "track", "event": "Opened", "userId": f"u{n}", "messageId": f"m{n}",
         "context": {"device": {"type": "android", "token": f"{FIREBASE}{n}"}}}
        for n in range(3)
    ] + [{"type": "track", "userId": "u0"}]  # fmt: skip
    answer = client.post("/v1/batch", json={"batch": items})
    [error] = answer.json()["errors"]
    assert (error["position"], error["code"]) == (3, "no_event")
    assert [len(devices(site, f"u{n}")) for n in range(3)] == [1, 1, 1]


def test_traits_of_an_app_s_own(client: TestClient, site: Installation) -> None:
    call(client, "identify", {}, traits={"add_device": {"kind": "fcm", "token": FIREBASE}})
    [device] = devices(site)
    call(client, "identify", {}, traits={"remove_devices": [device.reference]})
    assert devices(site) == []
    answer = client.post("/v1/identify", json={"userId": "u1", "traits": {"add_device": {"kind": "pager"}}})
    assert answer.status_code == 400 and "add_device" in answer.text
