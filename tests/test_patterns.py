"""No regular expression of ours can be made to run for minutes by a text that was written for that."""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

import orchestrator
from tests.regex_ambiguity import ambiguous_loop


def patterns() -> Iterator[tuple[str, re.Pattern[Any]]]:
    """Every pattern that a module of the project has compiled, with where it stands."""
    for module in pkgutil.walk_packages(orchestrator.__path__, "orchestrator."):
        if ".migrations" in module.name or module.name.endswith("__main__"):
            continue
        for name, value in vars(import_module(module.name)).items():
            for pattern in _within(value):
                yield f"{module.name}.{name}", pattern


def _within(value: Any, depth: int = 0) -> Iterator[re.Pattern[Any]]:
    if isinstance(getattr(value, "__self__", None), re.Pattern):  # such as `re.compile(...).fullmatch`
        yield value.__self__
    elif isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, (tuple, list, frozenset)) and depth < 3:
        for part in value:
            yield from _within(part, depth + 1)
    elif isinstance(value, dict) and depth < 3:
        for part in value.values():
            yield from _within(part, depth + 1)


@pytest.mark.parametrize(
    "bad",
    [
        "(a+)+$", "(a*)*", "(?:a|b|ab)*", "(?:求求?|请)*x", r"(\w+\s?)*!", "(?:a*b*)*", "(?i)(?:ab|AB)+c",
        "(?:a?b?)*(?:a?a?)*", "(?:ever|ever again|again| )*",
    ],
)  # fmt: skip
def test_a_pattern_that_can_run_for_minutes_is_found(bad: str) -> None:
    assert ambiguous_loop(bad)


@pytest.mark.parametrize(
    "good", ["a+", "(?:ab|a)c*", r"(?:\w+\s)*", "(?:a|b)*", r"\s*\S+\s*", "(?:a{1,30}[.])*", "(?:aa)+", "(?:-{0,2}a)*"]
)
def test_one_that_cannot_is_not_blamed(good: str) -> None:
    assert not ambiguous_loop(good)


def test_no_pattern_of_the_project_can_run_for_minutes() -> None:
    found = {(pattern.pattern, pattern.flags): place for place, pattern in patterns()}
    assert len(found) > 150
    blamed = {
        place: pattern
        for (pattern, flags), place in found.items()
        if ambiguous_loop(pattern if isinstance(pattern, str) else pattern.decode("latin-1"), flags & ~re.UNICODE)
    }
    assert blamed == {}
