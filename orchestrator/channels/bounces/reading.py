"""A mail that came back, as plain parts: bounded in size, depth and number, and never an exception."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from email import message_from_bytes
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.policy import Compat32
from email.utils import getaddresses
from html import unescape
from typing import Final, NamedTuple

LARGEST: Final = 512 * 1024
"""Bytes of a mail that are read: reports stand at its beginning, what is cut is the returned mail."""
MOST_LINES: Final = 20_000
MOST_PARTS: Final = 60
DEEPEST: Final = 12
LONGEST_TEXT: Final = 64 * 1024
LONGEST_VALUE: Final = 2_000
LONGEST_HEADER: Final = 10_000
"""Characters of a header that are kept: the email package takes the square of its length to read some of them."""

_FAULTS: Final = (ValueError, LookupError, TypeError, AttributeError, RecursionError, AssertionError, MessageError)
"""What the email package raises of mails that were written to find its faults. A MessageError is no ValueError."""
_tags = re.compile(r"<(?:br|/p|/div|/tr|/li|/h\d)\b[^<>]{0,200}>|<(?:style|script)\b[^<]*")
_other_tags = re.compile(r"<[^<>]{0,2000}>")
_boundary = re.compile(rb"(?i)boundary[ \t]*=")
_field = re.compile(r"([!-9;-~]{1,100})[ \t]*:[ \t]?(.*)")


class _ShortHeaders(Compat32):
    def header_source_parse(self, sourcelines: Sequence[str]) -> tuple[str, str]:
        """The name of a header, and the beginning of what it says."""
        name, value = super().header_source_parse(list(sourcelines))
        return name, value[:LONGEST_HEADER]


_SHORT_HEADERS: Final = _ShortHeaders()


class Part(NamedTuple):
    """A leaf of a mail: its type (`text/plain`), and its text (at most LONGEST_TEXT characters)."""

    type: str
    text: str


class Mail(NamedTuple):
    """A mail as it is looked at. `headers` have names in lower case, the first of a name counts; `type` is that of the
    whole mail, `report` its report-type; `parts` are its leaves in their order, `inner` the returned headers."""

    headers: Mapping[str, str]
    type: str
    report: str
    parts: tuple[Part, ...]

    def header(self, name: str) -> str:
        """A header's text, decoded; empty: there is none."""
        return self.headers.get(name, "")

    @property
    def text(self) -> str:
        """All that people were meant to read, with what stands behind it."""
        return "\n".join(part.text for part in self.parts)[: LONGEST_TEXT * 2]


def read_mail(data: bytes) -> Mail | None:
    """The mail, or None: nothing of it can be read as one."""
    data = compact(data[:LARGEST], MOST_LINES)
    if len(_boundary.findall(data)) > MOST_PARTS:  # each level costs the parser a look at every line below
        return None
    try:
        message = message_from_bytes(data, policy=_SHORT_HEADERS)
        parts = tuple(_leaves(message))
        return Mail(_headers(message), message.get_content_type(), _parameter(message, "report-type"), parts)
    except _FAULTS:
        return None


def compact(data: bytes, most: int) -> bytes:
    """The first `most` lines, without the third and further empty ones in a row: parsers take time for each line,
    however little it says."""
    kept: list[bytes] = []
    empty = 0
    for line in data.splitlines(keepends=True):
        empty = 0 if line.strip() else empty + 1
        if empty < 3:
            kept.append(line)
            if len(kept) >= most:
                break
    return b"".join(kept)


def fields_of(text: str) -> dict[str, str]:
    """Headers of a block, unfolded, names in lower case; the first of a name counts. Other lines are left out."""
    found: dict[str, str] = {}
    last = ""
    for line in text.splitlines()[:400]:
        if line[:1] in (" ", "\t") and last:
            found[last] = f"{found[last]} {line.strip()}"[:LONGEST_VALUE]
            continue
        match = _field.match(line)
        last = match[1].lower() if match else ""
        if match and last in found:
            last = ""
        elif match:
            found[last] = match[2].strip()[:LONGEST_VALUE]
    return found


def blocks_of(text: str) -> list[dict[str, str]]:
    """Groups of fields with empty lines between them, as reports are written (RFC 3464 section 2.1)."""
    groups = re.split(r"(?:\r?\n[ \t]*){2,}", text.strip())[:200]
    return [fields for group in groups if (fields := fields_of(group))]


def address_in(value: str) -> str | None:
    """The address of a field such as `rfc822; <ana@example.com>`, in the form in which it stands there."""
    kind, mark, rest = value.partition(";")
    text = (rest if mark and "@" not in kind else value).strip()
    for _, address in getaddresses([text[:LONGEST_VALUE]]):
        if address.count("@") == 1 and not address.startswith("@"):
            return address.strip("<>\"'")
    found = re.search(r"[^\s<>\"(),:;@]{1,64}@[A-Za-z0-9.-]{1,253}", text)
    return found[0] if found else None


def _leaves(message: Message) -> Iterator[Part]:
    waiting: list[tuple[Message, int]] = [(message, 0)]
    seen = 0
    while waiting and seen < MOST_PARTS:
        part, depth = waiting.pop(0)
        seen += 1
        kind = part.get_content_type()
        payload = part.get_payload()
        if kind == "message/delivery-status" and isinstance(payload, list):
            yield Part(kind, _groups([group for group in payload[:100] if isinstance(group, Message)]))
        elif isinstance(payload, list):
            if kind in ("message/rfc822", "message/global"):
                inner = payload[0] if payload else None
                if isinstance(inner, Message):
                    yield Part("text/rfc822-headers", _head(inner))
            elif kind.startswith("message/") and payload and isinstance(payload[0], Message):
                # Reports of other kinds than delivery: their fields were taken for a mail's headers.
                rest = payload[0].get_payload()
                yield Part(kind, f"{_head(payload[0])}\n\n{rest if isinstance(rest, str) else ''}"[:LONGEST_TEXT])
            if depth < DEEPEST and (kind.startswith("multipart/") or kind in ("message/rfc822", "message/global")):
                waiting[0:0] = [(p, depth + 1) for p in payload[:MOST_PARTS] if isinstance(p, Message)]
        elif kind.startswith(("text/", "message/")):
            yield Part(kind, _shown(part, kind))
        elif kind.startswith("multipart/"):  # its boundary is not to be found
            yield Part("text/plain", str(payload)[:LONGEST_TEXT])


def _groups(groups: Sequence[Message]) -> str:
    """The text of a delivery report: the email package makes a message of each of its groups of fields."""
    told = ["".join(f"{name}: {_one_line(value)}\n" for name, value in group.raw_items()) for group in groups]
    bare = [str(group.get_payload()) for group in groups if not group.items()]
    return "\n\n".join([*told, *bare])[:LONGEST_TEXT]


def _head(message: Message) -> str:
    lines = (f"{name}: {_one_line(value)}" for name, value in list(message.raw_items())[:200])
    return "\n".join(lines)[:LONGEST_TEXT]


def _shown(part: Message, kind: str) -> str:
    raw = part.get_payload(decode=True)
    data = raw if isinstance(raw, bytes) else b""
    text = _decoded(data[: LONGEST_TEXT * 4], part.get_content_charset())
    if kind == "text/html":
        text = unescape(_other_tags.sub("", _tags.sub("\n", text[:LONGEST_TEXT])))
    return text[:LONGEST_TEXT]


def _decoded(data: bytes, charset: str | None) -> str:
    for name in (charset, "utf-8", "gb18030"):
        if name:
            try:
                return data.decode(name)
            except (LookupError, ValueError):
                continue
    return data.decode("latin-1")


def _headers(message: Message) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in list(message.raw_items())[:300]:
        found.setdefault(str(name).lower(), header_text(value))
    return found


def header_text(value: object) -> str:
    """A header's value as people see it: one line, decoded where it can be."""
    line = _one_line(value)
    if "=?" not in line:
        return line
    try:
        return str(make_header(decode_header(line)))[:LONGEST_VALUE]
    except _FAULTS:
        return line


def _one_line(value: object) -> str:
    text = str(value)
    if not text.isascii():  # bytes without a declaration, as the parser keeps them
        text = _decoded(text.encode("utf-8", "surrogateescape"), None)
    return " ".join(text.split())[:LONGEST_VALUE]


def _parameter(message: Message, name: str) -> str:
    value = message.get_param(name)
    return str(value).lower() if isinstance(value, str) else ""
