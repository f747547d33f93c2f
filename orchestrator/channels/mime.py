"""From an outgoing message to the bytes of an e-mail (RFC 5322)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Final, NamedTuple
from urllib.parse import quote

from orchestrator.channels.mime_bodies import body_of
from orchestrator.channels.mime_headers import (
    Field,
    MimeRefused,
    address_list,
    address_text,
    addresses_field,
    check_read_back,
    is_address,
    shown,
    text_field,
)
from orchestrator.channels.mime_kinship import kinship_fields
from orchestrator.channels.protocol import Outgoing
from orchestrator.core.verp import marked_id

LONGEST_URL: Final = 900
"""A header's line has 998 characters at most, and a URL is not folded."""
ID_HEADER: Final = "X-Orchestrator-Message"
"""Our id of the message, signed by its `bounce_mark`, which bounces and complaints bring back."""

_atoms = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*").fullmatch
_url = re.compile(r"https?://[!#-;=?-Z\[\]_a-z~%]+").fullmatch
_extra_name = re.compile(r"X-[A-Za-z0-9-]{1,60}").fullmatch


class Mime(NamedTuple):
    """An e-mail as it goes over the wire. `sender` and `to` are the envelope's; `utf8`: an address of either, or a
    header, is not ASCII, so that the server has to know SMTPUTF8. `id` is ours, as its header says it."""

    data: bytes
    sender: str
    to: str
    utf8: bool
    id: str = ""


def build_mime(out: Outgoing, default_sender: str | None = None, now: datetime | None = None) -> Mime:
    """The bytes of a message, the same for the same message and instant. Lines end with CR LF.

    `default_sender` stands in where neither step, template nor project names one; `now` where the message has no
    instant. Raises MimeRefused.
    """
    given = out.sender or default_sender
    if not given:
        raise MimeRefused("it has no sender; name one in project.yaml: channels: email: from", for_good=False)
    senders = address_list("From", given)
    if len(senders) != 1:
        raise MimeRefused(f"From: expected one address, found {len(senders)}")
    sender = senders[0].address
    utf8 = not out.to.isascii()
    if not is_address(out.to):
        raise MimeRefused(f"To: {shown(out.to)} is no address")
    top, body = body_of(out.id, out.text, out.html, out.attachments)
    fields = [*_fields(out, given, sender, now), *top]
    head = "".join([f"{name}: {written}\r\n" for name, written, _ in fields]) + "\r\n"
    check_read_back(head, fields)
    return Mime(head.encode("utf-8") + body, sender, out.to, utf8, _marked(out))


def _fields(out: Outgoing, given: str, sender: str, now: datetime | None) -> Iterator[Field]:
    at = out.at or now
    if at is None:
        raise MimeRefused("it has no instant for its date", for_good=False)
    date = _date(at)
    yield "Date", date, date
    yield from addresses_field("From", given)
    if out.reply_to:
        yield from addresses_field("Reply-To", out.reply_to)
    to = address_text(out.to)
    yield "To", to, to
    if out.subject:
        yield text_field("Subject", out.subject)
    id = message_id(out.id, sender)
    yield "Message-ID", id, id
    marked = _marked(out)
    yield ID_HEADER, marked, marked
    if out.unsubscribe_url:
        if len(out.unsubscribe_url) > LONGEST_URL or not _url(out.unsubscribe_url):
            raise MimeRefused(f"List-Unsubscribe: {shown(out.unsubscribe_url)} is no URL that a header can hold")
        link = f"<{out.unsubscribe_url}>"
        yield "List-Unsubscribe", link, link
        yield "List-Unsubscribe-Post", "List-Unsubscribe=One-Click", "List-Unsubscribe=One-Click"
    if out.topic or out.journey:
        yield from kinship_fields(out.journey or "", out.topic or "", out.klass or "", sender.rpartition("@")[2])
    for name, value in (out.headers or {}).items():
        if not _extra_name(name) or name.lower() == ID_HEADER.lower():
            raise MimeRefused(f"{shown(name)} is no header that a message may add; names begin with X-")
        yield text_field(name, value)
    yield "MIME-Version", "1.0", "1.0"


@lru_cache(maxsize=1024)
def _date(at: datetime) -> str:
    return format_datetime(at.astimezone(UTC))


def message_id(id: str, sender: str) -> str:
    """The Message-ID that belongs to our id: always the same, whatever characters the id holds."""
    local = id if len(id) <= 120 and _atoms(id) else blake2b(id.encode("utf-8", "surrogatepass")).hexdigest()[:40]
    return f"<{local}@{sender.rpartition('@')[2]}>"


def _marked(out: Outgoing) -> str:
    """Our id where nothing in it can be misread, as most of them are; else with percent signs. And what signs it."""
    id = out.id
    if len(id) > LONGEST_URL or not _atoms(id):
        id = quote(id.encode("utf-8", "surrogatepass"), safe="")[:LONGEST_URL]
    return marked_id(id, out.bounce_mark)
