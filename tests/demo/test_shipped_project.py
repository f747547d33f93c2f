"""The shipped project shows the whole language: every trigger and every step, each journey tested, in two languages."""

from __future__ import annotations

from collections import Counter
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
from orchestrator.errors import Problem
from orchestrator.testing.journey_tests import collect
from tests.shipped import journey_names, linted

LEAST_TESTS = 4


@pytest.fixture(scope="module")
def journeys() -> list[Journey]:
    return list(linted()[0].project.journeys.values())


@pytest.fixture(scope="module")
def steps(journeys: list[Journey]) -> list[Step]:
    return [step for journey in journeys for step in journey.steps]


@pytest.fixture(scope="module")
def tests() -> Counter[str]:
    """How many tests each journey has."""
    return Counter(test.journey for test in collect(linted()[0]))


def headline(problem: Problem) -> str:
    return problem.headline()


def test_lint_has_nothing_to_say() -> None:
    assert list(map(headline, linted()[1])) == []


def test_there_are_twelve_journeys_or_more(journeys: list[Journey]) -> None:
    assert len(journeys) >= 12
    assert sorted(linted()[0].project.journeys) == journey_names()


@pytest.mark.parametrize("kind", get_args(Trigger), ids=lambda kind: kind.__name__)
def test_every_trigger_is_used(kind: type, journeys: list[Journey]) -> None:
    assert any(isinstance(trigger, kind) for journey in journeys for trigger in journey.triggers)


@pytest.mark.parametrize("kind", get_args(Step), ids=lambda kind: kind.__name__)
def test_every_step_is_used(kind: type, steps: list[Step]) -> None:
    assert any(isinstance(step, kind) for step in steps)


def test_waits_for_something_are_shown_in_every_form(steps: list[Step]) -> None:
    alternatives = [one for step in steps if isinstance(step, WaitSomething) for one in step.alternatives]
    assert any(isinstance(one, UntilEvent) for one in alternatives)
    assert any(isinstance(one, UntilTrue) and one.segment is None for one in alternatives)
    assert any(isinstance(one, UntilTrue) and one.segment is not None for one in alternatives)
    assert any(isinstance(step, WaitSomething) and len(step.alternatives) > 1 for step in steps)


def test_exits_are_shown_in_every_form(journeys: list[Journey], steps: list[Step]) -> None:
    exits = [rule for journey in journeys for rule in journey.exits]
    assert any(rule.event is not None for rule in exits)
    assert any(rule.when is not None and rule.reason != "left_segment" for rule in exits)
    assert any(rule.reason == "left_segment" for rule in exits)
    assert any(step.in_exit for step in steps)


def test_the_parts_of_a_journey_are_all_shown(journeys: list[Journey], steps: list[Step]) -> None:
    assert any(journey.updates for journey in journeys)
    assert any(journey.goal for journey in journeys)
    assert any(journey.holdout for journey in journeys)
    assert any(journey.throttle for journey in journeys)
    assert any(journey.limits.messages_total for journey in journeys)
    assert any(journey.late for journey in journeys)
    assert any(journey.vars for journey in journeys)
    assert {step.on_exhausted for step in steps if isinstance(step, IssueCoupon)} == {"skip", "exit", "goto"}
    calendars = {
        trigger.calendar for journey in journeys for trigger in journey.triggers if isinstance(trigger, OnDate)
    }
    assert calendars == {"gregorian", "chinese"}
    assert sum(isinstance(step, RepeatAgain) for step in steps) >= 1


@pytest.mark.parametrize("journey", journey_names())
def test_every_journey_is_tested(journey: str, tests: Counter[str]) -> None:
    assert tests[journey] >= LEAST_TESTS


@pytest.mark.parametrize("journey", journey_names())
def test_every_journey_says_what_it_is(journey: str) -> None:
    found = linted()[0].project.journeys[journey]
    assert found.title and found.stage and found.topic


def test_every_email_speaks_english_and_chinese() -> None:
    emails = [found for found in linted()[0].templates.sets.values() if found.channel == "email"]
    assert emails
    for found in emails:
        assert found.variants.keys() == {None, "zh"}, found.name
