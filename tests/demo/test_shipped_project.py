"""The shipped project shows the whole language: every trigger and every step, each journey tested, in two languages."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import get_args

import pytest

from orchestrator.core.program import (
    IssueCoupon,
    Journey,
    OnDate,
    RepeatAgain,
    Step,
    Trigger,
    UntilEvent,
    UntilTrue,
    WaitSomething,
)
from orchestrator.core.project import Project
from orchestrator.definitions.lint import lint_project
from orchestrator.demo import bookings
from orchestrator.errors import Problem
from orchestrator.testing.journey_tests import collect

ROOT = Path(bookings.__file__).parents[2]
LOADED, PROBLEMS = lint_project(ROOT)
PROJECT: Project = LOADED.project
JOURNEYS: list[Journey] = list(PROJECT.journeys.values())
STEPS: list[Step] = [step for journey in JOURNEYS for step in journey.steps]
TESTS = Counter(test.journey for test in collect(LOADED))
LEAST_TESTS = 4


def headline(problem: Problem) -> str:
    return problem.headline()


def test_lint_has_nothing_to_say() -> None:
    assert list(map(headline, PROBLEMS)) == []


def test_there_are_twelve_journeys_or_more() -> None:
    assert len(JOURNEYS) >= 12


@pytest.mark.parametrize("kind", get_args(Trigger), ids=lambda kind: kind.__name__)
def test_every_trigger_is_used(kind: type) -> None:
    assert any(isinstance(trigger, kind) for journey in JOURNEYS for trigger in journey.triggers)


@pytest.mark.parametrize("kind", get_args(Step), ids=lambda kind: kind.__name__)
def test_every_step_is_used(kind: type) -> None:
    assert any(isinstance(step, kind) for step in STEPS)


def test_waits_for_something_are_shown_in_every_form() -> None:
    alternatives = [one for step in STEPS if isinstance(step, WaitSomething) for one in step.alternatives]
    assert any(isinstance(one, UntilEvent) for one in alternatives)
    assert any(isinstance(one, UntilTrue) and one.segment is None for one in alternatives)
    assert any(isinstance(one, UntilTrue) and one.segment is not None for one in alternatives)
    assert any(isinstance(step, WaitSomething) and len(step.alternatives) > 1 for step in STEPS)


def test_exits_are_shown_in_every_form() -> None:
    exits = [rule for journey in JOURNEYS for rule in journey.exits]
    assert any(rule.event is not None for rule in exits)
    assert any(rule.when is not None and rule.reason != "left_segment" for rule in exits)
    assert any(rule.reason == "left_segment" for rule in exits)
    assert any(step.in_exit for step in STEPS)


def test_the_parts_of_a_journey_are_all_shown() -> None:
    assert any(journey.updates for journey in JOURNEYS)
    assert any(journey.goal for journey in JOURNEYS)
    assert any(journey.holdout for journey in JOURNEYS)
    assert any(journey.throttle for journey in JOURNEYS)
    assert any(journey.limits.messages_total for journey in JOURNEYS)
    assert any(journey.late for journey in JOURNEYS)
    assert any(journey.vars for journey in JOURNEYS)
    assert {step.on_exhausted for step in STEPS if isinstance(step, IssueCoupon)} == {"skip", "exit", "goto"}
    calendars = {
        trigger.calendar for journey in JOURNEYS for trigger in journey.triggers if isinstance(trigger, OnDate)
    }
    assert calendars == {"gregorian", "chinese"}
    assert sum(isinstance(step, RepeatAgain) for step in STEPS) >= 1


@pytest.mark.parametrize("journey", sorted(PROJECT.journeys))
def test_every_journey_is_tested(journey: str) -> None:
    assert TESTS[journey] >= LEAST_TESTS


@pytest.mark.parametrize("journey", sorted(PROJECT.journeys))
def test_every_journey_says_what_it_is(journey: str) -> None:
    found = PROJECT.journeys[journey]
    assert found.title and found.stage and found.topic


def test_every_email_speaks_english_and_chinese() -> None:
    emails = [found for found in LOADED.templates.sets.values() if found.channel == "email"]
    assert emails
    for found in emails:
        assert found.variants.keys() == {None, "zh"}, found.name
