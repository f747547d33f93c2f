"""What WhatsApp, WeChat and WeCom say, in the forms of their manuals."""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha1
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from orchestrator.channels.hooks.protocol import HookRefused, Posted, Told
from orchestrator.channels.hooks.registry import hooks_of
from orchestrator.channels.hooks.wechat import FRESH_FOR, WechatHook
from orchestrator.channels.hooks.whatsapp import WhatsappHook
from orchestrator.channels.message_mark import mark_of
from orchestrator.channels.options import ChannelOptions
from orchestrator.channels.providers.chat_apis import HOOKS, OPTIONS
from orchestrator.errors import UsageError
from tests.channels.hooks.contract import AT, HookCase, HookContract, posted, refusal

SECRET = "app secret"


def signed(request: Posted) -> Posted:
    """As Meta signs."""
    signature = hmac.digest(SECRET.encode(), request.body, "sha256").hex()
    return request._replace(headers={**request.headers, "x-hub-signature-256": f"sha256={signature}"})


def change(field: str = "messages", **value: Any) -> dict[str, Any]:
    about = {"display_phone_number": "16505551111", "phone_number_id": "123456123"}
    inner = {"messaging_product": "whatsapp", "metadata": about, **value}
    return {
        "object": "whatsapp_business_account",
        "entry": [{"id": "0", "changes": [{"field": field, "value": inner}]}],
    }


STATUSES: list[dict[str, Any]] = [
    {
        "id": "wamid.1", "status": "delivered", "timestamp": "1772445600", "recipient_id": "16315551181",
        "biz_opaque_callback_data": mark_of("e1.whatsapp_1.1"), "conversation": {"id": "x"},
    },
    {"id": "wamid.1", "status": "read", "timestamp": "1772445660", "recipient_id": "16315551181"},
    {
        "id": "wamid.2", "status": "failed", "timestamp": "1772445600", "recipient_id": "16315551181",
        "biz_opaque_callback_data": mark_of("e2.whatsapp_1.1"),
        "errors": [{"code": 131047, "title": "Re-engagement message", "error_data": {"details": "more than 24 hours"}}],
    },
    {
        "id": "wamid.3", "status": "failed", "timestamp": "1772445600", "recipient_id": "16315551182",
        "errors": [{"code": 131050, "title": "User stopped"}],
    },
    {"id": "wamid.4", "status": "deleted", "timestamp": "1772445600", "recipient_id": "16315551181"},
]  # fmt: skip
MESSAGES: list[dict[str, Any]] = [
    {"from": "16315551181", "id": "wamid.in1", "timestamp": "1772445600", "type": "text", "text": {"body": "STOP"}},
    {"from": "16315551181", "id": "wamid.in2", "timestamp": "1772445601", "type": "button",
     "button": {"payload": "yes", "text": "Yes, please"}},
    {"from": "16315551181", "id": "wamid.in3", "timestamp": "1772445602", "type": "interactive",
     "interactive": {"type": "list_reply", "list_reply": {"id": "1", "title": "Sea view"}}},
    {"from": "16315551181", "id": "wamid.in4", "timestamp": "1772445603", "type": "audio", "audio": {"id": "1"}},
]  # fmt: skip
HOOK = WhatsappHook(["old", SECRET], "the word", "123456123")


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


class TestWhatsapp(HookContract):
    @pytest.fixture(params=["statuses", "messages"])
    def case(self, request: pytest.FixtureRequest) -> HookCase:
        if request.param == "statuses":
            body, told = change(statuses=STATUSES), self.told_of_statuses()
        else:
            body, told = change(messages=MESSAGES), self.told_of_messages()
        return HookCase(HOOK, signed(posted(body)), told, signed, keys=["x-hub-signature-256"])

    def told_of_statuses(self) -> Sequence[Told]:
        who, one = "+16315551181", "status:wamid."
        return [
            Told("delivered", "whatsapp", f"{one}1:delivered:1772445600", "e1.whatsapp_1.1", who, at(1772445600)),
            Told("open", "whatsapp", f"{one}1:read:1772445660", None, who, at(1772445660)),
            Told("failed", "whatsapp", f"{one}2:failed:1772445600", "e2.whatsapp_1.1", who, at(1772445600),
                 reason="131047: more than 24 hours"),
            Told("unsubscribe", "whatsapp", f"{one}3:failed:1772445600", None, "+16315551182", at(1772445600),
                 reason="131050: User stopped"),
        ]  # fmt: skip

    def told_of_messages(self) -> Sequence[Told]:
        texts = ["STOP", "Yes, please", "Sea view", "[audio]"]
        return [
            Told(
                "reply", "whatsapp", f"message:wamid.in{n}:+16315551181", None, "+16315551181", at(1772445599 + n), text
            )
            for n, text in enumerate(texts, 1)
        ]


def test_another_number_s_messages_are_not_ours() -> None:
    body = change(statuses=STATUSES)
    body["entry"][0]["changes"][0]["value"]["metadata"]["phone_number_id"] = "9"
    assert HOOK.read(signed(posted(body))).told == ()


def test_of_two_numbers_of_one_app_both_are_heard() -> None:
    urls = [f"whatsapp://:t@{number}?hook=app%20secret&verify=word{number}" for number in ("123456123", "9")]
    for order in (urls, urls[::-1]):
        hook = hooks_of(order)["whatsapp"]
        first, second, third = change(messages=MESSAGES[:1]), change(messages=MESSAGES[1:2]), change(messages=MESSAGES)
        second["entry"][0]["changes"][0]["value"]["metadata"]["phone_number_id"] = "9"
        third["entry"][0]["changes"][0]["value"]["metadata"]["phone_number_id"] = "7"
        assert [told.text for told in hook.read(signed(posted(first))).told] == ["STOP"]
        assert [told.text for told in hook.read(signed(posted(second))).told] == ["Yes, please"]
        assert hook.read(signed(posted(third))).told == ()
        together = {**first, "entry": first["entry"] + second["entry"]}
        assert {told.text for told in hook.read(signed(posted(together))).told} == {"STOP", "Yes, please"}
        for word in ("word123456123", "word9"):
            good = {"hub_mode": "subscribe", "hub_verify_token": word, "hub_challenge": "1158201444"}
            assert getattr(hook, "answers_get", False)
            assert hook.read(asked(**good)).answer == b"1158201444"
        assert refusal(hook, posted(first)) == 401


def test_stop_in_whatsapp_itself() -> None:
    choice = {"wa_id": "16315551181", "category": "marketing_messages", "value": "stop", "timestamp": 1772445600}
    [told] = HOOK.read(signed(posted(change("user_preferences", user_preferences=[choice])))).told
    assert (told.kind, told.address, told.at) == ("unsubscribe", "+16315551181", at(1772445600))
    again = {**choice, "value": "resume"}
    assert HOOK.read(signed(posted(change("user_preferences", user_preferences=[again])))).told == ()


def asked(**query: str) -> Posted:
    words = urlencode({name.replace("_", ".", 1): value for name, value in query.items()})
    return posted(b"", method="GET", url=f"https://journeys.example.com/hooks/whatsapp?{words}")


def test_the_first_question() -> None:
    good = {"hub_mode": "subscribe", "hub_verify_token": "the word", "hub_challenge": "1158201444"}
    assert HOOK.read(asked(**good)).answer == b"1158201444"
    for wrong in ({**good, "hub_verify_token": "x"}, {**good, "hub_mode": "x"}, {"hub_challenge": "1"}):
        assert refusal(HOOK, asked(**wrong)) == 403
    assert refusal(HOOK, asked(**{**good, "hub_challenge": "<script>\n"})) == 400
    assert refusal(WhatsappHook([SECRET]), asked(**{**good, "hub_verify_token": ""})) == 403


# --- WeChat and WeCom -------------------------------------------------------------------------------------------------

TOKEN, AES_KEY, APP = "spamtest", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG", "wx2c2769f8efd9abc2"
KEY = b64decode(AES_KEY + "=")
HOOKS_URL = "https://journeys.example.com/hooks/wechat"


def sealed(message: bytes, account: str = APP) -> str:
    """As the platform seals: random bytes, length, message, account; filled up to a multiple of 32."""
    plain = b"r" * 16 + len(message).to_bytes(4, "big") + message + account.encode()
    filled = 32 - len(plain) % 32
    writer = Cipher(algorithms.AES(KEY), modes.CBC(KEY[:16])).encryptor()
    return b64encode(writer.update(plain + bytes([filled]) * filled) + writer.finalize()).decode()


def wrapped(word: str) -> bytes:
    return f"<xml><ToUserName><![CDATA[gh_1]]></ToUserName><Encrypt><![CDATA[{word}]]></Encrypt></xml>".encode()


def url_for(word: str, when: datetime = AT, name: str = "msg_signature", **more: str) -> str:
    timestamp, nonce = str(int(when.timestamp())), "1320562132"
    parts = [TOKEN, timestamp, nonce, *([word] if name == "msg_signature" else [])]
    signature = sha1("".join(sorted(parts)).encode("utf-8", "replace")).hexdigest()
    return f"{HOOKS_URL}?{urlencode({name: signature, 'timestamp': timestamp, 'nonce': nonce, **more})}"


def wechat_signed(request: Posted) -> Posted:
    """The same body with the signature that its Encrypt would have."""
    text = request.body.decode("utf-8", "replace")
    word = text.partition("<Encrypt><![CDATA[")[2].partition("]]></Encrypt>")[0]
    return request._replace(url=url_for(word))


TEXT = (
    "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[o6_bmjrPTlm6]]></FromUserName>"
    "<CreateTime>1772445600</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[退订]]></Content>"
    "<MsgId>1234567890123456</MsgId></xml>"
).encode()
LEFT = (
    b"<xml><FromUserName>o6_bmjrPTlm6</FromUserName><CreateTime>1772445600</CreateTime><MsgType>event</MsgType>"
    b"<Event>unsubscribe</Event></xml>"
)
WECHAT = WechatHook("wechat", f"{TOKEN},{AES_KEY}", APP)


def wechat_posted(message: bytes, account: str = APP, when: datetime = AT) -> Posted:
    word = sealed(message, account)
    return posted(wrapped(word), url=url_for(word, when))


class TestWechat(HookContract):
    @pytest.fixture
    def case(self) -> HookCase:
        told = Told("reply", "wechat", "message:1234567890123456:o6_bmjrPTlm6:1772445600", None, "o6_bmjrPTlm6",
                    at(1772445600), "退订")  # fmt: skip
        word = sealed(TEXT)
        return HookCase(
            WECHAT, wechat_posted(TEXT), [told], wechat_signed, covered=[word.encode()], fresh_for=FRESH_FOR
        )


def test_whoever_leaves_is_unsubscribed() -> None:
    heard = WECHAT.read(wechat_posted(LEFT))
    assert [(told.kind, told.address) for told in heard.told] == [("unsubscribe", "o6_bmjrPTlm6")]
    assert heard.answer == b"success"


@pytest.mark.parametrize(
    ("message", "count"),
    [
        (TEXT.replace(b"text]", b"image]").replace("退订".encode(), b""), 1),
        (LEFT.replace(b"unsubscribe", b"VIEW"), 0),
        (LEFT.replace(b"unsubscribe", b"subscribe"), 0),
        (b"<xml></xml>", 0),
    ],
)
def test_other_messages(message: bytes, count: int) -> None:
    assert len(WECHAT.read(wechat_posted(message)).told) == count


def test_what_is_not_for_us_is_refused() -> None:
    assert refusal(WECHAT, wechat_posted(TEXT, account="wxother")) == 403
    assert refusal(WECHAT, posted(TEXT, url=url_for("", name="signature"))) == 401  # the plain mode
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><xml><Encrypt>&b;</Encrypt></xml>'
    assert refusal(WECHAT, posted(bomb, url=url_for("&b;"))) == 400
    assert refusal(WECHAT, wechat_posted(b'<!DOCTYPE x [<!ENTITY a "a">]><xml><MsgType>&a;</MsgType></xml>')) == 400
    for coded in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7"):
        written = f'<?xml version="1.0" encoding="{coded}"?>{bomb.decode()}'.encode(coded)
        assert refusal(WECHAT, posted(written, url=url_for("aaaaaaaa"))) == 400, coded
        assert refusal(WECHAT, wechat_posted(written)) == 400, coded
    for word in ("AAAA", sealed(TEXT)[:-4], b64encode(bytes(32)).decode()):
        assert refusal(WECHAT, posted(wrapped(word), url=url_for(word))) in (400, 403)


def test_both_first_questions() -> None:
    plain = posted(b"", method="GET", url=url_for("", name="signature", echostr="5837397520665436492"))
    assert WECHAT.read(plain).answer == b"5837397520665436492"
    word = sealed(b"1288432023552776189", "ww1")
    wecom = WechatHook("wecom", f"{TOKEN},{AES_KEY}", "ww1")
    asked = posted(b"", method="GET", url=url_for(word, echostr=word))
    assert wecom.read(asked).answer == b"1288432023552776189"
    query = parse_qs(urlsplit(asked.url).query)
    forged = f"{HOOKS_URL}?{urlencode({**{n: v[0] for n, v in query.items()}, 'echostr': sealed(b'x', 'ww1')})}"
    assert refusal(wecom, asked._replace(url=forged)) == 403


@pytest.mark.parametrize("secret", ["", "token", "token,short", f",{AES_KEY}", f"token,{AES_KEY}x"])
def test_a_secret_has_two_parts(secret: str) -> None:
    with pytest.raises(UsageError, match="TOKEN,AESKEY"):
        WechatHook("wechat", secret, APP)


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        ("whatsapp://:t@123456123?hook=old,app%20secret", True),
        ("whatsapp://:t@123456123", False),
        (f"wechat://{APP}:s@?hook={TOKEN},{AES_KEY}", True),
        (f"wechat://{APP}:s@", False),
        (f"wecom://{APP}:s@?agent=1&hook={TOKEN},{AES_KEY}", True),
    ],
)
def test_hooks_are_made_from_the_same_address(url: str, taken: bool) -> None:
    parts = urlsplit(url)
    hook = HOOKS[parts.scheme](parts, ChannelOptions(parts.scheme, parts.query, OPTIONS[parts.scheme]))
    request = signed(posted(change(statuses=STATUSES))) if parts.scheme == "whatsapp" else wechat_posted(TEXT)
    assert hook.provider == parts.scheme
    if taken:
        assert hook.read(request).told
    else:
        with pytest.raises(HookRefused, match="hook="):
            hook.read(request)
