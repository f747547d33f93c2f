"""What a turn wants done, in the imperative: the store saves all of it in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from orchestrator.core.consent import Choice
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


STOPPED = "stopped"
"""The cause of an address whose owner wrote STOP back, the only one that START takes back. Where it is the reason of a
message that was not sent, it is called `suppressed`."""


class SuppressAddress(NamedTuple):
    """Never write to this address again, for this cause: bounced, complained, opted_out, stopped or suppressed."""

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


@dataclass(slots=True, init=False)
class CustomerChanges:
    """What one customer's part of a turn wants done.

    `consumed` are the seqs of the inbox items that were taken; `enrollments` whole new states; `entries` new records of
    entries; `choices` rows of the consent ledger; `next_due_at` when this customer must be looked at again, None: only
    when something arrives. `parked`: the customer's decisions raised; nothing else is set, and its items stay until
    someone resumes it.
    """

    customer_id: str
    customer: Customer | None
    consumed: list[int]
    enrollments: Sequence[Enrollment]
    entries: dict[tuple[str, str], EntryRecord]
    events: list[PastEvent]
    messages: Sequence[Message]
    marks: Sequence[MarkMessage]
    requests: Sequence[Request]
    coupons: Sequence[Coupon]
    tasks: Sequence[Task]
    choices: Sequence[Choice]
    suppress: Sequence[SuppressAddress]
    transitions: list[Transition]
    taken: TakeFromPools
    next_due_at: datetime | None
    parked: str | None
    detail: str | None

    def __init__(
        self,
        customer_id: str,
        consumed: list[int] | None = None,
        transitions: list[Transition] | None = None,
        parked: str | None = None,
        detail: str | None = None,
    ) -> None:
        # Written out, because every customer of every turn gets one: twelve default factories take twice as long. What
        # few of them need begins as the empty tuple, which costs nothing.
        self.customer_id = customer_id
        self.customer = None
        self.consumed = [] if consumed is None else consumed
        self.enrollments = self.messages = self.marks = self.requests = self.coupons = self.tasks = self.suppress = ()
        self.choices = ()
        self.entries = {}
        self.events = []
        self.transitions = [] if transitions is None else transitions
        self.taken = NOTHING_TAKEN
        self.next_due_at = None
        self.parked = parked
        self.detail = detail

    @property
    def taken_at(self) -> datetime:
        """When something was taken from pools: a line says so, or, of a task that is escalated, an event."""
        return (self.transitions or self.events)[-1].at


@dataclass(slots=True)
class Changes:
    """What a turn wants done, customer by customer in the order in which they were decided."""

    ordinal: int
    customers: list[CustomerChanges] = field(default_factory=list)
