"""The frame of the API: who may ask, what is refused before a route sees it, what is given again."""

from __future__ import annotations

import gzip
import logging
from base64 import b64encode
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from orchestrator.http.api import values
from orchestrator.http.api.access import KeyRing
from orchestrator.http.api.call import Answer, Call, unknown
from orchestrator.http.api.cursors import cursor_of, key_of
from orchestrator.http.api.frame import Api
from orchestrator.http.problems import HttpRefusal
from orchestrator.runtime.keys import hash_of_key
from orchestrator.stores.memory import MemoryStore
from orchestrator.stores.protocol import StoreBusy
from orchestrator.stores.protocol_api import Key
from tests.http.installation import BASE, START, Installation, installation

SECRET = b"of this installation"


class Thing(values.Body):
    name: values.Name
    size: int = 0
    at: values.Instant | None = None


class Shop:
    """An API of a few routes over things in memory."""

    def __init__(self, site: Installation) -> None:
        self.site = site
        self.things = {f"t{number:02}": {"name": f"thing {number % 3}", "id": f"t{number:02}"} for number in range(10)}
        self.made: list[str] = []
        self.failing: Exception | None = None
        self.clock = 0.0
        self.api = Api(site, KeyRing(site.store, lambda: self.clock))
        add, common = self.api.add, {"scope": "offers:read", "tag": "things", "summary": "things"}
        query = (values.text("name", "only these"), values.flag("large", "only large ones"))
        add("GET", "/things", self._list, answer={"type": "object"}, paged=True, query=query, **common)
        add("GET", "/things/{id}", self._get, answer={"type": "object"}, **common)
        write: dict[str, Any] = {**common, "scope": "coupons:write", "answer": {"type": "object"}}
        add("POST", "/things", self._make, body=Thing, status=201, refusals={409: "It is there already"}, **write)
        add("PUT", "/things/{id}", self._put, body=Thing, versioned=True, **write)
        add("DELETE", "/things/{id}", self._drop, scope="coupons:write", tag="things", summary="drop")
        app = FastAPI()
        self.api.mount(app)
        self.client = TestClient(app, base_url=BASE)

    def _list(self, call: Call) -> Answer:
        found = [one for one in self.things.values() if call.query["name"] in (None, one["name"])]
        if call.after is not None:
            found = [one for one in found if (one["id"],) > call.after]
        return call.page(found[: call.limit + 1], dict, lambda one: (one["id"],))

    def _get(self, call: Call) -> Answer:
        if call.path["id"] not in self.things:
            raise unknown("unknown_thing", "there is no such thing")
        return Answer(self.things[call.path["id"]])

    def _make(self, call: Call) -> Answer:
        if self.failing is not None:
            raise self.failing
        if any(one["name"] == call.body.name for one in self.things.values()):
            raise HttpRefusal(409, "known_thing", "it is there already")
        self.made.append(call.once)
        self.things[call.once] = {"name": call.body.name, "id": call.once}
        return Answer(self.things[call.once], 201, {"Location": "/x"})

    def _put(self, call: Call) -> Answer:
        call.must_match(self.things[call.path["id"]])
        self.things[call.path["id"]]["name"] = call.body.name
        return Answer(self.things[call.path["id"]])

    def _drop(self, call: Call) -> Answer:
        del self.things[call.path["id"]]
        return Answer(status=204)


@pytest.fixture
def shop() -> Shop:
    return Shop(installation())


def code(answer: Any, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["status"] == status and told["detail"]
    return str(told["code"])


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def add_key(site: Installation, text: str, *scopes: str, **more: Any) -> Key:
    key = Key(f"k-{text}", hash_of_key(text), text[:4], text, more.pop("kind", "api"), scopes, None, None, START)
    key = key._replace(**more)
    site.store.keep_key(key)
    return key


class TestWhoMayAsk:
    def test_everybody_while_no_key_of_any_kind_was_ever_made(self, shop: Shop) -> None:
        assert shop.client.get("/api/v1/things").status_code == 200
        key = add_key(shop.site, "gone", revoked_at=START)
        shop.clock += 3
        assert code(shop.client.get("/api/v1/things"), 401) == "unknown_api_key"
        assert code(shop.client.get("/api/v1/things", headers=bearer("gone")), 401) == "unknown_api_key"
        assert key.name == "gone"

    @pytest.mark.parametrize("name", ["Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"])
    def test_nobody_comes_through_a_proxy_to_a_server_without_keys(self, shop: Shop, name: str) -> None:
        headers = {name: "203.0.113.9"}
        assert code(shop.client.get("/api/v1/things", headers=headers), 403) == "open_door"
        shop.site.api_keys = frozenset({"secret"})
        assert shop.client.get("/api/v1/things", headers={**bearer("secret"), **headers}).status_code == 200

    def test_no_page_of_another_site_asks_a_server_without_keys(self, shop: Shop) -> None:
        foreign = ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Host": "evil.example:8000"})
        for headers in foreign:
            answer = shop.client.post("/api/v1/things", json={"name": "x"}, headers=headers)
            assert code(answer, 403) in ("foreign_origin", "foreign_host")
        assert shop.made == []
        assert shop.client.get("/api/v1/things", headers={"Origin": "http://localhost:3000"}).status_code == 200
        shop.site.api_keys = frozenset({"secret"})
        assert shop.client.get("/api/v1/things", headers={**bearer("secret"), **foreign[2]}).status_code == 200

    def test_a_key_of_the_settings_may_do_everything(self, shop: Shop) -> None:
        shop.site.api_keys = frozenset({"secret", "ключ"})
        basic = {"Authorization": "Basic " + b64encode(b"secret:").decode()}
        for headers in (bearer("secret"), basic):
            assert shop.client.get("/api/v1/things", headers=headers).status_code == 200
            assert shop.client.delete("/api/v1/things/t01", headers=headers).status_code in (204, 500)
        for wrong in ("Bearer wrong", "Bearer ", "Basic ???", "secret", "Bearer sécret", "Basic " + "A" * 4000):
            answer = shop.client.get("/api/v1/things", headers={"Authorization": wrong.encode("latin-1")})
            assert code(answer, 401) == "unknown_api_key"
            assert answer.headers["www-authenticate"].startswith("Bearer")

    def test_a_key_of_the_table_may_do_what_its_scopes_say(self, shop: Shop) -> None:
        add_key(shop.site, "reader", "offers:read")
        add_key(shop.site, "page", kind="write")
        assert shop.client.get("/api/v1/things", headers=bearer("reader")).status_code == 200
        answer = shop.client.post("/api/v1/things", headers=bearer("reader"), json={"name": "x"})
        assert code(answer, 403) == "missing_scope"
        assert code(shop.client.get("/api/v1/things", headers=bearer("page")), 403) == "write_key"
        shop.site.write_keys = frozenset({"older"})
        assert code(shop.client.get("/api/v1/things", headers=bearer("older")), 403) == "write_key"

    def test_a_revoked_key_opens_nothing_after_two_seconds(self, shop: Shop) -> None:
        key = add_key(shop.site, "reader", "offers:read")
        assert shop.client.get("/api/v1/things", headers=bearer("reader")).status_code == 200
        shop.site.store.keep_key(key._replace(revoked_at=START))
        shop.clock += 2.0
        assert shop.client.get("/api/v1/things", headers=bearer("reader")).status_code == 401

    def test_a_key_ends_at_its_instant(self, shop: Shop) -> None:
        add_key(shop.site, "reader", "offers:read", expires_at=START + timedelta(hours=1))
        assert shop.client.get("/api/v1/things", headers=bearer("reader")).status_code == 200
        shop.site.real += timedelta(hours=1)
        assert shop.client.get("/api/v1/things", headers=bearer("reader")).status_code == 401

    def test_when_a_key_was_used_is_noted_now_and_then(self, shop: Shop) -> None:
        add_key(shop.site, "reader", "offers:read")
        for _ in range(3):
            shop.client.get("/api/v1/things", headers=bearer("reader"))
            assert shop.site.store.all_keys()[0].used_at in (None, START)
            shop.clock += 31
        assert shop.site.store.all_keys()[0].used_at == START

    def test_a_key_has_its_rate(self, shop: Shop) -> None:
        add_key(shop.site, "slow", "offers:read", rate=2.0)
        answers = [shop.client.get("/api/v1/things", headers=bearer("slow")) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[0].headers["ratelimit-policy"] == '"key";q=2;w=1'
        assert answers[0].headers["ratelimit"].startswith('"key";r=1')
        assert code(answers[2], 429) == "too_many_requests" and answers[2].headers["retry-after"] == "1"
        shop.site.real += timedelta(seconds=1)
        assert shop.client.get("/api/v1/things", headers=bearer("slow")).status_code == 200

    def test_no_key_is_ever_in_a_log(self, shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        shop.site.api_keys = frozenset({"very-secret-key"})
        shop.failing = RuntimeError("boom")
        answer = shop.client.post("/api/v1/things", headers=bearer("very-secret-key"), json={"name": "x"})
        assert code(answer, 500) == "internal" and "boom" not in answer.text
        shop.client.get("/api/v1/things", headers=bearer("very-secret-key2"))
        assert "boom" in caplog.text and "very-secret" not in caplog.text


class TestRequests:
    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("nam=x", "unknown_parameter"), ("name=", "bad_parameter"), ("name=a&name=b", "bad_parameter"),
            ("name=%00", "bad_parameter"), ("name=%ff", "bad_parameter"), ("large=yes", "bad_parameter"),
            ("limit=0", "bad_parameter"), ("limit=201", "bad_parameter"), ("limit=1e3", "bad_parameter"),
            ("limit=%d9%a1", "bad_parameter"), ("cursor=x", "bad_cursor"), ("cursor=%e4%b8", "bad_parameter"),
            ("cursor=" + "A" * 300, "bad_cursor"), ("&".join(["a=1"] * 100), "bad_parameter"),
        ],
    )  # fmt: skip
    def test_what_a_query_cannot_say(self, shop: Shop, query: str, expected: str) -> None:
        assert code(shop.client.get(f"/api/v1/things?{query}"), 400) == expected

    @pytest.mark.parametrize(
        ("body", "status", "expected"),
        [
            (b"", 400, "bad_json"), (b"{", 400, "bad_json"), (b"\xff", 400, "not_utf8"), (b"[]", 422, "invalid_body"),
            (b'{"name":"a","name":"b"}', 400, "duplicate_key"), (b'{"size":NaN}', 400, "bad_number"),
            (b"[" * 100_000, 400, "nested_too_deeply"), (b'{"name":"a","size":"1"}', 422, "invalid_body"),
            (b'{"name":"a","more":1}', 422, "invalid_body"), (b'{"name":""}', 422, "invalid_body"),
            (b'{"name":"a\\u0000"}', 422, "unfit_text"), (b'{"name":"\\ud800"}', 422, "unfit_text"),
            (b'{"name":"a","at":"2026-01-01"}', 422, "invalid_body"), (b'{"name":"a","at":1}', 422, "invalid_body"),
            (b'{"name":"' + b"a" * 300_000 + b'"}', 413, "too_large"),
        ],
    )  # fmt: skip
    def test_what_a_body_cannot_say(self, shop: Shop, body: bytes, status: int, expected: str) -> None:
        headers = {"Content-Type": "application/json"}
        assert code(shop.client.post("/api/v1/things", content=body, headers=headers), status) == expected
        assert shop.made == []

    def test_a_body_may_be_packed_but_is_json(self, shop: Shop) -> None:
        packed = gzip.compress(b'{"name": "packed", "at": "2026-03-01T10:00:00+01:00"}')
        answer = shop.client.post("/api/v1/things", content=packed, headers={"Content-Encoding": "gzip"})
        assert answer.status_code == 201
        bomb = gzip.compress(b'{"name": "' + b"a" * 10_000_000 + b'"}')
        answer = shop.client.post("/api/v1/things", content=bomb, headers={"Content-Encoding": "gzip"})
        assert code(answer, 413) == "too_large"
        assert code(shop.client.post("/api/v1/things", data={"name": "x"}), 415) == "no_json"

    def test_invalid_places_are_pointed_at(self, shop: Shop) -> None:
        told = shop.client.post("/api/v1/things", json={"size": "1", "a/b": 1}).json()
        assert sorted(error["pointer"] for error in told["errors"]) == ["/a~1b", "/name", "/size"]

    def test_addresses_and_methods(self, shop: Shop) -> None:
        assert code(shop.client.get("/api/v1/nothing"), 404) == "no_such_address"
        for method in ("PATCH", "OPTIONS", "TRACE"):
            answer = shop.client.request(method, "/api/v1/things")
            assert code(answer, 405) == "method_not_allowed" and answer.headers["allow"] == "GET, POST"
        shop.things["a/b ü"] = {"id": "a/b ü", "name": "slash"}
        assert shop.client.get("/api/v1/things/a%2Fb%20%C3%BC").json()["name"] == "slash"
        for path in ("a%2Fb", "%ff", "%00", "x" * 513):
            assert shop.client.get(f"/api/v1/things/{path}").status_code == 404

    def test_a_request_has_an_id(self, shop: Shop) -> None:
        assert shop.client.get("/api/v1/things", headers={"X-Request-Id": "r-1"}).headers["x-request-id"] == "r-1"
        assert len(shop.client.get("/api/v1/things", headers={"X-Request-Id": "<b>"}).headers["x-request-id"]) == 16

    def test_a_busy_database_is_no_mistake(self, shop: Shop) -> None:
        shop.failing = StoreBusy("locked")
        answer = shop.client.post("/api/v1/things", json={"name": "x"}, headers={"Idempotency-Key": "a"})
        assert code(answer, 503) == "busy" and answer.headers["retry-after"]
        shop.failing = None
        answer = shop.client.post("/api/v1/things", json={"name": "x"}, headers={"Idempotency-Key": "a"})
        assert answer.status_code == 201


class TestLists:
    def test_a_list_is_read_page_by_page(self, shop: Shop) -> None:
        seen: list[str] = []
        query = "limit=3"
        while True:
            page = shop.client.get(f"/api/v1/things?{query}").json()
            seen += [one["id"] for one in page["items"]]
            if page["next_cursor"] is None:
                break
            query = f"limit=3&cursor={page['next_cursor']}"
        assert seen == sorted(shop.things)

    def test_a_cursor_belongs_to_its_list(self, shop: Shop) -> None:
        cursor = shop.client.get("/api/v1/things?limit=2&name=thing%200").json()["next_cursor"]
        assert shop.client.get(f"/api/v1/things?name=thing%200&cursor={cursor}").status_code == 200
        assert code(shop.client.get(f"/api/v1/things?cursor={cursor}"), 400) == "bad_cursor"
        for place in range(0, len(cursor), 7):
            changed = cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :]
            assert code(shop.client.get(f"/api/v1/things?name=thing%200&cursor={changed}"), 400) == "bad_cursor"

    def test_a_cursor_is_signed(self) -> None:
        key = ("ü", 1, None)
        assert key_of(SECRET, "list", cursor_of(SECRET, "list", key)) == key
        for secret, place in ((b"other", "list"), (SECRET, "another")):
            with pytest.raises(HttpRefusal):
                key_of(secret, place, cursor_of(SECRET, "list", key))


class TestVersions:
    def test_what_is_known_is_not_sent_again(self, shop: Shop) -> None:
        first = shop.client.get("/api/v1/things/t01")
        again = shop.client.get("/api/v1/things/t01", headers={"If-None-Match": f'"x", W/{first.headers["etag"]}'})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
        assert shop.client.get("/api/v1/things/t02", headers={"If-None-Match": first.headers["etag"]}).content

    def test_what_was_changed_meanwhile_is_not_written(self, shop: Shop) -> None:
        tag = shop.client.get("/api/v1/things/t01").headers["etag"]
        put: Callable[..., Any] = shop.client.put
        assert put("/api/v1/things/t01", json={"name": "mine"}, headers={"If-Match": tag}).status_code == 200
        answer = put("/api/v1/things/t01", json={"name": "yours"}, headers={"If-Match": tag})
        assert code(answer, 412) == "changed_meanwhile"
        tag = shop.client.get("/api/v1/things/t01").headers["etag"]
        assert answer.headers["etag"] == tag
        assert put("/api/v1/things/t01", json={"name": "yours"}, headers={"If-Match": "*"}).status_code == 200


class TestOnce:
    def post(self, shop: Shop, name: str, key: str = "one", **headers: str) -> Any:
        return shop.client.post("/api/v1/things", json={"name": name}, headers={"Idempotency-Key": key, **headers})

    def test_a_write_is_done_once(self, shop: Shop) -> None:
        first, again = self.post(shop, "new"), self.post(shop, "new")
        assert (first.status_code, again.status_code) == (201, 201)
        assert first.json() == again.json() and again.headers["location"] == "/x"
        assert again.headers["idempotent-replayed"] == "true" and "idempotent-replayed" not in first.headers
        assert len(shop.made) == 1
        assert code(self.post(shop, "other"), 422) == "idempotency_key_reused"
        assert self.post(shop, "other", key="two").status_code == 201

    def test_a_refusal_is_given_again_too(self, shop: Shop) -> None:
        assert code(self.post(shop, "thing 1"), 409) == "known_thing"
        shop.things.clear()
        assert code(self.post(shop, "thing 1"), 409) == "known_thing"

    def test_no_content_is_given_again_too(self, shop: Shop) -> None:
        for _ in range(2):
            answer = shop.client.delete("/api/v1/things/t01", headers={"Idempotency-Key": "one"})
            assert (answer.status_code, answer.content) == (204, b"")

    def test_a_key_belongs_to_its_caller(self, shop: Shop) -> None:
        for name in ("a", "b"):
            add_key(shop.site, name, "coupons:write")
        assert self.post(shop, "mine", **bearer("a")).status_code == 201
        assert self.post(shop, "yours", **bearer("b")).status_code == 201

    def test_while_it_is_being_done_nobody_does_it_again(self, shop: Shop) -> None:
        assert isinstance(shop.site.store, MemoryStore)
        original, answers = shop.api.operations[2].endpoint, []

        def slow(call: Call) -> Answer:
            if not answers:
                answers.append(self.post(shop, "new"))
            return original(call)

        object.__setattr__(shop.api.operations[2], "endpoint", slow)
        assert self.post(shop, "new").status_code == 201
        assert code(answers[0], 409) == "in_progress" and len(shop.made) == 1

    def test_a_key_is_plain(self, shop: Shop) -> None:
        for wrong in ("", "a b", "x" * 201):
            assert code(self.post(shop, "new", key=wrong), 400) == "bad_idempotency_key"
