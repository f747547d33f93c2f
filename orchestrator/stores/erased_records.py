"""What records become when their person is erased, and which addresses stay suppressed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, NamedTuple

from orchestrator.core.addresses import address_of
from orchestrator.core.customer import Customer
from orchestrator.core.ledger import Coupon, Message, Task
from orchestrator.core.plus_addresses import put_as, softness_of
from orchestrator.core.transition import Transition
from orchestrator.stores.erasure_certificates import ERASED
from orchestrator.stores.sealed_rows import TOLD

GONE: Final = "suppressed"
"""The cause by which an erased person's addresses stay suppressed: nothing may be sent there, whatever its class."""
ADDRESSES: Final = ("email", "sms", "whatsapp")
"""Channels by whose addresses a person is known elsewhere, too."""


class Kept(NamedTuple):
    """An address that stays suppressed: by which cause from now on, and under what its soft bounces may add up."""

    channel: str
    normal: str
    cause: str
    soft: tuple[str, ...]


def addresses_of(customer: Customer, apart: bool, salt: str, known: Iterable[tuple[str, str]] = ()) -> list[Kept]:
    """The addresses that stay suppressed. `apart`: each for itself, and not the whole mailbox. `known`: identifiers of
    kind email and phone, which are addresses of theirs, too."""
    found = [(channel, address_of(customer, channel)[0]) for channel in ADDRESSES]
    for kind, value in known:
        other = Customer(customer.id, customer.created_at)
        setattr(other, kind, value)
        found += [(channel, address_of(other, channel)[0]) for channel in ADDRESSES]
    found = list(dict.fromkeys(each for each in found if each[1] is not None))
    return [
        Kept(
            channel,
            address.normal,
            put_as(GONE, channel, address.text, apart, salt),
            tuple(dict.fromkeys(softness_of(channel, *address, each, salt) for each in (False, True))),
        )
        for channel, address in found
        if address is not None
    ]


def said_no_more(data: Mapping[str, Any]) -> dict[str, Any]:
    """What a line of the journal goes on saying."""
    return {name: value for name, value in data.items() if name in TOLD}


def nobodys_lines(lines: Iterable[Transition], customer: str, hash: str) -> list[Transition]:
    """Lines of the journal, of which those of the customer say of nobody what happened."""
    return [
        line._replace(customer=ERASED + hash, key=None, data=said_no_more(line.data), values={})
        if line.customer == customer
        else line
        for line in lines
    ]


def nobodys_message(row: Message) -> Message:
    """A ledger row without its person: that something went, not to whom, nor what it said."""
    return row._replace(
        customer_id="", key="", to="", values={}, locale=None, subject=None, reply_to=None, zone="UTC", fixed_zone=None
    )


def nobodys_coupon(coupon: Coupon) -> Coupon:
    """A code that was given to somebody."""
    return coupon._replace(customer_id="", key=None, order_id=None)


def nobodys_task(task: Task, at: datetime) -> Task:
    """A task about nobody, which is closed."""
    closed_at, outcome = (task.closed_at, task.outcome) if task.closed_at is not None else (at, "erased")
    return task._replace(customer_id="", title="", body=None, closed_at=closed_at, outcome=outcome)


def proof_hashed(proof: Mapping[str, Any]) -> dict[str, str]:
    """What stays of a proof: whoever has it can show that it is the one."""
    return {"sha256": sha256(json.dumps(proof, sort_keys=True, default=str).encode()).hexdigest()}
