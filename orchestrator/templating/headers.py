"""Values that go into email headers: one line, nothing hidden, and checked again once the message is built.

A value with a line break would add headers of its own; one that looks like an encoded word (`=?utf-8?q?...?=`) would be
decoded by the reader, line breaks included, and Python's own header parser decodes and writes it back in the open.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from email import message_from_bytes
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import getaddresses
from functools import lru_cache

LONGEST_SUBJECT = 500
MOST_ADDRESSES = 10
_ADDRESS = re.compile(r"[^\s@<>()\[\]\\,;:\"]+@[^\s@<>()\[\]\\,;:\"]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


class HeaderRefused(ValueError):
    """A value cannot stand in a header; the message says why."""


def one_line(text: str) -> str:
    """Free text, such as a subject, as one line: white space collapsed, control characters and encoded words undone.

    Raises HeaderRefused for an empty text and for one of more than 500 characters.
    """
    line = _CONTROL.sub("", " ".join(text.split())) if not text.isprintable() or "  " in text else text.strip()
    if "=?" in line:
        line = line.replace("=?", "= ?")
    if not line:
        raise HeaderRefused("it is empty")
    if len(line) > LONGEST_SUBJECT:
        raise HeaderRefused(f"it has {len(line)} characters; at most {LONGEST_SUBJECT} are allowed")
    return line


@lru_cache(maxsize=1024)
def address_line(text: str, several: bool = False) -> str:
    """A sender or reply address such as ``Blue Harbour <hello@example.com>``, as it was written. Brands have few of
    them, so they are remembered.

    Raises HeaderRefused for line breaks, control characters and whatever is no address (or, without `several`, more
    than one).
    """
    if not text.isprintable():
        raise HeaderRefused("an address may not hold line breaks or control characters")
    line = one_line(text)
    found = getaddresses([line])
    if not found or len(found) > (MOST_ADDRESSES if several else 1):
        wanted = "addresses" if several else "one address"
        raise HeaderRefused(f"expected {wanted} such as Name <name@example.com>, found {line[:60]!r}")
    for _, address in found:
        if not _ADDRESS.fullmatch(address):
            raise HeaderRefused(f"{(address or line)[:60]!r} is no address; expected one such as name@example.com")
    return line


def address_header(line: str) -> tuple[Address, ...]:
    """An address line as the email package takes it, with each display name quoted or encoded as needed.

    Raises HeaderRefused.
    """
    addresses = []
    for name, address in getaddresses([line]):
        user, _, domain = address.rpartition("@")
        try:
            addresses.append(Address(display_name=name, username=user, domain=domain))
        except (ValueError, IndexError) as error:  # the email package's parser raises either for odd addresses
            raise HeaderRefused(f"{address[:60]!r} cannot stand in a header: {error}") from None
    return tuple(addresses)


def checked_bytes(message: EmailMessage, intended: Mapping[str, str]) -> bytes:
    """The message as bytes for SMTP, after reading them back: each `intended` header stands there once and unchanged.

    Raises HeaderRefused where what a reader would see differs from what was meant, or a header came in that is not in
    `message`.
    """
    data = message.as_bytes(policy=SMTP)
    read = message_from_bytes(data, policy=SMTP)
    if sorted(name.lower() for name, _ in read.items()) != sorted(name.lower() for name, _ in message.items()):
        raise HeaderRefused("a value would add a header of its own")
    for name, value in intended.items():
        there = read.get_all(name, [])
        if len(there) != 1 or " ".join(str(there[0]).split()) != " ".join(value.split()):
            raise HeaderRefused(f"the header {name} would not be read as it was written")
    return data
