"""A message is to carry files, which this version does not send."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.definitions.models.flow import SurveyStep
from orchestrator.definitions.models.messages import MessageOptions, MessageStep, SendStep
from orchestrator.definitions.rules.analysis.subject import Subject
from orchestrator.errors import Problem

CODE: Final = "attachments_not_sent"
SEVERITY: Final = "warning"


def check(subject: Subject) -> Iterator[Problem]:
    """Steps with `attachments`."""
    for file in subject.journey_files:
        for node in file.nodes:
            if not isinstance(node.model, (MessageStep, SendStep, SurveyStep)):
                continue
            options: MessageOptions = getattr(node.model, node.verb)
            if options.attachments:
                path = (*node.path, node.verb, "attachments")
                message = "this version sends no attachments: the message goes without them"
                hint = "link to the file in the template instead, and remove `attachments`"
                yield file.problem(path, CODE, message, hint, key=True, severity=SEVERITY)
