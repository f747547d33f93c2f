"""A duration of zero where time has to go by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from orchestrator.core.time.durations import parse_duration
from orchestrator.definitions.models.actions import FetchStep, WebhookStep
from orchestrator.definitions.models.flow import RepeatStep, SurveyStep, WaitStep
from orchestrator.definitions.models.triggers import InactiveTrigger
from orchestrator.definitions.models.waits import Happening, WaitFor
from orchestrator.definitions.rules.analysis.subject import JourneyFile, Subject
from orchestrator.definitions.source import Path
from orchestrator.errors import Problem

CODE: Final = "empty_duration"
SEVERITY: Final = "error"


class _Written(NamedTuple):
    """A duration as written, where, and what zero comes to there."""

    text: str | None
    path: Path
    comes_to: str
    severity: Literal["error", "warning"] = "error"


def check(subject: Subject) -> Iterator[Problem]:
    """Durations of zero: errors where nothing can come of them, warnings where they only do nothing."""
    project, offers = subject.document("journeys/project.yaml"), subject.document("journeys/offers.yaml")
    for written in _of_project(subject):
        if _is_zero(written.text):
            yield project.problem(written.path, CODE, *_words(written), severity=written.severity)
    for written in _of_offers(subject):
        if _is_zero(written.text):
            yield offers.problem(written.path, CODE, *_words(written), severity=written.severity)
    for file in subject.journey_files:
        for written in _of_journey(file):
            if _is_zero(written.text):
                yield file.problem(written.path, CODE, *_words(written), severity=written.severity)


def _is_zero(text: str | None) -> bool:
    if text is None:
        return False
    try:
        return parse_duration(text.strip()).is_zero
    except ValueError:  # an expression
        return False


def _words(written: _Written) -> tuple[str, str]:
    return f"{written.text} is no time at all: {written.comes_to}", "write a longer one, such as 1d, or remove it"


def _of_project(subject: Subject) -> Iterator[_Written]:
    for number, cap in enumerate(subject.files.project.caps):
        yield _Written(cap.per, ("caps", number, "per"), "this cap counts nothing")


def _of_offers(subject: Subject) -> Iterator[_Written]:
    for name, offer in subject.files.offers.items():
        yield _Written(offer.valid_for, (name, "valid_for"), "its codes end when they are issued")
        if offer.limits.per_customer is not None:
            path = (name, "limits", "per_customer", "per")
            yield _Written(offer.limits.per_customer.per, path, "this limit counts nothing")


def _of_journey(file: JourneyFile) -> Iterator[_Written]:
    model = file.model
    for number, trigger in enumerate(model.enter):
        if isinstance(trigger, InactiveTrigger):
            for_path = ("enter", number, "inactive", "for")
            yield _Written(trigger.inactive.for_, for_path, "everyone would be inactive at once")
    if model.goal is not None:
        yield _Written(model.goal.within, ("goal", "within"), "nobody can reach the goal")
    if model.throttle is not None:
        yield _Written(model.throttle.per, ("throttle", "per"), "this throttle counts nothing")
    for node in file.nodes:
        step, path = node.model, node.path
        match step:
            case WaitStep(wait=WaitFor() as wait):
                yield _Written(wait.for_, (*path, "wait", "for"), "this waits for nothing", "warning")
            case WaitStep(wait=Happening() as wait):
                yield _Written(wait.up_to, (*path, "wait", "up_to"), "time is up before anything can happen")
            case SurveyStep():
                yield _Written(step.survey.up_to, (*path, "survey", "up_to"), "time is up before anyone can answer")
            case RepeatStep():
                yield _Written(step.repeat.every, (*path, "repeat", "every"), "all passes happen at once", "warning")
            case FetchStep():
                yield _Written(step.fetch.timeout, (*path, "fetch", "timeout"), "no answer can be that quick")
            case WebhookStep():
                yield _Written(step.webhook.timeout, (*path, "webhook", "timeout"), "no answer can be that quick")
