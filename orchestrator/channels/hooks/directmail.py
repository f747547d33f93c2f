"""What Alibaba Cloud DirectMail says, as EventBridge or a topic of MNS pushes it: CloudEvents as JSON.

The rule's target shows a token. (EventBridge also signs with RSA; the token stands in for that, and works for both.)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from orchestrator.channels.hooks.protocol import HookRefused, Told, ToldKind
from orchestrator.channels.hooks.reading import (
    TokenHook,
    address_in,
    event_id,
    instant_in,
    json_of,
    text_in,
    within,
)
from orchestrator.channels.message_mark import id_of

MARK_HEADER: Final = "x-user-notify-message"
_KINDS: Final[Mapping[str, ToldKind]] = {
    "dm:Deliver:Succeed": "delivered",
    "dm:Deliver:Fail": "soft_bounce",
    "dm:Feedback:FblReport": "complaint",
    "dm:Feedback:UnSubscribe": "unsubscribe",
    "dm:Trace:Open": "open",
    "dm:Trace:Click": "click",
}
_FAILED: Final[Mapping[str, ToldKind]] = {
    "SmtpNxBox": "bounce",
    "SysOutInvRcpt": "bounce",
    "SysIncomingInvRcpt": "bounce",
    "SysOutRcptOnAccountLevelBounceList": "bounce",
    "SysOutRecipientReportedSpam": "complaint",
    "SysOutRecipientUnsubscribed": "unsubscribe",
}
"""Why it failed; all other reasons are soft bounces."""


class DirectMailHook(TokenHook):
    """Events of DirectMail, whose rule names a target that shows the token."""

    provider = "directmail"

    def told(self, event: Any) -> Told | None:
        """See TokenHook."""
        return _told(_unwrapped(event))


def _unwrapped(event: Mapping[str, Any]) -> Any:
    """The event itself; a topic of MNS may put it into a message of its own."""
    inner = event.get("Message")
    if "type" in event or not isinstance(inner, str):
        return event
    try:
        return json_of(inner.encode("utf-8", "replace"))
    except HookRefused:
        return None


def _told(event: Any) -> Told | None:
    name = text_in(event, "type") or ""
    kind = _KINDS.get(name)
    if kind is None:
        return None
    data = within(event, "data")
    why = text_in(data, "failed_type")
    if kind == "soft_bounce":
        kind = _FAILED.get(why or "", "soft_bounce")
    address = address_in(data, "rcpt") or address_in(data, "block_email")
    given = text_in(event, "id")
    link = text_in(data, "url") or text_in(data, "link")
    return Told(
        kind,
        "email",
        event_id(given) if given else event_id(name, text_in(data, "env_id"), address, text_in(event, "time"), link),
        id_of(_mark(within(data, "header"))),
        address,
        instant_in(event, "time"),
        url=link if kind == "click" else None,
        reason="; ".join(word for word in (why, text_in(data, "err_msg")) if word) or None,
    )


def _mark(headers: Any) -> str | None:
    """The mark among the headers, whose names come in any case."""
    for name in list(headers)[:50] if isinstance(headers, dict) else ():
        if name.lower() == MARK_HEADER:
            return text_in(headers, name)
    return None
