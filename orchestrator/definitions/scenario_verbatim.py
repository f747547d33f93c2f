"""Ids as they stand in the source: in a scenario, `007` and `1e5` may be written bare and are not numbers.

YAML would make them 7 and 100000.0. The same holds for phone numbers, where it would eat the plus sign.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from orchestrator.definitions.source import Document

Pattern = tuple[str, ...]
"""Keys from the root; `*` stands for every list index or key."""

_ABOUT_A_CUSTOMER = ("consent", "receipt", "task", "survey", "redeem", "enroll")

_ITEM_KEYS = (
    "customer", "id", "event", "pause", "resume", "stop", "deploy", "stall",
    *(f"{kind}.customer" for kind in _ABOUT_A_CUSTOMER),
    *(f"{kind}.journey" for kind in ("kill", "lift", "enroll")),
    *(f"{kind}.step" for kind in ("receipt", "task")),
    "identify.phone", "identify.email", "identify.tags.*", "receipt.text", "task.outcome", "task.assignee",
    "survey.name", "survey.choice", "survey.text", "redeem.offer", "redeem.order_id", "redeem.code",
    "merge.from", "merge.into",
)  # fmt: skip

RUN_PATTERNS: tuple[Pattern, ...] = tuple(
    tuple(pattern.split("."))
    for pattern in (
        *(f"customers.*.{key}" for key in ("id", "phone", "tags.*")),
        *(f"history.*.{key}" for key in ("customer", "id", "event")),
        *(f"timeline.*.{key}" for key in _ITEM_KEYS),
        "force.*",
    )
)
TEST_PATTERNS: tuple[Pattern, ...] = (
    *RUN_PATTERNS,
    *(("events", *pattern[1:]) for pattern in RUN_PATTERNS if pattern[0] == "timeline"),
    *(("customer", *pattern[2:]) for pattern in RUN_PATTERNS if pattern[0] == "customers"),
    ("name",),
    ("with", "*"),
    ("expect", "*", "messages", "*"),
    *(
        ("expect", "*", *deeper, key)
        for deeper in ((), ("not",))
        for key in ("message", "customer", "key", "version", "step", "template", "to", "code")
    ),
)


def with_source_text(document: Document, patterns: Iterable[Pattern], below: tuple[str | int, ...] = ()) -> Document:
    """The document with the numbers at `patterns` (below `below`) read as text; all else is left alone."""
    data: Any = None
    for pattern in patterns:
        for path in _paths(_at(document.data, below), pattern, below):
            value = _at(document.data, path)
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                data = _copied(document.data) if data is None else data
                _at(data, path[:-1])[path[-1]] = document.scalar_source(path).text
    return document if data is None else replace(document, data=data)


def _paths(value: Any, pattern: Pattern, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    if not pattern:
        yield path
        return
    head, rest = pattern[0], pattern[1:]
    if isinstance(value, dict):
        keys: Iterable[str | int] = value if head == "*" else (head,) if head in value else ()
    elif isinstance(value, list) and head == "*":
        keys = range(len(value))
    else:
        return
    for key in keys:
        yield from _paths(value[key], rest, (*path, key))


def _at(data: Any, path: tuple[str | int, ...]) -> Any:
    for key in path:
        data = data[key]
    return data


def _copied(value: Any) -> Any:
    """A copy of lists and mappings all the way down: what was read is shared and never changed in place."""
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copied(item) for item in value]
    return value
