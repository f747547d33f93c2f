"""Notices to staff in the group chats of Slack, Microsoft Teams, Feishu and DingTalk, by their incoming webhooks.

    slack:https://hooks.slack.com/services/T000/B000/XXXX
    teams:https://prod-1.westeurope.logic.azure.com/workflows/...     (a workflow "when a webhook request is received")
    feishu:https://open.feishu.cn/open-apis/bot/v2/hook/xxxx?secret=SIGNING_SECRET
    dingtalk:https://oapi.dingtalk.com/robot/send?access_token=xxxx&secret=SECxxxx

`secret` is ours: it signs and is never sent. A setting holds several of them with blanks between; with `name=` in front
one can be named (`care=slack:https://...`). Calls go under the rules of net_rules.py, and are signed by no other key.

Sources: Slack "Sending messages using incoming webhooks"; Microsoft "Post adaptive cards to a Teams channel";
Feishu "Custom bot usage guide" (the signature is an HMAC-SHA256 of nothing under the key `timestamp\\nsecret`);
DingTalk "Custom robot security settings" (of `timestamp\\nsecret` under the secret; milliseconds).
"""

from __future__ import annotations

import hmac
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from orchestrator.channels.protocol import Caller
from orchestrator.core.expression.nearest import did_you_mean
from orchestrator.core.ledger import Request
from orchestrator.errors import UsageError

KINDS: Final = ("slack", "teams", "feishu", "dingtalk")
LONGEST_CALL: Final = timedelta(seconds=10)
LONGEST_TEXT: Final = 3_500
"""Characters of a notice: every one of them takes so many."""
_NAMED: Final = re.compile(r"(?:(?P<name>[A-Za-z0-9_-]{1,40})=)?(?P<kind>[A-Za-z]+):(?P<url>.+)", re.DOTALL)
_SIGNED: Final = frozenset({"feishu", "dingtalk"})


class ChatPlace(NamedTuple):
    """A chat. `name`: how project.yaml names it; None: it has no name. `url` without the secret."""

    name: str | None
    kind: str
    url: str
    secret: str | None = None

    @property
    def shown(self) -> str:
        """Tells it from the others and shows no key: the URL is one."""
        return f"{self.kind}:{urlsplit(self.url).hostname}:{blake2b(self.url.encode()).hexdigest()[:8]}"


def chat_places(setting: str | None, variable: str) -> tuple[ChatPlace, ...]:
    """The chats of a setting. Raises UsageError that names what cannot be read, and shows no URL."""
    found = tuple(_place(word, number, variable) for number, word in enumerate((setting or "").split(), 1))
    names = [place.name for place in found if place.name is not None]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"{variable} names '{name}' twice; give each chat a name of its own", "bad_setting")
    return found


def _place(word: str, number: int, variable: str) -> ChatPlace:
    which = f"the {number}. chat of {variable}"
    parts = _NAMED.fullmatch(word)
    kind = parts["kind"].lower() if parts is not None else ""
    if parts is None or kind not in KINDS:
        hint = did_you_mean(kind, KINDS) if kind else None
        begin = f"begins with '{kind[:20]}:'" if kind else "cannot be read"
        raise UsageError(
            f"{which} {begin}; {hint or 'write slack:, teams:, feishu: or dingtalk: and its URL'}", "bad_setting"
        )
    try:
        url = urlsplit(parts["url"])
        usable = url.scheme in ("http", "https") and bool(url.hostname)
        _ = url.port
    except ValueError:
        usable = False
    if not usable or not parts["url"].isascii() or not parts["url"].isprintable():
        raise UsageError(f"{which} has no URL behind '{kind}:'; such as {kind}:https://example.com/hook", "bad_setting")
    if kind not in _SIGNED:
        return ChatPlace(parts["name"], kind, parts["url"])
    given = parse_qsl(url.query, keep_blank_values=True)
    secret = next((value for name, value in given if name == "secret"), None)
    kept = urlencode([(name, value) for name, value in given if name != "secret"])
    return ChatPlace(parts["name"], kind, url._replace(query=kept).geturl(), secret or None)


def plain(text: str) -> str:
    """A text of ours or of a customer that mentions nobody and hides no control character in a chat."""
    kept = "".join(c if c.isprintable() or c == "\n" else " " for c in text)
    return kept if len(kept) <= LONGEST_TEXT else kept[: LONGEST_TEXT - 1] + "…"


def request_of(place: ChatPlace, text: str, at: datetime) -> tuple[str, Mapping[str, Any]]:
    """(URL, body) of one notice. `at` is the real instant."""
    said = plain(text)
    match place.kind:
        case "slack":  # these three are all that Slack reads as its own
            escaped = said.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
            return place.url, {"text": escaped, "link_names": False, "unfurl_links": False}
        case "teams":
            return place.url, _card(said)
        case "feishu":
            body: dict[str, Any] = {"msg_type": "text", "content": {"text": said.replace("<", "＜").replace(">", "＞")}}
            if place.secret is not None:
                seconds = str(int(at.timestamp()))
                body = {"timestamp": seconds, "sign": feishu_signature(place.secret, seconds), **body}
            return place.url, body
        case _:
            return _dingtalk_url(place, at), {"msgtype": "text", "text": {"content": said}, "at": {"isAtAll": False}}


def feishu_signature(secret: str, seconds: str) -> str:
    """Of nothing, under the time and the secret."""
    return b64encode(hmac.digest(f"{seconds}\n{secret}".encode(), b"", "sha256")).decode("ascii")


def dingtalk_signature(secret: str, milliseconds: str) -> str:
    """Of the time and the secret, under the secret."""
    return b64encode(hmac.digest(secret.encode(), f"{milliseconds}\n{secret}".encode(), "sha256")).decode("ascii")


def _dingtalk_url(place: ChatPlace, at: datetime) -> str:
    if place.secret is None:
        return place.url
    milliseconds = str(int(at.timestamp() * 1000))
    sign = quote(dingtalk_signature(place.secret, milliseconds), safe="")
    joint = "&" if urlsplit(place.url).query else "?"
    return f"{place.url}{joint}timestamp={milliseconds}&sign={sign}"


def _card(text: str) -> Mapping[str, Any]:
    """An adaptive card with the text as runs, in which no Markdown is read."""
    lines = [
        {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": line}]} for line in text.split("\n") if line
    ]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": lines,
    }
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "contentUrl": None, "content": card}]}


def refusal_of(place: ChatPlace, status: int | None, body: Any, error: str | None) -> str | None:
    """Why a notice was not taken; None: it was. Feishu and DingTalk say so inside an answer of 200."""
    if status is None:
        return error or "no answer came"
    if not 200 <= status < 300:
        return f"the answer was {status}"
    code = None
    if isinstance(body, Mapping):
        code = next((body[name] for name in ("code", "errcode", "StatusCode") if name in body), None)
    if place.kind in _SIGNED and code not in (None, 0):
        words = str(body.get("msg") or body.get("errmsg") or "")[:120]
        return f"it answered with the code {code}" + (f": {plain(words)}" if words else "")
    return None


class ChatNotices:
    """Writes to one chat. What goes wrong is a value, never an exception."""

    def __init__(
        self, caller: Caller, place: ChatPlace, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._caller = caller
        self._clock = clock
        self.place = place

    def write(self, id: str, text: str) -> str | None:
        """One notice. None: it was taken; else why not."""
        at = self._clock()
        url, body = request_of(self.place, text, at)
        call = Request(id, "", "", "notice", 1, "webhook", "POST", url, {}, body, LONGEST_CALL, None, at)
        try:
            return refusal_of(self.place, *self._caller.call(call))
        except Exception as error:  # a caller's own bug keeps nobody from being told another way
            return f"{type(error).__name__}: {error}"
