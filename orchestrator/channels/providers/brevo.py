"""Brevo (API v3).

Our id goes with each call as its key (`idempotencyKey`, a UUID), but Brevo forgets keys after a quarter of an hour: a
message that is tried again later is sent again. So the channel does not count as one with a key.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from uuid import UUID

from orchestrator.channels.message_mark import MARK
from orchestrator.channels.mime_headers import Mailbox
from orchestrator.channels.protocol import Answer, Attachment, Outgoing
from orchestrator.channels.providers.adapter import (
    Call,
    Refused,
    by_status,
    printable,
    reference_of,
)
from orchestrator.channels.providers.email_parts import base64_of, email_parts
from orchestrator.channels.providers.json_mail import JsonMailChannel
from orchestrator.channels.providers.wire import Reply


class BrevoChannel(JsonMailChannel):
    """Mail through one account of Brevo."""

    provider = "Brevo"
    SEND = "/v3/smtp/email"
    LOOK = "/v3/account"

    def proof(self, key: str) -> Mapping[str, str]:
        """See JsonMailChannel."""
        return {"api-key": key, "Accept": "application/json"}

    def request(self, message: Outgoing) -> Call:
        """See ProviderChannel."""
        parts = email_parts(message, self._default_sender)
        if len(parts.reply_to) > 1:
            raise Refused("Reply-To: Brevo takes one address")
        headers = {name: value for name, value in parts.headers if name.lower() != "message-id"}
        body: dict[str, object] = {
            "sender": _mailbox(parts.sender),
            "to": [{"email": parts.to}],
            "subject": parts.subject,
            "textContent": parts.text,
            "headers": {**headers, "X-Mailin-custom": f"{MARK}:{parts.mark}", "idempotencyKey": key_of(message.id)},
        }
        if parts.html is not None:
            body["htmlContent"] = parts.html
        if parts.reply_to:
            body["replyTo"] = _mailbox(parts.reply_to[0])
        if parts.attachments:
            body["attachment"] = _attached(parts.attachments)
        return Call("POST", self._url, self._headers, json.dumps(body).encode("ascii"))

    def answer(self, reply: Reply, message: Outgoing) -> Answer:
        """See ProviderChannel."""
        found = reply.json()
        body = found if isinstance(found, dict) else {}
        if 200 <= reply.status < 300:
            return Answer("accepted", reference=reference_of(body.get("messageId")))
        code, said = str(body.get("code") or ""), str(body.get("message") or "")
        if code == "duplicate_request":  # its key is known: the message was taken before
            return Answer("accepted")
        if code in ("not_enough_credits", "account_under_validation", "permission_denied", "unauthorized"):
            words = printable(f"{self.provider} answered {reply.status} {code}: {said}")
            return Answer("retry", words, after=reply.after, down=True)
        answer = by_status(reply, self.provider, f"{code}: {said}" if said else code)
        reset = reply.headers.get("x-sib-ratelimit-reset", "")
        if reply.status == 429 and answer.after is None and reset.isascii() and reset.isdigit() and len(reset) < 6:
            return answer._replace(after=max(1.0, float(reset)))
        return answer


def key_of(id: str) -> str:
    """The UUID that belongs to our id."""
    return str(UUID(bytes=blake2b(id.encode("utf-8", "surrogatepass"), digest_size=16).digest(), version=4))


def _mailbox(box: Mailbox) -> dict[str, str]:
    return {"email": box.address, "name": box.name} if box.name else {"email": box.address}


def _attached(files: Sequence[Attachment]) -> list[dict[str, str]]:
    for file in files:
        if file.content_id is not None:
            raise Refused(f"{file.name}: Brevo takes no pictures within a message (cid:); link to them by https:")
    return [{"name": file.name, "content": base64_of(file)} for file in files]
