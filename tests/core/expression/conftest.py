"""Facts held in plain Python, and a way to run an expression over them in one line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from orchestrator.core.expression.scope import PastEvent, Scope
from orchestrator.core.expression.types import Types
from orchestrator.definitions.expressions import build_expr

NOW = datetime(2026, 3, 11, 10, 0, tzinfo=UTC)  # a Wednesday, 18:00 in Shanghai


@dataclass
class TableFacts:
    """What a store would know, written down."""

    past: dict[str, list[PastEvent]] = field(default_factory=dict)
    entries: dict[str, list[datetime]] = field(default_factory=dict)
    messages: dict[str, list[datetime]] = field(default_factory=dict)
    running: set[str] = field(default_factory=set)
    opens: set[str] = field(default_factory=set)
    clicks: set[str] = field(default_factory=set)
    redemptions: set[str] = field(default_factory=set)
    segments: set[str] = field(default_factory=set)
    consents: set[tuple[str, str]] = field(default_factory=set)
    addresses: set[str] = field(default_factory=set)
    visit_counts: dict[str, int] = field(default_factory=dict)
    rows: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    history_for: timedelta = timedelta(days=400)
    entry_at: datetime | None = None

    def events(self, name: str) -> Sequence[PastEvent]:
        return self.past.get(name, [])

    def entered(self, journey: str) -> Sequence[datetime]:
        return self.entries.get(journey, [])

    def received(self, name: str) -> Sequence[datetime]:
        return self.messages.get(name, [])

    def in_journey(self, journey: str) -> bool:
        return journey in self.running

    def opened(self, step: str) -> bool:
        return step in self.opens

    def clicked(self, step: str) -> bool:
        return step in self.clicks

    def redeemed(self, offer: str) -> bool:
        return offer in self.redemptions

    def visits(self, step: str) -> int:
        return self.visit_counts.get(step, 0)

    def in_segment(self, name: str) -> bool:
        return name in self.segments

    def consented(self, topic: str, channel: str) -> bool:
        return (topic, channel) in self.consents

    def reachable(self, channel: str) -> bool:
        return channel in self.addresses

    def catalog(self, name: str, key: str) -> dict[str, Any] | None:
        return self.rows.get((name, key))


@pytest.fixture(scope="session")
def now() -> datetime:
    return NOW


@pytest.fixture(scope="session")
def facts_of() -> Callable[..., TableFacts]:
    return TableFacts


@pytest.fixture(scope="session")
def past() -> Callable[..., PastEvent]:
    """past('order_placed', '-40d'-like timedelta, **properties)"""

    def event(name: str, ago: timedelta, /, **properties: Any) -> PastEvent:
        return PastEvent(NOW - ago, name, properties, f"{name}@{ago}")

    return event


@pytest.fixture(scope="session")
def scope_of() -> Callable[..., Scope]:
    """A scope over plain data; what is not given is empty."""

    def make(
        customer: dict[str, Any] | None = None,
        *,
        facts: TableFacts | None = None,
        zone: str = "UTC",
        at: datetime = NOW,
        tracking: bool = False,
        **parts: Any,
    ) -> Scope:
        return Scope(
            customer or {}, now=at, zone=ZoneInfo(zone), facts=facts or TableFacts(), tracking=tracking, **parts
        )

    return make


@pytest.fixture(scope="session")
def run(scope_of: Callable[..., Scope]) -> Callable[..., Any]:
    """The value of an expression over data: run('customer.a + 1', {'a': 2}) == 3"""

    def evaluate(source: str, customer: dict[str, Any] | None = None, types: Types | None = None, **parts: Any) -> Any:
        return build_expr(source, types=types).evaluate(scope_of(customer, **parts))

    return evaluate
