"""What a turn wants done, in the imperative: the store saves all of it in one transaction."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from orchestrator.core.customer import Customer
from orchestrator.core.enrollment import Enrollment, EntryRecord
from orchestrator.core.expression.scope import PastEvent
from orchestrator.core.ledger import Coupon, Message, Request, Task
from orchestrator.core.transition import Transition


class MarkMessage(NamedTuple):
    """Record what a receipt said about a message."""

    message_id: str
    mark: str
    at: datetime


class SuppressAddress(NamedTuple):
    """Never write to this address again, for this cause: bounced, complained, opted_out or suppressed."""

    channel: str
    address: str
    cause: str
    at: datetime


class TakeFromPools(NamedTuple):
    """What one customer's decisions took from the quantities shared by all."""

    coupons: tuple[tuple[str, str, float], ...] = ()
    """(offer, code, money reserved) for each code issued."""
    entries: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()


NOTHING_TAKEN = TakeFromPools()


@dataclass(slots=True)
class CustomerChanges:
    """What one customer's part of a turn wants done.

    `consumed` are the seqs of the inbox items that were taken; `enrollments` whole new states; `entries` new records of
    entries; `next_due_at` when this customer must be looked at again, None: only when something arrives. `parked`: the
    customer's decisions raised; nothing else is set, and its items stay until someone resumes it.
    """

    customer_id: str
    customer: Customer | None = None
    consumed: list[int] = field(default_factory=list)
    enrollments: list[Enrollment] = field(default_factory=list)
    entries: dict[tuple[str, str], EntryRecord] = field(default_factory=dict)
    events: list[PastEvent] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    marks: list[MarkMessage] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    coupons: list[Coupon] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    suppress: list[SuppressAddress] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)
    taken: TakeFromPools = NOTHING_TAKEN
    next_due_at: datetime | None = None
    parked: str | None = None
    detail: str | None = None


@dataclass(slots=True)
class Changes:
    """What a turn wants done, customer by customer in the order in which they were decided."""

    ordinal: int
    customers: list[CustomerChanges] = field(default_factory=list)
