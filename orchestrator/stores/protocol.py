"""The Store: what every database must do for the engine. Memory, SQLite and PostgreSQL sign the same contract.

Each method is one transaction. All instants are given; a store never asks a clock. `tests/stores/conformance.py` is the
contract as tests: a new store plugs in there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from orchestrator.core.changes import Changes
from orchestrator.core.claim import Claimed
from orchestrator.core.identity import stable_hash
from orchestrator.core.inbox import Body, Event, Occurred
from orchestrator.core.index import Index
from orchestrator.core.ledger import Coupon, Message, Request, Task
from orchestrator.core.state import body_to_json, dumps
from orchestrator.core.transition import Transition
from orchestrator.core.view import LoadedMessage, Switches, View


class Arrival(NamedTuple):
    """Something for one customer's inbox. `message_id` dedupes (None: never a duplicate)."""

    customer: str
    received_at: datetime
    body: Body
    message_id: str | None = None


def content_of(arrival: Arrival) -> int:
    """What tells two arrivals of one message id apart: customer and content, without timestamps.

    A client that sends an event again because it missed the answer gives it the same content, and the time of that try.
    """
    body = arrival.body
    if isinstance(body, Occurred):
        return stable_hash(arrival.customer, body.event.name, dumps(body.event.properties))
    return stable_hash(arrival.customer, body_to_json(body))


class Ingested(NamedTuple):
    """What became of arrivals: accepted, duplicates of a message id, conflicts (same id, other content), dropped."""

    accepted: int = 0
    duplicates: int = 0
    conflicts: tuple[str, ...] = ()
    dropped: int = 0


class Settlement(NamedTuple):
    """What became of a claimed message. `status` queued: it stays, not before `available_at`.

    `handed_over` counts for the throttle; `receipts` go to the customer's inbox; `release_coupon` takes the code back.
    """

    message_id: str
    customer_id: str
    status: str
    transitions: Sequence[Transition] = ()
    available_at: datetime | None = None
    handed_over: bool = False
    receipts: Sequence[Body] = ()
    release_coupon: str | None = None
    suppress: tuple[str, str, str] | None = None
    """(channel, normalised address, cause) to put on the suppression list at once."""


class CustomerCard(NamedTuple):
    """What people are shown of a customer."""

    id: str
    parked: str | None
    messages: Sequence[LoadedMessage]
    coupons: Sequence[Coupon]
    tasks: Sequence[Task]


class Store(Protocol):
    """See the module's docstring."""

    salt: str
    """The salt of every split, holdout and smear."""

    @property
    def index(self) -> Index:
        """The definitions last deployed. Raises UsageError when nothing was deployed."""

    def deploy(self, index: Index, now: datetime) -> None:
        """Make definitions live. Versions already known stay for those who are pinned to them."""

    def ingest(self, arrivals: Sequence[Arrival]) -> Ingested:
        """Put arrivals into the inbox, each message id once; unknown customers are created. Opt-outs commit at once."""

    def lay_history(self, customer: str, events: Iterable[Event]) -> None:
        """Join events to a customer's past; nobody enters anything by them."""

    def load(self, now: datetime, budget: int) -> View:
        """Claim at most `budget` customers with due timers or inbox items, ordered by customer id, and all they
        need."""

    def save(self, changes: Changes) -> None:
        """Everything that a turn wants done, at once."""

    def claim_messages(self, now: datetime, limit: int) -> Sequence[Claimed]:
        """Queued messages that may be handed over now, oldest first; each is claimed by one caller only."""

    def throttled(self, now: datetime) -> Sequence[tuple[Message, datetime]]:
        """Messages that began to wait for their journey's throttle, each told once, with when it will be their turn."""

    def room(self, journey: str, now: datetime) -> tuple[int | None, datetime | None]:
        """How many messages the journey's throttle lets through now (None: all), and when the next may go."""

    def settle_messages(self, settlements: Sequence[Settlement], now: datetime) -> None:
        """Write what became of claimed messages."""

    def claim_requests(self, now: datetime, limit: int) -> Sequence[Request]:
        """Calls to make outside; each is claimed by one caller only."""

    def settle_requests(self, replies: Sequence[tuple[Request, Body]], now: datetime) -> None:
        """Put the answers into the inbox."""

    def cached_reply(self, url: str, now: datetime) -> tuple[int, Any] | None:
        """A fetched answer that may still be used: (status, body)."""

    def keep_reply(self, url: str, status: int, body: Any, until_at: datetime) -> None:
        """Remember a fetched answer."""

    def switches(self) -> Switches:
        """What operators switched off."""

    def set_switches(self, switches: Switches) -> None:
        """Throw switches; effective at once."""

    def operate(self, journey: str, action: str, now: datetime) -> int:
        """Tell every customer in a journey that it was stopped or resumed. Returns how many.

        `resume` also takes up every parked customer again: which journey it was that failed is not known.
        """

    def import_codes(self, offer: str, codes: Sequence[str]) -> int:
        """Add codes to an offer's imported pool, each code once. Returns how many were new."""

    def suppressions(self) -> dict[tuple[str, str], frozenset[str]]:
        """The suppression list: (channel, normalised address) to causes."""

    def zones(self) -> Sequence[str]:
        """The IANA names of the zones in force among all customers."""

    def fan_out(
        self, journey: str, trigger: int, occurrence: str, zone: str | None, segment: str | None, at: datetime
    ) -> int:
        """Put an occurrence of a schedule into the inbox of everyone whom it concerns, once. Returns how many.

        It concerns those who were known at `at` and are now in `zone` (None: in any) and, as far as it is decided, in
        `segment`. The same (journey, trigger, occurrence, zone) again reaches nobody.
        """

    def mark(self, name: str, at: datetime | None = None) -> datetime | None:
        """Read a named instant (how far schedules were fanned out), or set it."""

    def tally(self, name: str) -> int:
        """Count one more under a name. Returns how many there are now."""

    def next_due_at(self) -> datetime | None:
        """The earliest instant at which something in this store is due; None: nothing ever, unless something
        arrives."""

    def message(self, customer: str, channel: str, step: str | None) -> Message | None:
        """The latest message of a customer on a channel (from a step), for receipts that name no id."""

    def open_task(self, customer: str, step: str | None) -> Task | None:
        """The latest open task of a customer (from a step)."""

    def card(self, customer: str) -> CustomerCard | None:
        """What people are shown of a customer; None: unknown."""

    def drain_journal(self) -> list[Transition]:
        """The transitions recorded since the last call, in no particular order."""
