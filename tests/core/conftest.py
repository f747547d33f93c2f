"""A fixture for tests of the language: one small project, one scenario, its lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.small_projects import consenting, lines_of, project_of

Tell = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def tell(tmp_path: Path) -> Tell:
    """`tell(journeys, timeline, customers=, until=, history=, project=, segments=, offers=)` gives the lines.

    One journey may be given alone: it is called `j`. The scenario starts on Monday, 2 March 2026, at 10:00 UTC, with
    the
    customer u1 (in UTC, who may be written to) unless others are given.
    """
    count = 0

    def run(
        journeys: Mapping[str, Any],
        timeline: list[dict[str, Any]],
        customers: list[dict[str, Any]] | None = None,
        **more: Any,
    ) -> list[dict[str, Any]]:
        nonlocal count
        count += 1
        named = journeys if "steps" not in journeys else {"j": journeys}
        filled = {name: {"topic": "promotions", "enter": {"event": "go"}, **rules} for name, rules in named.items()}
        parts = {key: more.pop(key) for key in ("project", "segments", "offers", "schema", "templates") if key in more}
        project = project_of(tmp_path / str(count), filled, **parts)
        who = customers if customers is not None else [consenting("u1", timezone="UTC")]
        events = [{"customer": "u1", **item} if _needs_one(item) else item for item in timeline]
        return lines_of(project, {"customers": who, "timeline": events, **more})

    return run


def _needs_one(item: Mapping[str, Any]) -> bool:
    return "customer" not in item and bool({"event", "identify", "consent"} & set(item))


def shown(lines: list[dict[str, Any]], *more: str) -> list[tuple[Any, ...]]:
    """(time of day, type, step, and other keys) of each line."""
    return [(line["at"][11:16], line["type"], line.get("step"), *(line.get(key) for key in more)) for line in lines]


@pytest.fixture(name="shown")
def _shown() -> Callable[..., list[tuple[Any, ...]]]:
    return shown
