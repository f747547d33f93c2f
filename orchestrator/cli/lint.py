"""`orchestrator lint`: every problem of the project's files at once, with the way out."""

from __future__ import annotations

import argparse
import sys
from importlib import util
from pathlib import Path

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
    _defer("importlib.metadata")
    only = [_resolved(path, args.project) for path in args.paths]
    loaded, problems = lint(args.project, only or None)
    terminal.data([problem.as_dict() for problem in problems])
    if not problems:
        # Nothing on stdout: a script may take any output for a complaint.
        terminal.note(f"no problems in {number_of(len(loaded.project.journeys), 'journey')}")
        return 0
    show_problems(problems, args.project, terminal.say)
    return 1 if any(problem.severity == "error" for problem in problems) else 0


def _defer(name: str) -> None:
    """Let a module be imported when something of it is first used.

    The library behind the models imports this one to look for plug-ins, of which it is told not to take any; with all
    that it imports in turn it costs a twentieth of linting two hundred journeys.
    """
    spec = util.find_spec(name) if name not in sys.modules else None
    if spec is None or spec.loader is None:
        return
    spec.loader = util.LazyLoader(spec.loader)
    sys.modules[name] = module = util.module_from_spec(spec)
    spec.loader.exec_module(module)


def _resolved(path: Path, root: Path) -> Path:
    """A path as the person meant it: from here, or from the project's folder."""
    for place in (path, root / path):
        if place.exists():
            return place.resolve()
    raise UsageError(f"there is no file or folder {path}{nearest_file(path)}", "file_missing")
