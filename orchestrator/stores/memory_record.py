"""What the memory store keeps of one customer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from orchestrator.core.consent import Choice
from orchestrator.core.customer import Customer
from orchestrator.core.enrollment import Enrollment, EntryRecord
from orchestrator.core.expression.scope import PastEvent
from orchestrator.core.inbox import Item
from orchestrator.core.ledger import Coupon, Task
from orchestrator.core.view import CustomerView, LoadedMessage


class MemoryHistory:
    """A customer's past events by name, ascending by timestamp. Everything is always loaded."""

    __slots__ = ("by_name",)

    def __init__(self) -> None:
        self.by_name: dict[str, list[PastEvent]] = {}

    def events(self, name: str) -> Sequence[PastEvent]:
        """Events of this name; none is an empty list, never NotLoaded."""
        return self.by_name.get(name, ())

    def add(self, event: PastEvent) -> None:
        """Put an event at the place of its timestamp."""
        events = self.by_name.get(event.name)
        if events is None:
            self.by_name[event.name] = [event]
            return
        place = len(events)
        while place and events[place - 1].at > event.at:
            place -= 1
        events.insert(place, event)


class CustomerRecord:
    """One customer's rows. `next_due_at` is the core's word on when to look again; `parked` why its turn is not taken;
    `known_from` when the customer first arrived, whatever the profile says."""

    __slots__ = (
        "choices",
        "coupons",
        "customer",
        "enrollments",
        "entries",
        "history",
        "inbox",
        "known_from",
        "messages",
        "next_due_at",
        "parked",
        "parked_at",
        "parked_detail",
        "tasks",
        "zone",
    )

    def __init__(self, customer: Customer) -> None:
        self.customer = customer
        self.known_from = customer.created_at
        self.inbox: list[Item] = []
        self.enrollments: dict[str, Enrollment] = {}
        self.choices: Sequence[Choice] = ()
        self.entries: dict[tuple[str, str], EntryRecord] = {}
        self.history = MemoryHistory()
        self.messages: list[LoadedMessage] = []
        self.coupons: dict[str, Coupon] = {}
        self.tasks: dict[str, Task] = {}
        self.next_due_at: datetime | None = None
        self.parked: str | None = None
        self.parked_at: datetime | None = None
        self.parked_detail = ""
        self.zone: str | None = None

    def view(self) -> CustomerView:
        """What a turn reads of this customer."""
        return CustomerView(
            self.customer,
            tuple(self.inbox),
            tuple(self.enrollments.values()),
            self.entries,
            self.history,
            tuple(self.messages),
            tuple(self.coupons.values()) if self.coupons else (),
            tuple(self.tasks.values()) if self.tasks else (),
        )
