"""What an expression may look at while it is evaluated: plain data, the present instant, and facts from a store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple, NoReturn, Protocol
from zoneinfo import ZoneInfo

from orchestrator.errors import NotLoaded

Value = None | bool | int | float | str | list[Any] | dict[str, Any] | datetime | date | timedelta
"""All that data and results are made of; datetimes are aware, in UTC; lists and objects hold values again."""


class PastEvent(NamedTuple):
    """One event of a customer's history."""

    at: datetime
    """Its own timestamp, UTC."""
    name: str
    properties: dict[str, Any]
    id: str


def event_data(event: PastEvent) -> dict[str, Any]:
    """The event as expressions see it: its properties, overlaid by the reserved names, and all of them below
    `properties`."""
    properties = event.properties
    return {**properties, "name": event.name, "at": event.at, "id": event.id, "properties": properties}


class Facts(Protocol):
    """What a store knows about one customer. Any of these may raise NotLoaded or FactUnavailable, which pass through
    an expression untouched."""

    @property
    def history_for(self) -> timedelta:
        """How far back windows reach (settings.history)."""

    @property
    def entry_at(self) -> datetime | None:
        """When the enrollment began; None where there is none."""

    def events(self, name: str) -> Sequence[PastEvent]:
        """Past events of this name, ascending by `at`."""

    def entered(self, journey: str) -> Sequence[datetime]:
        """The instants at which the customer entered this journey, ascending."""

    def in_journey(self, journey: str) -> bool:
        """Whether an enrollment of this journey runs."""

    def received(self, name: str) -> Sequence[datetime]:
        """The instants of messages with this template or of this journey, ascending."""

    def opened(self, step: str) -> bool:
        """Whether a message of this step was opened."""

    def clicked(self, step: str) -> bool:
        """Whether a link in a message of this step was clicked."""

    def redeemed(self, offer: str) -> bool:
        """Whether the customer redeemed a coupon of this offer."""

    def visits(self, step: str) -> int:
        """How often this enrollment has come to this step."""

    def in_segment(self, name: str) -> bool:
        """Whether the customer is in this segment."""

    def consented(self, topic: str, channel: str) -> bool:
        """Whether a message of this topic may go out on this channel, as far as consent goes."""

    def reachable(self, channel: str) -> bool:
        """Whether the customer has a usable address on this channel."""

    def catalog(self, name: str, key: str) -> dict[str, Any] | None:
        """The row of this key, or None."""

    def recommended(self, name: str) -> list[dict[str, Any]]:
        """Rows of a catalog that may interest the customer, the best first, at most twelve, none of them sold out."""


class Scope:
    """One evaluation's surroundings; slots, mutable, to be used again for the next event or step.

    `customer`, `event` and `entry` are merged already: attributes or properties at the top, overlaid by the reserved
    names, and once more raw below `attributes` or `properties`. While `tracking` is true, every sub-expression whose
    value time alone can change notes when; `changes_at` is the earliest of these instants.
    """

    __slots__ = (
        "changes_at",
        "customer",
        "entry",
        "event",
        "facts",
        "hoisted",
        "it",
        "loop",
        "now",
        "results",
        "tracking",
        "zone",
    )

    def __init__(
        self,
        customer: dict[str, Any],
        *,
        now: datetime,
        zone: ZoneInfo,
        facts: Facts,
        event: dict[str, Any] | None = None,
        entry: dict[str, Any] | None = None,
        results: dict[str, Any] | None = None,
        loop: dict[str, Any] | None = None,
        tracking: bool = False,
    ) -> None:
        self.customer = customer
        self.event = event
        self.entry = entry
        self.results: dict[str, Any] = {} if results is None else results
        self.loop = loop
        self.now = now
        """The present instant, UTC: the t of every window."""
        self.zone = zone
        """The zone in force: of `today`, and of texts without a zone."""
        self.facts = facts
        self.tracking = tracking
        self.changes_at: datetime | None = None
        self.it: dict[str, Any] | None = None
        """The past event that a `where=` looks at."""
        self.hoisted: dict[str, Value] | None = None
        """Variables that a `where=` has read, so that each is evaluated once for all past events."""

    def note(self, at: datetime) -> None:
        """Time alone can change the value at `at`; instants not after `now` are ignored."""
        if at > self.now and (self.changes_at is None or at < self.changes_at):
            self.changes_at = at


Evaluator = Callable[[Scope], Value]
"""A compiled expression. Raises EvaluationError; NotLoaded and FactUnavailable come through from the facts."""


class NoFacts:
    """Facts for places that have none, such as the mapping of a table: every question is NotLoaded."""

    history_for = timedelta(days=400)
    entry_at = None

    def events(self, name: str) -> NoReturn:
        """Raises NotLoaded, as all of these do."""
        raise NotLoaded(f"past events ('{name}') are not known here")

    def entered(self, journey: str) -> NoReturn:
        raise NotLoaded(f"entries ('{journey}') are not known here")

    in_journey = received = opened = clicked = redeemed = visits = in_segment = reachable = recommended = entered

    def consented(self, topic: str, channel: str) -> NoReturn:
        raise NotLoaded(f"consent ('{topic}', '{channel}') is not known here")

    def catalog(self, name: str, key: str) -> NoReturn:
        raise NotLoaded(f"catalogs ('{name}') are not known here")
