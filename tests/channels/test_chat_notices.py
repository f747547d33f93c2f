"""Notices in group chats: what is sent, how it is signed, and what an answer means."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pytest_httpserver import HTTPServer

from orchestrator.channels.chat_notices import (
    ChatNotices,
    chat_places,
    dingtalk_signature,
    feishu_signature,
    request_of,
)
from orchestrator.channels.http_caller import HttpCaller
from orchestrator.errors import UsageError

AT = datetime(2026, 3, 2, 10, tzinfo=UTC)
SECONDS = int(AT.timestamp())
HOSTILE = 'Ana <!channel> & <at user_id="all">all</at> [x](https://evil.example) \x07\nsecond line'


def written(setting: str, text: str = "Hello") -> tuple[str, Any]:
    [place] = chat_places(setting, "X")
    return request_of(place, text, AT)


# --- what is sent -----------------------------------------------------------------------------------------------------


def test_slack() -> None:
    url, body = written("slack:https://hooks.slack.com/services/T/B/X", HOSTILE)
    assert url == "https://hooks.slack.com/services/T/B/X"
    assert body["text"].startswith("Ana &lt;!channel&gt; &amp; &lt;at user_id=")
    assert "\x07" not in body["text"] and "<" not in body["text"]


def test_teams() -> None:
    _, body = written("teams:https://example.com/workflows/x?sig=abc", HOSTILE)
    assert body["type"] == "message"
    [attachment] = body["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert card["type"] == "AdaptiveCard" and card["version"] == "1.4"
    runs = [run for block in card["body"] for run in block["inlines"]]
    assert {run["type"] for run in runs} == {"TextRun"}, "in which no Markdown is read"
    assert runs[1]["text"] == "second line"


def test_feishu() -> None:
    url, body = written("feishu:https://open.feishu.cn/open-apis/bot/v2/hook/abc?secret=demo", HOSTILE)
    assert url == "https://open.feishu.cn/open-apis/bot/v2/hook/abc", "the secret stays here"
    assert body["msg_type"] == "text" and "<at" not in body["content"]["text"]
    assert body["timestamp"] == str(SECONDS)
    # As its guide says: the key is the time and the secret, and nothing is signed by it.
    key = f"{SECONDS}\ndemo".encode()
    assert body["sign"] == base64.b64encode(hmac.new(key, digestmod=hashlib.sha256).digest()).decode()
    _, unsigned = written("feishu:https://open.feishu.cn/open-apis/bot/v2/hook/abc")
    assert set(unsigned) == {"msg_type", "content"}


def test_dingtalk() -> None:
    url, body = written("dingtalk:https://oapi.dingtalk.com/robot/send?access_token=abc&secret=SEC1")
    query = parse_qs(urlsplit(url).query)
    assert query["access_token"] == ["abc"] and query["timestamp"] == [str(SECONDS * 1000)] and "secret" not in query
    signed = hmac.new(b"SEC1", f"{SECONDS * 1000}\nSEC1".encode(), hashlib.sha256).digest()
    assert query["sign"] == [base64.b64encode(signed).decode()]
    assert body == {"msgtype": "text", "text": {"content": "Hello"}, "at": {"isAtAll": False}}


def test_vectors() -> None:
    """Worked out with another HMAC: `printf '' | openssl dgst -sha256 -hmac $'1599360473\\ndemo' -binary | base64`, and
    `printf '1577262236757\\nSECtest' | openssl dgst -sha256 -hmac SECtest -binary | base64`."""
    assert feishu_signature("demo", "1599360473") == FEISHU
    assert dingtalk_signature("SECtest", "1577262236757") == DINGTALK


FEISHU = "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8="
DINGTALK = "Za/ne6w2koB8B4ROVlgTNd/X+/FbyDpZrXLz57xNZSA="


# --- what an answer means ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "status", "answer", "refused"),
    [
        ("slack", 200, "ok", None),
        ("slack", 403, "invalid_token", "403"),
        ("teams", 202, "", None),
        ("teams", 429, "", "429"),
        ("feishu", 200, {"code": 0, "msg": "success", "data": {}}, None),
        ("feishu", 200, {"StatusCode": 0, "StatusMessage": "success"}, None),
        ("feishu", 200, {"code": 19021, "msg": "sign match fail or timestamp is not within one hour"}, "19021"),
        ("dingtalk", 200, {"errcode": 0, "errmsg": "ok"}, None),
        ("dingtalk", 200, {"errcode": 310000, "errmsg": "sign not match"}, "310000: sign not match"),
    ],
)
def test_answers(httpserver: HTTPServer, kind: str, status: int, answer: Any, refused: str | None) -> None:
    if isinstance(answer, dict):
        httpserver.expect_request("/hook", method="POST").respond_with_json(answer, status=status)
    else:
        httpserver.expect_request("/hook", method="POST").respond_with_data(answer, status=status)
    [place] = chat_places(f"{kind}:{httpserver.url_for('/hook')}?secret=s", "X")
    said = ChatNotices(HttpCaller([f"127.0.0.1:{httpserver.port}"]), place, lambda: AT).write("n1", "Hello")
    assert said is None if refused is None else refused in (said or "")
    [(request, _)] = httpserver.log
    assert request.content_type == "application/json" and json.loads(request.data)
    assert "webhook-signature" not in request.headers


def test_private_addresses_are_not_called(httpserver: HTTPServer) -> None:
    [place] = chat_places(f"slack:{httpserver.url_for('/hook')}", "X")
    assert "refused" in (ChatNotices(HttpCaller(), place).write("n1", "Hello") or "")
    assert not httpserver.log


# --- settings ---------------------------------------------------------------------------------------------------------


def test_several_with_names() -> None:
    setting = "care=slack:https://a.example/x  lead=feishu:https://b.example/y?secret=s"
    care, lead = chat_places(setting, "X")
    assert (care.name, care.kind, lead.name, lead.secret) == ("care", "slack", "lead", "s")
    assert care.shown.startswith("slack:a.example:") and "/x" not in care.shown
    assert chat_places(None, "X") == ()


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("https://hooks.slack.com/x", "slack:"),
        ("slak:https://a.example/secret", "did you mean 'slack'?"),
        ("slack:ftp://a.example/secret", "no URL"),
        ("slack:https://a.example:port/secret", "no URL"),
        ("a=slack:https://a.example/secret a=teams:https://b.example/", "'a' twice"),
        ("nonsense", "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_refused_and_not_shown(setting: str, words: str) -> None:
    with pytest.raises(UsageError) as refused:
        chat_places(setting, "ORCHESTRATOR_ALERT_CHAT")
    assert words in str(refused.value) and "secret" not in str(refused.value)
