"""What Amazon SES says through Amazon SNS: events of a configuration set, or notifications of an identity."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote

from orchestrator.channels.hooks.protocol import Heard, HookRefused, Posted, Told, ToldKind
from orchestrator.channels.hooks.reading import address_in, event_id, instant_in, json_of, text_in, within
from orchestrator.channels.hooks.sns import Fetch, SnsReader, confirmation_url
from orchestrator.channels.message_mark import MARK, id_of
from orchestrator.channels.mime import ID_HEADER
from orchestrator.channels.providers.wire import Lost, NotSent, ProviderWire
from orchestrator.core.verp import unmarked_id

_KINDS: Final[Mapping[str, tuple[ToldKind, str]]] = {
    "Send": ("sent", "send"),
    "Delivery": ("delivered", "delivery"),
    "Bounce": ("bounce", "bounce"),
    "Complaint": ("complaint", "complaint"),
    "Open": ("open", "open"),
    "Click": ("click", "click"),
    "Reject": ("failed", "reject"),
    "Rendering Failure": ("failed", "failure"),
    "Subscription": ("unsubscribe", "subscription"),
}
"""What each event means, and the name of what it says about it. Others (a delay) are of no consequence."""
_RECIPIENTS: Final = {"Bounce": "bouncedRecipients", "Complaint": "complainedRecipients"}


def fetched(url: str) -> bytes:
    """A certificate, whose URL was checked. Raises OSError."""
    wire = ProviderWire(1, 5.0)
    try:
        reply = wire.call("GET", url, {})
    except (Lost, NotSent) as error:
        raise OSError(str(error)) from None
    finally:
        wire.close()
    if reply.status != 200:
        raise OSError(f"status {reply.status}")
    return reply.body


class SesHook:
    """Events of Amazon SES. `topics`: the ARNs of the SNS topics that they come through."""

    provider = "ses"

    def __init__(self, topics: Sequence[str], fetch: Fetch = fetched) -> None:
        self._sns = SnsReader(topics, fetch)

    def read(self, posted: Posted) -> Heard:
        """See Hook."""
        message = self._sns.read(posted)
        if message["Type"] == "SubscriptionConfirmation":
            url = confirmation_url(text_in(message, "SubscribeURL"), message["TopicArn"])
            if url is None:
                raise HookRefused(403, "the URL that would confirm its subscription is not of Amazon SNS")
            return Heard(visit=url)
        if message["Type"] != "Notification":
            return Heard()
        try:
            event = json_of(message["Message"].encode())
        except HookRefused:
            return Heard()  # "Successfully validated SNS topic for Amazon SES event publishing."
        return Heard(tuple(_told(event, str(text_in(message, "MessageId")))))


def _told(event: Any, sns_id: str) -> Iterator[Told]:
    name = text_in(event, "eventType") or text_in(event, "notificationType") or ""
    if name not in _KINDS:
        return
    kind, part = _KINDS[name]
    detail = within(event, part)
    reason = None
    if name == "Bounce":
        kind = "bounce" if within(detail, "bounceType") == "Permanent" else "soft_bounce"
    elif name == "Complaint":
        reason = text_in(detail, "complaintFeedbackType") or text_in(detail, "complaintSubType")
        if reason == "not-spam":
            return
    elif name == "Subscription" and within(detail, "newTopicPreferences", "unsubscribeAll") is not True:
        return
    elif name in ("Reject", "Rendering Failure"):
        reason = text_in(detail, "reason") or text_in(detail, "errorMessage")
    at = instant_in(detail, "timestamp") or instant_in(event, "mail", "timestamp")
    recipients = within(detail, _RECIPIENTS.get(name, "")) or [None]
    for number, recipient in enumerate(recipients[:100] if isinstance(recipients, list) else [None]):
        told_of = address_in(recipient, "emailAddress") or address_in(event, "mail", "destination", 0)
        yield Told(
            kind,
            "email",
            event_id(sns_id, number),
            _our_id(event),
            told_of,
            at,
            url=text_in(detail, "link") if kind == "click" else None,
            reason=reason or _why(detail, recipient) if name != "Click" else None,
        )


def _why(detail: Any, recipient: Any) -> str | None:
    words = [text_in(detail, "bounceSubType"), text_in(recipient, "diagnosticCode") or text_in(recipient, "status")]
    return "; ".join(word for word in words if word) or None


def _our_id(event: Any) -> str | None:
    """Our id: from the tag where the events are of a configuration set, else from the header that we wrote."""
    found = id_of(text_in(event, "mail", "tags", MARK, 0))
    if found is not None:
        return found
    headers = within(event, "mail", "headers")
    for header in headers[:200] if isinstance(headers, list) else ():
        if (text_in(header, "name") or "").lower() == ID_HEADER.lower():
            value = text_in(header, "value")
            return None if value is None else unmarked_id(unquote(value, errors="ignore")) or None
    return None
