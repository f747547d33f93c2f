"""Addresses: is there one on a channel, can it be used, and in what form is it compared with the suppression list."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import lru_cache, partial
from typing import Final, NamedTuple

from orchestrator.core.customer import Customer
from orchestrator.core.devices import are_references, devices_of, references

BY_NUMBER: Final = frozenset({"sms", "whatsapp"})
"""Channels whose address is a phone number: it tells where it was given out, and people write back from it."""


class Address(NamedTuple):
    """`text` is what the provider gets, `normal` what suppression compares."""

    text: str
    normal: str


address: Callable[[tuple[str, str]], Address] = partial(tuple.__new__, Address)
"""An Address from its two forms, without the calls that `Address(...)` takes."""


_LOCAL = re.compile(r"[^\s\x00-\x20\x7f()<>@,;:\\\"\[\]]{1,64}\Z")
_plain = re.compile(
    r"[a-z0-9_-]{1,30}"
    r"(?:(?:\.[a-z0-9_-]{1,30})?@(?!g(?:oogle)?mail\.com$)(?:[a-z0-9]{1,30}\.){1,3}[a-z]{2,10}|@gmail\.com)"
).fullmatch
"""What most addresses look like: nothing in them can be written otherwise."""
GMAIL: Final = frozenset({"gmail.com", "googlemail.com"})
"""Domains of the same mailboxes, in whose names dots mean nothing (Gmail Help, "Dots don't matter")."""
_LATIN: Final = str.maketrans(
    # Cyrillic and Greek, each with its capital letters first.
    "АВЕЅІЈКМНОРСТУХҮԚԜаеѕіјкорсухһԁԛԝӏѵΑΒΕΖΗΙΚΜΝΟΡΤΥΧαγικνορυχ",
    "ABESIJKMHOPCTYXYQWaesijkopcyxhdqwlvABEZHIKMNOPTYXayikvopux",
)
"""Letters that are drawn as Latin ones are (Unicode Technical Standard 39, confusables)."""
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)\Z")
_INVISIBLE = dict.fromkeys([0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, 0x00AD])


_NO_OPTIONS: Final[Mapping[str, object]] = {}
WECHAT_ATTRIBUTE: Final = "wechat_openid"
"""Where a customer's WeChat id stands, unless `channels: wechat: {attribute: ...}` names another attribute."""
_ID = re.compile(r"[A-Za-z0-9_.@-]{1,128}").fullmatch


def address_of(
    customer: Customer, channel: str, to: str | None = None, options: Mapping[str, object] | None = _NO_OPTIONS
) -> tuple[Address | None, str | None]:
    """The address of a customer on a channel, or (None, reason): no_address or invalid_address.

    `to` stands in for the profile's. `options` are the channel's in project.yaml; None: it is not configured, and then
    only e-mail and SMS reach anybody.
    """
    if channel == "email":
        text = customer.email if to is None else to
        if type(text) is str and _plain(text):
            return address((text, text)), None
    elif channel == "sms":
        text = customer.phone if to is None else to
    else:
        return _address_elsewhere(customer, channel, to, options)
    if text is None:
        return None, "no_address"
    text = str(text)
    if not text.strip():
        return None, "no_address"
    found = email_address(text) if channel == "email" else phone_number(text, customer.country)
    return (found, None) if found is not None else (None, "invalid_address")


def _address_elsewhere(
    customer: Customer, channel: str, to: str | None, options: Mapping[str, object] | None
) -> tuple[Address | None, str | None]:
    if options is None:
        return None, "no_address"
    if channel == "inbox":  # nobody else's can be named: it is the customer's own
        return address((customer.id, customer.id)), None
    text: object = to
    if to is None:
        if channel == "push":
            text = references(devices_of(customer.attributes))
        elif channel == "whatsapp":
            text = customer.phone
        else:
            text = customer.attributes.get(str(options.get("attribute") or WECHAT_ATTRIBUTE))
    if text is None or not str(text).strip():
        return None, "no_address"
    found = stored_address(channel, str(text).strip(), customer.country)
    return (found, None) if found is not None else (None, "invalid_address")


def stored_address(channel: str, text: str, country: str | None) -> Address | None:
    """The address that a text is on a channel, such as that of a message's row; None: it is none."""
    if channel == "email":
        return email_address(text)
    if channel in ("sms", "whatsapp"):
        return phone_number(text, country)
    if channel == "push":
        return Address(text, text) if are_references(text) else None
    if channel == "wechat":
        return Address(text, text) if _ID(text) else None
    return Address(text, text)


def email_address(text: str) -> Address | None:
    """An e-mail address that can be used, else None. Domains are compared in their ASCII form, all in lower case.

    Zero-width characters are dropped and compatibility forms folded first, so that look-alike spellings of one mailbox
    share its suppressions; so do its plus-addresses (`ana+shop@...`; see orchestrator.core.plus_addresses for projects
    that keep them apart), the dots of Gmail's, and what Cyrillic or Greek letters make look like an address in ASCII.
    Each is written to as it stands.
    """
    return Address(text, text) if _plain(text) else _spelt_otherwise(text)


@lru_cache(maxsize=16_384)
def _spelt_otherwise(text: str) -> Address | None:
    parts = _parts(text)
    return Address("@".join(parts), _compared(*parts)) if parts is not None else None


def plus_tag(text: str) -> str:
    """What stands behind the plus of an e-mail address, in the form in which it is compared; "": nothing does."""
    parts = None if _plain(text) else _parts(text)
    mailbox, _, tag = _folded(*parts)[0].partition("+") if parts is not None else ("", "", "")
    return tag if mailbox else ""


def _parts(text: str) -> tuple[str, str] | None:
    """What stands before the @ of a usable address, and its domain in ASCII."""
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
    return local, ".".join(labels)


def _compared(local: str, usable: str) -> str:
    """The form in which suppression compares an address with a domain in ASCII: its mailbox."""
    whole, usable = _folded(local, usable)
    mailbox = whole.partition("+")[0].rstrip(".") or whole  # an address cannot end with a dot before its @
    if usable in GMAIL:
        mailbox, usable = mailbox.replace(".", ""), "gmail.com"
    return f"{mailbox}@{usable}"


def _folded(local: str, usable: str) -> tuple[str, str]:
    """The same in lower case. What looks like an address in ASCII as a whole becomes that; others keep their own
    letters: those who write in them have mailboxes, too."""
    domain = usable
    if "xn--" in usable:
        with suppress(UnicodeError):
            domain = usable.encode("ascii").decode("idna")
    if not (local.isascii() and domain.isascii()):
        seems = f"{local}@{domain}".translate(_LATIN)
        if seems.isascii():
            local, _, usable = seems.rpartition("@")
    return local.lower(), usable.lower()


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


@lru_cache(maxsize=65_536)
def country_of_phone(e164: str) -> str | None:
    """The country of a number in E.164, in two letters (ISO 3166); None: it cannot be told. A number that no country's
    plan has is that of the largest country with its prefix."""
    import phonenumbers

    try:
        number = phonenumbers.parse(e164, None)
    except phonenumbers.NumberParseException:
        return None
    found = phonenumbers.region_code_for_number(number)
    found = found or phonenumbers.region_code_for_country_code(number.country_code or 0)
    return found if found and found.isalpha() and found != "ZZ" else None
