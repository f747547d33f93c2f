"""From an outgoing message to the bytes of an e-mail (RFC 5322), with nothing in its headers that was not meant.

The headers are written here and not by the email package, which takes long URLs apart (as encoded words, so that
mailbox providers no longer find the unsubscribe link) and costs milliseconds a message. They are read back as a mail
program does: what it sees has to be what was meant, or the message is refused.
"""

from __future__ import annotations

import re
from binascii import b2a_base64, b2a_qp
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from email.headerregistry import Address
from email.policy import SMTP
from email.utils import format_datetime, getaddresses
from functools import lru_cache
from hashlib import blake2b
from typing import Final, NamedTuple
from urllib.parse import quote

from orchestrator.channels.protocol import Outgoing

LONGEST_LINE: Final = 78
LONGEST_URL: Final = 900
"""A header's line has 998 characters at most, and a URL is not folded."""
MOST_ADDRESSES: Final = 10
LONGEST_REMEMBERED: Final = 500
"""Characters of a line of a body that is remembered encoded."""
LONGEST_STEP: Final = 4000
"""Characters of a part of a longer line that is remembered so."""
_CELL: Final = "</td>"
ID_HEADER: Final = "X-Orchestrator-Message"
"""Our id of the message, which bounces and complaints bring back."""

_ASCII: Final = bytes(range(128))
_forbidden = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]").search
_word = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+").fullmatch
_atoms = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*").fullmatch
_plain_address = re.compile(r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*").fullmatch
_address = re.compile(r"[^\s\x00-\x20\x7f()<>@,;:\\\"\[\]]{1,64}@[^\s@<>()\[\]\\,;:\"]{1,255}").fullmatch
_url = re.compile(r"https?://[!#-;=?-Z\[\]_a-z~%]+").fullmatch
_extra_name = re.compile(r"X-[A-Za-z0-9-]{1,60}").fullmatch


class MimeRefused(ValueError):
    """This message cannot be written as an e-mail; the text says why. `for_good`: another try would end likewise."""

    def __init__(self, message: str, for_good: bool = True) -> None:
        self.for_good = for_good
        super().__init__(message)


class Mime(NamedTuple):
    """An e-mail as it goes over the wire. `sender` and `to` are the envelope's; `utf8`: an address of either, or a
    header, is not ASCII, so that the server has to know SMTPUTF8."""

    data: bytes
    sender: str
    to: str
    utf8: bool


def build_mime(out: Outgoing, default_sender: str | None = None, now: datetime | None = None) -> Mime:
    """The bytes of a message, the same for the same message and instant. Lines end with CR LF.

    `default_sender` stands in where neither step, template nor project names one; `now` where the message has no
    instant. Raises MimeRefused.
    """
    given = out.sender or default_sender
    if not given:
        raise MimeRefused("it has no sender; name one in project.yaml: channels: email: from", for_good=False)
    senders = _address_list("From", given)
    if len(senders) != 1:
        raise MimeRefused(f"From: expected one address, found {len(senders)}")
    sender = senders[0].address
    utf8 = not out.to.isascii()
    if not _address(out.to):
        raise MimeRefused(f"To: {_shown(out.to)} is no address")
    fields = list(_fields(out, given, sender, now))
    top, body = _body(out)
    fields.extend(top)
    head = "".join([f"{name}: {written}\r\n" for name, written, _ in fields]) + "\r\n"
    _check_read_back(head, fields)
    return Mime(head.encode("utf-8") + body, sender, out.to, utf8)


Field = tuple[str, str, str]
"""A header's name, its text as written (folded), and what a reader has to see."""


def _fields(out: Outgoing, given: str, sender: str, now: datetime | None) -> Iterator[Field]:
    at = out.at or now
    if at is None:
        raise MimeRefused("it has no instant for its date", for_good=False)
    date = _date(at)
    yield "Date", date, date
    yield from _addresses_field("From", given)
    if out.reply_to:
        yield from _addresses_field("Reply-To", out.reply_to)
    to = out.to if _plain_address(out.to) else _quoted_address(out.to)
    yield "To", to, to
    if out.subject:
        yield _text_field("Subject", out.subject)
    id = message_id(out.id, sender)
    yield "Message-ID", id, id
    marked = quote(out.id.encode("utf-8", "surrogatepass"), safe="")[:LONGEST_URL]
    yield ID_HEADER, marked, marked
    if out.unsubscribe_url:
        if len(out.unsubscribe_url) > LONGEST_URL or not _url(out.unsubscribe_url):
            raise MimeRefused(f"List-Unsubscribe: {_shown(out.unsubscribe_url)} is no URL that a header can hold")
        link = f"<{out.unsubscribe_url}>"
        yield "List-Unsubscribe", link, link
        yield "List-Unsubscribe-Post", "List-Unsubscribe=One-Click", "List-Unsubscribe=One-Click"
    for name, value in (out.headers or {}).items():
        if not _extra_name(name) or name.lower() == ID_HEADER.lower():
            raise MimeRefused(f"{_shown(name)} is no header that a message may add; names begin with X-")
        yield _text_field(name, value)
    yield "MIME-Version", "1.0", "1.0"


@lru_cache(maxsize=1024)
def _date(at: datetime) -> str:
    return format_datetime(at.astimezone(UTC))


def message_id(id: str, sender: str) -> str:
    """The Message-ID that belongs to our id: always the same, whatever characters the id holds."""
    local = id if len(id) <= 120 and _atoms(id) else blake2b(id.encode("utf-8", "surrogatepass")).hexdigest()[:40]
    return f"<{local}@{sender.rpartition('@')[2]}>"


# --- headers --------------------------------------------------------------------------------------------------------


def _text_field(name: str, value: str) -> Field:
    """Free text: as it is where every reader takes it so, else as encoded words."""
    if _forbidden(value):
        raise MimeRefused(f"{name}: {_shown(value)} holds line breaks or control characters")
    if "=?" in value:
        raise MimeRefused(f"{name}: {_shown(value)} holds the beginning of an encoded word (=?)")
    text = " ".join(value.split())
    if text.isascii() and len(name) + 2 + len(text) <= LONGEST_LINE:
        return name, text, text
    return name, _encoded(text, len(name) + 2), text


def _encoded(text: str, used: int) -> str:
    """RFC 2047: words of base64, each of whole characters, one a line."""
    words, chunk, size = [], "", 0
    room = (LONGEST_LINE - used - 12) // 4 * 3
    for character in text:
        length = len(character.encode())
        if size + length > room:
            words.append(chunk)
            chunk, size, room = "", 0, (LONGEST_LINE - 1 - 12) // 4 * 3
        chunk += character
        size += length
    words.append(chunk)
    return "\r\n ".join(f"=?utf-8?b?{b2a_base64(word.encode(), newline=False).decode()}?=" for word in words)


class Mailbox(NamedTuple):
    """A display name (perhaps empty) and an address, its domain in ASCII."""

    name: str
    address: str


@lru_cache(maxsize=1024)
def _address_list(header: str, line: str) -> tuple[Mailbox, ...]:
    if _forbidden(line):
        raise MimeRefused(f"{header}: {_shown(line)} holds line breaks or control characters")
    if "=?" in line:
        raise MimeRefused(f"{header}: {_shown(line)} holds the beginning of an encoded word (=?)")
    found = []
    for name, address in getaddresses([line]):
        local, _, domain = address.rpartition("@")
        try:
            usable = f"{local}@{domain if domain.isascii() else domain.encode('idna').decode('ascii')}"
        except UnicodeError:
            usable = ""
        if not _address(usable) or not local.isascii():
            raise MimeRefused(f"{header}: {_shown(address or line)} is no address; expected Name <name@example.com>")
        found.append(Mailbox(" ".join(name.split()), usable))
    if not 1 <= len(found) <= MOST_ADDRESSES:
        raise MimeRefused(f"{header}: {_shown(line)} holds {len(found)} addresses; from 1 to {MOST_ADDRESSES} can be")
    return tuple(found)


@lru_cache(maxsize=1024)
def _addresses_field(header: str, line: str) -> tuple[Field, ...]:
    """The header of a sender or of reply addresses. Brands have few of them, so they are remembered."""
    boxes = _address_list(header, line)
    written = ",\r\n ".join(_written(box, len(header) + 2) for box in boxes)
    read = SMTP.header_factory(header, _unfolded(written))
    seen = [(address.display_name, address.addr_spec) for address in read.addresses]
    if seen != [(box.name, Address(addr_spec=box.address).addr_spec) for box in boxes]:
        raise MimeRefused(f"{header}: {_shown(line)} would not be read as it was written")
    return ((header, written, str(read)),)


def _written(box: Mailbox, used: int) -> str:
    address = box.address if _plain_address(box.address) else _quoted_address(box.address)
    if not box.name:
        return address
    if _word(box.name) and used + len(box.name) <= LONGEST_LINE:
        return f"{box.name}\r\n <{address}>" if used + len(box.name) + len(address) > 75 else f"{box.name} <{address}>"
    if box.name.isascii() and used + len(box.name) <= LONGEST_LINE:
        quoted = box.name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}"\r\n <{address}>'
    return f"{_encoded(box.name, used)}\r\n <{address}>"


def _quoted_address(address: str) -> str:
    """Addresses with odd characters stand in angle brackets, where all readers take them literally."""
    return f"<{address}>"


def _check_read_back(head: str, fields: list[Field]) -> None:
    """Read the headers as a mail client does: each there once, in this order, with the value that was meant.

    A header ends at a line break that no blank follows, and nothing else is a line break here. All else that a reader
    does to a value is done by the email package, once a value: it decodes words, and takes addresses apart.
    """
    unfolded = head.replace("\r\n ", " ")
    lines = unfolded.split("\r\n")
    if (
        len(lines) != len(fields) + 2
        or unfolded.count("\n") != len(fields) + 1
        or unfolded.count("\r") != len(fields) + 1
    ):
        raise MimeRefused("a value would add a header of its own")
    for line, (name, written, meant) in zip(lines, fields):
        same = line == f"{name}: {meant}" if written is meant else _decoded(name, line[len(name) + 2 :]) == meant
        if not same or line[: len(name) + 2] != f"{name}: ":
            raise MimeRefused(f"{name}: {_shown(meant)} would not be read as it was written")


@lru_cache(maxsize=4096)
def _decoded(name: str, raw: str) -> str:
    return str(SMTP.header_factory(name, _unfolded(raw)))


def _unfolded(written: str) -> str:
    return re.sub(r"\r?\n(?=[ \t])", "", written)


def _shown(text: str) -> str:
    return ascii(text if len(text) <= 60 else text[:59] + "…")


# --- bodies ---------------------------------------------------------------------------------------------------------


def _body(out: Outgoing) -> tuple[tuple[Field, ...], bytes]:
    """The last headers, and the body: the text alone, or text and HTML as alternatives of each other."""
    if out.html is None:
        part = _part("plain", out.text)
        return part.fields, part.data if part.data.endswith(b"\r\n") else part.data + b"\r\n"
    parts = [_part("plain", out.text), _part("html", out.html)]
    mark = blake2b(out.id.encode("utf-8", "surrogatepass")).hexdigest()[:24]
    boundary = f"=_{mark}"  # "=_" stands in no quoted-printable or base64 text
    pieces: list[bytes] = []
    for part in parts:
        head = "".join([f"{name}: {written}\r\n" for name, written, _ in part.fields])
        pieces += (f"--{boundary}\r\n{head}\r\n".encode(), part.data, b"\r\n")  # this line break is the boundary's
    pieces.append(f"--{boundary}--\r\n".encode())
    kind = f'multipart/alternative; boundary="{boundary}"'
    return (("Content-Type", kind, kind),), b"".join(pieces)


class _Part(NamedTuple):
    fields: tuple[Field, ...]
    data: bytes


def _part(subtype: str, text: str) -> _Part:
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = text.replace("\x00", "")
    if _mostly_ascii(text):
        encoding, coded = "quoted-printable", b"\r\n".join(_coded_lines(text.split("\n")))
    else:
        encoding, coded = "base64", _base64(text.replace("\n", "\r\n").encode("utf-8", "replace"))
    kind = f'text/{subtype}; charset="utf-8"'
    return _Part((("Content-Type", kind, kind), ("Content-Transfer-Encoding", encoding, encoding)), coded)


def _mostly_ascii(text: str) -> bool:
    """Quoted-printable takes three bytes for each that is not."""
    if text.isascii():
        return True
    data = text.encode("utf-8", "replace")
    beyond = 2 * (len(data) - len(text))  # at most: a character takes two bytes, one of them in the difference, or more
    return beyond * 5 <= len(data) or len(data.translate(None, _ASCII)) * 5 <= len(data)


def _coded_lines(lines: list[str]) -> Iterable[bytes]:
    """In quoted-printable. Most lines of a template are the same in each of its messages, so they are remembered."""
    if max(map(len, lines)) <= LONGEST_REMEMBERED:
        return map(_remembered, lines)
    return [_remembered(line) if len(line) <= LONGEST_REMEMBERED else _in_steps(line) for line in lines]


def _coded(line: str) -> bytes:
    """One line, with its line break in sight: blanks and single dots before one are encoded."""
    return b2a_qp(line.encode("utf-8", "replace") + b"\r\n", istext=True)[:-2]


def _in_steps(line: str) -> bytes:
    """A long line, which HTML without blanks between its elements often is: a step from cell to cell of its tables,
    each with a soft line break behind it, so that steps can be remembered as lines are."""
    *steps, last = line.split(_CELL)
    remember = max(map(len, steps), default=0) <= LONGEST_STEP
    return b"".join([*map(_remembered_step if remember else _step, steps), _coded(last)])


def _step(inner: str) -> bytes:
    return _softly(f"{inner}{_CELL}")


def _softly(step: str) -> bytes:
    """A part of a line that ends with ``>``. The break's own character has room in the 76 of its line."""
    coded = _coded(step)
    full = len(coded) - coded.rfind(b"\n") > 76
    return coded[:-1] + b"=\r\n>=\r\n" if full else coded + b"=\r\n"


_remembered = lru_cache(maxsize=4096)(_coded)
_remembered_step = lru_cache(maxsize=1024)(_step)


def _base64(data: bytes) -> bytes:
    coded = b2a_base64(data, newline=False)
    return b"\r\n".join([coded[place : place + 76] for place in range(0, len(coded), 76)])
