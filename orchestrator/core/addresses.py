"""Addresses: is there one on a channel, can it be used, and in what form is it compared with the suppression list."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache, partial
from typing import NamedTuple

from orchestrator.core.customer import Customer


class Address(NamedTuple):
    """`text` is what the provider gets, `normal` what suppression compares."""

    text: str
    normal: str


address: Callable[[tuple[str, str]], Address] = partial(tuple.__new__, Address)
"""An Address from its two forms, without the calls that `Address(...)` takes."""


_LOCAL = re.compile(r"[^\s\x00-\x20\x7f()<>@,;:\\\"\[\]]{1,64}\Z")
_plain = re.compile(r"[a-z0-9_-]{1,30}(?:\.[a-z0-9_-]{1,30})?@(?:[a-z0-9]{1,30}\.){1,3}[a-z]{2,10}").fullmatch
"""What most addresses look like: nothing in them can be written otherwise."""
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)\Z")
_INVISIBLE = dict.fromkeys([0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, 0x00AD])


def address_of(customer: Customer, channel: str, to: str | None = None) -> tuple[Address | None, str | None]:
    """The address of a customer on a channel, or (None, reason): no_address or invalid_address.

    `to` stands in for the profile's. Channels without an address of their own yet reach nobody.
    """
    if channel == "email":
        text = customer.email if to is None else to
        if type(text) is str and _plain(text):
            return address((text, text)), None
    elif channel == "sms":
        text = customer.phone if to is None else to
    else:
        return None, "no_address"
    if text is None:
        return None, "no_address"
    text = str(text)
    if not text.strip():
        return None, "no_address"
    found = email_address(text) if channel == "email" else phone_number(text, customer.country)
    return (found, None) if found is not None else (None, "invalid_address")


def email_address(text: str) -> Address | None:
    """An e-mail address that can be used, else None. Domains are compared in their ASCII form, all in lower case.

    Zero-width characters are dropped and compatibility forms folded first, so that look-alike spellings of one mailbox
    share its suppressions; so do its plus-addresses (`ana+shop@...`), each of which is written to as it stands.
    """
    return Address(text, text) if _plain(text) else _spelt_otherwise(text)


@lru_cache(maxsize=16_384)
def _spelt_otherwise(text: str) -> Address | None:
    cleaned = unicodedata.normalize("NFKC", text.strip().translate(_INVISIBLE))
    local, at, domain = cleaned.rpartition("@")
    if not at or len(cleaned) > 254 or not _LOCAL.match(local) or local[0] == "." or local[-1] == "." or ".." in local:
        return None
    try:
        ascii_domain = domain.lower().encode("idna").decode("ascii") if not domain.isascii() else domain.lower()
    except UnicodeError:
        return None
    labels = ascii_domain.rstrip(".").split(".")
    if len(labels) < 2 or not all(_LABEL.match(label) for label in labels) or labels[-1].isdigit():
        return None
    usable = ".".join(labels)
    mailbox = local.lower().partition("+")[0] or local.lower()
    return Address(f"{local}@{usable}", f"{mailbox}@{usable}")


@lru_cache(maxsize=65_536)
def phone_number(text: str, country: str | None) -> Address | None:
    """A phone number in E.164, read as national where the country is known; None when no such number can exist."""
    import phonenumbers

    cleaned = unicodedata.normalize("NFKC", text.strip().translate(_INVISIBLE))
    try:
        number = phonenumbers.parse(cleaned, country.upper() if country else None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return Address(e164, e164)
