"""Mailgun (API v3): the message goes as the bytes that SMTP would carry, so that each of its headers arrives.

It takes no key: a call that is repeated sends the message again.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import blake2b
from typing import Any
from urllib.parse import quote

from orchestrator.channels.message_mark import MARK, mark_of
from orchestrator.channels.protocol import Answer, Outgoing
from orchestrator.channels.providers.adapter import (
    WIDTH,
    Call,
    ProviderChannel,
    Refused,
    by_status,
    printable,
    reference_of,
)
from orchestrator.channels.providers.email_parts import mime_of
from orchestrator.channels.providers.wire import ProviderWire, Reply


class MailgunChannel(ProviderChannel):
    """Mail through one domain of Mailgun. `tracking`: whether it may count opens and clicks in its own way."""

    provider = "Mailgun"

    def __init__(
        self,
        wire: ProviderWire,
        key: str,
        domain: str,
        base: str,
        *,
        default_sender: str | None = None,
        tracking: bool = False,
        width: int = WIDTH,
        rate: float | None = None,
    ) -> None:
        super().__init__(wire, width, rate)
        self._authorization = f"Basic {b64encode(f'api:{key}'.encode()).decode('ascii')}"
        self._base, self._domain = base, quote(domain, safe="")
        self._url = f"{base}/v3/{self._domain}/messages.mime"
        self._default_sender = default_sender
        self._tracking = tracking

    def look(self) -> Call:
        """The domain, as it knows it."""
        return Call("GET", f"{self._base}/v3/domains/{self._domain}", {"Authorization": self._authorization})

    def trouble(self, said: Any) -> tuple[str, str] | None:
        """Whether the domain may send."""
        domain = said.get("domain") if isinstance(said, dict) else None
        state = domain.get("state") if isinstance(domain, dict) else None
        if not isinstance(state, str) or state == "active":
            return None
        return f"its domain is {printable(state)}", "verify the domain in Mailgun's console"

    def request(self, message: Outgoing) -> Call:
        """See ProviderChannel."""
        mail = mime_of(message, self._default_sender)
        fields = {"to": mail.to, f"v:{MARK}": mark_of(message.id)}
        if not self._tracking:
            fields["o:tracking"] = "no"
        boundary = f"orchestrator-{blake2b(mail.data).hexdigest()[:40]}"  # no message holds its own digest
        body = b"".join(
            [
                *(_field(boundary, name, value) for name, value in fields.items()),
                f'--{boundary}\r\nContent-Disposition: form-data; name="message"; filename="message.eml"\r\n'
                "Content-Type: message/rfc822\r\n\r\n".encode("ascii"),
                mail.data,
                f"\r\n--{boundary}--\r\n".encode("ascii"),
            ]
        )
        headers = {"Authorization": self._authorization, "Content-Type": f"multipart/form-data; boundary={boundary}"}
        return Call("POST", self._url, headers, body)

    def answer(self, reply: Reply, message: Outgoing) -> Answer:
        """See ProviderChannel."""
        found = reply.json()
        body = found if isinstance(found, dict) else {}
        if 200 <= reply.status < 300:
            return Answer("accepted", reference=reference_of(body.get("id")))
        said = str(body.get("message") or "")
        if reply.status == 420 or (reply.status == 400 and "limit" in said.lower() and "exceed" in said.lower()):
            words = printable(f"{self.provider} answered {reply.status}: {said}")
            return Answer("retry", words, after=reply.after, down=True)
        return by_status(reply, self.provider, said)


def _field(boundary: str, name: str, value: str) -> bytes:
    if any(character in value for character in "\r\n"):
        raise Refused(f"{name} cannot hold line breaks")
    return f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
