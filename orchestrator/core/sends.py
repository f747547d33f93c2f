"""What a customer was sent, and was not: as reports read it from a store, with the profile as it stands."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from orchestrator.core.consent import Choice
from orchestrator.core.customer import Customer
from orchestrator.core.ledger import Message


class Contact(NamedTuple):
    """A message that was first handed over to its provider at `handed_at` (journey time). `status`: what became of
    it."""

    row: Message
    handed_at: datetime
    status: str


class Withheld(NamedTuple):
    """A message that was not sent, and the code of the reason."""

    at: datetime
    channel: str | None
    reason: str


class CustomerSends(NamedTuple):
    """One customer's part. Contacts and withheld ones ascend by their instants."""

    customer: Customer
    contacts: tuple[Contact, ...] = ()
    withheld: tuple[Withheld, ...] = ()
    choices: tuple[Choice, ...] = ()
    """The consent ledger from its beginning to its end, in the order in which the choices were taken."""
