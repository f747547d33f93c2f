"""What a tool is, and what it works on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from orchestrator.definitions.lint import lint_project
from orchestrator.definitions.load import LoadedProject
from orchestrator.errors import Problem, ProjectInvalid, UsageError
from orchestrator.mcp.limits import Masks

Arguments = Mapping[str, Any]


class Place(NamedTuple):
    """One project, and the installation beside it."""

    root: Path
    database: str | None = None
    broker: str | None = None
    personal: bool = False
    seconds: float = 30.0

    @property
    def masks(self) -> Masks:
        """What hides people."""
        return Masks(self.personal)

    def lint(self) -> tuple[LoadedProject, tuple[Problem, ...]]:
        """The project as its files are now. Raises UsageError where there is none."""
        if not (self.root / "journeys").is_dir():
            raise UsageError(f"there is no project in {self.root}: it has no folder journeys/", "project_missing")
        return lint_project(self.root)

    def valid(self) -> LoadedProject:
        """The project, ready to run. Raises ProjectInvalid."""
        loaded, problems = self.lint()
        if any(problem.severity == "error" for problem in problems):
            raise ProjectInvalid(problems)
        return loaded


class Tool(NamedTuple):
    """`run` returns what the assistant reads; what it raises on purpose is told to it. `takes`: JSON schema of each
    argument; `needs`: which it cannot do without."""

    name: str
    description: str
    run: Callable[[Place, Arguments], str]
    takes: Mapping[str, Any] = {}
    needs: tuple[str, ...] = ()
    writes: bool = False

    def described(self) -> dict[str, Any]:
        """As `tools/list` has it."""
        schema = {
            "type": "object",
            "properties": dict(self.takes),
            "required": list(self.needs),
            "additionalProperties": False,
        }
        notes = {"readOnlyHint": not self.writes, "destructiveHint": self.writes, "openWorldHint": False}
        return {"name": self.name, "description": self.description, "inputSchema": schema, "annotations": notes}

    def checked(self, given: Any) -> Arguments:
        """The arguments. Raises UsageError for those that are missing, unknown, or of another type."""
        if not isinstance(given, dict):
            raise UsageError("arguments are an object", "bad_arguments")
        unknown = [name for name in given if name not in self.takes]
        if unknown:
            known = ", ".join(self.takes) or "none"
            raise UsageError(f"{self.name} takes no argument {unknown[0][:80]!r}; it takes: {known}", "bad_arguments")
        for name in self.needs:
            if given.get(name) is None:
                raise UsageError(f"{self.name} needs the argument '{name}'", "bad_arguments")
        for name, value in given.items():
            wanted = self.takes[name]["type"]
            if value is not None and not _is(value, wanted):
                raise UsageError(f"the argument '{name}' should be of the type {wanted}", "bad_arguments")
            if isinstance(value, str) and len(value) > (most := self.takes[name].get("maxLength", 500)):
                raise UsageError(
                    f"the argument '{name}' has {len(value):,} characters; it may have {most:,}", "too_large"
                )
        return {name: value for name, value in given.items() if value is not None}


def words(description: str, most: int = 500) -> dict[str, Any]:
    """The schema of a text."""
    return {"type": "string", "description": description, "maxLength": most}


def number(description: str, least: int, most: int) -> dict[str, Any]:
    """The schema of a whole number."""
    return {"type": "integer", "description": description, "minimum": least, "maximum": most}


def within(given: Arguments, name: str, default: int, most: int) -> int:
    """A number that the assistant chose, or the bound."""
    return max(1, min(int(given.get(name, default)), most))


def _is(value: Any, wanted: str) -> bool:
    match wanted:
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case _:
            return isinstance(value, int) and not isinstance(value, bool)
