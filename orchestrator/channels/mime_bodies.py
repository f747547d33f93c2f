"""The body of an e-mail: text alone, or text and HTML as alternatives, in quoted-printable or base64; with pictures and
files, `multipart/mixed` around `multipart/related` around the alternatives.

What messages of one template have in common is coded once and remembered.
"""

from __future__ import annotations

import re
from binascii import b2a_base64, b2a_qp
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from orchestrator.channels.mime_headers import Field, MimeRefused
from orchestrator.channels.mime_parts import part_head
from orchestrator.channels.protocol import Attachment

LONGEST_LINE: Final = 500
"""Characters of a line of a text that is remembered."""
LONGEST_STEP: Final = 10_000
"""Characters of a step of an HTML that is remembered; the first one holds its styles."""
MOST_GROWTH: Final = 1.6
"""Bytes of quoted-printable for each character of a text, beyond which it is sent in base64, which is shorter then."""
MOST_ATTACHED: Final = 10_000_000
"""Bytes of all attachments of a message. Many mailboxes take 25 MB, in base64, and some no more than 10."""
LARGEST_REMEMBERED: Final = 1_000_000
"""Bytes of an attachment that is coded once for all messages."""
_LINES: Final = re.compile(r".{73}(?:[^=][^=]|[^=](?==)|(?==))(?=..)|.+").findall
"""Lines of quoted-printable without their soft breaks: 75 characters, fewer where one would end within what stands for
a character; the last may have 76 (RFC 2045, section 6.7)."""
_CELL: Final = "</td>"
_ASCII: Final = bytes(range(128))


Body = tuple[tuple[Field, ...], bytes]
"""The last headers, which say what the body is, and the body."""


def body_of(id: str, text: str, html: str | None, attachments: Sequence[Attachment] = ()) -> Body:
    """The body of the message with this id; parts are told apart by a mark that is made from it. Raises MimeRefused."""
    body = _texts(id, text, html)
    if not attachments:
        return body
    size = sum(len(attachment.data) for attachment in attachments)
    if size > MOST_ATTACHED:
        raise MimeRefused(f"its attachments have {size:,} bytes; a message may carry {MOST_ATTACHED:,}")
    pictures = [one for one in attachments if html is not None and one.content_id is not None]
    files = [one for one in attachments if html is None or one.content_id is None]
    if pictures:
        body = _around("related", _mark(id, "related"), body, pictures)
    return _around("mixed", _mark(id, "mixed"), body, files) if files else body


def _mark(id: str, kind: str = "") -> str:
    """A boundary. "=_" stands in no quoted-printable or base64 text."""
    return f"=_{blake2b(f'{kind}{id}'.encode('utf-8', 'surrogatepass')).hexdigest()[:24]}"


def _around(kind: str, boundary: str, inner: Body, attachments: Sequence[Attachment]) -> Body:
    """`multipart/<kind>`: a body with files behind it."""
    fields, body = inner
    head = "".join([f"{name}: {written}\r\n" for name, written, _ in fields])
    parts = [f"--{boundary}\r\n{head}\r\n".encode(), body]
    for attachment in attachments:
        coded = _remembered_file if len(attachment.data) <= LARGEST_REMEMBERED else _wrapped
        parts += [f"\r\n--{boundary}\r\n{part_head(attachment)}\r\n".encode(), coded(attachment.data)]
    parts.append(f"\r\n--{boundary}--\r\n".encode())
    type_ = f'type="{fields[0][1].partition(";")[0]}"; ' if kind == "related" else ""
    value = f'multipart/{kind}; {type_}boundary="{boundary}"'
    return (("Content-Type", value, value),), b"".join(parts)


def _texts(id: str, text: str, html: str | None) -> Body:
    encoding, coded = _coded_text(_cleaned(text))
    if html is None:
        kind = 'text/plain; charset="utf-8"'
        fields = (("Content-Type", kind, kind), ("Content-Transfer-Encoding", encoding, encoding))
        return fields, coded if coded.endswith(b"\r\n") else coded + b"\r\n"
    boundary = _mark(id)
    html_encoding, html_coded = _coded_html(_cleaned(html))
    # The line break before a boundary belongs to it.
    top = f'--{boundary}\r\nContent-Type: text/plain; charset="utf-8"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n'
    middle = (
        f'\r\n--{boundary}\r\nContent-Type: text/html; charset="utf-8"\r\n'
        f"Content-Transfer-Encoding: {html_encoding}\r\n\r\n"
    )
    body = b"".join((top.encode(), coded, middle.encode(), html_coded, f"\r\n--{boundary}--\r\n".encode()))
    kind = f'multipart/alternative; boundary="{boundary}"'
    return (("Content-Type", kind, kind),), body


def _cleaned(text: str) -> str:
    """Without U+0000, and with line breaks of one kind."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.replace("\x00", "") if "\x00" in text else text


def _coded_text(text: str) -> tuple[str, bytes]:
    """The encoding's name, and the text in it. Many lines are the same in each message of a template."""
    if not _mostly_ascii(text):
        return "base64", _base64(text)
    lines = text.split("\n")
    return "quoted-printable", b"\r\n".join(
        [_remembered_line(line) if len(line) <= LONGEST_LINE else _coded(line) for line in lines]
    )


def _mostly_ascii(text: str) -> bool:
    """Quoted-printable takes three bytes for each that is not."""
    if text.isascii():
        return True
    data = text.encode("utf-8", "replace")
    beyond = 2 * (len(data) - len(text))  # at most: a character takes two bytes, one of them in the difference, or more
    return beyond * 5 <= len(data) or len(data.translate(None, _ASCII)) * 5 <= len(data)


def _coded_html(html: str) -> tuple[str, bytes]:
    """The encoding's name, and the HTML in it: a step from cell to cell of its tables, each with a soft line break
    behind it, so that steps can be remembered as lines are; most of them hold nothing of their recipient."""
    *steps, last = html.split(_CELL)
    if not steps:
        return _coded_text(html)
    coded = [_remembered_step(step) if len(step) <= LONGEST_STEP else _step(step) for step in steps]
    coded.append(_remembered_step_end(last) if len(last) <= LONGEST_LINE else _coded(last))
    data = b"".join(coded)
    if len(data) > MOST_GROWTH * len(html) and not html.isascii():
        return "base64", _base64(html)
    return "quoted-printable", data


def _coded(text: str) -> bytes:
    """In quoted-printable, with its last line break in sight: blanks and single dots before one are encoded."""
    if text.isascii() and text.isprintable():  # most of a mail, for which the library takes twice as long
        coded = text.replace("=", "=3D")
        if coded.endswith((" ", ".")):
            coded = f"{coded[:-1]}={ord(coded[-1]):02X}"
        return "=\r\n".join(_LINES(coded)).encode("ascii")
    return b2a_qp(text.replace("\n", "\r\n").encode("utf-8", "replace") + b"\r\n", istext=True)[:-2]


def _step(inner: str) -> bytes:
    """A step, which ends with ``>``. The break's own character has room in the 76 of its line."""
    coded = _coded(f"{inner}{_CELL}")
    full = len(coded) - coded.rfind(b"\n") > 76
    return coded[:-1] + b"=\r\n>=\r\n" if full else coded + b"=\r\n"


_remembered_line = lru_cache(maxsize=4096)(_coded)
_remembered_step_end = lru_cache(maxsize=1024)(_coded)
_remembered_step = lru_cache(maxsize=1024)(_step)


def _base64(text: str) -> bytes:
    return _wrapped(text.replace("\n", "\r\n").encode("utf-8", "replace"))


def _wrapped(data: bytes) -> bytes:
    """In base64, in lines of 76."""
    coded = b2a_base64(data, newline=False)
    return b"\r\n".join([coded[place : place + 76] for place in range(0, len(coded), 76)])


_remembered_file = lru_cache(maxsize=16)(_wrapped)
