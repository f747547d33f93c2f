"""Addresses as identifiers: those of a customer who became part of another stay known as the other's."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from orchestrator.core.addresses import address_of
from orchestrator.core.customer import Customer
from orchestrator.core.linking import Kind
from orchestrator.core.program import Channel

CHANNELS: Final[tuple[tuple[Kind, Channel], ...]] = (("email", "email"), ("phone", "sms"))
"""Kinds of identifiers, and the channel that says how their addresses are normalised."""


def normal_addresses(customer: Customer) -> list[tuple[Kind, str]]:
    """The usable addresses of a profile as (kind, normalised value)."""
    found = [(kind, address_of(customer, channel)[0]) for kind, channel in CHANNELS]
    return [(kind, address.normal) for kind, address in found if address is not None]


def said_addresses(traits: Mapping[str, Any]) -> list[tuple[Kind, str]]:
    """The usable addresses among traits."""
    person = Customer("", datetime.min.replace(tzinfo=UTC))
    for kind, _ in CHANNELS:
        value = traits.get(kind)
        setattr(person, kind, value if isinstance(value, str) else None)
    return normal_addresses(person)


def addresses_to_keep(source: Customer, target: Customer) -> list[tuple[Kind, str]]:
    """The addresses of a source that the target's profile has no room for, as it has its own."""
    theirs = normal_addresses(target)
    kinds = {kind for kind, _ in theirs}
    return [each for each in normal_addresses(source) if each not in theirs and each[0] in kinds]
