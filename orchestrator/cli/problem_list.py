"""Problems as people read them: each with its line and a caret, and a count at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from orchestrator.errors import Problem

_LARGEST_SHOWN = 4 << 20
"""Bytes of a file beyond which its lines are not shown."""


def show_problems(problems: Sequence[Problem], root: Path | None, write: Callable[[str], None]) -> None:
    """Writes every problem, a blank line between two, and their number. Paths are relative to `root` or to here."""
    from orchestrator.definitions.problem_text import render_problem

    sources: dict[str, list[str]] = {}
    for problem in problems:
        if problem.path not in sources:
            sources[problem.path] = _lines(problem.path, root)
        lines = sources[problem.path]
        inside = 1 <= problem.line <= len(lines)
        write(render_problem(problem, lines[problem.line - 1] if inside else None) + "\n")
    write(counted(problems))


def counted(problems: Iterable[Problem]) -> str:
    """``3 errors, 1 warning in 2 files``."""
    found = list(problems)
    errors = sum(1 for problem in found if problem.severity == "error")
    parts = [number_of(errors, "error")] if errors else []
    parts += [number_of(len(found) - errors, "warning")] if len(found) > errors else []
    files = len({problem.path for problem in found})
    return f"{', '.join(parts) or 'no problems'} in {number_of(files, 'file')}"


def number_of(count: int, noun: str, plural: str | None = None) -> str:
    """``1 file``, ``1,200 files``."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def _lines(path: str, root: Path | None) -> list[str]:
    for place in ([root / path] if root is not None else []) + [Path(path)]:
        try:
            if place.is_file() and place.stat().st_size <= _LARGEST_SHOWN:
                text = place.read_text(encoding="utf-8-sig", errors="replace")
                return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        except (OSError, ValueError):
            continue
    return []
