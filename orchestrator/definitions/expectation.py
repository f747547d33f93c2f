"""What a journey test expects, as values (the language reference, section 11), and the words for writing it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Any

from orchestrator.definitions.scenario_items import Scenario
from orchestrator.records import dataclass

MAIN_KEYS: Mapping[str, str] = {
    "entered": "trigger",
    "refused": "reason",
    "waiting": "until",
    "rescheduled": "until",
    "branched": "branch",
    "assigned": "variant",
    "held": "reason",
    "message": "template",
    "outcome": "status",
    "suppressed": "reason",
    "coupon": "offer",
    "released": "offer",
    "redeemed": "offer",
    "task": "queue",
    "attribute": "name",
    "event": "name",
    "fetched": "url",
    "webhook": "url",
    "goal": "value",
    "exited": "reason",
    "completed": "",
    "failed": "reason",
    "segment": "name",
    "stage": "to",
    "migrated": "to_version",
}
"""Output line -> the key that an expectation's first value is about. `completed` has none: it is just `true`."""

COMMON_KEYS = frozenset({"customer", "journey", "version", "key", "step"})

LINE_KEYS: Mapping[str, frozenset[str]] = {
    "entered": frozenset({"trigger"}),
    "refused": frozenset({"reason"}),
    "waiting": frozenset({"until"}),
    "rescheduled": frozenset({"until"}),
    "branched": frozenset({"branch"}),
    "assigned": frozenset({"split", "variant"}),
    "held": frozenset({"reason", "until"}),
    "message": frozenset({"channel", "topic", "template", "to", "subject", "text", "html"}),
    "outcome": frozenset({"channel", "status", "reason"}),
    "suppressed": frozenset({"channel", "reason"}),
    "coupon": frozenset({"offer", "code", "expires_at"}),
    "released": frozenset({"offer", "code"}),
    "redeemed": frozenset({"offer", "code"}),
    "task": frozenset({"queue", "title", "due_at"}),
    "attribute": frozenset({"name", "value"}),
    "event": frozenset({"name", "properties"}),
    "fetched": frozenset({"url", "status"}),
    "webhook": frozenset({"url", "method", "body"}),
    "goal": frozenset({"value"}),
    "exited": frozenset({"reason"}),
    "completed": frozenset(),
    "failed": frozenset({"reason"}),
    "segment": frozenset({"name", "edge"}),
    "stage": frozenset({"from", "to"}),
    "migrated": frozenset({"from_version", "to_version"}),
}
"""Output line -> its own keys, beside `at`, `type` and COMMON_KEYS."""

INSTANT_KEYS = frozenset({"until", "expires_at", "due_at"})
"""Keys whose value an expectation may also write as an offset from the start, like `at`."""


@dataclass(frozen=True, slots=True)
class LineExpectation:
    """An output line of this type with at least these keys. `at` None: at any time.

    `negated`: no such line. `count`: exactly so many, else at least one. `text` is how the file wrote it.
    """

    type: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    at: datetime | None = None
    negated: bool = False
    count: int | None = None
    text: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class MessagesExpectation:
    """Exactly these templates were handed over, in this order."""

    templates: tuple[str, ...]
    line: int = 0


@dataclass(frozen=True, slots=True)
class NoMessages:
    """Nothing was handed over."""

    line: int = 0


Expectation = LineExpectation | MessagesExpectation | NoMessages


@dataclass(frozen=True, slots=True)
class JourneyTest:
    """One given/expect test. `live` names the journeys that run beside `journey` (`with` in the file)."""

    name: str
    journey: str
    live: tuple[str, ...]
    scenario: Scenario
    expect: tuple[Expectation, ...]
    path: str
    line: int
