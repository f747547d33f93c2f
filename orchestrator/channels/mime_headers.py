"""The headers of an e-mail, with nothing in them that was not meant.

They are written here and not by the email package, which takes long URLs apart (as encoded words, so that mailbox
providers no longer find the unsubscribe link) and costs milliseconds a message. They are read back as a mail program
does: what it sees has to be what was meant, or the message is refused.
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from collections.abc import Sequence
from email.errors import MessageError
from email.headerregistry import Address
from email.policy import SMTP
from email.utils import getaddresses
from functools import lru_cache
from typing import Final, NamedTuple

LONGEST_LINE: Final = 78
MOST_ADDRESSES: Final = 10

_forbidden = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]").search
_word = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+").fullmatch
_plain_address = re.compile(r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*").fullmatch
is_address = re.compile(
    r"[^\s\x00-\x20\x7f\ud800-\udfff()<>@,;:\\\"\[\]]{1,64}@[^\s\x00-\x20\x7f\ud800-\udfff@<>()\[\]\\,;:\"]{1,255}"
).fullmatch


class MimeRefused(ValueError):
    """This message cannot be written as an e-mail; the text says why. `for_good`: another try would end likewise."""

    def __init__(self, message: str, for_good: bool = True) -> None:
        self.for_good = for_good
        super().__init__(message)


Field = tuple[str, str, str]
"""A header's name, its text as written (folded), and what a reader has to see."""


def text_field(name: str, value: str) -> Field:
    """Free text: as it is where every reader takes it so, else as encoded words."""
    if _forbidden(value):
        raise MimeRefused(f"{name}: {shown(value)} holds line breaks or control characters")
    if "=?" in value:
        raise MimeRefused(f"{name}: {shown(value)} holds the beginning of an encoded word (=?)")
    text = " ".join(value.split())
    if text.isascii() and len(name) + 2 + len(text) <= LONGEST_LINE:
        return name, text, text
    return name, _encoded(text, len(name) + 2), text


@lru_cache(maxsize=1024)
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
def address_list(header: str, line: str) -> tuple[Mailbox, ...]:
    if _forbidden(line):
        raise MimeRefused(f"{header}: {shown(line)} holds line breaks or control characters")
    if "=?" in line:
        raise MimeRefused(f"{header}: {shown(line)} holds the beginning of an encoded word (=?)")
    found = []
    for name, address in getaddresses([line]):
        local, _, domain = address.rpartition("@")
        try:
            usable = f"{local}@{domain if domain.isascii() else domain.encode('idna').decode('ascii')}"
        except UnicodeError:
            usable = ""
        if not is_address(usable) or not local.isascii():
            raise MimeRefused(f"{header}: {shown(address or line)} is no address; expected Name <name@example.com>")
        found.append(Mailbox(" ".join(name.split()), usable))
    if not 1 <= len(found) <= MOST_ADDRESSES:
        raise MimeRefused(f"{header}: {shown(line)} holds {len(found)} addresses; from 1 to {MOST_ADDRESSES} can be")
    return tuple(found)


@lru_cache(maxsize=1024)
def addresses_field(header: str, line: str) -> tuple[Field, ...]:
    """The header of a sender or of reply addresses. Brands have few of them, so they are remembered."""
    boxes = address_list(header, line)
    written = ",\r\n ".join(_written(box, len(header) + 2) for box in boxes)
    try:
        read = SMTP.header_factory(header, _unfolded(written))
        seen = [(address.display_name, address.addr_spec) for address in read.addresses]
        meant = [(box.name, Address(addr_spec=box.address).addr_spec) for box in boxes]
    except (MessageError, ValueError, IndexError):  # what its parser says to addresses that look like none
        raise MimeRefused(f"{header}: {shown(line)} is no address that every reader understands") from None
    if seen != meant:
        raise MimeRefused(f"{header}: {shown(line)} would not be read as it was written")
    return ((header, written, str(read)),)


def _written(box: Mailbox, used: int) -> str:
    address = address_text(box.address)
    if not box.name:
        return address
    if _word(box.name) and used + len(box.name) <= LONGEST_LINE:
        return f"{box.name}\r\n <{address}>" if used + len(box.name) + len(address) > 75 else f"{box.name} <{address}>"
    if box.name.isascii() and used + len(box.name) <= LONGEST_LINE:
        quoted = box.name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}"\r\n <{address}>'
    return f"{_encoded(box.name, used)}\r\n <{address}>"


def address_text(address: str) -> str:
    """Addresses with odd characters stand in angle brackets, where all readers take them literally."""
    return address if _plain_address(address) else f"<{address}>"


def check_read_back(head: str, fields: Sequence[Field]) -> None:
    """Read the headers as a mail client does: each there once, in this order, with the value that was meant.

    A header ends at a line break that no blank follows, and nothing else is a line break here. All else that a reader
    does to a value is done by the email package, once a value: it decodes words, and takes addresses apart.
    """
    unfolded = head.replace("\r\n ", " ") if "\r\n " in head else head
    lines = unfolded.split("\r\n")
    breaks = len(fields) + 1
    if len(lines) != breaks + 1 or unfolded.count("\n") != breaks or unfolded.count("\r") != breaks:
        raise MimeRefused("a value would add a header of its own")
    for line, (name, written, meant) in zip(lines, fields):
        if line != f"{name}: {meant}" and not (written is not meant and _is_read_as(line, name, meant)):
            raise MimeRefused(f"{name}: {shown(meant)} would not be read as it was written")


def _is_read_as(line: str, name: str, meant: str) -> bool:
    start = len(name) + 2
    return line[:start] == f"{name}: " and _decoded(name, line[start:]) == meant


@lru_cache(maxsize=4096)
def _decoded(name: str, raw: str) -> str:
    return str(SMTP.header_factory(name, _unfolded(raw)))


def _unfolded(written: str) -> str:
    return re.sub(r"\r?\n(?=[ \t])", "", written)


def shown(text: str) -> str:
    return ascii(text if len(text) <= 60 else text[:59] + "…")
