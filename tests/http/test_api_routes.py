"""What the API's own routes do, from a customer's first event to the erasure, on a real database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from orchestrator.http.app import make_app
from tests.http.api_seeded import PEOPLE, seeded
from tests.http.installation import BASE, Installation


@pytest.fixture
def site(tmp_path: Path) -> Installation:
    return seeded(tmp_path / "api.db")


@pytest.fixture
def client(site: Installation) -> TestClient:
    return TestClient(make_app(site), base_url=BASE + "/api/v1")


def read(client: TestClient, path: str, **query: Any) -> Any:
    answer = client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def every(client: TestClient, path: str, **query: Any) -> list[Any]:
    """All items of a list, two at a time."""
    found: list[Any] = []
    while True:
        page = read(client, path, limit=2, **query)
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        query["cursor"] = page["next_cursor"]


def test_a_customer_from_the_first_word_to_the_last(client: TestClient, site: Installation) -> None:
    made = {"id": "eve", "email": "Eve@Example.com", "attributes": {"tier": "gold", "seats": 2}, "stage": "new"}
    assert client.post("/customers", json=made).status_code == 202
    site.run()
    first = client.get("/customers/eve")
    assert first.json()["attributes"] == {"tier": "gold", "seats": 2} and first.json()["email"] == "Eve@Example.com"
    changed = {"attributes": {"tier": None, "seats": 3}, "stage": "loyal"}
    for status in (202, 412):
        answer = client.patch("/customers/eve", json=changed, headers={"If-Match": first.headers["etag"]})
        assert answer.status_code == status
        site.run()
    now = read(client, "/customers/eve")
    assert now["attributes"] == {"seats": 3} and now["stage"] == "loyal"
    for wrong, code in (({"stage": "x"}, "unknown_stage"), ({"attributes": {"email": "x"}}, "reserved_attribute")):
        answer = client.patch("/customers/eve", json=wrong)
        assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert [c["id"] for c in every(client, "/customers", email="eve@example.com")] == ["eve"]
    assert [c["id"] for c in every(client, "/customers")] == sorted([*PEOPLE, "eve"])
    assert read(client, "/customers/eve/export")["profile"]["email"] == "Eve@Example.com"
    certificate = client.request("DELETE", "/customers/eve").json()
    assert len(certificate["digest"]) == 64
    assert client.get("/customers/eve").status_code == 404
    again = client.post("/customers", json={"id": "eve"})
    assert (again.status_code, again.json()["code"]) == (409, "erased")
    actors = {row["actor"] for row in read(client, "/audit")["items"]}
    assert "key nobody's" in actors


def test_the_past_of_a_customer(client: TestClient) -> None:
    path = "/customers/b%2Fc%20%C3%BC"
    events = every(client, f"{path}/events")
    assert {event["name"] for event in events} >= {"go", "asked", "bought"}
    moments = every(client, f"{path}/timeline")
    assert len([one for one in moments if one["kind"] == "event"]) == len(events)
    assert [one["at"] for one in moments] == sorted((one["at"] for one in moments), reverse=True)
    assert {"entered", "message", "task"} <= {one["name"] for one in moments if one["kind"] == "decision"}
    told = read(client, f"{path}/why")
    assert {chapter["journey"] for chapter in told["journeys"]} >= {"greets", "calls"} and "entered" in told["text"]
    assert [coupon["offer"] for coupon in read(client, f"{path}/coupons")["items"]] == ["ten"]
    assert read(client, f"{path}/identifiers")["items"] == [{"kind": "external", "value": "b/c ü"}]
    assert read(client, f"{path}/segments")["tags"] == ["a"]


def test_messages_as_they_were_sent(client: TestClient) -> None:
    messages = every(client, "/messages")
    assert {message["id"] for message in every(client, "/messages", status="sent")} <= {m["id"] for m in messages}
    mine = every(client, "/customers/ana/messages")
    assert mine and all(message["customer"] == "ana" for message in mine)
    whole = read(client, f"/messages/{mine[0]['id']}")
    assert whole["rendering"]["subject"] and "<p>" in whole["rendering"]["html"] and whole["rendering_error"] is None
    answer = client.post(f"/messages/{mine[0]['id']}/retry")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_dead")
    assert read(client, "/dead-letters") == {"items": []}


def test_tasks_are_assigned_and_closed(client: TestClient, site: Installation) -> None:
    tasks = every(client, "/tasks", queue="desk")
    assert len(tasks) == len(PEOPLE) and every(client, "/tasks", queue="none") == []
    id = tasks[0]["id"]
    assert client.post(f"/tasks/{id}/assign", json={"assignee": "max"}).json()["assignee"] == "max"
    assert [task["id"] for task in every(client, "/tasks", assignee="max")] == [id]
    assert client.post(f"/tasks/{id}/close", json={"outcome": "reached"}).status_code == 202
    site.run()
    assert read(client, f"/tasks/{id}")["outcome"] == "reached"
    assert client.post(f"/tasks/{id}/close", json={}).json()["code"] == "task_closed"
    assert [task["id"] for task in every(client, "/tasks", status="closed")] == [id]


def test_a_journey_is_entered_left_and_stopped(client: TestClient, site: Installation) -> None:
    assert {one["id"] for one in every(client, "/journeys")} == {"greets", "calls", "confirms"}
    assert read(client, "/journeys/greets")["running"] == len(PEOPLE)
    assert read(client, "/journeys/greets/graph")["nodes"]
    assert client.get("/journeys/greet").json()["detail"].endswith("did you mean 'greets'?")
    enroll = {"customer": "new one", "values": {"order": "x"}}
    assert client.post("/journeys/greets/enrollments", json=enroll).status_code == 202
    site.run()
    [passage] = every(client, "/customers/new%20one/enrollments")
    assert (passage["journey"], passage["status"], passage["entry"]) == ("greets", "running", {"order": "x"})
    path = f"/customers/new%20one/enrollments/{passage['id']}"
    assert client.post(f"{path}/exit").status_code == 202
    site.run()
    ended = read(client, path)
    assert (ended["status"], ended["reason"]) == ("exited", "unenrolled")
    assert client.post(f"{path}/exit").json()["code"] == "ended"
    others = [one for one in every(client, "/customers/ana/enrollments") if one["journey"] == "greets"]
    assert [one["status"] for one in others] == ["running"]
    assert client.post("/journeys/greets/pause").json()["status"] == "paused"
    assert client.post("/journeys/greets/enrollments", json=enroll).json()["code"] == "journey_paused"
    assert client.post("/journeys/greets/resume").json()["status"] == "live"
    assert client.post("/journeys/greets/stop").json() == {"journey": "greets", "status": "stopped", "customers": 3}
    site.run()
    figures = read(client, "/insights/journeys/greets")
    assert (figures["entered"], figures["active"]) == (4, 0)
    assert figures["exited"] == {"stopped": 3, "unenrolled": 1}
    assert sum(row["count"] for row in figures["messages"]) >= 3


def test_consents_are_noted_with_their_proof(client: TestClient, site: Installation) -> None:
    said = {
        "topic": "promotions",
        "channel": "email",
        "state": "out",
        "wording": "No more",
        "proof": {"ip": "203.0.113.9"},
    }
    assert client.put("/customers/ana/consents", json={"choices": [said]}).status_code == 202
    assert read(client, "/customers/ana/consents")["consents"]["promotions"]["email"] == "out"  # before any turn
    site.run()
    last = read(client, "/customers/ana/consent-log")["items"][-1]
    assert (last["state"], last["source"], last["proof"]) == ("out", "api", {"ip": "203.0.113.9"})
    wrong = client.put("/customers/ana/consents", json={"choices": [{**said, "topic": "promotion"}]})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "unknown_topic")
    entry = {"channel": "email", "address": "Max@Example.com"}
    assert client.post("/suppressions", json=entry).json()["known"] is False
    assert client.post("/suppressions", json=entry).json()["known"] is True
    assert "max@example.com" in {one["address"] for one in every(client, "/suppressions")}
    assert client.delete("/suppressions/email/max%40example.com").json()["removed"] == ["suppressed"]
    assert client.delete("/suppressions/email/max%40example.com").status_code == 404


def test_events_are_taken_once(client: TestClient, site: Installation) -> None:
    deep: dict[str, Any] = {}
    for _ in range(40):
        deep = {"deeper": deep}
    events = [{"customer": "ana", "name": "go", "id": "e1"}, {"customer": "ana", "name": "go", "properties": deep}]
    answer = client.post("/events", json={"events": events}).json()
    assert (answer["accepted"], [one["position"] for one in answer["errors"]]) == (1, [1])
    assert client.post("/events", json={"events": events[:1]}).json()["duplicates"] == 1
    other = [{**events[0], "properties": {"order": "another"}}]
    assert client.post("/events", json={"events": other}).json()["conflicts"] == ["e1"]
    keyed = {"json": {"events": [{"customer": "ana", "name": "ping"}]}, "headers": {"Idempotency-Key": "k"}}
    assert client.post("/events", **keyed).json() == client.post("/events", **keyed).json()
    site.run()
    assert len(every(client, "/customers/ana/events", name="ping")) == 1


def test_offers_segments_and_the_inbox(client: TestClient) -> None:
    [offer] = every(client, "/offers")
    assert (offer["id"], offer["codes"], offer["left"]) == ("ten", {"issued": 3}, 997)
    assert every(client, "/segments") == [] and client.get("/segments/vip").status_code == 404
    assert read(client, "/customers/ana/inbox-token", **{"for": "2h"})["url"].startswith(BASE)
