"""Whether two ids may become one person: the rules against runaway merges (docs/identity.md).

A client says that two ids are the same person: an anonymous id with a user id in one call, an alias, or, where the
project says so, an e-mail address or a phone number. Pure; the stores ask it inside the transaction that acts on it.
"""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Final, Literal, NamedTuple, TypeAlias

from orchestrator.records import dataclass

Kind: TypeAlias = Literal["external", "anonymous", "email", "phone"]
KINDS: Final[tuple[Kind, ...]] = ("external", "anonymous", "email", "phone")
"""Kinds of identifiers. `external` is a brand's own id, `anonymous` a device's or a browser's."""
Cause: TypeAlias = Literal["operator", "scenario", "external", "anonymous", "email", "phone"]
"""Why two customers are one: said by an operator or a scenario, by an alias (`external`), or by what they share."""
NOBODY: Final = frozenset({
    "", "null", "nil", "none", "undefined", "nan", "n/a", "unknown", "anonymous", "anon", "guest", "[object object]",
    "not set", "(not set)",
})  # fmt: skip
"""What clients send in place of an id when they know of none; in small letters."""
_ZEROS: Final = re.compile(r"[0x{}-]+")
_BEGIN: Final = "0x{}-"


@dataclass(frozen=True, slots=True)
class IdentityRules:
    """`identity:` of project.yaml. `merge`: which kinds join two customers; `never`: values that are nobody's id, in
    small letters, beside NOBODY; `identifiers`: how many of one kind a customer may have; `merges_per_day`: how often
    others may become part of one customer within 24 hours."""

    merge: frozenset[str] = frozenset({"external", "anonymous"})
    never: frozenset[str] = frozenset()
    identifiers: int = 50
    merges_per_day: int = 20

    @property
    def by_address(self) -> bool:
        """Whether an address says who somebody is."""
        return "email" in self.merge or "phone" in self.merge


class Standing(NamedTuple):
    """A customer as the rules see it. `known`: the brand gave it an id of its own; `identifiers`: how many it has, by
    kind; `merges`: how many others became part of it within 24 hours."""

    id: str
    known: bool
    identifiers: dict[str, int]
    merges: int = 0


class Add(NamedTuple):
    """The identifier is nobody's yet: it is this customer's."""


class Nothing(NamedTuple):
    """It is this customer's already."""


class Join(NamedTuple):
    """`source` becomes part of `into`, by their ids."""

    source: str
    into: str


class Blocked(NamedTuple):
    """Nothing happens. `reason`: never, both_known, not_merged, too_many_identifiers, too_many_merges."""

    reason: str


Verdict: TypeAlias = Add | Nothing | Join | Blocked
BLOCKED: Final = ("never", "both_known", "not_merged", "too_many_identifiers", "too_many_merges")
"""The reasons why a link does not come about."""


def is_nobody(value: str, never: Container[str] = frozenset()) -> bool:
    """Whether an id is what a client sends when it has none: null, undefined, guest, zeros only."""
    small = value.strip().lower()
    if small in NOBODY or small in never:
        return True
    return small[0] in _BEGIN and _ZEROS.fullmatch(small) is not None  # "" is among NOBODY


def verdict(kind: Cause, value: str, owner: Standing | None, customer: Standing, rules: IdentityRules) -> Verdict:
    """What comes of the news that `value`, which is `owner`'s (None: nobody's), is an identifier of `customer`."""
    told = kind in ("operator", "scenario")
    if not told and (is_nobody(value, rules.never) or is_nobody(customer.id, rules.never)):
        return Blocked("never")
    if owner is None:
        if customer.identifiers.get(kind, 0) >= rules.identifiers:
            return Blocked("too_many_identifiers")
        return Add()
    if owner.id == customer.id:
        return Nothing()
    if told:
        return Join(owner.id, customer.id)
    if kind not in rules.merge:
        return Blocked("not_merged")
    source, into = owner, customer
    if kind != "external" and owner.known:
        if customer.known:
            return Blocked("both_known")
        source, into = customer, owner
    if into.merges >= rules.merges_per_day:
        return Blocked("too_many_merges")
    both = source.identifiers.keys() & into.identifiers.keys()
    if any(source.identifiers[name] + into.identifiers[name] > rules.identifiers for name in both):
        return Blocked("too_many_identifiers")
    return Join(source.id, into.id)
