"""What a deploy would change, for whom, and that it then does just that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.index import Index
from orchestrator.definitions.load import LoadedProject
from orchestrator.runtime.differences import Group, StepChange, difference
from orchestrator.stores.memory import MemoryStore
from orchestrator.stores.protocol import Store
from tests.small_projects import project_of
from tests.stores.driving import START, arrive, create, event, later, turns

ONE: dict[str, Any] = {
    "topic": "care",
    "enter": {"event": "go", "key": "event.order", "reentry": "always"},
    "steps": [
        {"id": "rest", "wait": "1h"},
        {"id": "look", "if": "customer.plan == 'gold'", "then": [{"id": "gold", "wait": "2h"}]},
        {"id": "mail", "email": "hello"},
        {"id": "more", "wait": "3h"},
        {"id": "end", "exit": "over"},
    ],
}
TWO: dict[str, Any] = {
    **ONE,
    "title": "Anew",
    "migrate": {"map": {"rest": "nap"}, "removed": "exit"},
    "steps": [
        {"id": "nap", "wait": "2h"},
        {"id": "mail", "email": "second"},
        {"id": "fresh", "wait": "1d"},
        {"id": "end", "exit": "over"},
        {"id": "more", "wait": "3h"},
    ],
}


@pytest.fixture
def two(tmp_path: Path) -> tuple[LoadedProject, LoadedProject]:
    second = {**TWO, "steps": [*TWO["steps"][:3], TWO["steps"][4], TWO["steps"][3]]}
    return project_of(tmp_path / "a", {"j": ONE, "old": ONE}), project_of(tmp_path / "b", {"j": second, "new": ONE})


def standing(store: Store, loaded: LoadedProject) -> Mapping[tuple[str, str, str], int]:
    """Three in `rest`, two behind `gold`, one in `more`, and one in the other journey."""
    store.deploy(Index(loaded.project), START)
    create(store, "u1", "u2", "u3")
    create(store, "g1", "g2", plan="gold")
    for customer, minute in (("u3", 0), ("g1", 1), ("g2", 1), ("u1", 65), ("u2", 65)):
        arrive(store, customer, event(order=customer, at=later(minute)), later(minute))
        turns(store, later(minute))
    return store.standing()


def test_steps_and_other_keys_are_told_apart(two: tuple[LoadedProject, LoadedProject]) -> None:
    found = difference(*two, {})
    assert [(j.journey, j.what) for j in found.journeys] == [("j", "changed"), ("new", "new"), ("old", "removed")]
    changed = found.journeys[0]
    assert set(changed.steps) == {
        StepChange("removed", "look"), StepChange("removed", "gold"), StepChange("renamed", "rest", "nap"),
        StepChange("changed", "nap"), StepChange("changed", "mail"), StepChange("new", "fresh"),
    }  # fmt: skip
    assert changed.keys == ("migrate", "title")
    assert not difference(two[0], two[0], {}).any
    assert {j.what for j in difference(None, two[0], {}).journeys} == {"new"}


def test_a_step_that_stands_elsewhere_has_moved(tmp_path: Path) -> None:
    steps = [{"id": name, "wait": "1h"} for name in "abc"]
    nested = [{"id": "d", "if": "customer.plan == 'x'", "then": [steps[0]]}, *steps[1:]]
    one, swapped, inner = (
        project_of(tmp_path / name, {"j": {**ONE, "steps": found}})
        for name, found in (("a", steps), ("b", [steps[1], steps[2], steps[0]]), ("c", nested))
    )
    assert difference(one, swapped, {}).journeys[0].steps == (StepChange("moved", "a"),)
    assert difference(one, inner, {}).journeys[0].steps == (StepChange("new", "d"), StepChange("moved", "a"))


def test_everything_else_is_told_by_kind_and_name(tmp_path: Path) -> None:
    journeys = {"j": {**ONE, "steps": []}}
    offer = {"discount": {"percent": 10}, "codes": {"prefix": "T", "length": 8}}
    one = project_of(tmp_path / "a", journeys, segments={"s": {"where": "customer.plan == 'x'"}})
    two = project_of(
        tmp_path / "b", journeys, segments={"s": {"where": "customer.plan == 'y'"}}, offers={"ten": offer},
        project={"caps": [{"max": 1, "per": "1d"}]}, templates={"email/hello.html": "---\nsubject: New\n---\n<p>a</p>"},
    )  # fmt: skip
    parts = {(part.kind, part.what, part.name) for part in difference(one, two, {}).parts}
    assert parts >= {
        ("offer", "new", "ten"), ("segment", "changed", "s"), ("setting", "changed", "caps"),
        ("template", "changed", "email/hello.html"), ("template", "removed", "sms/hello.txt"),
    }  # fmt: skip


def test_the_numbers_say_what_then_happens(two: tuple[LoadedProject, LoadedProject]) -> None:
    """Who would move, leave or stay is counted before, and is what the deploy does."""
    store, (one, other) = MemoryStore(), two
    counted = standing(store, one)
    found = difference(one, other, counted)
    by_journey = {j.journey: j for j in found.journeys}
    version = one.project.journeys["j"].version
    assert by_journey["j"].enrollments == (
        Group("j", version, "gold", 2, "exit"),
        Group("j", version, "more", 1, "move", "more"),
        Group("j", version, "rest", 2, "move", "nap"),
    )
    assert [group.does for group in by_journey["old"].enrollments] == ["stay"] * 3
    store.drain_journal()
    store.deploy(Index(other.project), later(66))
    turns(store, later(66))
    done = Counter((t.journey, t.type) for t in store.drain_journal() if t.type in ("migrated", "exited"))
    assert done == {("j", "migrated"): 5, ("j", "exited"): 2}
    after = difference(other, other, store.standing(), [one])
    assert [(j.journey, j.what, j.number()) for j in after.journeys] == [("old", "removed", 5)]


def test_a_version_that_cannot_be_read_any_more_is_said_so(two: tuple[LoadedProject, LoadedProject]) -> None:
    found = difference(two[0], two[1], {("j", "000000000000", "rest"): 4})
    assert found.journeys[0].enrollments == (Group("j", "000000000000", "rest", 4, "unknown"),)
