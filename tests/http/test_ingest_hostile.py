"""The tracking API: nothing that arrives makes it fail, or the engine behind it."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from orchestrator.http.app import make_app
from orchestrator.stores.protocol import Arrival, RefusedItem
from tests.http.installation import BASE, START, Installation, installation

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
