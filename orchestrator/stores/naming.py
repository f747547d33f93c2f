"""Whether a text that belongs to nobody names a certain person: an item that was refused, the address of a call, a line
of the audit log.

An address names its person wherever it stands, in whatever notation: URL-encoded, with `\\u` escapes, a plus-address of
the same mailbox, a phone number with spaces, with `00`, or without its country. An id, which may be as short as `42`,
names its person only where a field says that it is a customer's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final
from urllib.parse import unquote, unquote_plus

from orchestrator.core.addresses import country_of_phone, email_address, phone_number

Named = Callable[[str], bool]
_WORD: Final = r"0-9A-Za-z_\u00c0-\u1fff"
"""What words consist of where spaces stand between them: an address may follow a Chinese word without any."""
_EMAIL: Final = re.compile(rf"[{_WORD}.!#$%*+^`|~-]{{1,64}}@[{_WORD}-]{{1,63}}(?:\.[{_WORD}-]{{1,63}}){{1,8}}")
_PHONE: Final = re.compile(rf"(?<![{_WORD}.+])\+?\(?\d(?:[ ()./-]{{0,2}}\d){{6,16}}(?![{_WORD}])")
_ESCAPE: Final = re.compile(r"\\{1,4}(?:u([0-9a-fA-F]{4})|([\"/]))")
"""Of JSON, which may stand within JSON."""
_ALONE: Final = rf"(?<![{_WORD}@+.-])(?:{{}})(?![{_WORD}@+-]|\.[{_WORD}])"
"""Not as a part of another word or address."""
_FIELD: Final = (
    r"(?i:(?<![a-z])(?:user|anonymous|previous|customer|external|subscriber|contact|profile|distinct|member)"
    r"[_ -]?(?:id)?"
    r"|(?<![a-z])(?:user|traits|customer|subscriber|contact|profile|member)[\"']?\s*:\s*\{{[^{{}}]{{0,1000}}[\"']id)"
    r"[\"']?\s*[:=]\s*(?:\"(?:{0})\"|'(?:{0})'|(?:{0})(?=[\s,;&}}\])]|$))"
)
"""An id as the value of a field of a customer, or as `id` of an object that is one."""


def names(ids: Iterable[str], email: str | None, phone: str | None, country: str | None = None) -> Named:
    """Whether a text names somebody of these ids (the brand's own and others), this address and this phone number.

    `country` is the customer's, for phone numbers without one; default: that of the number.
    """
    known = sorted(set(filter(None, ids)))
    addresses = {text for text in (email, phone) if text}
    addresses |= {id for id in known if "@" in id or (id.startswith("+") and phone_number(id, None) is not None)}
    alone = _any(_ALONE, addresses, re.IGNORECASE)
    field = _any(_FIELD, {*known, *(json.dumps(id)[1:-1] for id in known)})
    mailboxes = {found.normal for found in map(email_address, addresses) if found is not None}
    numbers = {found.normal for text in addresses if (found := phone_number(text, country)) is not None}

    def named(text: str) -> bool:
        return any(
            (alone is not None and alone.search(form))
            or (field is not None and field.search(form))
            or (mailboxes and not mailboxes.isdisjoint(_mailboxes(form)))
            or (numbers and any(_is_number(found.group(), numbers, country) for found in _PHONE.finditer(form)))
            for form in forms_of(text)
        )

    return named


def mentions(id: str, named: Named) -> Named:
    """As `named`, or with the id as a word of its own: for what is lost without harm when it was another's."""
    alone = _any(_ALONE, {id})
    return lambda text: named(text) or (alone is not None and any(alone.search(form) for form in forms_of(text)))


def forms_of(text: str) -> tuple[str, ...]:
    """A text as it stands, and as it reads without escapes."""
    bare = _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else found[2], text)
    return tuple(dict.fromkeys([text, bare, unquote(bare), unquote_plus(bare)]))


def mailboxes_in(text: str) -> frozenset[str]:
    """All mailboxes that a text names, as they are compared."""
    return frozenset(mailbox for form in forms_of(text) for mailbox in _mailboxes(form))


def _any(pattern: str, texts: Iterable[str], flags: int = 0) -> re.Pattern[str] | None:
    parts = sorted(map(re.escape, texts), key=len, reverse=True)
    return re.compile(pattern.format("|".join(parts)), flags) if parts else None


def _mailboxes(text: str) -> Iterator[str]:
    for found in _EMAIL.finditer(text):
        address = email_address(found.group())
        if address is not None:
            yield address.normal


def _is_number(text: str, numbers: Iterable[str], country: str | None) -> bool:
    digits = "".join(filter(str.isdigit, text))
    for number in numbers:
        if not number.endswith(digits[-6:]):
            continue
        if digits.removeprefix("00") == number[1:]:
            return True
        read = phone_number(text, country or country_of_phone(number))
        if read is not None and read.normal == number:
            return True
    return False
