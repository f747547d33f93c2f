"""Whether the plus-addresses of a mailbox share its suppressions: `channels: email: plus_addresses` in project.yaml.

Every entry of the suppression list stands under its mailbox (`ana@example.com` for `ana+shop@example.com`, too),
whatever a project says: so whoever looks finds it. Where a project keeps plus-addresses apart, the cause carries a mark
of the one address that it is about: `bounced+5be0f1a2`. The mark is a keyed hash, so that a list that is sealed, or
that has forgotten somebody, does not tell the address by it. A cause without a mark is about the whole mailbox.

So a change of the setting opens nobody. What was put on the list together goes on closing the whole mailbox when they
are kept apart; and what was put there for one address closes the whole mailbox when they are together again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from orchestrator.core.addresses import Address, email_address, plus_tag
from orchestrator.core.suppression import hashed_entry

CHANNEL: Final = "email"
"""The only channel with plus-addresses."""
MARK: Final = "+"
"""Between a cause and the mark of the address that it is about."""
_LENGTH: Final = 8
"""Hexadecimal digits of a mark, which tells the addresses of one mailbox from each other; two with the same mark close
together."""


def keeps_apart(channels: Mapping[str, Mapping[str, object]]) -> bool:
    """Whether a project with these channels keeps plus-addresses apart."""
    return channels.get(CHANNEL, {}).get("plus_addresses") == "apart"


def put_as(cause: str, channel: str, text: str, apart: bool, salt: str) -> str:
    """The cause as it goes on the suppression list for an address, which may be spelt in any way."""
    return f"{cause}{MARK}{_mark(text, salt)}" if apart and channel == CHANNEL else cause


def binding(causes: Collection[str], channel: str, text: str, apart: bool, salt: str) -> frozenset[str]:
    """Of the causes that the list has for a mailbox those that are about this address, as they stand there."""
    if not apart or channel != CHANNEL or not any(MARK in cause for cause in causes):
        return frozenset(causes)
    own = MARK + _mark(text, salt)
    return frozenset(cause for cause in causes if MARK not in cause or cause.endswith(own))


def reasons(causes: Collection[str], channel: str, text: str, apart: bool, salt: str) -> frozenset[str]:
    """Why nothing may be written to this address, by what the list has for its mailbox: causes without their marks."""
    return frozenset(map(unmarked, binding(causes, channel, text, apart, salt)))


def own(causes: Collection[str], channel: str, text: str, apart: bool, salt: str) -> frozenset[str]:
    """Of the causes that bind an address those that whoever has it may take back: where plus-addresses are kept apart,
    what closes a whole mailbox goes only with its plain address."""
    bound = binding(causes, channel, text, apart, salt)
    if not apart or channel != CHANNEL or not plus_tag(text):
        return bound
    return frozenset(cause for cause in bound if MARK in cause)


def is_of_all(causes: Collection[str], channel: str) -> bool:
    """Whether some of the causes are about all addresses of a mailbox."""
    return channel == CHANNEL and any(MARK not in cause for cause in causes)


def unmarked(cause: str) -> str:
    """The cause without the mark of the address that it is about."""
    return cause.partition(MARK)[0]


def told_of(channel: str, address: Address, apart: bool) -> str:
    """How people are told which address this is: what is compared of it."""
    tag = plus_tag(address.text) if apart and channel == CHANNEL else ""
    return address.normal.replace("@", f"{MARK}{tag}@") if tag else address.normal


def softness_of(channel: str, text: str, normal: str, apart: bool, salt: str) -> str:
    """Under what the soft bounces of an address add up, before it is hashed."""
    return f"{normal}{MARK}{_mark(text, salt)}" if apart and channel == CHANNEL else normal


def is_same(first: str, second: str, apart: bool) -> bool:
    """Whether two e-mail addresses of one mailbox are one to this project."""
    return not apart or plus_tag(first) == plus_tag(second)


def _mark(text: str, salt: str) -> str:
    found = email_address(text)
    normal = found.normal if found is not None else text
    return hashed_entry(salt, CHANNEL, f"{normal}\x1f{plus_tag(text)}")[1][:_LENGTH]
