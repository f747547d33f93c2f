"""Twilio SendGrid (API v3). It takes no key: a call that is repeated sends the message again."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from orchestrator.channels.message_mark import MARK
from orchestrator.channels.mime_headers import Mailbox
from orchestrator.channels.protocol import Answer, Attachment, Outgoing
from orchestrator.channels.providers.adapter import Call, by_status, reference_of
from orchestrator.channels.providers.email_parts import base64_of, email_parts
from orchestrator.channels.providers.json_mail import JsonMailChannel
from orchestrator.channels.providers.wire import ProviderWire, Reply


class SendGridChannel(JsonMailChannel):
    """Mail through one account of SendGrid. `tracking`: whether it may count opens and clicks in its own way."""

    provider = "SendGrid"
    SEND = "/v3/mail/send"
    LOOK = "/v3/scopes"

    def __init__(
        self,
        wire: ProviderWire,
        key: str,
        base: str,
        *,
        tracking: bool = False,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        **common: Any,
    ) -> None:
        super().__init__(wire, key, base, **common)
        self._tracking = tracking
        self._clock = clock

    def trouble(self, said: Any) -> tuple[str, str] | None:
        """Whether it may send."""
        scopes = said.get("scopes") if isinstance(said, dict) else None
        if not isinstance(scopes, list) or "mail.send" in scopes:
            return None
        return "its key may not send", "give it the right Mail Send"

    def request(self, message: Outgoing) -> Call:
        """See ProviderChannel."""
        parts = email_parts(message, self._default_sender)
        content = [("text/plain", parts.text), ("text/html", parts.html or "")]
        body: dict[str, object] = {
            "personalizations": [{"to": [{"email": parts.to}], "custom_args": {MARK: parts.mark}}],
            "from": _mailbox(parts.sender),
            "subject": parts.subject,
            # An empty part is refused; a message of nothing is a blank.
            "content": [{"type": kind, "value": value} for kind, value in content if value]
            or [{"type": "text/plain", "value": " "}],
            "headers": dict(parts.headers),
        }
        if parts.reply_to:
            body["reply_to_list"] = [_mailbox(box) for box in parts.reply_to]
        if parts.attachments:
            body["attachments"] = [_attached(file) for file in parts.attachments]
        if not self._tracking:
            body["tracking_settings"] = {
                "click_tracking": {"enable": False, "enable_text": False},
                "open_tracking": {"enable": False},
                "subscription_tracking": {"enable": False},
                "ganalytics": {"enable": False},
            }
        return Call("POST", self._url, self._headers, json.dumps(body).encode("ascii"))

    def answer(self, reply: Reply, message: Outgoing) -> Answer:
        """See ProviderChannel."""
        if 200 <= reply.status < 300:
            return Answer("accepted", reference=reference_of(reply.headers.get("x-message-id")))
        found = by_status(reply, self.provider, _said(reply))
        if reply.status == 429 and found.after is None:
            return found._replace(after=self._until_reset(reply))
        return found

    def _until_reset(self, reply: Reply) -> float | None:
        """Seconds until calls are taken again; it says so as an instant."""
        value = reply.headers.get("x-ratelimit-reset", "")
        if not (value.isascii() and value.isdigit() and len(value) <= 11):
            return None
        return min(max(1.0, int(value) - self._clock().timestamp()), 3600.0)


def _mailbox(box: Mailbox) -> dict[str, str]:
    return {"email": box.address, "name": box.name} if box.name else {"email": box.address}


def _attached(file: Attachment) -> dict[str, str]:
    found = {"filename": file.name, "type": file.media_type, "content": base64_of(file)}
    if file.content_id is None:
        return {**found, "disposition": "attachment"}
    return {**found, "disposition": "inline", "content_id": file.content_id}


def _said(reply: Reply) -> str | None:
    found = reply.json()
    errors = found.get("errors") if isinstance(found, dict) else None
    if not isinstance(errors, list):
        return None
    return "; ".join(
        f"{error.get('field') or ''} {error.get('message') or ''}".strip()
        for error in errors
        if isinstance(error, dict)
    )
