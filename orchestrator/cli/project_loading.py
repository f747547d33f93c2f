"""Reads what commands work on: the project's folder, and single files named on the command line."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.cli.terminal import Terminal
from orchestrator.errors import Problem, ProjectInvalid, UsageError

if TYPE_CHECKING:
    from orchestrator.definitions.load import LoadedProject
    from orchestrator.definitions.source import Document


def load(root: Path) -> LoadedProject:
    """The project at `root`, with the problems of loading it. Raises UsageError where the folder does not exist."""
    from orchestrator.definitions.collector import NEVER, seldom_collected

    _require_folder(root)
    with seldom_collected(NEVER):
        from orchestrator.definitions.load import load_project

        return load_project(root)


def lint(root: Path, only: Sequence[Path] | None = None) -> tuple[LoadedProject, Sequence[Problem]]:
    """The project at `root`, and what loading and lint's rules find in it, or in the files and folders `only`.

    Raises UsageError where the folder does not exist.
    """
    from orchestrator.definitions.collector import NEVER, seldom_collected

    _require_folder(root)
    with seldom_collected(NEVER):
        from orchestrator.definitions.lint import lint_project

        return lint_project(root, only=only)


def _require_folder(root: Path) -> None:
    if not root.is_dir():
        raise UsageError(f"there is no folder {root}; give the project's folder as --project DIR", "project_missing")


def load_valid(root: Path, terminal: Terminal) -> LoadedProject:
    """The project at `root`, ready to run. Raises ProjectInvalid with its errors; warnings are shown with `-v`."""
    loaded, problems = lint(root)
    if any(problem.severity == "error" for problem in problems):
        raise ProjectInvalid(problems)
    for problem in problems:
        terminal.detail(f"warning: {problem.headline()}")
    return loaded


def read_document(path: Path) -> Document:
    """A YAML (or JSON) file that was named on the command line. Raises UsageError where it cannot be read."""
    from orchestrator.definitions.text_files import LARGEST_FILE, decode_text
    from orchestrator.definitions.yaml_loader import load_document

    decoded = decode_text(str(path), read_bytes(path, LARGEST_FILE + 1))
    if decoded.text is None:
        raise ProjectInvalid(decoded.problems)
    return load_document(str(path), decoded.text)


def read_bytes(path: Path, most: int = -1) -> bytes:
    """The bytes of a file, at most so many. Raises UsageError where it cannot be read, with the nearest name beside."""
    try:
        with path.open("rb") as file:
            return file.read(most)
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{path} cannot be read: {words}{nearest_file(path)}", "file_unreadable") from None


def nearest_file(path: Path) -> str:
    """``; did you mean first.yaml?`` where a file beside it has a similar name, else nothing."""
    from orchestrator.core.expression.nearest import nearest

    try:
        names = sorted(entry.name for entry in os.scandir(path.parent))
    except (OSError, ValueError):
        return ""
    found = nearest(path.name, names)
    return f"; did you mean {path.parent / found}?" if found else ""


def raise_errors(problems: Sequence[Problem], terminal: Terminal) -> None:
    """Raises ProjectInvalid where one of the problems is an error; shows warnings otherwise."""
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors:
        raise ProjectInvalid(errors)
    for problem in problems:
        terminal.note(f"warning: {problem.headline()}")


def journey_of(loaded: LoadedProject, name: str) -> str:
    """The id of a journey that the project has: `name` itself, or the id in a file's path.

    Raises UsageError with the nearest one.
    """
    journeys = loaded.project.journeys
    if name in journeys:
        return name
    stem = Path(name).stem
    if name.endswith((".yaml", ".yml")) and stem in journeys:
        return stem
    from orchestrator.core.expression.nearest import did_you_mean

    hint = did_you_mean(stem, journeys) or f"this project has {', '.join(journeys) or 'none'}"
    raise UsageError(f"there is no journey '{name}'; {hint}", "unknown_journey")
