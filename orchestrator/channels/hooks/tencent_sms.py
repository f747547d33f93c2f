"""What Tencent Cloud SMS posts: delivery reports, as a list, and replies. It signs nothing: the address that it is
given holds a token, https://journeys.example.com/hooks/tencentsms?token=...

A report brings our id back (`session_context`) only where its support switched that on; else it is known by its number.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import SplitResult

from orchestrator.channels.hooks.aliyun_sms import beijing_time
from orchestrator.channels.hooks.protocol import Hook, Told, ToldKind
from orchestrator.channels.hooks.reading import (
    ClosedHook,
    TokenHook,
    event_id,
    instant_in,
    secrets_of,
    text_in,
)
from orchestrator.channels.hooks.sms_reading import chinese_failure, number_of, said
from orchestrator.channels.message_mark import id_of
from orchestrator.channels.options import ChannelOptions

PROVIDER: Final = "tencentsms"
_TAKEN: Final = b'{"result":0,"errmsg":"OK"}'
_JSON: Final = "application/json; charset=utf-8"


class TencentSmsHook(TokenHook):
    """Reports and replies of one application."""

    provider = PROVIDER
    taken = _TAKEN
    taken_type = _JSON

    def told(self, event: Any) -> Told | None:
        """See TokenHook."""
        return _told(event)


def hook_of(parts: SplitResult, options: ChannelOptions) -> Hook:
    """The reader of an application's reports, by `?hook=` (the token)."""
    tokens = secrets_of(options.text("hook") or "")
    return TencentSmsHook(tokens) if tokens else ClosedHook(PROVIDER, "TOKEN")


def _told(event: Any) -> Told | None:
    address = number_of(text_in(event, "mobile"), text_in(event, "nationcode"), chinese=True)
    text, status = text_in(event, "text"), text_in(event, "report_status")
    if status is None:
        if text is None or address is None:
            return None
        id = event_id("up", address, text_in(event, "time"), text)
        return Told("reply", "sms", id, address=address, at=instant_in(event, "time"), text=text)
    sid = text_in(event, "sid")
    if sid is None or status not in ("SUCCESS", "FAIL"):
        return None
    code, words = text_in(event, "errmsg"), text_in(event, "description")
    kind: ToldKind = "delivered" if status == "SUCCESS" else chinese_failure(code, words)
    mark = text_in(event, "session_context") or text_in(event, "SessionContext")
    return Told(
        kind,
        "sms",
        event_id("report", sid, address, kind),
        id_of(mark),
        address,
        beijing_time(event, "user_receive_time"),
        reason=None if kind == "delivered" else said(event, "errmsg", "description"),
    )
