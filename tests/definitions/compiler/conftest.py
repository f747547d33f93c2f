"""Short ways to a compiled journey: a few lines of YAML in, the program or its problems out."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.core.expression.types import Types
from orchestrator.core.program import CHANNELS, Journey, Step
from orchestrator.definitions.compiler.journey import JourneySource, compile_journey
from orchestrator.definitions.compiler.plan import Plan
from orchestrator.definitions.compiler.types import catalog_types, customer_types, event_types
from orchestrator.definitions.models.journey import JourneyModel
from orchestrator.definitions.models.schema import SchemaModel
from orchestrator.definitions.validation import validate
from orchestrator.definitions.yaml_loader import load_document

SCHEMA = SchemaModel.model_validate(
    {
        "customer": {
            "plan": {"type": "string", "enum": ["basic", "gold"]},
            "first_name": "string",
            "birthday": "date",
            "visits": "integer",
            "zone": "string",
        },
        "events": {
            "cart_updated": {"cart_id": "string", "items": "list", "total": "number"},
            "order_placed": {"order_id": "string", "cart_id": "string", "total": "number", "currency": "string"},
            "booked": {"booking_id": "string", "check_in": "date", "total": "string"},
        },
    }
)


def _plan(**changes: Any) -> Plan:
    types = Types(
        customer=customer_types(SCHEMA),
        events=event_types(SCHEMA),
        segments=frozenset({"shoppers", "vip"}),
        journeys=frozenset({"j", "other"}),
        templates=frozenset({"hello"}),
        offers=frozenset({"vip10"}),
        topics=frozenset({"promotions"}),
        channels=frozenset(CHANNELS),
        steps=frozenset(),
        catalogs={"hotels": catalog_types(("id", "city", "zone"), [{"id": "H1", "city": "Lisbon", "zone": "UTC"}])},
    )
    return Plan(**({"types": types, "currency": "EUR"} | changes))


def _source_of(text: str, plan: Plan | None = None) -> JourneySource:
    document = load_document("journeys/j.yaml", textwrap.dedent(text))
    model, problems = validate(document, JourneyModel)
    assert model is not None, [problem.headline() for problem in problems]
    return compile_journey(model, document, plan or _plan())


def _journey_of(text: str, plan: Plan | None = None) -> Journey:
    source = _source_of(text, plan)
    assert source.journey is not None, [problem.headline() for problem in source.problems]
    return source.journey


def _with_steps(steps: str, head: str = "enter: {event: cart_updated}") -> str:
    body = textwrap.indent(textwrap.dedent(steps).strip("\n"), "  ")
    return f"journey: j\n{textwrap.dedent(head).strip()}\nsteps:\n{body}\n"


def _steps_of(steps: str, head: str = "enter: {event: cart_updated}", plan: Plan | None = None) -> tuple[Step, ...]:
    return _journey_of(_with_steps(steps, head), plan).steps


def _problems_of(steps: str, head: str = "enter: {event: cart_updated}", plan: Plan | None = None) -> list[str]:
    source = _source_of(_with_steps(steps, head), plan)
    return [problem.headline() for problem in sorted(source.problems, key=lambda p: (p.line, p.column))]


@pytest.fixture
def plan() -> Callable[..., Plan]:
    """Makes a plan over SCHEMA with segments, an offer, a catalog and other journeys; fields may be replaced."""
    return _plan


@pytest.fixture
def source_of() -> Callable[..., JourneySource]:
    """Compiles a YAML text that holds no mistake of shape."""
    return _source_of


@pytest.fixture
def journey_of() -> Callable[..., Journey]:
    """Compiles a YAML text that holds no mistake at all."""
    return _journey_of


@pytest.fixture
def steps_of() -> Callable[..., tuple[Step, ...]]:
    """The steps of a journey whose `steps:` are given, and what stands above them as `head`."""
    return _steps_of


@pytest.fixture
def problems_of() -> Callable[..., list[str]]:
    """The headlines of what is wrong with such a journey, by place. The steps begin in line 4 of the file."""
    return _problems_of
