"""The body of an e-mail: text alone, or text and HTML as alternatives, in quoted-printable or base64.

What messages of one template have in common is coded once and remembered.
"""

from __future__ import annotations

from binascii import b2a_base64, b2a_qp
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from orchestrator.channels.mime_headers import Field

LONGEST_LINE: Final = 500
"""Characters of a line of a text that is remembered."""
LONGEST_STEP: Final = 10_000
"""Characters of a step of an HTML that is remembered; the first one holds its styles."""
MOST_GROWTH: Final = 1.6
"""Bytes of quoted-printable for each character of a text, beyond which it is sent in base64, which is shorter then."""
_CELL: Final = "</td>"
_ASCII: Final = bytes(range(128))


def body_of(id: str, text: str, html: str | None) -> tuple[tuple[Field, ...], bytes]:
    """The last headers, and the body. `id` is the message's; parts are told apart by a mark that is made from it."""
    encoding, coded = _coded_text(_cleaned(text))
    if html is None:
        kind = 'text/plain; charset="utf-8"'
        fields = (("Content-Type", kind, kind), ("Content-Transfer-Encoding", encoding, encoding))
        return fields, coded if coded.endswith(b"\r\n") else coded + b"\r\n"
    mark = blake2b(id.encode("utf-8", "surrogatepass")).hexdigest()[:24]
    boundary = f"=_{mark}"  # "=_" stands in no quoted-printable or base64 text
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
    coded = b2a_base64(text.replace("\n", "\r\n").encode("utf-8", "replace"), newline=False)
    return b"\r\n".join([coded[place : place + 76] for place in range(0, len(coded), 76)])
