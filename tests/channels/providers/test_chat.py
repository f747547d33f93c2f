"""WhatsApp, WeChat and WeCom against servers on the loopback interface: requests, tokens, and what numbers mean."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from orchestrator.channels.configured import channel_of
from orchestrator.channels.message_mark import id_of
from orchestrator.channels.protocol import Answer, Channel, Outgoing
from orchestrator.channels.providers.adapter import Refused
from orchestrator.channels.providers.wechat import WechatChannel
from orchestrator.channels.providers.whatsapp import WhatsappChannel, template_of
from orchestrator.channels.providers.wire import ProviderWire
from orchestrator.errors import UsageError
from tests.channels.contract import Adapter, ChannelContract
from tests.channels.providers.test_web_push import Clock

OPENID = "o6_bmjrPTlm6_2sgVt7hMZOPfL2M"


class Server:
    """Answers in turn, the last for ever; keeps what came."""

    def __init__(self, answer: Any, status: int = 200) -> None:
        self.answers: list[tuple[int, Any]] = [(status, answer)]
        self.seen: list[Request] = []

    def __call__(self, request: Request) -> Response:
        request.get_data()
        self.seen.append(request)
        status, said = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return Response(json.dumps(said), status, content_type="application/json")

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(request.data) for request in self.seen]


def whatsapp_message(text: str = "Hello", **fields: Any) -> Outgoing:
    return Outgoing("e1.whatsapp_1.1", "whatsapp", "+351912345678", None, text, provider=fields or None)


@pytest.fixture
def meta(httpserver: HTTPServer) -> Server:
    server = Server({"messaging_product": "whatsapp", "messages": [{"id": "wamid.1"}]})
    httpserver.expect_request("/v23.0/1065403/messages", method="POST").respond_with_handler(server)
    return server


@pytest.fixture
def whatsapp(httpserver: HTTPServer, tmp_path: Path) -> Iterator[Channel]:
    base = httpserver.url_for("").rstrip("/")
    channel = channel_of(f"whatsapp://:EAAtoken@1065403?base={base}", base_dir=tmp_path)
    yield channel
    channel.close()


class TestWhatsapp:
    def test_a_template(self, whatsapp: Channel, meta: Server) -> None:
        message = whatsapp_message(
            template="order_update", language="en_US", parameters=["Ana", "7"],
            header={"image": "https://example.com/a.png"},
            buttons=[{"url": "o/7"}, {"payload": "STOP_ORDERS"}, {"code": "VIP7"}],
        )  # fmt: skip
        picture = {"link": "https://example.com/a.png"}
        suffix = {"type": "text", "text": "o/7"}
        [answer] = whatsapp.send([message])
        assert answer == Answer("accepted", reference="wamid.1")
        [request], [body] = meta.seen, meta.bodies
        assert request.headers["Authorization"] == "Bearer EAAtoken"
        assert id_of(body.pop("biz_opaque_callback_data")) == message.id
        assert body == {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": "351912345678",
            "type": "template",
            "template": {
                "name": "order_update",
                "language": {"code": "en_US"},
                "components": [
                    {"type": "header", "parameters": [{"type": "image", "image": picture}]},
                    {"type": "body", "parameters": [{"type": "text", "text": "Ana"}, {"type": "text", "text": "7"}]},
                    {"type": "button", "sub_type": "url", "index": "0", "parameters": [suffix]},
                    {
                        "type": "button", "sub_type": "quick_reply", "index": "1",
                        "parameters": [{"type": "payload", "payload": "STOP_ORDERS"}],
                    },
                    {
                        "type": "button", "sub_type": "copy_code", "index": "2",
                        "parameters": [{"type": "coupon_code", "coupon_code": "VIP7"}],
                    },
                ],
            },
        }  # fmt: skip

    def test_parameters_by_name(self) -> None:
        found = template_of({"template": "x", "language": "de", "parameters": {"first_name": "Ana"}})
        assert found["components"] == [
            {"type": "body", "parameters": [{"type": "text", "parameter_name": "first_name", "text": "Ana"}]}
        ]
        assert template_of({"template": "x", "language": "de"}) == {"name": "x", "language": {"code": "de"}}

    @pytest.mark.parametrize(
        "fields", [{"template": "x"}, {"template": "x", "language": "de", "parameters": ["a", " "]}]
    )
    def test_what_meta_would_refuse_is_not_sent(self, fields: dict[str, Any]) -> None:
        with pytest.raises(Refused):
            template_of(fields)

    def test_a_text(self, whatsapp: Channel, meta: Server) -> None:
        whatsapp.send([whatsapp_message("您好 👋 https://example.com")])
        assert meta.bodies[0]["text"] == {"body": "您好 👋 https://example.com", "preview_url": True}

    @pytest.mark.parametrize(
        ("status", "code", "outcome", "down"),
        [
            (401, 190, "retry", True),
            (403, 10, "retry", True),
            (403, 299, "retry", True),
            (400, 131042, "retry", True),
            (429, 130429, "retry", True),
            (400, 80007, "retry", True),
            (400, 131056, "retry", False),
            (503, 131016, "retry", False),
            (500, 131000, "retry", False),
            (400, 131026, "rejected", False),
            (400, 131047, "rejected", False),
            (400, 131049, "rejected", False),
            (404, 132001, "rejected", False),
            (400, 132015, "rejected", False),
            (400, 100, "rejected", False),
            (500, 999999, "unknown", False),
            (400, "x", "rejected", False),
            (503, None, "retry", True),
        ],
    )
    def test_codes(self, whatsapp: Channel, meta: Server, status: int, code: Any, outcome: str, down: bool) -> None:
        said = {"error": {"message": "(#1) no", "code": code, "error_data": {"details": "because"}}}
        meta.answers = [(status, said)]
        [answer] = whatsapp.send([whatsapp_message()])
        assert (answer.outcome, answer.down) == (outcome, down)
        assert "because" in (answer.reason or "")

    @pytest.mark.parametrize("said", [None, [], {"error": []}, {"error": {"code": True, "error_data": 1}}, "x"])
    def test_answers_that_are_none(self, whatsapp: Channel, meta: Server, said: Any) -> None:
        for status, outcome in ((200, "accepted"), (400, "rejected"), (500, "unknown")):
            meta.answers = [(status, said)]
            assert whatsapp.send([whatsapp_message()])[0].outcome == outcome


class TestWhatsappContract(ChannelContract):
    @pytest.fixture
    def adapter(self, whatsapp: Channel, meta: Server) -> Adapter:
        def arrived() -> list[str]:
            return [str(body["biz_opaque_callback_data"]) for body in meta.bodies]

        return Adapter(whatsapp, "whatsapp", lambda: [id_of(mark) or mark for mark in arrived()], hostile=False)


class Tencent:
    """The token endpoint and one more."""

    def __init__(self, server: HTTPServer, token_path: str, path: str) -> None:
        self.tokens = Server({"access_token": "T1", "expires_in": 7200})
        self.messages = Server({"errcode": 0, "errmsg": "ok", "msgid": 200163836})
        server.expect_request(token_path).respond_with_handler(self._token)
        server.expect_request(path, method="POST").respond_with_handler(self.messages)

    def _token(self, request: Request) -> Response:
        if (
            len(self.tokens.answers) == 1
            and self.tokens.answers[0][0] == 200
            and "errcode" not in self.tokens.answers[0][1]
        ):
            self.tokens.answers = [(200, {"access_token": f"T{len(self.tokens.seen) + 1}", "expires_in": 7200})]
        return self.tokens(request)

    def used(self) -> list[str]:
        return [request.args["access_token"] for request in self.messages.seen]


def wechat_message(text: str = "Hello", subject: str | None = None, to: str = OPENID, **fields: Any) -> Outgoing:
    return Outgoing("e1.wechat_1.1", "wechat", to, subject, text, locale="zh-Hans", provider=fields or None)


def made(server: HTTPServer, url: str, tmp_path: Path) -> Channel:
    return channel_of(f"{url}base={server.url_for('').rstrip('/')}", base_dir=tmp_path)


TEMPLATE: dict[str, Any] = {
    "template": "ngqIpbwh8bUfcSsECmogfXcV14J0tQlEpBO27izEYtY",
    "data": {"thing1": "早餐 ☕", "time2": "2026-03-02 10:00"},
    "url": "https://example.com/o",
    "miniprogram": {"appid": "wx1", "page": "pages/o?x=1"},
}


class TestWechat:
    def test_a_template_message(self, httpserver: HTTPServer, tmp_path: Path) -> None:
        tencent = Tencent(httpserver, "/cgi-bin/stable_token", "/cgi-bin/message/template/send")
        channel = made(httpserver, "wechat://wxapp:se%2Fcret@?", tmp_path)
        [answer] = channel.send([wechat_message(**TEMPLATE)])
        assert answer == Answer("accepted", reference="200163836")
        assert tencent.tokens.bodies == [{"grant_type": "client_credential", "appid": "wxapp", "secret": "se/cret"}]
        [request], [body] = tencent.messages.seen, tencent.messages.bodies
        assert request.args["access_token"] == "T1"
        assert "早餐 ☕".encode() in request.data  # \uXXXX would be shown as it stands
        assert len(body.pop("client_msg_id")) == 32
        assert body == {
            "touser": OPENID,
            "template_id": TEMPLATE["template"],
            "data": {"thing1": {"value": "早餐 ☕"}, "time2": {"value": "2026-03-02 10:00"}},
            "url": "https://example.com/o",
            "miniprogram": {"appid": "wx1", "pagepath": "pages/o?x=1"},
        }

    def test_a_subscription_message_of_a_mini_program(self, httpserver: HTTPServer, tmp_path: Path) -> None:
        tencent = Tencent(httpserver, "/cgi-bin/stable_token", "/cgi-bin/message/subscribe/send")
        channel = made(httpserver, "wechat://wxapp:secret@?kind=mini&", tmp_path)
        channel.send([wechat_message(template="t", data={"thing1": "x"}, page="pages/o")])
        assert tencent.messages.bodies == [
            {
                "touser": OPENID,
                "template_id": "t",
                "data": {"thing1": {"value": "x"}},
                "page": "pages/o",
                "lang": "zh_CN",
            }
        ]

    def test_a_subscription_message_of_an_account(self, httpserver: HTTPServer, tmp_path: Path) -> None:
        tencent = Tencent(httpserver, "/cgi-bin/stable_token", "/cgi-bin/message/subscribe/bizsend")
        channel = made(httpserver, "wechat://wxapp:secret@?kind=subscribe&", tmp_path)
        channel.send([wechat_message(template="t", data={"thing1": "x"}, url="https://example.com")])
        assert tencent.messages.bodies == [
            {"touser": OPENID, "template_id": "t", "data": {"thing1": {"value": "x"}}, "page": "https://example.com"}
        ]

    def test_a_text(self, httpserver: HTTPServer, tmp_path: Path) -> None:
        tencent = Tencent(httpserver, "/cgi-bin/stable_token", "/cgi-bin/message/custom/send")
        made(httpserver, "wechat://wxapp:secret@?", tmp_path).send([wechat_message("您好")])
        assert tencent.messages.bodies == [{"touser": OPENID, "msgtype": "text", "text": {"content": "您好"}}]

    def test_the_token_is_kept_and_asked_for_again(self, httpserver: HTTPServer) -> None:
        tencent = Tencent(httpserver, "/cgi-bin/stable_token", "/cgi-bin/message/custom/send")
        clock = Clock()
        base = httpserver.url_for("").rstrip("/")
        channel = WechatChannel("wxapp", "secret", wire=ProviderWire(1, 5), base=base, width=1, clock=clock)
        for moved in (0, 6899, 1):
            clock.now += moved
            assert channel.send([wechat_message()])[0].outcome == "accepted"
        assert tencent.used() == ["T1", "T1", "T2"]

    @pytest.mark.parametrize("number", [40001, 40014, 42001])
    def test_a_token_that_is_over_is_asked_for_once_more(
        self, httpserver: HTTPServer, tmp_path: Path, number: int
    ) -> None:
        tencent = Tencent(httpserver, "/cgi-bin/stable_token", "/cgi-bin/message/custom/send")
        channel = made(httpserver, "wechat://wxapp:secret@?", tmp_path)
        tencent.messages.answers = [(200, {"errcode": number}), (200, {"errcode": 0})]
        assert channel.send([wechat_message()])[0].outcome == "accepted"
        assert tencent.used() == ["T1", "T2"]
        tencent.messages.answers = [(200, {"errcode": number})]
        [answer] = channel.send([wechat_message()])
        assert (answer.outcome, answer.down) == ("retry", True)
        assert tencent.used() == ["T1", "T2", "T2", "T3"]

    @pytest.mark.parametrize(
        ("number", "outcome", "down", "after"),
        [
            (43101, "rejected", False, None),
            (43004, "rejected", False, None),
            (40003, "rejected", False, None),
            (40037, "rejected", False, None),
            (47003, "rejected", False, None),
            (45015, "rejected", False, None),
            (45009, "retry", True, 3600.0),
            (45011, "retry", True, 60.0),
            (-1, "retry", False, None),
            (48001, "retry", True, None),
            (40164, "retry", True, None),
        ],
    )
    def test_numbers(
        self, httpserver: HTTPServer, tmp_path: Path, number: int, outcome: str, down: bool, after: float | None
    ) -> None:
        tencent = Tencent(httpserver, "/cgi-bin/stable_token", "/cgi-bin/message/template/send")
        tencent.messages.answers = [(200, {"errcode": number, "errmsg": "because"})]
        [answer] = made(httpserver, "wechat://wxapp:secret@?", tmp_path).send([wechat_message(**TEMPLATE)])
        assert (answer.outcome, answer.down, answer.after) == (outcome, down, after)
        assert f"{number}: because" in (answer.reason or "")

    @pytest.mark.parametrize(
        ("status", "said", "outcome"),
        [(200, [], "unknown"), (200, {"errcode": "0"}, "unknown"), (502, None, "unknown"), (503, None, "retry")],
    )
    def test_answers_that_are_none(
        self, httpserver: HTTPServer, tmp_path: Path, status: int, said: Any, outcome: str
    ) -> None:
        tencent = Tencent(httpserver, "/cgi-bin/stable_token", "/cgi-bin/message/custom/send")
        tencent.messages.answers = [(status, said)]
        assert made(httpserver, "wechat://wxapp:secret@?", tmp_path).send([wechat_message()])[0].outcome == outcome

    def test_without_a_token_nothing_was_sent(self, httpserver: HTTPServer, tmp_path: Path) -> None:
        tencent = Tencent(httpserver, "/cgi-bin/stable_token", "/cgi-bin/message/custom/send")
        tencent.tokens.answers = [(200, {"errcode": 40125, "errmsg": "invalid appsecret"})]
        [answer] = made(httpserver, "wechat://wxapp:secret@?", tmp_path).send([wechat_message()])
        assert (answer.outcome, answer.down, tencent.messages.seen) == ("retry", True, [])
        assert "40125" in (answer.reason or "") and "secret@" not in (answer.reason or "")


class TestWecom:
    PATHS = ("/cgi-bin/gettoken", "/cgi-bin/message/send")

    def test_a_text_and_a_card(self, httpserver: HTTPServer, tmp_path: Path) -> None:
        tencent = Tencent(httpserver, *self.PATHS)
        channel = made(httpserver, "wecom://ww1:secret@?agent=1000002&", tmp_path)
        channel.send([wechat_message("早上好", to="ana.li")])
        channel.send([wechat_message("早上好", "您的订单", "ana.li", url="https://example.com")])
        [asked] = tencent.tokens.seen
        assert (asked.args["corpid"], asked.args["corpsecret"]) == ("ww1", "secret")
        assert tencent.messages.bodies == [
            {"touser": "ana.li", "agentid": 1000002, "msgtype": "text", "text": {"content": "早上好"}},
            {
                "touser": "ana.li", "agentid": 1000002, "msgtype": "textcard",
                "textcard": {"title": "您的订单", "description": "早上好", "url": "https://example.com"},
            },
        ]  # fmt: skip

    def test_a_member_who_is_none(self, httpserver: HTTPServer, tmp_path: Path) -> None:
        tencent = Tencent(httpserver, *self.PATHS)
        tencent.messages.answers = [(200, {"errcode": 0, "errmsg": "ok", "invaliduser": "ana.li", "msgid": "x"})]
        channel = made(httpserver, "wecom://ww1:secret@?agent=1&", tmp_path)
        assert channel.send([wechat_message(to="ana.li")])[0].outcome == "rejected"

    @pytest.mark.parametrize("to", ["@all", "@ALL", "a|b", "", "a b", "部门"])
    def test_never_to_more_than_one(self, httpserver: HTTPServer, tmp_path: Path, to: str) -> None:
        tencent = Tencent(httpserver, *self.PATHS)
        channel = made(httpserver, "wecom://ww1:secret@?agent=1&", tmp_path)
        assert channel.send([wechat_message(to=to)])[0].outcome == "rejected"
        assert tencent.messages.seen == []


class _To:
    """The contract's messages, addressed as this provider's are. It keeps no list of ids."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.idempotent, self.width, self.rate = channel.idempotent, channel.width, channel.rate

    def send(self, messages: Sequence[Outgoing]) -> Sequence[Answer]:
        usual = [message._replace(to=OPENID) if message.to == "+351912345678" else message for message in messages]
        return self._channel.send(usual)

    def close(self) -> None:
        self._channel.close()


class TestWechatContract(ChannelContract):
    @pytest.fixture
    def adapter(self, httpserver: HTTPServer, tmp_path: Path) -> Adapter:
        Tencent(httpserver, "/cgi-bin/stable_token", "/cgi-bin/message/custom/send")
        return Adapter(_To(made(httpserver, "wechat://wxapp:secret@?", tmp_path)), "wechat", hostile=False)


class TestWecomContract(ChannelContract):
    @pytest.fixture
    def adapter(self, httpserver: HTTPServer, tmp_path: Path) -> Adapter:
        Tencent(httpserver, *TestWecom.PATHS)
        return Adapter(_To(made(httpserver, "wecom://ww1:secret@?agent=1&", tmp_path)), "wechat", hostile=False)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("whatsapp://1065403", "lacks token"),
        ("whatsapp://:t@host", "the id of the phone number"),
        ("whatsapp://:t@1?version=latest", "version=latest is none"),
        ("whatsapp://:t@1?verfy=x", "did you mean 'verify'"),
        ("wechat://wxapp@", "lacks secret"),
        ("wechat://wxapp:secret@?kind=minii", "one of"),
        ("wecom://ww1:secret@", "the agent's number"),
        ("wecom://ww1:secret@?agent=x", "the agent's number"),
        ("wecom://ww1:secret@?agent=1&base=ftp://x", "expected https"),
    ],
)
def test_what_is_missing_is_said(tmp_path: Path, url: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as told:
        channel_of(url, base_dir=tmp_path)
    assert "secret@" not in str(told.value)


def test_a_channel_knows_its_base() -> None:
    assert WhatsappChannel(ProviderWire(1), "t", "1").request(whatsapp_message()).url == (
        "https://graph.facebook.com/v23.0/1/messages"
    )
