"""An attachment, or the brand's logo, names a file that is not below templates/assets/."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.definitions.models.flow import SurveyStep
from orchestrator.definitions.models.messages import MessageOptions, MessageStep, SendStep
from orchestrator.definitions.rules.analysis.subject import Subject
from orchestrator.definitions.rules.analysis.unknown import way_out
from orchestrator.errors import Problem

CODE: Final = "unknown_asset"
SEVERITY: Final = "error"

_FOLDER: Final = "templates/assets/"


def check(subject: Subject) -> Iterator[Problem]:
    """Files that messages carry."""
    known = {path.removeprefix(_FOLDER) for path in subject.files.assets}
    logo = subject.files.project.brand.logo
    if logo is not None and "://" not in logo and logo.removeprefix(_FOLDER) not in known:
        document = subject.document("journeys/project.yaml")
        message, hint = _words(logo, known)
        yield document.problem(("brand", "logo"), CODE, message, hint, severity="warning")
    for file in subject.journey_files:
        for node in file.nodes:
            if not isinstance(node.model, (MessageStep, SendStep, SurveyStep)):
                continue
            options: MessageOptions = getattr(node.model, node.verb)
            for number, one in enumerate(options.attachments):
                if one.file is not None and one.file.removeprefix(_FOLDER) not in known:
                    message, hint = _words(one.file, known)
                    yield file.problem((*node.path, node.verb, "attachments", number), CODE, message, hint)


def _words(name: str, known: set[str]) -> tuple[str, str]:
    return f"there is no file {_FOLDER}{name.removeprefix(_FOLDER)}", way_out(name, known, f"put it into {_FOLDER}")
