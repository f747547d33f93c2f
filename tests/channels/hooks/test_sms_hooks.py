"""What providers of SMS post: each signs the contract, and each of their words is understood."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

import phonenumbers
import pytest
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from orchestrator.channels.hooks.aliyun_sms import AliyunSmsHook
from orchestrator.channels.hooks.protocol import Part, Posted
from orchestrator.channels.hooks.registry import hooks_of
from orchestrator.channels.hooks.sms_gateway import SmsGatewayHook, key_of
from orchestrator.channels.hooks.sms_gateway import signature_of as gateway_signature
from orchestrator.channels.hooks.sms_reading import number_of
from orchestrator.channels.hooks.tencent_sms import TencentSmsHook
from orchestrator.channels.hooks.twilio import TwilioHook
from orchestrator.channels.hooks.twilio import signature_of as twilio_signature
from orchestrator.channels.hooks.vonage import METHODS, VonageHook
from orchestrator.channels.hooks.vonage import signature_of as vonage_signature
from orchestrator.channels.message_mark import mark_of
from tests.channels.hooks.contract import AT, HookCase, HookContract, posted, refusal

E164, MOBILE = PhoneNumberFormat.E164, PhoneNumberType.MOBILE
ID = "0a1b2c3d4e5f6071.sms_1.1"
MARK = mark_of(ID)
PHONE = "+351912345678"
TWILIO_URL = f"https://journeys.example.com/hooks/twilio?m={MARK}"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def twilio_signed(request: Posted) -> Posted:
    try:
        fields = parse_qsl(request.body.decode(), keep_blank_values=True)
    except UnicodeError:
        fields = []
    return request._replace(headers={"x-twilio-signature": twilio_signature("token", request.url, fields)})


def twilio(**form: str) -> Posted:
    return twilio_signed(posted(urlencode(form).encode(), url=TWILIO_URL))


def vonage_signed(request: Posted) -> Posted:
    try:
        fields = json.loads(request.body)
        del fields["sig"]
        fields["sig"] = vonage_signature("secret", "sha256", {name: _as_text(value) for name, value in fields.items()})
        return request._replace(body=json.dumps(fields).encode())
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return request


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def vonage(**fields: str) -> Posted:
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    return vonage_signed(posted({**named, "sig": ""}))


def gateway_signed(request: Posted) -> Posted:
    id, time = "msg_1", str(int(AT.timestamp()))
    signature = gateway_signature(key_of(SECRET), id, time, request.body)
    headers = {"webhook-id": id, "webhook-timestamp": time, "webhook-signature": signature}
    return request._replace(headers=headers)


def with_token(request: Posted) -> Posted:
    return request._replace(url="https://journeys.example.com/hooks/x?token=T")


class TestTwilioContract(HookContract):
    @pytest.fixture
    def case(self) -> HookCase:
        hook = TwilioHook(["other", "token"])
        request = twilio(MessageSid="SM1", MessageStatus="delivered", To=PHONE, From="+15550100", AccountSid="AC1")
        return HookCase(hook, request, hook.read(request).told, twilio_signed, keys=("x-twilio-signature",))


class TestVonageContract(HookContract):
    @pytest.fixture
    def case(self) -> HookCase:
        hook = VonageHook(["secret"])
        request = vonage(messageId="V1", msisdn="351912345678", status="delivered", client_ref=MARK, err_code="0")
        return HookCase(hook, request, hook.read(request).told, vonage_signed)


class TestGatewayContract(HookContract):
    @pytest.fixture
    def case(self) -> HookCase:
        hook = SmsGatewayHook([SECRET])
        request = gateway_signed(posted([{"type": "delivered", "id": MARK, "to": PHONE, "at": "2026-03-02T10:00:00Z"}]))
        keys = ("webhook-id", "webhook-timestamp", "webhook-signature")
        return HookCase(
            hook, request, hook.read(request).told, gateway_signed, keys=keys, fresh_for=timedelta(minutes=5)
        )


REPORT = {
    "phone_number": "13800000000", "send_time": "2026-03-02 18:00:00", "report_time": "2026-03-02 18:00:05",
    "success": True, "err_code": "DELIVERED", "err_msg": "用户接收成功", "sms_size": "1", "biz_id": "B1",
    "out_id": MARK,
}  # fmt: skip
STATE = {
    "user_receive_time": "2026-03-02 18:00:05", "nationcode": "86", "mobile": "13800000000",
    "report_status": "SUCCESS", "errmsg": "DELIVRD", "description": "用户短信送达成功", "sid": "S1",
    "session_context": MARK,
}  # fmt: skip


class TestAliyunContract(HookContract):
    @pytest.fixture
    def case(self) -> HookCase:
        hook = AliyunSmsHook(["T"])
        request = with_token(posted([REPORT]))
        return HookCase(hook, request, hook.read(request).told, with_token, covered=())


class TestTencentContract(HookContract):
    @pytest.fixture
    def case(self) -> HookCase:
        hook = TencentSmsHook(["T"])
        request = with_token(posted([STATE]))
        return HookCase(hook, request, hook.read(request).told, with_token, covered=())


@pytest.mark.parametrize(
    ("fields", "signature"),
    [
        (
            {"CallSid": "CA1234567890ABCDE", "Caller": "+14158675309", "Digits": "1234", "From": "+14158675309",
             "To": "+18005551212"},
            "RSOYDt4T1cUTdK1PDd93/VVr8B8=",
        ),
        (
            {"CallSid": "CA1234567890ABCDE", "Caller": "+14158675310", "Digits": "1234", "From": "+14158675310",
             "To": "+18005551212"},
            "GvWf1cFY/Q7PnoempGyD5oXAezc=",
        ),
    ],
)  # fmt: skip
def test_twilios_own_examples_are_signed_as_it_says(fields: dict[str, str], signature: str) -> None:
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    assert twilio_signature("12345", url, fields.items()) == signature
    body = urlencode(fields).encode()
    for written in (url, url.replace(".com/", ".com:443/")):
        request = posted(body, {"x-twilio-signature": signature}, url=written)
        assert refusal(TwilioHook(["12345"]), request) is None


@pytest.mark.parametrize(
    ("method", "signature"),
    [
        ("md5hash", "6af838ef94998832dbfc29020b564830"),
        ("md5", "c15c21ced558c93a226c305f58f902f2"),
        ("sha1", "3e19a4e6880fdc2c1426bfd0587c98b9532f0210"),
        ("sha256", "a321e824b9b816be7c3f28859a31749a098713d39f613c80d455bbaffae1cd24"),
    ],
)
def test_vonage_signs_as_the_tests_of_its_own_library_say(method: str, signature: str) -> None:
    assert method in METHODS
    assert vonage_signature("secret", method, {"a": "1", "b": "2", "timestamp": "1461605396"}) == signature


def test_the_example_of_standard_webhooks_is_signed_as_it_says() -> None:
    key = key_of(SECRET)
    signature = gateway_signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert key_of("plain words") == b"plain words"


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        ("delivered", None, "delivered"), ("sent", None, "sent"), ("queued", None, None), ("read", None, None),
        ("undelivered", "30003", "soft_bounce"), ("undelivered", "30005", "bounce"), ("failed", "30006", "bounce"),
        ("undelivered", "30007", "failed"), ("failed", "21610", "unsubscribe"), ("failed", "x", "failed"),
    ],
)  # fmt: skip
def test_twilios_statuses(status: str, code: str | None, kind: str | None) -> None:
    form = {"MessageSid": "SM1", "MessageStatus": status, "To": PHONE} | ({"ErrorCode": code} if code else {})
    told = TwilioHook(["token"]).read(twilio(**form)).told
    assert [(one.kind, one.message_id, one.address) for one in told] == ([] if kind is None else [(kind, ID, PHONE)])


def test_twilios_replies_come_with_an_empty_answer_in_its_language() -> None:
    form = {"MessageSid": "SM2", "SmsStatus": "received", "From": PHONE, "To": "+15550100", "Body": "Yes, please 👍"}
    heard = TwilioHook(["token"]).read(twilio(**form))
    [told] = heard.told
    assert (told.kind, told.channel, told.address, told.text) == ("reply", "sms", PHONE, "Yes, please 👍")
    assert heard.content_type.startswith("text/xml") and b"<Response/>" in heard.answer
    [other] = TwilioHook(["token"]).read(twilio(**{**form, "From": f"whatsapp:{PHONE}"})).told
    assert (other.channel, other.address) == ("whatsapp", PHONE)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        ("delivered", "0", "delivered"), ("accepted", "0", "sent"), ("buffered", "0", None), ("failed", "9", "bounce"),
        ("failed", "2", "soft_bounce"), ("expired", "1", "soft_bounce"), ("rejected", "6", "failed"),
    ],
)  # fmt: skip
def test_vonages_statuses(status: str, code: str, kind: str | None) -> None:
    request = vonage(messageId="V1", msisdn="351912345678", status=status, err_code=code, client_ref=MARK)
    told = VonageHook(["secret"]).read(request).told
    assert [(one.kind, one.message_id, one.address) for one in told] == ([] if kind is None else [(kind, ID, PHONE)])


def test_vonages_replies_as_json_and_as_a_form() -> None:
    fields = {"messageId": "V2", "msisdn": "351912345678", "to": "15550100", "text": "A & B = C", "type": "text"}
    signed = {**fields, "sig": vonage_signature("secret", "sha256", fields).upper()}
    for body in (json.dumps(signed).encode(), urlencode(signed).encode()):
        [told] = VonageHook(["secret"]).read(posted(body)).told
        assert (told.kind, told.address, told.text) == ("reply", PHONE, "A & B = C")


@pytest.mark.parametrize(
    ("code", "words", "kind"),
    [
        ("MK:0001", "", "bounce"),
        ("UNDELIV", "空号", "bounce"),
        ("X", "用户关机", "soft_bounce"),
        ("Y", "黑名单", "failed"),
    ],
)
def test_failures_of_chinas_carriers(code: str, words: str, kind: str) -> None:
    report = {**REPORT, "success": False, "err_code": code, "err_msg": words}
    [told] = AliyunSmsHook(["T"]).read(with_token(posted([report]))).told
    assert (told.kind, told.address, told.message_id) == (kind, "+8613800000000", ID)
    state = {**STATE, "report_status": "FAIL", "errmsg": code, "description": words}
    [told] = TencentSmsHook(["T"]).read(with_token(posted([state]))).told
    assert (told.kind, told.address, told.message_id) == (kind, "+8613800000000", ID)


def test_replies_from_china_and_the_answers_that_are_waited_for() -> None:
    up = {"phone_number": "13800000000", "send_time": "2026-03-02 18:00:00", "content": "TD", "sequence_id": 1}
    heard = AliyunSmsHook(["T"]).read(with_token(posted([up, up])))
    assert [(one.kind, one.address, one.text) for one in heard.told] == [("reply", "+8613800000000", "TD")]
    assert heard.told[0].at == AT
    assert json.loads(heard.answer)["code"] == 0
    reply = {"nationcode": "86", "mobile": "13800000000", "text": "退订", "sign": "海港", "time": 1772445600}
    heard = TencentSmsHook(["T"]).read(with_token(posted(reply)))
    assert [(one.kind, one.address, one.text) for one in heard.told] == [("reply", "+8613800000000", "退订")]
    assert json.loads(heard.answer) == {"result": 0, "errmsg": "OK"}


@pytest.mark.parametrize("url", ["https://x.example/hooks/a", "https://x.example/hooks/a?token=t", "https://[x"])
def test_without_the_token_nothing_is_taken(url: str) -> None:
    for hook in (AliyunSmsHook(["T"]), TencentSmsHook(["T"])):
        assert refusal(hook, posted([REPORT], url=url)) in (401, 403)


@pytest.mark.parametrize(
    ("text", "nation", "number"),
    [
        ("+351 912-345-678", None, PHONE), ("351912345678", None, PHONE), ("00351912345678", None, PHONE),
        ("13800000000", "86", "+8613800000000"), ("14155550100", None, "+14155550100"),
        ("8613800000000", "86", "+8613800000000"), ("912345678", "+351", PHONE),
        ("Harbour", None, None), ("", None, None), ("+", None, None), ("0", "x", None), (None, "86", None),
        ("١٢٣٤٥٦٧٨٩", None, None),
    ],
)  # fmt: skip
def test_numbers_as_providers_write_them(text: str | None, nation: str | None, number: str | None) -> None:
    assert number_of(text, nation) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [("13800000000", "+8613800000000"), ("12125550123", "+12125550123"), ("351912345678", PHONE), (PHONE, PHONE)],
)
def test_mobiles_of_china_without_their_country(text: str, number: str) -> None:
    assert number_of(text, chinese=True) == number


def _everybody() -> list[str]:
    """A mobile number of every country that has them, in E.164."""
    found = [phonenumbers.example_number_for_type(land, MOBILE) for land in sorted(phonenumbers.SUPPORTED_REGIONS)]
    return [phonenumbers.format_number(number, E164) for number in found if number is not None]


def test_whoever_replies_in_any_country_is_who_stops() -> None:
    everybody = [*_everybody(), "+14155550100", "+13105550100", "+8613800000000"]
    assert len(everybody) > 200
    for number in everybody:
        bare = number[1:]
        [told] = VonageHook(["secret"]).read(vonage(messageId="V1", msisdn=bare, text="STOP")).told
        assert told.address == number
        for written in (bare, number, f"00{bare}"):
            request = gateway_signed(posted({"type": "reply", "from": written, "text": "STOP"}))
            assert [one.address for one in SmsGatewayHook([SECRET]).read(request).told] == [number]


def test_readers_come_from_the_channels_settings() -> None:
    urls = [
        "twilio://AC1:one@ twilio://AC2:two@?daily=100",
        "vonage://k:s@?hook=secret&signed=md5hash",
        "aliyunsms://a:b@?hook=T",
        "tencentsms://a:b@1?hook=T",
        f"https://u:p@gateway.example/send?hook={SECRET}",
        "file:outbox",
        "smtp://mail.example",
    ]
    hooks = hooks_of(urls)
    assert set(hooks) == {"twilio", "vonage", "aliyunsms", "tencentsms", "sms_gateway"}
    for token in ("one", "two"):  # either account's signature is good
        fields = {"MessageSid": "SM1", "MessageStatus": "delivered"}
        headers = {"x-twilio-signature": twilio_signature(token, "https://j.example/hooks/twilio", fields.items())}
        request = posted(urlencode(fields).encode(), headers, url="https://j.example/hooks/twilio")
        assert refusal(hooks["twilio"], request) is None
        assert refusal(hooks["twilio"], request._replace(body=b"MessageSid=SM2")) == 403


@pytest.mark.parametrize(
    "url", ["twilio://SK1:s@AC1", "vonage://k:s@", "aliyunsms://a:b@", "tencentsms://a:b@1", "https://u:p@g.example/s"]
)
def test_without_a_secret_every_request_is_refused(url: str) -> None:
    for hook in hooks_of([url]).values():
        for headers in ({}, {"x-twilio-signature": b64encode(b"x").decode()}, {"authorization": "Bearer "}):
            assert refusal(hook, posted(b"{}", headers)) == 403


def test_one_of_several_signatures_is_enough_while_a_secret_is_replaced() -> None:
    request = gateway_signed(posted([{"type": "reply", "from": PHONE, "text": "YES"}]))
    headers = {**request.headers, "webhook-signature": f"v1,AAAA {request.headers['webhook-signature']}"}
    [told] = SmsGatewayHook(["another", SECRET]).read(request._replace(headers=headers)).told
    assert (told.kind, told.address, told.text) == ("reply", PHONE, "YES")


def test_parts_of_a_long_text_are_told_as_such() -> None:
    fields = {"messageId": "V1", "msisdn": PHONE[1:], "text": "STOP ", "concat": "true", "concat_ref": "7"}
    [told] = VonageHook(["secret"]).read(vonage(**fields, concat_part="2", concat_total="3")).told
    assert (told.text, told.part) == ("STOP ", Part("7", 2, 3))
    for part, total in (("0", "3"), ("4", "3"), ("1", "1"), ("x", "3"), ("1", "999"), ("", "")):
        [told] = VonageHook(["secret"]).read(vonage(**fields, concat_part=part, concat_total=total)).told
        assert told.part is None
