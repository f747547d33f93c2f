"""What exactly each provider of SMS is asked, and what its answers mean."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from orchestrator.channels.configured import channel_of
from orchestrator.channels.message_mark import id_of, mark_of
from orchestrator.channels.providers.signing_tencent import TencentAccess, authorization
from orchestrator.channels.providers.sms_parts import senders_of
from orchestrator.errors import UsageError
from tests.channels.contract import outgoing
from tests.channels.providers.sms_server import SmsServer, sms_server

ID = "0a1b2c3d4e5f6071.sms_1.1"
CHINESE = "+8613800000000"
APPROVED = {"template": "SMS_1", "params": {"name": "安娜", "nights": 3}}


@pytest.fixture(scope="module")
def servers() -> Iterator[Callable[[str], SmsServer]]:
    """Each provider runs once for all tests: to end one takes half a second."""
    with ExitStack() as running:
        yield lru_cache(lambda scheme: running.enter_context(sms_server(scheme)))


@pytest.fixture
def server(request: pytest.FixtureRequest, servers: Callable[[str], SmsServer]) -> SmsServer:
    found = servers(request.param)
    found.forget()
    return found


def send(server: SmsServer, more: str = "", **values: Any) -> Any:
    channel = server.channel(more)
    [answer] = channel.send([outgoing(ID, "sms", **{"sender": None, **values})])
    channel.close()
    return answer


@pytest.mark.parametrize("server", ["twilio"], indirect=True)
def test_twilio_gets_a_form_and_brings_our_id_back_in_the_callbacks_address(server: SmsServer) -> None:
    assert send(server, text="Hi €").reference is not None
    assert server.requests[0].path == "/2010-04-01/Accounts/AC1/Messages.json"
    assert server.requests[0].authorization.parameters == {"username": "AC1", "password": "token"}
    assert server.form() == {
        "To": "+351912345678",
        "Body": "Hi €",
        "From": "+15550100",
        "StatusCallback": f"https://j.example/hooks/twilio?m={mark_of(ID)}",
    }
    assert id_of(mark_of(ID)) == ID


@pytest.mark.parametrize("server", ["twilio"], indirect=True)
def test_twilio_chooses_the_sender_where_a_service_does_it(server: SmsServer) -> None:
    send(server, "&service=MG1", sender="Harbour")
    assert server.form()["MessagingServiceSid"] == "MG1"
    assert "From" not in server.form()


@pytest.mark.parametrize("server", ["vonage"], indirect=True)
def test_vonage_gets_a_form(server: SmsServer) -> None:
    assert send(server, text="Hi €").outcome == "accepted"
    assert server.form() == {
        "api_key": "key",
        "api_secret": "secret",
        "to": "351912345678",
        "from": "Harbour",
        "text": "Hi €",
        "type": "text",
        "client-ref": mark_of(ID),
        "status-report-req": "1",
    }
    send(server, text="您好")
    assert server.form()["type"] == "unicode"


@pytest.mark.parametrize("server", ["aliyunsms"], indirect=True)
def test_aliyun_gets_a_signed_call_with_the_approved_text(server: SmsServer) -> None:
    assert send(server, to=CHINESE, provider=APPROVED).reference == "B1"
    headers = server.requests[0].headers
    assert headers["x-acs-action"] == "SendSms"
    assert headers["x-acs-version"] == "2017-05-25"
    assert headers["authorization"].startswith("ACS3-HMAC-SHA256 Credential=id,")
    form = server.form()
    assert json.loads(form.pop("TemplateParam")) == {"name": "安娜", "nights": "3"}
    assert form == {
        "PhoneNumbers": "13800000000",
        "SignName": "Harbour",
        "TemplateCode": "SMS_1",
        "OutId": mark_of(ID),
    }
    send(server, provider={**APPROVED, "signature": "海港"})
    assert server.form()["PhoneNumbers"] == "351912345678"
    assert server.form()["SignName"] == "海港"


@pytest.mark.parametrize("server", ["tencentsms"], indirect=True)
def test_tencent_gets_a_signed_call_with_the_approved_text(server: SmsServer) -> None:
    both = {"aliyunsms": APPROVED, "tencentsms": {"template": 1110, "params": ["安娜", 3]}}
    assert send(server, to=CHINESE, provider=both).reference == "S1"
    headers = server.requests[0].headers
    assert headers["X-TC-Action"] == "SendSms"
    assert headers["X-TC-Region"] == "ap-guangzhou"
    assert headers["Authorization"].startswith("TC3-HMAC-SHA256 Credential=id/")
    assert json.loads(server.bodies[0]) == {
        "PhoneNumberSet": [CHINESE],
        "SmsSdkAppId": "1400006666",
        "TemplateId": "1110",
        "TemplateParamSet": ["安娜", "3"],
        "SessionContext": mark_of(ID),
        "SignName": "Harbour",
    }


@pytest.mark.parametrize("server", ["aliyunsms", "tencentsms"], indirect=True)
def test_a_text_that_was_not_approved_is_refused_with_the_way_out(server: SmsServer) -> None:
    answer = send(server, to=CHINESE)
    assert answer.outcome == "rejected"
    assert "provider: {template:" in answer.reason
    assert server.requests == []


@pytest.mark.parametrize("server", ["http"], indirect=True)
def test_a_gateway_gets_json_with_our_id_as_the_key(server: SmsServer) -> None:
    assert send(server, klass="promotional").reference == "G1"
    request = server.requests[0]
    assert request.authorization.parameters == {"username": "user", "password": "pw"}
    assert request.headers["Idempotency-Key"] == mark_of(ID)
    assert json.loads(server.bodies[0]) == {
        "id": mark_of(ID),
        "to": "+351912345678",
        "from": "Harbour",
        "text": "Hello Ana",
        "class": "promotional",
    }
    send(server, "&token=T")
    assert server.requests[-1].headers["Authorization"] == "Bearer T"


@pytest.mark.parametrize("server", ["http"], indirect=True)
@pytest.mark.parametrize(
    ("to", "sender", "expected"),
    [
        ("+447400123456", None, "Harbour"),
        ("+447400123456", "Step", "Harbour"),
        ("+351912345678", "Step", "Step"),
        ("+351912345678", None, "+15550100"),
        (CHINESE, None, "10690001"),
    ],
)
def test_a_country_may_have_a_sender_of_its_own(server: SmsServer, to: str, sender: str | None, expected: str) -> None:
    url = f"{server.base.replace('http://', 'http://u:p@')}/send?from=%2B15550100,GB:Harbour,CN:10690001"
    channel = channel_of(url, base_dir=Path())
    channel.send([outgoing(ID, "sms", to=to, sender=sender)])
    channel.close()
    assert json.loads(server.bodies[0])["from"] == expected


@pytest.mark.parametrize("text", ["GB:", "gb:X", "GB:" + "x" * 21, "GBR:X", "a\tb\nc"])
def test_senders_that_cannot_be_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="from="):
        senders_of(text)


@pytest.mark.parametrize(
    ("server", "status", "said", "outcome", "down", "receipts"),
    [
        ("twilio", 400, {"code": 21211, "message": "invalid To"}, "rejected", False, ("bounce",)),
        ("twilio", 400, {"code": 21614, "message": "not mobile"}, "rejected", False, ("bounce",)),
        ("twilio", 400, {"code": 21610, "message": "unsubscribed"}, "rejected", False, ()),
        ("twilio", 400, {"code": 21617, "message": "too long"}, "rejected", False, ()),
        ("twilio", 429, {"code": 20429, "message": "too many"}, "retry", True, ()),
        ("twilio", 400, {"code": 21611, "message": "queue full"}, "retry", False, ()),
        ("twilio", 401, {"code": 20003, "message": "authenticate"}, "retry", True, ()),
        ("twilio", 400, {"code": 21606, "message": "not your number"}, "retry", True, ()),
        ("twilio", 201, {"sid": "S", "status": "failed", "error_code": 30005}, "rejected", False, ("bounce",)),
        ("twilio", 500, b"<html>", "unknown", False, ()),
        ("twilio", 503, b"", "retry", True, ()),
        ("vonage", 200, {"messages": [{"status": "1", "error-text": "Throttled"}]}, "retry", True, ()),
        ("vonage", 200, {"messages": [{"status": "4"}]}, "retry", True, ()),
        ("vonage", 200, {"messages": [{"status": "5"}]}, "unknown", False, ()),
        ("vonage", 200, {"messages": [{"status": "7"}]}, "rejected", False, ()),
        ("vonage", 200, {"messages": [{"status": "9"}]}, "retry", True, ()),
        ("vonage", 200, {"messages": [{"status": "33"}]}, "rejected", False, ("bounce",)),
        ("vonage", 200, {"messages": [{"status": "0"}, {"status": "1"}]}, "accepted", False, ()),
        ("vonage", 200, {"messages": []}, "unknown", False, ()),
        ("vonage", 200, b"[]", "unknown", False, ()),
        ("aliyunsms", 200, {"Code": "isv.MOBILE_NUMBER_ILLEGAL"}, "rejected", False, ("bounce",)),
        ("aliyunsms", 200, {"Code": "isv.BUSINESS_LIMIT_CONTROL"}, "retry", False, ()),
        ("aliyunsms", 200, {"Code": "isv.AMOUNT_NOT_ENOUGH"}, "retry", True, ()),
        ("aliyunsms", 200, {"Code": "isv.SMS_TEMPLATE_ILLEGAL"}, "rejected", False, ()),
        ("aliyunsms", 400, {"Code": "SignatureDoesNotMatch"}, "retry", True, ()),
        ("aliyunsms", 404, {"Code": "InvalidAccessKeyId.NotFound"}, "retry", True, ()),
        ("aliyunsms", 500, {"Code": "isp.SYSTEM_ERROR"}, "unknown", False, ()),
        ("aliyunsms", 200, b"null", "unknown", False, ()),
        ("tencentsms", 200, {"Response": {"Error": {"Code": "AuthFailure.SignatureFailure"}}}, "retry", True, ()),
        ("tencentsms", 200, {"Response": {"Error": {"Code": "InternalError.Timeout"}}}, "unknown", False, ()),
        (
            "tencentsms", 200,
            {"Response": {"SendStatusSet": [{"Code": "InvalidParameterValue.IncorrectPhoneNumber"}]}},
            "rejected", False, ("bounce",),
        ),
        (
            "tencentsms", 200,
            {"Response": {"SendStatusSet": [{"Code": "FailedOperation.PhoneNumberInBlacklist"}]}},
            "rejected", False, (),
        ),
        (
            "tencentsms", 200,
            {"Response": {"SendStatusSet": [{"Code": "LimitExceeded.PhoneNumberThirtySecondLimit"}]}},
            "retry", False, (),
        ),
        (
            "tencentsms", 200,
            {"Response": {"SendStatusSet": [{"Code": "FailedOperation.InsufficientBalanceInSmsPackage"}]}},
            "retry", True, (),
        ),
        ("http", 200, {"status": "rejected", "code": "invalid_number", "reason": "no"}, "rejected", False, ("bounce",)),
        ("http", 422, {"status": "rejected", "code": "blocked"}, "rejected", False, ()),
        ("http", 500, {"status": "retry", "after": 30}, "retry", False, ()),
        ("http", 403, {}, "retry", True, ()),
        ("http", 502, b"", "unknown", False, ()),
    ],
    indirect=["server"],
)  # fmt: skip
def test_answers_are_told_apart(
    server: SmsServer, status: int, said: Any, outcome: str, down: bool, receipts: tuple[str, ...]
) -> None:
    server.answer = (status, said)
    answer = send(server, to=CHINESE, provider=APPROVED)
    assert (answer.outcome, answer.down, answer.receipts) == (outcome, down, receipts), answer.reason
    assert outcome == "accepted" or answer.reason


@pytest.mark.parametrize("server", ["twilio", "vonage", "aliyunsms", "tencentsms", "http"], indirect=True)
@pytest.mark.parametrize("said", [b"", b"[", b"[1]", b"7", b'{"Response": 7}', b'{"messages": {"a": 1}}', b'"x"'])
def test_nonsense_never_raises(server: SmsServer, said: bytes) -> None:
    channel = server.channel()
    for status in (200, 302, 400, 401, 429, 500):
        server.answer = (status, said)
        [answer] = channel.send([outgoing(ID, "sms", to=CHINESE, provider=APPROVED)])
        assert answer.outcome in ("accepted", "rejected", "retry", "unknown")
    channel.close()


def test_no_connection_is_no_delivery(tmp_path: Path) -> None:
    channel = channel_of("http://u:p@127.0.0.1:9/send", base_dir=tmp_path)
    [answer] = channel.send([outgoing(ID, "sms")])
    assert (answer.outcome, answer.down) == ("retry", True)


def test_tencents_own_example_is_signed_as_it_says() -> None:
    """From "Signature v3" of its API manual."""
    access = TencentAccess("AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE", "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE")
    body = rb'{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}'
    headers = {"content-type": "application/json; charset=utf-8", "host": "cvm.tencentcloudapi.com"}
    signed = authorization(access, "cvm", headers, body, datetime.fromtimestamp(1551113065, UTC))
    assert signed == (
        "TC3-HMAC-SHA256 Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE/2019-02-25/cvm/tc3_request, "
        "SignedHeaders=content-type;host, "
        "Signature=72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168"
    )
    assert "EXAMPLE'" in repr(access) and "Gu5t" not in repr(access)


@pytest.mark.parametrize(
    "url",
    [
        "twilio://AC1@", "twilio://", "vonage://k:@", "aliyunsms://a@", "tencentsms://a:b@", "tencentsms://a:b@app",
        "https:///send", "twilio://a:b@?base=ftp://x", "twilio://a:b@?colour=red", "vonage://a:b@?width=0",
        "https://u:p@host/send?callback=https://x",
    ],
)  # fmt: skip
def test_addresses_that_say_too_little_or_too_much_are_refused(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        channel_of(url, base_dir=Path())
    assert "expected" in str(refused.value) or "write" in str(refused.value) or "possible" in str(refused.value)
