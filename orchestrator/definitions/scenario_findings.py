"""What was found wrong in a scenario or a test file, collected with positions while it is read."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal

from orchestrator.core.time.iso import parse_instant, parse_offset
from orchestrator.definitions.models.base import FileModel
from orchestrator.definitions.scenario_kinds import is_offset
from orchestrator.definitions.source import Document
from orchestrator.definitions.validation import in_order, validate
from orchestrator.errors import Problem

Where = tuple[str | int, ...]
"""Keys and list indexes from the root of the file to the value that is meant."""


class Findings:
    """Problems of one file in the order in which they were met; `problems` is what has been found so far."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []

    @property
    def ordered(self) -> tuple[Problem, ...]:
        """All problems in the order of the file, each once."""
        return tuple(in_order(self.problems))

    @property
    def failed(self) -> bool:
        """An error was found; warnings do not count."""
        return any(problem.severity == "error" for problem in self.problems)

    def error(self, where: Where, code: str, message: str, hint: str | None = None, *, key: bool = False) -> None:
        """Adds an error at the value at `where`, or at its key."""
        self._add(where, code, message, hint, key, "error")

    def warning(self, where: Where, code: str, message: str, hint: str | None = None, *, key: bool = False) -> None:
        """Adds a warning, which stops nothing."""
        self._add(where, code, message, hint, key, "warning")

    def _add(
        self, where: Where, code: str, message: str, hint: str | None, key: bool, severity: Literal["error", "warning"]
    ) -> None:
        self.problems.append(self.document.problem(where, code, message, hint, key=key, severity=severity))

    def shape(self, model: type[FileModel], only: str | None = None) -> None:
        """Adds what the model says about the file, reading problems included; `only` leaves all keys but one aside."""
        document = self.document
        if only is not None:
            document = replace(document, data={only: document.data[only]}, problems=())
        self.problems.extend(validate(document, model)[1])

    def line(self, where: Where) -> int:
        """The line at which the value at `where` begins."""
        return self.document.position(where).line

    def instant(self, text: str, where: Where, start: datetime | None) -> datetime | None:
        """The instant, or the one at an offset from `start`; None after a finding, or where the start is unknown."""
        try:
            if not is_offset(text):
                return parse_instant(text)
            offset = parse_offset(text)
            return _shifted(start, offset) if start is not None else None
        except ValueError as error:
            message, _, hint = str(error).partition("; ")
            self.error(where, "bad_value", message, hint or None)
            return None


def _shifted(start: datetime, offset: timedelta) -> datetime:
    try:
        return start + offset
    except OverflowError:
        raise ValueError("the offset leads out of the years 0001 to 9999; use a smaller one") from None
