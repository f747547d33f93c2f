"""Resend. Our id is the key (`Idempotency-Key`), which it knows for 24 hours: as long as a message is tried."""

from __future__ import annotations

import json

from orchestrator.channels.message_mark import MARK
from orchestrator.channels.protocol import Answer, Attachment, Outgoing
from orchestrator.channels.providers.adapter import Call, by_status, printable, reference_of
from orchestrator.channels.providers.email_parts import base64_of, email_parts, written
from orchestrator.channels.providers.json_mail import JsonMailChannel
from orchestrator.channels.providers.wire import Reply


class ResendChannel(JsonMailChannel):
    """Mail through one account of Resend."""

    provider = "Resend"
    idempotent = True
    SEND = "/emails"
    LOOK = "/domains"

    def request(self, message: Outgoing) -> Call:
        """See ProviderChannel."""
        parts = email_parts(message, self._default_sender)
        body: dict[str, object] = {
            "from": written(parts.sender),
            "to": [parts.to],
            "subject": parts.subject,
            "text": parts.text,
            # It writes the Message-ID itself.
            "headers": {name: value for name, value in parts.headers if name.lower() != "message-id"},
            "tags": [{"name": MARK, "value": parts.mark}],
        }
        if parts.html is not None:
            body["html"] = parts.html
        if parts.reply_to:
            body["reply_to"] = [written(box) for box in parts.reply_to]
        if parts.attachments:
            body["attachments"] = [_attached(file) for file in parts.attachments]
        headers = {**self._headers, "Idempotency-Key": parts.mark}
        return Call("POST", self._url, headers, json.dumps(body).encode("ascii"))

    def answer(self, reply: Reply, message: Outgoing) -> Answer:
        """See ProviderChannel."""
        found = reply.json()
        body = found if isinstance(found, dict) else {}
        if 200 <= reply.status < 300:
            return Answer("accepted", reference=reference_of(body.get("id")))
        name, said = str(body.get("name") or ""), str(body.get("message") or "")
        words = printable(f"{self.provider} answered {reply.status} {name}: {said}")
        if name == "invalid_idempotent_request":
            # The key is known from another text of the same message: it has been taken before.
            return Answer("accepted")
        if name == "concurrent_idempotent_requests":
            return Answer("retry", words, after=reply.after or 2.0)
        if reply.status == 451:
            return Answer("retry", words, after=reply.after)  # held back by its own checks of safety
        return by_status(reply, self.provider, f"{name}: {said}" if said else name)


def _attached(file: Attachment) -> dict[str, str]:
    found = {"filename": file.name, "content_type": file.media_type, "content": base64_of(file)}
    return found if file.content_id is None else {**found, "content_id": file.content_id}
