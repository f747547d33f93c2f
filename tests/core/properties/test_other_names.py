"""Migrating to the same program with other names for its steps changes nothing but names."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.core.index import Index
from orchestrator.stores.memory import MemoryStore
from tests.in_full import IN_FULL
from tests.small_projects import project_of
from tests.strategies import START, History, histories, projects
from tests.world import Engine, exactly

SOME = settings(
    max_examples=settings.default.max_examples // (2 if IN_FULL else 5),  # type: ignore[union-attr]
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
NO_SMEAR = {"settings": {"smear": "0s"}}
"""A smear is drawn by the step's name."""


def steps_of(value: Any) -> Iterator[dict[str, Any]]:
    """Every step written below a list of steps."""
    for step in value:
        yield step
        for held in _lists_in(step):
            yield from steps_of(held)


def _lists_in(step: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    for key in ("then", "else", "default", "do"):
        if isinstance(step.get(key), list):
            yield step[key]
    for branch in step.get("choose", ()):
        yield branch["do"]
    for variant in step.get("split", {}).get("variants", {}).values():
        yield variant["do"]
    if "repeat" in step:
        yield step["repeat"]["do"]


def named(parts: dict[str, Any], prefix: str) -> tuple[dict[str, Any], dict[str, dict[str, str]]]:
    """The same project in which the steps of each journey have ids with this prefix, and these by their numbers."""
    made = deepcopy(parts)
    names: dict[str, dict[str, str]] = {}
    for journey, body in made["journeys"].items():
        for number, step in enumerate(steps_of(body["steps"])):
            step["id"] = f"{prefix}{number}"
            names.setdefault(journey, {})[str(number)] = step["id"]
    made["journeys"] = _again(made["journeys"], f"visits('{prefix}0')")
    made["project"] = {**made["project"], **NO_SMEAR}
    return made, names


def _again(value: Any, visits: str) -> Any:
    """The journeys with their question about their first step asked by its name."""
    if isinstance(value, dict):
        return {key: _again(item, visits) for key, item in value.items()}
    if isinstance(value, list):
        return [_again(item, visits) for item in value]
    return value.replace("visits('first')", visits) if isinstance(value, str) else value


def lines_of(engine: Engine) -> list[dict[str, Any]]:
    """What was decided, without the moves and what tells one version from another."""
    found = [line for line in engine.lines() if line["type"] != "migrated"]
    for line in found:
        for key in ("version", "text", "html"):  # links are signed with the id of the message, which holds the step's
            line.pop(key, None)
        if "step" in line:
            line["step"] = line["step"].removeprefix("s").removeprefix("t")
    return found


@SOME
@given(projects(outside=True), histories(), st.integers(0, 2_000), st.booleans())
def test_other_names_change_nothing_but_names(parts: Any, history: History, minutes: int, twice: bool) -> None:
    """Also where a second deploy gives the old names back."""
    at = START + timedelta(minutes=minutes, seconds=1)
    old, first = named(parts, "s")
    new, second = named(parts, "t")
    for journey, body in new["journeys"].items():
        body["migrate"] = {"map": {first[journey][n]: second[journey][n] for n in first[journey]}}
    back = deepcopy(old)
    for journey, body in back["journeys"].items():
        body["migrate"] = {"map": {second[journey][n]: first[journey][n] for n in first[journey]}}
    with TemporaryDirectory() as folder:
        loaded = [project_of(Path(folder) / name, **p) for name, p in (("a", old), ("b", new), ("c", back))]
        quiet = Engine(MemoryStore("7"), loaded[0], START)
        moved = Engine(MemoryStore("7"), loaded[0], START)
        deploys = {at: loaded[1], at + timedelta(hours=3): loaded[2]} if twice else {at: loaded[1]}
        for engine, takes in ((quiet, [loaded[0]] * 2), (moved, list(deploys.values()))):
            exactly(engine, history.created, START)
            left = list(history.happenings)
            for when, project in zip(deploys, takes, strict=False):
                if when < history.until:
                    before = [happening for happening in left if happening.at < when]
                    left = left[len(before) :]
                    exactly(engine, before, when)
                    engine.store.deploy(Index(project.project), when)
                    engine._renderer.deploy(project.templates, project.project)
                    engine.run(when)
            exactly(engine, left, history.until)
    assert lines_of(moved) == lines_of(quiet)
