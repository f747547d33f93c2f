"""What the tests of stores share: an instant to begin at, small projects, and the engine's single passes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from orchestrator.core.inbox import Body, Event, Identified, Occurred
from orchestrator.core.index import Index
from orchestrator.core.transition import Transition, line_of
from orchestrator.runtime.turns import turn_once
from orchestrator.stores.protocol import Arrival, Store
from tests.small_projects import project_of

START = datetime(2026, 3, 2, 10, tzinfo=UTC)
"""A Monday."""
WAITS_AN_HOUR: dict[str, Any] = {
    "enter": {"event": "go", "key": "event.order", "reentry": "always"},
    "steps": [{"wait": "1h"}],
}
WRITES: dict[str, Any] = {
    "topic": "orders",
    "enter": {"event": "go", "key": "event.order", "reentry": "always"},
    "steps": [{"email": "hello"}],
}


def later(minutes: float = 0, **more: float) -> datetime:
    """An instant after START."""
    return START + timedelta(minutes=minutes, **more)


def index_of(journeys: Mapping[str, Mapping[str, Any]] | None = None, **parts: Any) -> Index:
    """The look-ups of a small project; see tests.small_projects."""
    return _index(json.dumps([journeys or {"waits": WAITS_AN_HOUR}, parts], default=str))


@lru_cache(maxsize=256)
def _index(text: str) -> Index:
    journeys, parts = json.loads(text)
    with TemporaryDirectory() as folder:
        return Index(project_of(Path(folder), journeys, **parts).project)


def event(name: str = "go", at: datetime = START, id: str = "", **properties: Any) -> Occurred:
    """An event with a timestamp of its own."""
    return Occurred(Event(name, at, properties, id or f"{name}:{at.isoformat()}:{json.dumps(properties)}"))


def arrive(store: Store, customer: str, body: Body, at: datetime = START, message_id: str | None = None) -> None:
    """One thing arrives and is taken."""
    assert store.ingest([Arrival(customer, at, body, message_id)]).accepted == 1


def create(store: Store, *customers: str, at: datetime = START, **traits: Any) -> None:
    """Customers who are simply there, with an address and consent to everything, and nothing left to decide."""
    for customer in customers:
        known = {
            "email": f"{customer}@example.com",
            "phone": "+351912345678",
            "created_at": at,
            "consents": {"promotions": {"email": "in", "sms": "in"}},
            **traits,
        }
        arrive(store, customer, Identified(known, silent=True), at)
    turns(store, at)


def turns(store: Store, now: datetime, budget: int = 1_000) -> int:
    """Turns until nothing is due. Returns how many customers they took."""
    taken = 0
    for _ in range(1_000):
        counts = turn_once(store, now, budget)
        if not counts.customers:
            return taken
        taken += counts.customers
    raise AssertionError("the turns do not come to an end")


def lines(store: Store) -> list[dict[str, Any]]:
    """The journal since the last call, in its order, without the versions."""
    found: Sequence[Transition] = sorted(store.drain_journal(), key=lambda t: (t.at, t.customer, t.seq))
    return [{key: value for key, value in line_of(t).items() if key != "version"} for t in found]


def types(store: Store) -> list[tuple[str, str]]:
    """(customer, type) of the journal since the last call."""
    return [(line["customer"], line["type"]) for line in lines(store)]
