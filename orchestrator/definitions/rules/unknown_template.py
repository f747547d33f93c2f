"""A step sends a template for which there is no file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.core.expression.nearest import did_you_mean
from orchestrator.core.program import ChannelTemplate
from orchestrator.definitions.models.flow import SurveyStep
from orchestrator.definitions.models.messages import MessageStep, SendStep
from orchestrator.definitions.project_walk import TEMPLATE_ENDINGS
from orchestrator.definitions.rules.analysis.subject import JourneyFile, Subject
from orchestrator.definitions.source import Path
from orchestrator.errors import Problem

CODE: Final = "unknown_template"
SEVERITY: Final = "error"


def check(subject: Subject) -> Iterator[Problem]:
    """Templates of messages and surveys; a file that is there and cannot be read is told where it stands."""
    unread = {problem.path for problem in subject.templates.problems}
    for file in subject.journey_files:
        for way, path in _ways(file):
            start = f"templates/{way.channel}/{way.template}."
            known = subject.templates.get(way.channel, way.template) is not None
            if not known and not any(name.startswith(start) for name in unread):
                yield file.problem(path, CODE, *_words(subject, way))


def _ways(file: JourneyFile) -> Iterator[tuple[ChannelTemplate, Path]]:
    for node in file.nodes:
        match node.model:
            case MessageStep() as step:
                yield ChannelTemplate(step.channel, step.message.template), (*node.path, step.verb, "template")
            case SendStep(send=send):
                listed = "first_of" if send.first_of else "all_of"
                for number, choice in enumerate(send.choices):
                    place = (*node.path, "send", listed, number, choice.channel, "template")
                    yield ChannelTemplate(choice.channel, choice.message.template), place
            case SurveyStep(survey=survey):
                key = "name" if survey.template is None else "template"
                yield ChannelTemplate(survey.via, survey.template or survey.name), (*node.path, "survey", key)


def _words(subject: Subject, way: ChannelTemplate) -> tuple[str, str]:
    """What was looked for, and the nearest there is."""
    first, *others = TEMPLATE_ENDINGS[way.channel]
    wanted = f"templates/{way.channel}/{way.template}{first}"
    also = f" (or {', '.join(others)})" if others else ""
    message = f"there is no template '{way.template}' for {way.channel}: no file {wanted}{also}"
    near = did_you_mean(way.template, subject.templates.names(way.channel))
    elsewhere = [channel for channel, name in subject.templates.sets if name == way.template]
    if near is None and elsewhere:
        return message, f"there is one for {elsewhere[0]}; write this file, or send by {elsewhere[0]}"
    return message, near or f"write {wanted}"
