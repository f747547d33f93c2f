"""Calls of the API: typed refusals, and writes that are done once."""

from __future__ import annotations

import pickle

import pytest

from orchestrator.client import ApiProblem, Client, ClientError, Conflict, Forbidden, Invalid, NotFound, NotReached
from orchestrator.client.calls import below
from tests.client.serving import API_KEY, free_port, served


def test_customers_journeys_and_lists() -> None:
    with served() as server, Client(server.url, api_key=API_KEY) as client:
        client.customers.save("a/b?c#d", {"email": "a@example.com", "attributes": {"tier": "gold"}})
        for n in range(3):
            client.customers.save(f"u{n}")
        server.site.run()
        assert client.customers.get("a/b?c#d")["email"] == "a@example.com"
        client.customers.change("u1", {"attributes": {"tier": "silver"}})
        client.journeys.enroll("waits", "u1", {"x": 1}, once="order-17")
        client.journeys.enroll("waits", "u1", {"x": 1}, once="order-17")
        server.site.run()
        assert [one["journey"] for one in client.customers.enrollments("u1")] == ["waits"], "enrolled once"
        assert [one["id"] for one in client.customers.list(prefix="u")] == ["u0", "u1", "u2"]
        assert {one["id"] for one in client.journeys.list()} >= {"waits", "greets"}
        choice = {"topic": "promotions", "channel": "email", "state": "out"}
        client.customers.choose("u2", [choice])
        assert client.customers.consents("u2")["consents"]["promotions"]["email"] == "out"
        assert "waits" in str(client.customers.why("u1", journey="waits"))
        client.customers.erase("u0")
        with pytest.raises(NotFound) as found:
            client.customers.get("u0")
        assert found.value.code == "unknown_customer" and found.value.status == 404
        assert str(pickle.loads(pickle.dumps(found.value))) == str(found.value)
        with pytest.raises(Invalid) as invalid:
            client.customers.save("u3", {"attributes": 7})
        assert invalid.value.errors
        with pytest.raises(NotFound) as none:
            client.coupons.redeem("NOTHING", "o1", total=80)
        assert none.value.code == "not_found"
        assert client.coupons.validate("NOTHING")["valid"] is False
        client.journeys.pause("greets")
        with pytest.raises(Conflict):
            client.journeys.enroll("greets", "u1")
        client.journeys.resume("greets")


def test_a_write_is_tried_again_under_its_own_key() -> None:
    with served() as server, Client(server.url, api_key=API_KEY) as client:
        server.trouble = lambda number: 503 if number in (1, 3) else None
        server.lose = frozenset({2})
        taken = client.journeys.enroll("waits", "u1")
        assert server.posts == 4 and taken["customer"] == "u1"
        server.site.run()
        assert len(list(client.customers.enrollments("u1"))) == 1


def test_refusals_without_an_answer_and_without_a_key() -> None:
    with served() as server:
        with Client(server.url, api_key="wrong") as client, pytest.raises(Forbidden) as refused:
            client.customers.get("u1")
        assert refused.value.status == 401 and isinstance(refused.value, ApiProblem | ClientError)
    with (
        Client(f"http://127.0.0.1:{free_port()}", api_key="x", retries=1) as client,
        pytest.raises(NotReached, match="refused"),
    ):
        client.customers.get("u1")
    for url in ("ftp://x", "journeys.example.com", "http://user@x", "http://x?y"):
        with pytest.raises(ClientError):
            Client(url)
    for name in ("", ".", ".."):
        with pytest.raises(ClientError):
            below(name)
