"""The shipped project, read once by each process that runs tests, when a test first asks: reading and linting it takes
seconds, and nothing of what is read can change."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from orchestrator.definitions.lint import lint_project
from orchestrator.definitions.load import LoadedProject, load_project
from orchestrator.errors import Problem

ROOT = Path(__file__).resolve().parent.parent


@cache
def shipped_project() -> LoadedProject:
    """As it is loaded."""
    return load_project(ROOT)


@cache
def linted() -> tuple[LoadedProject, tuple[Problem, ...]]:
    """As it is loaded for lint, and what lint says."""
    return lint_project(ROOT)


def journey_names() -> list[str]:
    """By the names of the files, which is what a test may be named by before anything is read."""
    files = (ROOT / "journeys").glob("*/*.yaml")
    return sorted(path.stem for path in files if path.parent.name not in ("tests", "catalogs"))


def template_names() -> list[str]:
    """Each template in each language, `channel-name-language`, by the names of the files."""
    found = set()
    for folder in ("email", "sms", "push"):
        for path in (ROOT / "templates" / folder).iterdir():
            name, *locale = path.name.split(".")[:-1]
            if not name.startswith("_"):
                found.add("-".join([folder, name, *(locale or ["en"])]))
    return sorted(found)
