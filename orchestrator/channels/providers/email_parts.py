"""What the HTTP APIs for e-mail want of a message, checked exactly as a message that goes over SMTP is."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from orchestrator.channels.message_mark import mark_of
from orchestrator.channels.mime import Mime, build_mime
from orchestrator.channels.mime_headers import Mailbox, MimeRefused, address_list
from orchestrator.channels.mime_parts import kept_name, part_head
from orchestrator.channels.protocol import Attachment, Outgoing
from orchestrator.channels.providers.adapter import Refused

LARGEST: Final = 10 * 1024 * 1024
"""Bytes of all attachments of a message together; mailbox providers refuse mails of more than some 20 MB."""
OWN: Final = frozenset(
    ("from", "to", "reply-to", "subject", "date", "mime-version", "content-type", "content-transfer-encoding")
)
"""Headers that an API writes itself, from fields of their own."""


class Header(NamedTuple):
    """A header as it stands in the mail: ASCII, on one line (encoded words where it holds more)."""

    name: str
    value: str


class EmailParts(NamedTuple):
    """A message in parts. `headers` are all but those that an API writes itself; `mark` is our id (message_mark)."""

    sender: Mailbox
    reply_to: tuple[Mailbox, ...]
    to: str
    subject: str
    text: str
    html: str | None
    headers: tuple[Header, ...]
    attachments: tuple[Attachment, ...]
    mark: str

    def header(self, name: str) -> str | None:
        """The value of a header."""
        return next((header.value for header in self.headers if header.name.lower() == name.lower()), None)


def email_parts(out: Outgoing, default_sender: str | None) -> EmailParts:
    """A message in parts. Raises Refused with what SMTP refuses, too, and with files that cannot be attached."""
    attached = checked(out.attachments)
    # The head is built as for SMTP: what is refused there is refused here, and no header gets lost on the way.
    head = mime_of(out._replace(text="", html=None, attachments=()), default_sender).data.partition(b"\r\n\r\n")[0]
    return EmailParts(
        address_list("From", out.sender or default_sender or "")[0],
        address_list("Reply-To", out.reply_to) if out.reply_to else (),
        out.to,
        " ".join((out.subject or "").split()),
        cleaned(out.text),
        None if out.html is None else cleaned(out.html),
        tuple(_headers(head.decode("utf-8"))),
        attached,
        mark_of(out.id),
    )


def mime_of(out: Outgoing, default_sender: str | None) -> Mime:
    """A message as bytes, for APIs that take it so. Raises Refused."""
    checked(out.attachments)
    try:
        return build_mime(out, default_sender, datetime.now(UTC))
    except MimeRefused as error:
        raise Refused(str(error), for_good=error.for_good) from None


def cleaned(text: str) -> str:
    """A text that JSON and any provider take: without U+0000 and halves of characters."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def written(box: Mailbox) -> str:
    """A mailbox as one text, for APIs that want `Name <address>`."""
    name = box.name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{name}" <{box.address}>' if name else box.address


def base64_of(attachment: Attachment) -> str:
    """A file's content as JSON takes it."""
    return b64encode(attachment.data).decode("ascii")


def checked(attachments: Sequence[Attachment]) -> tuple[Attachment, ...]:
    """Files that can be attached, under the names that they get in any mail. Raises Refused."""
    size = sum(len(file.data) for file in attachments)
    if size > LARGEST:
        raise Refused(f"its attachments have {size} bytes; at most {LARGEST} can be sent")
    try:
        for file in attachments:
            part_head(file)
    except MimeRefused as error:
        raise Refused(str(error), for_good=error.for_good) from None
    return tuple(file._replace(name=kept_name(file.name)) for file in attachments)


def _headers(head: str) -> Iterator[Header]:
    for line in re.sub(r"\r\n(?=[ \t])", "", head).split("\r\n"):
        name, _, value = line.partition(":")
        if name.lower() not in OWN:
            yield Header(name, value.strip())
