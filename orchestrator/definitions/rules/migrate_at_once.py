"""A `migrate` that maps a wait to a step that is none: whoever waits there goes on the moment it is deployed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from orchestrator.core.program import WaitFor, WaitSomething, WaitUntilDate, WaitUntilTime, WaitWindow
from orchestrator.definitions.rules.analysis.subject import Subject
from orchestrator.errors import Problem

CODE: Final = "migrate_at_once"
SEVERITY: Final = "warning"
_WAIT: Final = re.compile(r"wait_\d+")
"""The ids of waits that were given none: of others the old file alone knows what they were."""


def check(subject: Subject) -> Iterator[Problem]:
    """Waits by their old ids, and what they are mapped to."""
    for journey in subject.journeys:
        migrate = journey.journey.migrate
        for old, new in migrate.names.items() if migrate is not None else ():
            step = journey.steps[journey.journey.by_id[new]]
            if _WAIT.fullmatch(old) and not isinstance(
                step, (WaitFor, WaitUntilTime, WaitUntilDate, WaitWindow, WaitSomething)
            ):
                message = f"'{old}' was a wait and '{new}' (`{step.verb}`) is none: who is there goes on at the deploy"
                hint = "map it to a wait, or leave it if that is meant; `orchestrator diff` says for how many"
                yield journey.problem(("migrate", "map", old), CODE, message, hint, severity=SEVERITY)
