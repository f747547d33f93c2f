"""A survey with choices that are not named, or of another kind that names some."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.definitions.models.flow import SurveyStep
from orchestrator.definitions.rules.analysis.subject import Subject
from orchestrator.errors import Problem

CODE: Final = "survey_without_choices"
SEVERITY: Final = "warning"


def check(subject: Subject) -> Iterator[Problem]:
    """Surveys whose `kind` and `choices` do not go together."""
    for file in subject.journey_files:
        for node in file.nodes:
            if not isinstance(node.model, SurveyStep):
                continue
            survey, path = node.model.survey, (*node.path, "survey")
            if survey.kind == "choice" and not survey.choices:
                message = "a survey of kind choice without `choices` has nothing to choose from"
                hint = "add `choices: [...]`"
                yield file.problem((*path, "kind"), CODE, message, hint, severity=SEVERITY)
            elif survey.kind != "choice" and survey.choices:
                message = f"a survey of kind {survey.kind} shows no `choices`"
                hint = "write `kind: choice`, or remove them"
                yield file.problem((*path, "choices"), CODE, message, hint, key=True, severity=SEVERITY)
