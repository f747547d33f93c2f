"""Customers who may be one person: the same address, or one that looks alike, or the same name and birthday.

Two passes over all profiles: the first counts what they share, by hashes of eight bytes; the second names those who
share something. A million customers take a few dozen megabytes, and no query each.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from orchestrator.core.addresses import address_of
from orchestrator.core.customer import Customer
from orchestrator.core.identity import stable_hash

Profiles = Callable[[], Iterable[Customer]]
"""All customers, in the order of their ids, each time it is called."""
WHY: Final = ("email", "phone", "email_alike", "name_and_birthday")
"""What customers may share, the surest first."""
_SIGNS: Final = re.compile(r"[.\-_]")
_CONFUSED: Final = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u04bb\u03bf\u03b1\u03b5\u0131", "aeopcyxijhoaei"
)
"""Letters of other alphabets that look like Latin ones."""
_BIRTHDAYS: Final = ("birthday", "birth_date", "date_of_birth", "birthdate")


class Duplicates(NamedTuple):
    """Customers who share something: `why` is one of WHY, `value` what they share, `ids` theirs in order."""

    why: str
    value: str
    ids: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """As it stands in an answer."""
        return {"why": self.why, "value": self.value, "customers": list(self.ids)}


def find_duplicates(profiles: Profiles, most: int = 100_000) -> list[Duplicates]:
    """Groups of customers who may be one person, at most `most` of them; who shares an address is not told again as
    looking alike."""
    hashes = array("Q")
    for customer in profiles():
        hashes.extend(stable_hash(*sign) for sign in _signs(customer))
    shared = _more_than_once(hashes)
    del hashes
    groups: dict[tuple[str, str], list[str]] = {}
    for customer in profiles():
        for sign in _signs(customer):
            if stable_hash(*sign) in shared and (sign in groups or len(groups) < most):
                groups.setdefault(sign, []).append(customer.id)
    return list(_told(groups))


def _more_than_once(hashes: array[int]) -> frozenset[int]:
    found = set()
    before = -1
    for value in sorted(hashes):
        if value == before:
            found.add(value)
        before = value
    return frozenset(found)


def _told(groups: Mapping[tuple[str, str], list[str]]) -> Iterator[Duplicates]:
    known: set[tuple[str, ...]] = set()
    for why, value in sorted(groups, key=lambda sign: (WHY.index(sign[0]), sign[1])):
        ids = tuple(dict.fromkeys(groups[why, value]))
        if len(ids) > 1 and ids not in known:
            known.add(ids)
            yield Duplicates(why, value, ids)


def _signs(customer: Customer) -> Iterator[tuple[str, str]]:
    """What may be shared with others: (one of WHY, value)."""
    email = address_of(customer, "email")[0] if customer.email else None
    if email is not None:
        yield "email", email.normal
        yield "email_alike", look_alike(email.normal)
    phone = address_of(customer, "sms")[0] if customer.phone else None
    if phone is not None:
        yield "phone", phone.normal
    values = customer.attributes
    born = next((values[name] for name in _BIRTHDAYS if values.get(name)), None)
    name = " ".join(str(values[part]) for part in ("first_name", "last_name", "name") if values.get(part))
    if born is not None and name:
        yield "name_and_birthday", f"{_plain(name)} {str(born)[:10]}"


def look_alike(email: str) -> str:
    """An address as people read it: without case, plus-tags, dots, and letters of others that look the same."""
    local, _, domain = _plain(email).rpartition("@")
    local = _SIGNS.sub("", local.split("+", 1)[0])
    return f"{local}@{'gmail.com' if domain == 'googlemail.com' else domain}"


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKD", text).casefold().translate(_CONFUSED)
    return " ".join("".join(letter for letter in folded if not unicodedata.combining(letter)).split())
