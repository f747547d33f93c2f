"""Postmark. It takes no key: a call that is repeated sends the message again."""

from __future__ import annotations

import json
from typing import Final

from orchestrator.channels.protocol import Answer, Attachment, Outgoing
from orchestrator.channels.providers.adapter import WIDTH, Call, ProviderChannel, by_status, printable, reference_of
from orchestrator.channels.providers.email_parts import base64_of, email_parts, written
from orchestrator.channels.providers.wire import ProviderWire, Reply

FIELD: Final = "orchestrator"
"""Names of metadata have 20 characters at most."""
LONGEST_VALUE: Final = 80
"""Characters of a value of its metadata; a longer mark is cut into several."""
INACTIVE: Final = 406
ACCOUNT: Final = frozenset((10, 100, 400, 401, 405, 412, 413, 1235))
"""Codes that the next message would meet, too: a wrong token, a sender that is not confirmed, no credit, no approval, a
stream that is not there."""


class PostmarkChannel(ProviderChannel):
    """Mail through one server of Postmark. `stream` takes transactional and service mail, `bulk` promotional mail."""

    provider = "Postmark"

    def __init__(
        self,
        wire: ProviderWire,
        token: str,
        base: str,
        *,
        default_sender: str | None = None,
        stream: str | None = None,
        bulk: str | None = None,
        tracking: bool = False,
        width: int = WIDTH,
        rate: float | None = None,
    ) -> None:
        super().__init__(wire, width, rate)
        self._headers = {
            "X-Postmark-Server-Token": token,
            "Content-Type": "application/json",
            "Accept": "application/json",
        }
        self._base = base
        self._url = f"{base}/email"
        self._default_sender = default_sender
        self._stream = stream
        self._bulk = bulk
        self._tracking = tracking

    def look(self) -> Call:
        """The server that the token is of."""
        return Call("GET", f"{self._base}/server", self._headers)

    def request(self, message: Outgoing) -> Call:
        """See ProviderChannel."""
        parts = email_parts(message, self._default_sender)
        # Its own Message-ID stands in for ours unless it is told to keep that.
        headers = [*parts.headers, ("X-PM-KeepID", "true")]
        body: dict[str, object] = {
            "From": written(parts.sender),
            "To": parts.to,
            "Subject": parts.subject,
            "TextBody": parts.text,
            "Headers": [{"Name": name, "Value": value} for name, value in headers],
            "Metadata": metadata(parts.mark),
        }
        if parts.html is not None:
            body["HtmlBody"] = parts.html
        if parts.reply_to:
            body["ReplyTo"] = ", ".join(written(box) for box in parts.reply_to)
        if parts.attachments:
            body["Attachments"] = [_attached(file) for file in parts.attachments]
        if not self._tracking:
            body |= {"TrackOpens": False, "TrackLinks": "None"}
        stream = self._bulk if message.klass == "promotional" and self._bulk else self._stream
        if stream:
            body["MessageStream"] = stream
        return Call("POST", self._url, self._headers, json.dumps(body).encode("ascii"))

    def answer(self, reply: Reply, message: Outgoing) -> Answer:
        """See ProviderChannel."""
        found = reply.json()
        body = found if isinstance(found, dict) else {}
        code, said = body.get("ErrorCode"), str(body.get("Message") or "")
        code = code if code is None or isinstance(code, int) else -1
        if 200 <= reply.status < 300 and code in (0, None):
            return Answer("accepted", reference=reference_of(body.get("MessageID")))
        words = printable(f"{self.provider} answered {code}: {said}")
        if code == INACTIVE:
            return Answer("rejected", words, ("bounce",))
        if code in ACCOUNT:
            return Answer("retry", words, after=reply.after, down=True)
        if 200 <= reply.status < 300:
            return Answer("rejected", words)
        return by_status(reply, self.provider, f"{code}: {said}" if said else None)


def metadata(mark: str) -> dict[str, str]:
    """A mark as metadata: under its name, and what is over under names with a number."""
    pieces = [mark[place : place + LONGEST_VALUE] for place in range(0, len(mark), LONGEST_VALUE)]
    return {f"{FIELD}_{number}" if number else FIELD: piece for number, piece in enumerate(pieces)}


def _attached(file: Attachment) -> dict[str, str]:
    found = {"Name": file.name, "ContentType": file.media_type, "Content": base64_of(file)}
    return found if file.content_id is None else {**found, "ContentID": f"cid:{file.content_id}"}
