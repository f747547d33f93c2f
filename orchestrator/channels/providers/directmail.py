"""Alibaba Cloud DirectMail (SingleSendMail, 2015-11-23).

It takes ten headers of certain names, no attachments, and no key: a call that is repeated sends the message again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from orchestrator.channels.mime import ID_HEADER
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
from orchestrator.channels.providers.email_parts import EmailParts, email_parts
from orchestrator.channels.providers.signing_aliyun import AliyunAccess, signed_call
from orchestrator.channels.providers.wire import ProviderWire, Reply

VERSION: Final = "2015-11-23"
MARK_HEADER: Final = "X-User-Notify-Message"
"""Headers whose names begin so are told with each event."""
MOST_HEADERS: Final = 10
KEPT: Final = ("message-id", "list-unsubscribe", "list-unsubscribe-post")
BAD_ADDRESS: Final = ("InvalidToAddress", "InvalidReceiver", "InvalidToAddress.Malformed", "InvalidReceiverName")
OURS: Final = (
    "InvalidBody",
    "InvalidSubject",
    "InvalidFromAlias",
    "InvalidFromALias",
    "InvalidSendMail.Spam",
    "InvalidHeaders",
    "InvalidTagName",
    "InvalidReplyAddress",
)
"""Beginnings of codes that are about this message."""


class DirectMailChannel(ProviderChannel):
    """Mail through one region of Alibaba Cloud DirectMail. `tag`: a tag of its console, which it wants for tracking."""

    provider = "DirectMail"

    def __init__(
        self,
        wire: ProviderWire,
        access: AliyunAccess,
        base: str,
        *,
        default_sender: str | None = None,
        tag: str | None = None,
        tracking: bool = False,
        width: int = WIDTH,
        rate: float | None = None,
    ) -> None:
        super().__init__(wire, width, rate)
        self._access = access
        self._base = base
        self._default_sender = default_sender
        self._tag = tag
        self._tracking = tracking

    def look(self) -> Call:
        """The account and its quotas."""
        return signed_call(self._access, self._base, "DescAccountSummary", VERSION, {})

    def request(self, message: Outgoing) -> Call:
        """See ProviderChannel."""
        parts = email_parts(message, self._default_sender)
        if parts.attachments:
            raise Refused("DirectMail takes no attachments over its API; link to the files, or use its SMTP service")
        if len(parts.reply_to) > 1:
            raise Refused("Reply-To: DirectMail takes one address")
        headers = dict(_headers(parts))
        if len(headers) > MOST_HEADERS:
            raise Refused(f"it has {len(headers)} headers; DirectMail takes {MOST_HEADERS} and drops the others")
        params = {
            "AccountName": parts.sender.address,
            "AddressType": "1",
            "ReplyToAddress": "false",
            "ToAddress": parts.to,
            "Subject": parts.subject,
            "TextBody": parts.text,
            "Headers": json.dumps(headers),
            "ClickTrace": "1" if self._tracking else "0",
            "UnSubscribeLinkType": "disabled",
        }
        if parts.html is not None:
            params["HtmlBody"] = parts.html
        if parts.sender.name:
            params["FromAlias"] = parts.sender.name
        if parts.reply_to:
            params["ReplyAddress"] = parts.reply_to[0].address
            if parts.reply_to[0].name:
                params["ReplyAddressAlias"] = parts.reply_to[0].name
        if self._tag is not None:
            params["TagName"] = self._tag
        return signed_call(self._access, self._base, "SingleSendMail", VERSION, params)

    def answer(self, reply: Reply, message: Outgoing) -> Answer:
        """See ProviderChannel."""
        found = reply.json()
        body = found if isinstance(found, dict) else {}
        if 200 <= reply.status < 300 and "Code" not in body:
            return Answer("accepted", reference=reference_of(body.get("EnvId")))
        code, said = str(body.get("Code") or ""), str(body.get("Message") or "")
        words = printable(f"{self.provider} answered {reply.status} {code}: {said}")
        if code.startswith("Throttling"):
            return Answer("retry", words, after=reply.after, down=True)
        if reply.status < 500 and (code in BAD_ADDRESS or code.startswith(OURS)):
            return Answer("rejected", words)
        if code and reply.status < 500:
            # The access key, the sender's address, its domain, quotas, arrears: of our account, whatever the status.
            return Answer("retry", words, after=reply.after, down=True)
        return by_status(reply, self.provider, f"{code}: {said}" if code else None)


def _headers(parts: EmailParts) -> Iterator[tuple[str, str]]:
    """Those that it takes; others that a message adds get names that it takes."""
    yield MARK_HEADER, parts.mark
    for name, value in parts.headers:
        if name.lower() in KEPT or name.lower().startswith("x-user-"):
            yield name, value
        elif name.lower().startswith("x-") and name != ID_HEADER:
            yield f"X-User-{name[2:]}", value
