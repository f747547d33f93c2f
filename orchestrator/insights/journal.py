"""Reads journals: the lines of a run with the values of every decision, one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from orchestrator.core.time.iso import parse_instant
from orchestrator.errors import Problem, ProjectInvalid

Lines = list[dict[str, Any]]


def customer_lines(path: Path, customer: str) -> tuple[Lines, dict[str, None]]:
    """The customer's lines of a journal of any length, and the ids of every customer in it.

    Raises OSError, and ProjectInvalid with the place of a line that is none.
    """
    lines: Lines = []
    customers: dict[str, None] = {}
    for line in read_journal(path):
        name = line["customer"]
        customers[name] = None
        if name == customer:
            lines.append(line)
    return lines, customers


def read_journal(path: Path) -> Iterator[dict[str, Any]]:
    """Every line, in order; each has at least `at`, `type` and `customer`."""
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, text in enumerate(file, 1):
            if text.strip():
                yield _line(path, number, text)


def _line(path: Path, number: int, text: str) -> dict[str, Any]:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        line = None
    wanted = ("at", "type", "customer")
    if isinstance(line, dict) and all(isinstance(line.get(key), str) for key in wanted) and _is_instant(line["at"]):
        return line
    message = "this is no line of a journal: an object with at, type and customer was expected"
    hint = "give a file that simulate --journal wrote"
    raise ProjectInvalid([Problem(str(path), number, 1, "bad_journal", message, hint)])


def _is_instant(text: str) -> bool:
    try:
        parse_instant(text)
    except ValueError:
        return False
    return True
