"""Every error this project raises on purpose, split by what the reader can do next.

OrchestratorError
├── ProjectInvalid        your files are wrong: carries every Problem with its position   (exit 1)
├── UsageError            your request is wrong: carries a stable machine code            (exit 2)
├── RetryLater            nothing is wrong with the request: try again, and when
├── Refused               refused for good, with a reason code
└── DecisionError         a decision could not be taken (the enrollment is parked, others go on)
    ├── EvaluationError   an expression met values it has no meaning for
    ├── FactUnavailable   a fact could not be read just now: retried, then parked
    └── BadDate           a date that a wait or trigger needs is missing or unreadable
NotLoaded                 our bug: a decision read a fact that the view did not load (exit 3)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from orchestrator.records import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding about a file: where it is, what was found, what was possible, what to do next.

    `line` and `column` count from 1; `path` is relative to the project folder where it lies inside.
    `code` is stable (snake_case), for suppression and for scripts. `hint` is the nearest known word or the way out,
    a full clause such as ``did you mean 'email'?``. `length` is how many characters the caret underlines.
    """

    path: str
    line: int
    column: int
    code: str
    message: str
    hint: str | None = None
    severity: Literal["error", "warning"] = "error"
    length: int = 1

    def headline(self) -> str:
        """The one-line form: ``file:line:col: message; hint [code]``."""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{self.path}:{self.line}:{self.column}: {self.message}{hint} [{self.code}]"

    def as_dict(self) -> dict[str, object]:
        """The machine form that ``lint --json`` prints."""
        return {
            "path": self.path,
            "line": self.line,
            "column": self.column,
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "severity": self.severity,
        }


class OrchestratorError(Exception):
    """Root of the tree. `exit_code` is what the command line ends with."""

    exit_code = 3


class ProjectInvalid(OrchestratorError):
    """Files have problems; all of them are in `problems`, ordered by path, line and column."""

    exit_code = 1

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problem.headline() for problem in self.problems))


class UsageError(OrchestratorError):
    """The request cannot be carried out as given. The message ends with the way out."""

    exit_code = 2

    def __init__(self, message: str, code: str = "usage") -> None:
        self.code = code
        super().__init__(message)


class RetryLater(OrchestratorError):
    """Try again after `seconds`; nothing is wrong with the request itself."""

    def __init__(self, message: str, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(message)


class Refused(OrchestratorError):
    """Refused for good, with a stable `reason` code."""

    exit_code = 1

    def __init__(self, message: str, reason: str) -> None:
        self.reason = reason
        super().__init__(message)


class DecisionError(OrchestratorError):
    """A decision about one enrollment could not be taken; `reason` is the code that `failed{reason}` prints."""

    reason = "exception"


class EvaluationError(DecisionError):
    """An expression met values it has no meaning for: neither true nor false. `offset` points into `source`."""

    reason = "evaluation_error"

    def __init__(self, message: str, source: str = "", offset: int = 0) -> None:
        self.source = source
        self.offset = offset
        super().__init__(message)


class FactUnavailable(DecisionError):
    """A fact could not be read just now; retried after 1m, 5m and 30m, then parked."""

    reason = "fact_unavailable"


class BadDate(DecisionError):
    """A date is missing or unreadable; it is never taken for "now"."""

    reason = "bad_date"


class NotLoaded(OrchestratorError):
    """Our bug: a decision read a fact that static analysis did not ask the store for."""
