"""What rendering raises, and where in the template file it happened."""

from __future__ import annotations

from orchestrator.errors import OrchestratorError


class RenderError(OrchestratorError):
    """This message cannot be rendered from these values; nothing of it may be sent.

    `reason` says what was missing or wrong and the way out; `path`, `line` and `column` (from 1) point into the
    template file. The cause is always the template or the data, never the machine: rendering again gives the same.
    """

    exit_code = 1

    def __init__(self, reason: str, path: str = "", line: int = 1, column: int = 1) -> None:
        self.reason = reason
        self.path = path
        self.line = line
        self.column = column
        super().__init__(f"{path}:{line}:{column}: {reason}" if path else reason)


class ValueRefused(Exception):
    """Raised inside a template (by a filter, a bound or printing); the renderer adds the position."""
