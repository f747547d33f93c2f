"""A message that is good for less time than held messages take to go out; lateness that the engine is allowed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.definitions.rules.analysis.coupons import topics_of
from orchestrator.definitions.rules.analysis.subject import Subject, messages, ways_of
from orchestrator.errors import Problem

CODE: Final = "short_validity"
SEVERITY: Final = "warning"


def check(subject: Subject) -> Iterator[Problem]:
    """`valid_for` shorter than `smear` where quiet hours may hold the message, and `late` below `late_tolerance`."""
    settings, quiet = subject.project.settings, subject.project.quiet
    for journey in subject.journeys:
        late = journey.journey.late
        if late is not None and late.after < settings.late_tolerance:
            tolerance = subject.files.project.settings.late_tolerance
            message = f"the engine may be late by `late_tolerance` ({tolerance}) anyway"
            hint = "give `late` more time, or the project less `late_tolerance`"
            yield journey.problem(("late", "after"), CODE, message, hint, severity=SEVERITY)
        for step in messages(journey):
            valid_for = step.options.valid_for
            if quiet is None or valid_for is None or step.options.on_quiet != "hold" or step.in_exit:
                continue
            held = any(
                quiet.binds(topic.klass, way.channel)
                for number, way in enumerate(ways_of(step))
                for topic in topics_of(subject, journey, step, number)
            )
            if held and valid_for.roughly < settings.smear:
                message = (
                    f"messages held by quiet hours go out over {subject.files.project.settings.smear} (`smear`), "
                    f"and this one is good for {valid_for}"
                )
                hint = "give it a longer `valid_for`, or `on_quiet: skip`"
                path = (*journey.path(step), step.verb, "valid_for")
                yield journey.problem(path, CODE, message, hint, severity=SEVERITY)
