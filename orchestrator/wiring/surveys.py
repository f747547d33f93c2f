"""What the pages of surveys show: the kind of each, and its choices. No decision needs them, so programs hold none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from orchestrator.definitions.compiler.flow import walk
from orchestrator.definitions.compiler.tree import tree_of
from orchestrator.definitions.load import LoadedProject
from orchestrator.definitions.models.flow import SurveyStep


class SurveyForm(NamedTuple):
    """What one survey asks for. `choices` in the order of the file, of kind `choice` alone."""

    kind: str
    choices: tuple[str, ...] = ()


def survey_forms(loaded: LoadedProject) -> Mapping[tuple[str, str], SurveyForm]:
    """The surveys of every journey that can run, by journey and survey name."""
    found: dict[tuple[str, str], SurveyForm] = {}
    for journey, (model, _) in loaded.files.journeys.items():
        if journey not in loaded.project.journeys:
            continue
        for steps in (model.steps, *(rule.do for rule in model.exit)):
            for node in walk(tree_of(steps, ())):
                if isinstance(node.model, SurveyStep):
                    survey = node.model.survey
                    found[journey, survey.name] = SurveyForm(survey.kind, tuple(survey.choices))
    return found
