"""`orchestrator lint`: every problem of the project's files at once, with the way out."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from orchestrator.cli.problem_list import number_of, show_problems
from orchestrator.cli.project_loading import lint, nearest_file
from orchestrator.cli.terminal import Terminal
from orchestrator.errors import UsageError

DESCRIPTION = """Show every problem in the project's files: where it is, what was found, what was possible, what to do.
Ends with 1 if any of them is an error; warnings alone end with 0."""
EXAMPLES = """
orchestrator lint
orchestrator lint journeys/welcome.yaml templates/email
orchestrator lint --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """PATH restricts what is shown; everything is checked all the same."""
    parser.add_argument(
        "paths", metavar="PATH", nargs="*", type=Path, help="show only what is in these files or folders"
    )


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Prints the problems."""
    _defer_metadata()
    only = [_resolved(path, args.project) for path in args.paths]
    loaded, problems = lint(args.project, only or None)
    terminal.data([problem.as_dict() for problem in problems])
    if not problems:
        # Nothing on stdout: a script may take any output for a complaint.
        terminal.note(f"no problems in {number_of(len(loaded.project.journeys), 'journey')}")
        return 0
    show_problems(problems, args.project, terminal.say)
    return 1 if any(problem.severity == "error" for problem in problems) else 0


class _Metadata(ModuleType):
    """`importlib.metadata`, imported when something of it is first used.

    The library behind the models takes `entry_points` from it to look for plug-ins, of which it is told not to take
    any; with all that it imports in turn it costs a thirtieth of linting two hundred journeys.
    """

    def entry_points(self, **chosen: Any) -> Any:
        """The installed ones."""
        return self._real().entry_points(**chosen)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._real(), name)

    def _real(self) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return import_module(self.__name__)


def _defer_metadata() -> None:
    sys.modules.setdefault("importlib.metadata", _Metadata("importlib.metadata"))


def _resolved(path: Path, root: Path) -> Path:
    """A path as the person meant it: from here, or from the project's folder."""
    for place in (path, root / path):
        if place.exists():
            return place.resolve()
    raise UsageError(f"there is no file or folder {path}{nearest_file(path)}", "file_missing")
