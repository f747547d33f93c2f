"""Lint: a project loaded, and everything that is wrong with it, by path and place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from orchestrator.definitions.collector import NEVER, seldom_collected
from orchestrator.definitions.load import LoadedProject, load_project
from orchestrator.definitions.rules.analysis.subject import Subject
from orchestrator.definitions.rules.registry import RULES, Check
from orchestrator.definitions.validation import in_order
from orchestrator.errors import Problem


def lint_project(root: Path, *, only: Sequence[Path] | None = None) -> tuple[LoadedProject, tuple[Problem, ...]]:
    """Load the project at `root` and run every rule over it. Never raises for what files hold.

    The problems are those of loading and of the rules together. With `only`, just those of these files and folders
    are told; everything is read all the same, because names may be declared anywhere.
    """
    with seldom_collected(NEVER):
        loaded = load_project(root)
        problems = in_order([*loaded.problems, *run_rules(loaded)])
    if only is not None:
        chosen = [path.resolve() for path in only]
        problems = [problem for problem in problems if _within(root / problem.path, chosen)]
    return loaded, tuple(problems)


def run_rules(loaded: LoadedProject, rules: Mapping[str, Check] = RULES) -> Iterable[Problem]:
    """What the rules find in a loaded project, in no order."""
    subject = Subject(loaded)
    for check in rules.values():
        yield from check(subject)


def _within(place: Path, chosen: Sequence[Path]) -> bool:
    resolved = place.resolve()
    return any(resolved.is_relative_to(path) for path in chosen)
