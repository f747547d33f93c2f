"""What a call sends: bodies, headers that cannot be smuggled, signatures that receivers' libraries accept."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from orchestrator.channels.http_failure import CallFailed
from orchestrator.channels.http_outgoing import LARGEST_BODY, Signer, payload_of
from orchestrator.core.ledger import Request
from orchestrator.errors import UsageError

SECRET = "whsec_" + b64encode(bytes(range(32))).decode()
OTHER = "whsec_" + b64encode(bytes(range(1, 33))).decode()
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RequestOf = Callable[..., Request]


texts = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.none() | texts | st.dictionaries(texts, st.integers() | texts))
def test_receivers_verify_what_we_sign(request_of: RequestOf, body: Any) -> None:
    at = datetime.now(timezone(timedelta(hours=8)))  # the library compares with the real clock, whatever the zone
    sent = payload_of(request_of("https://a.example/", "webhook", body=body), Signer(SECRET), at)
    Webhook(SECRET).verify(sent.body or b"", dict(sent.headers), json_parse=False)
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER).verify(sent.body or b"", dict(sent.headers), json_parse=False)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify((sent.body or b"") + b" ", dict(sent.headers), json_parse=False)


def test_two_keys_sign_side_by_side_while_one_replaces_the_other(request_of: RequestOf) -> None:
    request = request_of("https://a.example/", "webhook", body={"n": 1})
    sent = payload_of(request, Signer(f"{OTHER} {SECRET}"), datetime.now(UTC))
    for key in (SECRET, OTHER):
        assert Webhook(key).verify(sent.body or b"", dict(sent.headers)) == {"n": 1}


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "not base64 at all!", "whsec_ü"])
def test_a_key_that_is_none_is_refused_with_a_way_out(secret: str) -> None:
    with pytest.raises(UsageError, match="whsec_"):
        Signer(secret)


def test_only_webhooks_are_signed_and_nobody_forges_it(request_of: RequestOf) -> None:
    forged = {"Webhook-Signature": "v1,xx", "WEBHOOK-ID": "other"}
    fetch = payload_of(request_of("https://a.example/", headers=forged), Signer(SECRET), NOW)
    assert not {"webhook-id", "webhook-signature", "idempotency-key"} & fetch.headers.keys()
    unsigned = payload_of(request_of("https://a.example/", "webhook", headers=forged), None, NOW)
    assert unsigned.headers["idempotency-key"] == "e1.call.1"
    assert "webhook-signature" not in unsigned.headers
    signed = payload_of(
        request_of("https://a.example/", "webhook", headers=forged, id="e.schön.1"), Signer(SECRET), NOW
    )
    assert signed.headers["webhook-id"] == "e.sch%C3%B6n.1"
    assert signed.headers["webhook-timestamp"] == "1772366400"


def test_bodies_are_text_or_json(request_of: RequestOf) -> None:
    body = {"at": NOW, "day": date(2026, 3, 1), "n": 1.5, "name": "Zoë", "deep": [{"x": None}]}
    sent = payload_of(request_of("https://a.example/", "webhook", body=body), None, NOW)
    assert json.loads(sent.body or b"") == {**body, "at": "2026-03-01T12:00:00Z", "day": "2026-03-01"}
    assert sent.headers["content-type"] == "application/json"
    text = payload_of(
        request_of("https://a.example/", "webhook", body="<x/>", headers={"Content-Type": "text/xml"}), None, NOW
    )
    assert (text.body, text.headers["content-type"]) == (b"<x/>", "text/xml")
    for bad in ({"n": float("nan")}, {"x": object()}, {"x": "\ud800"}, "\ud800"):
        with pytest.raises(CallFailed, match=r"^bad_request: "):
            payload_of(request_of("https://a.example/", "webhook", body=bad), None, NOW)
    with pytest.raises(CallFailed, match=r"^too_large: "):
        payload_of(request_of("https://a.example/", "webhook", body="x" * (LARGEST_BODY + 1)), None, NOW)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Name": "a\r\nX-Evil: 1"}, {"X-Name": "a\nb"}, {"X-Name": "a\x00b"}, {"X-Name": "\ud800"}, {"X Name": "a"},
        {"X-N:ame": "a"}, {"": "a"}, {"X\r\nY": "a"}, {"Höst": "a"}, {"Host": "internal"}, {"content-LENGTH": "1"},
        {"Transfer-Encoding": "chunked"}, {"Connection": "Upgrade"}, {"Proxy-Authorization": "x"},
    ],
)  # fmt: skip
def test_headers_cannot_smuggle(request_of: RequestOf, headers: dict[str, str]) -> None:
    with pytest.raises(CallFailed, match=r"^bad_request: "):
        payload_of(request_of("https://a.example/", headers=headers), None, NOW)


def test_headers_are_bounded_and_the_authors_own_win(request_of: RequestOf) -> None:
    own = {"User-Agent": "us", "Accept": "text/csv", "Idempotency-Key": "order-7", "X-Name": " Zoë "}
    sent = payload_of(request_of("https://a.example/", "webhook", headers=own), None, NOW)
    assert sent.headers == {"user-agent": "us", "accept": "text/csv", "idempotency-key": "order-7", "x-name": "Zoë"}
    with pytest.raises(CallFailed, match=r"^too_large: "):
        payload_of(request_of("https://a.example/", headers={"X-Name": "x" * 20_000}), None, NOW)
