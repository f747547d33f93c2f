"""What each provider's answers mean: the account, the pace, the address, or nobody knows."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer

from orchestrator.channels.configured import channel_of
from orchestrator.channels.protocol import Answer
from orchestrator.channels.providers.adapter import ProviderChannel
from orchestrator.channels.providers.sendgrid import SendGridChannel
from orchestrator.channels.providers.wire import ProviderWire, Reply
from tests.channels.contract import OUTCOMES, outgoing
from tests.channels.providers.email_server import APIS, FakeApi, answered

DOWN = ("retry", True, ())
SLOW = ("retry", False, ())
NO = ("rejected", False, ())
GONE = ("rejected", False, ("bounce",))
WHO_KNOWS = ("unknown", False, ())
YES = ("accepted", False, ())


def aws(name: str) -> dict[str, str]:
    return {"x-amzn-ErrorType": f"{name}:http://internal.amazon.com/coral/com.amazonaws.sesv2/"}


def sendgrid(message: str, field: str | None = None) -> dict[str, Any]:
    return {"errors": [{"message": message, "field": field, "help": None}]}


CASES: list[tuple[str, int, Any, dict[str, str], tuple[str, bool, tuple[str, ...]], str]] = [
    ("ses", 400, {"message": "Sending paused"}, aws("SendingPausedException"), DOWN, "Sending paused"),
    ("ses", 400, {"message": "suspended"}, aws("AccountSuspendedException"), DOWN, "suspended"),
    ("ses", 400, {"message": "not verified"}, aws("MailFromDomainNotVerifiedException"), DOWN, "MailFrom"),
    ("ses", 400, {"message": "Email address is not verified. x"}, aws("MessageRejected"), DOWN, "not verified"),
    ("ses", 400, {"message": "Content looks like a virus"}, aws("MessageRejected"), NO, "virus"),
    ("ses", 400, {"message": "Illegal address"}, aws("BadRequestException"), NO, "Illegal address"),
    ("ses", 400, {"message": "Address is on the suppression list"}, aws("BadRequestException"), GONE, "suppression"),
    (
        "ses",
        404,
        {"message": "Configuration set does not exist."},
        aws("NotFoundException"),
        DOWN,
        "does not exist",
    ),
    ("ses", 400, {"message": "quota"}, aws("LimitExceededException"), DOWN, "LimitExceeded"),
    ("ses", 429, {"message": "Maximum sending rate exceeded."}, aws("TooManyRequestsException"), SLOW, "rate"),
    ("ses", 429, {"message": "Daily message quota exceeded."}, aws("TooManyRequestsException"), DOWN, "Daily"),
    ("ses", 403, {"message": "wrong signature"}, aws("SignatureDoesNotMatch"), DOWN, "403"),
    ("ses", 403, {"message": "no right", "__type": "com.x#AccessDeniedException"}, {}, DOWN, "AccessDenied"),
    ("ses", 503, {"message": "x"}, aws("ServiceUnavailable"), DOWN, "503"),
    ("ses", 500, {"message": "x"}, aws("InternalFailure"), WHO_KNOWS, "500"),
    ("sendgrid", 401, sendgrid("Maximum credits exceeded"), {}, DOWN, "credits"),
    ("sendgrid", 403, sendgrid("The from address does not match a verified Sender", "from"), {}, DOWN, "from The from"),
    ("sendgrid", 400, sendgrid("Does not contain a valid address.", "personalizations.0.to"), {}, NO, "valid address"),
    ("sendgrid", 413, "too large", {}, NO, "413"),
    ("sendgrid", 429, sendgrid("too many requests"), {"Retry-After": "7"}, DOWN, "too many"),
    ("sendgrid", 500, "oops", {}, WHO_KNOWS, "500"),
    ("sendgrid", 503, "oops", {}, DOWN, "503"),
    ("mailgun", 401, "Forbidden", {}, DOWN, "401"),
    ("mailgun", 404, {"message": "Domain not found: mg.example.com"}, {}, DOWN, "Domain not found"),
    ("mailgun", 400, {"message": "to parameter is not a valid address."}, {}, NO, "not a valid address"),
    ("mailgun", 400, {"message": "Domain mg is not allowed to send: limit exceeded"}, {}, DOWN, "limit"),
    ("mailgun", 420, {"message": "limit"}, {}, DOWN, "420"),
    ("mailgun", 429, {"message": "slow"}, {"Retry-After": "7"}, DOWN, "429"),
    ("mailgun", 502, "<html>", {}, WHO_KNOWS, "502"),
    ("postmark", 401, {"ErrorCode": 10, "Message": "Bad or missing API token."}, {}, DOWN, "API token"),
    (
        "postmark",
        422,
        {"ErrorCode": 406, "Message": "You sent to an inactive recipient"},
        {},
        GONE,
        "inactive",
    ),
    ("postmark", 422, {"ErrorCode": 300, "Message": "Invalid 'To' address"}, {}, NO, "Invalid 'To'"),
    ("postmark", 422, {"ErrorCode": 400, "Message": "no sender signature"}, {}, DOWN, "signature"),
    ("postmark", 422, {"ErrorCode": 405, "Message": "You are out of credits"}, {}, DOWN, "credits"),
    ("postmark", 422, {"ErrorCode": 1235, "Message": "The stream does not exist"}, {}, DOWN, "stream"),
    ("postmark", 200, {"ErrorCode": 406, "Message": "inactive"}, {}, GONE, "inactive"),
    ("postmark", 200, {"ErrorCode": 300, "Message": "odd"}, {}, NO, "odd"),
    ("postmark", 429, {"ErrorCode": 429, "Message": "Rate limit exceeded"}, {"Retry-After": "7"}, DOWN, "Rate"),
    ("postmark", 503, {"ErrorCode": 100, "Message": "Maintenance"}, {}, DOWN, "Maintenance"),
    ("postmark", 500, None, {}, WHO_KNOWS, "500"),
    ("resend", 403, {"name": "validation_error", "message": "The domain is not verified"}, {}, DOWN, "not verified"),
    ("resend", 422, {"name": "validation_error", "message": "Invalid `to` field"}, {}, NO, "Invalid `to`"),
    ("resend", 429, {"name": "rate_limit_exceeded", "message": "slow"}, {"Retry-After": "7"}, DOWN, "rate_limit"),
    ("resend", 429, {"name": "daily_quota_exceeded", "message": "quota"}, {}, DOWN, "daily_quota"),
    ("resend", 409, {"name": "concurrent_idempotent_requests", "message": "wait"}, {}, SLOW, "concurrent"),
    ("resend", 409, {"name": "invalid_idempotent_request", "message": "other body"}, {}, YES, ""),
    ("resend", 451, {"name": "security_error", "message": "looks bad"}, {}, SLOW, "security_error"),
    ("resend", 500, {"name": "application_error", "message": "oops"}, {}, WHO_KNOWS, "application_error"),
    ("brevo", 401, {"code": "unauthorized", "message": "Key not found"}, {}, DOWN, "Key not found"),
    ("brevo", 402, {"code": "not_enough_credits", "message": "credits"}, {}, DOWN, "credits"),
    ("brevo", 400, {"code": "invalid_parameter", "message": "email is not valid in to"}, {}, NO, "not valid in to"),
    ("brevo", 400, {"code": "duplicate_request", "message": "known"}, {}, YES, ""),
    ("brevo", 429, {"code": "too_many_requests", "message": "slow"}, {"x-sib-ratelimit-reset": "7"}, DOWN, "slow"),
    ("brevo", 500, "oops", {}, WHO_KNOWS, "500"),
    ("directmail", 404, {"Code": "InvalidAccessKeyId.NotFound", "Message": "no key"}, {}, DOWN, "InvalidAccessKeyId"),
    ("directmail", 400, {"Code": "InvalidMailAddress.NotFound", "Message": "no sender"}, {}, DOWN, "no sender"),
    ("directmail", 400, {"Code": "InvalidToAddress", "Message": "wrongly formed"}, {}, NO, "wrongly formed"),
    ("directmail", 400, {"Code": "InvalidSubject.Malformed", "Message": "too long"}, {}, NO, "too long"),
    ("directmail", 400, {"Code": "InvalidSendMail.Spam", "Message": "spam"}, {}, NO, "spam"),
    ("directmail", 400, {"Code": "Throttling.User", "Message": "slow"}, {}, DOWN, "Throttling"),
    ("directmail", 400, {"Code": "SignatureDoesNotMatch", "Message": "x"}, {}, DOWN, "SignatureDoesNotMatch"),
    ("directmail", 200, {"Code": "QuotaExceeded", "Message": "quota"}, {}, DOWN, "quota"),
    ("directmail", 503, {"Code": "ServiceUnavailable", "Message": "x"}, {}, DOWN, "503"),
    ("directmail", 500, {"Code": "InternalError", "Message": "x"}, {}, WHO_KNOWS, "500"),
]


@pytest.mark.parametrize(("scheme", "status", "body", "headers", "expected", "words"), CASES)
def test_answers_are_told_apart(
    httpserver: HTTPServer,
    scheme: str,
    status: int,
    body: Any,
    headers: dict[str, str],
    expected: tuple[str, bool, tuple[str, ...]],
    words: str,
) -> None:
    api = FakeApi(httpserver, scheme)
    channel = api.channel()
    api.next.append(answered(status, body, headers))
    [answer] = channel.send([outgoing()])
    assert (answer.outcome, answer.down, answer.receipts) == expected, answer
    assert words in (answer.reason or "") and (answer.reason or "").isprintable()
    if "7" in headers.values():
        assert answer.after == 7.0
    [answer] = channel.send([outgoing()])  # and the next one fares as it would have
    assert answer.outcome == "accepted"
    channel.close()


def test_sendgrid_says_as_an_instant_when_to_come_again() -> None:
    now = datetime(2026, 3, 2, 10, tzinfo=UTC)
    channel = SendGridChannel(ProviderWire(1), "k", "https://api.example.com", clock=lambda: now)

    def after(reset: str) -> float | None:
        return channel.answer(Reply(429, {"x-ratelimit-reset": reset}, b""), outgoing()).after

    assert after(str(int(now.timestamp()) + 30)) == 30.0
    assert after(str(int(now.timestamp()) - 30)) == 1.0
    assert after("99999999999") == 3600.0
    assert after("soon") is None and after("9" * 40) is None


@pytest.mark.parametrize("scheme", sorted(APIS))
def test_nobody_is_there(scheme: str, unused_tcp_port: int) -> None:
    url = f"{APIS[scheme].url}?base=http://127.0.0.1:{unused_tcp_port}&timeout=2"
    channel = channel_of(url, base_dir=Path("/nowhere"))
    [answer] = channel.send([outgoing()])
    channel.close()
    assert (answer.outcome, answer.down) == ("retry", True)
    assert "cannot be reached" in (answer.reason or "")


@pytest.mark.parametrize("scheme", sorted(APIS))
@pytest.mark.parametrize("end", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", b"not http at all\r\n\r\n"])
def test_a_lost_answer_is_unknown(scheme: str, end: bytes, serve: Callable[..., int]) -> None:
    def answer_and_go(connection: Any) -> None:
        connection.recv(65536)
        connection.sendall(end)

    url = f"{APIS[scheme].url}?base=http://127.0.0.1:{serve(answer_and_go)}&timeout=2"
    channel = channel_of(url, base_dir=Path("/nowhere"))
    [answer] = channel.send([outgoing()])
    channel.close()
    assert (answer.outcome, answer.down) == ("unknown", False), answer


@pytest.fixture
def unused_tcp_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


JSONS = st.recursive(
    st.none() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["errors", "message", "Message", "code", "Code", "ErrorCode", "name", "id", "MessageId", "__type"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(APIS)), st.integers(200, 599), JSONS | st.binary(max_size=30))
def test_any_answer_has_an_outcome(scheme: str, status: int, body: Any) -> None:
    channel = channel_of(APIS[scheme].url, base_dir=Path("/nowhere"))
    assert isinstance(channel, ProviderChannel)
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    found: Answer = channel.answer(Reply(status, {"retry-after": "soon"}, data), outgoing())
    channel.close()
    assert found.outcome in OUTCOMES
    assert found.outcome == "accepted" or (found.reason and found.reason.isprintable())
    assert found.reference is None or len(found.reference) <= 200


def test_no_answer_and_no_message_raises() -> None:
    for scheme, api in APIS.items():
        channel = channel_of(f"{api.url}?base=http://127.0.0.1:1&timeout=1", base_dir=Path("/nowhere"))
        assert isinstance(channel, ProviderChannel)
        deep = channel.answer(Reply(400, {}, b"[" * 100_000), outgoing())
        assert deep.outcome in OUTCOMES, scheme
        messages = [outgoing("odd", headers={"X-A": 5}), outgoing("none", subject=5), outgoing("fine")]
        assert [answer.outcome for answer in channel.send(messages)] == ["rejected", "rejected", "retry"], scheme
        channel.close()
