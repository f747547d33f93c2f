"""The files that a message is to carry are more than mailboxes take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.definitions.models.flow import SurveyStep
from orchestrator.definitions.models.messages import MessageOptions, MessageStep, SendStep
from orchestrator.definitions.rules.analysis.subject import Subject
from orchestrator.errors import Problem
from orchestrator.templating.attaching import MOST_BYTES, MOST_FILES

CODE: Final = "attachments_too_large"
SEVERITY: Final = "error"
_FOLDER: Final = "templates/assets/"


def check(subject: Subject) -> Iterator[Problem]:
    """Steps with `attachments`; those of a template are looked at where it is read."""
    for file in subject.journey_files:
        for node in file.nodes:
            if not isinstance(node.model, (MessageStep, SendStep, SurveyStep)):
                continue
            options: MessageOptions = getattr(node.model, node.verb)
            path = (*node.path, node.verb, "attachments")
            size = sum(_size(subject, one.file) for one in options.attachments if one.file is not None)
            if size > MOST_BYTES:
                message = f"the attachments have {size:,} bytes together; a message may carry {MOST_BYTES:,}"
                yield file.problem(path, CODE, message, "link to the largest in the template instead", key=True)
            if len(options.attachments) > MOST_FILES:
                message = f"{len(options.attachments)} attachments; a message may carry {MOST_FILES}"
                yield file.problem(path, CODE, message, "send fewer, or link to some in the template", key=True)


def _size(subject: Subject, name: str) -> int:
    asset = subject.templates.assets.get(name.removeprefix(_FOLDER).removeprefix("assets/"))
    return len(asset.data) if asset is not None else 0
