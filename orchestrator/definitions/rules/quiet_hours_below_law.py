"""Quiet hours that are shorter than those of a compliance pack, or that leave no time at all together with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.core.number_place import Place
from orchestrator.core.project import QuietRule
from orchestrator.core.quiet_plan import PlacedQuiet, QuietPlan
from orchestrator.definitions.compiler.project import PROJECT
from orchestrator.definitions.rules.analysis.subject import Subject
from orchestrator.definitions.rules.analysis.week import WEEK, minutes_in, minutes_of
from orchestrator.errors import Problem

CODE: Final = "quiet_hours_below_law"
SEVERITY: Final = "warning"


def check(subject: Subject) -> Iterator[Problem]:
    """The project's own quiet hours against the rules of its packs, for messages that keep both."""
    project, document = subject.project, subject.document(PROJECT)
    own, plan = project.quiet, project.quiet_plan
    if own is None:
        return
    own_minutes = minutes_of(own.hours)
    if len(own_minutes) == WEEK:
        message = "these quiet hours never end: no message that keeps them would ever be sent"
        yield document.problem(("quiet_hours",), CODE, message, "leave some time of the week out of them", key=True)
        return
    if plan is None or not project.packs:
        return
    for place in _places(plan):
        rules = [rule for rule in plan.rules if rule.name != "project" and rule.holds_at(place) and _meets(rule, own)]
        if rules and len(own_minutes.union(*(minutes_in(rule.windows) for rule in rules))) == WEEK:
            names = ", ".join(rule.name for rule in rules)
            message = f"together with the law ({names}) these quiet hours leave no time at all in {_said(place)}"
            hint = "leave some time of the day out of both"
            yield document.problem(("quiet_hours",), CODE, message, hint, key=True)
            return
    stricter = [
        rule.name
        for rule in plan.rules
        if rule.name != "project" and _meets(rule, own) and not minutes_in(rule.windows) <= own_minutes
    ]
    if stricter:
        message = f"the law asks for more quiet than this ({', '.join(stricter)}); the stricter of both is kept"
        hint = "give hours that hold everywhere, or leave it to the packs"
        yield document.problem(("quiet_hours",), CODE, message, hint, key=True, severity=SEVERITY)


def _places(plan: QuietPlan) -> list[Place]:
    """Every place that a rule names."""
    found: dict[Place, None] = {}
    for rule in plan.rules:
        for country in sorted(rule.countries or ()):
            found[country, None] = None
            found.update(((country, region), None) for region in sorted(rule.regions or ()))
    return list(found)


def _meets(rule: PlacedQuiet, own: QuietRule) -> bool:
    """Whether there is a message that keeps both."""
    return bool(rule.classes & own.classes) and (
        rule.channels is None or own.channels is None or bool(rule.channels & own.channels)
    )


def _said(place: Place) -> str:
    country, region = place
    return f"{country}-{region}" if region is not None else country
