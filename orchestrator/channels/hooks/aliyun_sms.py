"""What Alibaba Cloud SMS posts: delivery reports (SmsReport) and replies (SmsUp), as lists. It signs nothing: the
address that it is given holds a token, https://journeys.example.com/hooks/aliyunsms?token=..."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any, Final
from urllib.parse import SplitResult

from orchestrator.channels.hooks.protocol import Hook, Told, ToldKind
from orchestrator.channels.hooks.reading import (
    ClosedHook,
    TokenHook,
    event_id,
    secrets_of,
    text_in,
    within,
)
from orchestrator.channels.hooks.sms_reading import chinese_failure, number_of, said
from orchestrator.channels.message_mark import id_of
from orchestrator.channels.options import ChannelOptions

PROVIDER: Final = "aliyunsms"
_TAKEN: Final = '{"code":0,"msg":"成功"}'.encode()
_JSON: Final = "application/json; charset=utf-8"
BEIJING: Final = timezone(timedelta(hours=8))
"""In which its times are written."""


class AliyunSmsHook(TokenHook):
    """Reports and replies of one account."""

    provider = PROVIDER
    taken = _TAKEN
    taken_type = _JSON

    def told(self, event: Any) -> Told | None:
        """See TokenHook."""
        return _told(event)


def hook_of(parts: SplitResult, options: ChannelOptions) -> Hook:
    """The reader of an account's reports, by `?hook=` (the token)."""
    tokens = secrets_of(options.text("hook") or "")
    return AliyunSmsHook(tokens) if tokens else ClosedHook(PROVIDER, "TOKEN")


def beijing_time(event: Any, name: str) -> datetime | None:
    """An instant written as `2017-01-01 00:00:00` in Beijing's time; None: it is not."""
    text = text_in(event, name)
    try:
        at = datetime.strptime(text or "", "%Y-%m-%d %H:%M:%S").replace(tzinfo=BEIJING)
    except ValueError:
        return None
    return at if at.year > 1970 else None


def _told(event: Any) -> Told | None:
    address = number_of(text_in(event, "phone_number"), chinese=True)
    content = text_in(event, "content")
    if content is not None:
        if address is None:
            return None
        id = event_id("up", text_in(event, "sequence_id"), address, text_in(event, "send_time"), content)
        return Told("reply", "sms", id, address=address, at=beijing_time(event, "send_time"), text=content)
    biz_id, success = text_in(event, "biz_id"), within(event, "success")
    if biz_id is None or not isinstance(success, bool):
        return None
    code, words = text_in(event, "err_code"), text_in(event, "err_msg")
    kind: ToldKind = "delivered" if success else chinese_failure(code, words)
    return Told(
        kind,
        "sms",
        event_id("report", biz_id, address, kind),
        id_of(text_in(event, "out_id")),
        address,
        beijing_time(event, "report_time"),
        reason=None if success else said(event, "err_code", "err_msg"),
    )
