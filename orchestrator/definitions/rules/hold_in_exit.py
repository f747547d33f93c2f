"""`hold` among the steps of an exit, which run once and cannot wait: it means `skip` there (section 2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.definitions.models.flow import SurveyStep
from orchestrator.definitions.models.messages import MessageStep, SendStep
from orchestrator.definitions.rules.analysis.subject import Subject
from orchestrator.errors import Problem

CODE: Final = "hold_in_exit"
SEVERITY: Final = "warning"


def check(subject: Subject) -> Iterator[Problem]:
    """Messages of exits that say `hold` in so many words."""
    for file in subject.journey_files:
        for node in file.nodes:
            if node.path[0] != "exit" or not isinstance(node.model, (MessageStep, SendStep, SurveyStep)):
                continue
            options = getattr(node.model, node.verb)
            for key in ("on_quiet", "on_cap"):
                if getattr(options, key) == "hold" and key in options.model_fields_set:
                    message = f"the steps of an exit cannot wait: `{key}: hold` means skip here"
                    hint = "write `skip`, or start another journey with `enroll`"
                    yield file.problem((*node.path, node.verb, key), CODE, message, hint, severity=SEVERITY)
