"""How long rows are kept, and what must not be forgotten: events that some expression counts without end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import NamedTuple

from orchestrator.core.expression.expr import Expr
from orchestrator.core.index import Index
from orchestrator.core.program import Journey
from orchestrator.stores.instants import micros


class Forgotten(NamedTuple):
    """What is older than this (microseconds) may go. Of messages and refused items, None: none goes for its age."""

    events: int
    transitions: int
    enrollments: int
    messages: int | None
    refused: int | None


def forgotten(index: Index, now: datetime) -> Forgotten:
    """The bounds at an instant. Messages that some condition asks for without end are never too old."""
    kept, history = index.project.retention, index.project.settings.history
    messages = kept.messages
    if messages is not None:
        asked_for = index.messages_asked_for()
        messages = None if asked_for is None else max(messages, asked_for)
    return Forgotten(
        micros(now - (kept.events or history)),
        micros(now - (kept.journal or history)),
        micros(now - (kept.passages or history)),
        None if messages is None else micros(now - messages),
        None if kept.refused is None else micros(now - kept.refused),
    )


def kept_events(index: Index, versions: Iterable[Journey]) -> set[str]:
    """The names of events that are kept for good: those that some expression counts without end."""
    project = index.project
    exprs = _exprs_in((project.segments, project.stages, tuple(versions)))
    endless = {name for expr in exprs for name, window in expr.needs.windows if window is None}
    return endless | set(index.by_inactive)


def _exprs_in(part: object) -> Iterator[Expr]:
    """Every expression in definitions, wherever it stands: in conditions, in texts, in the fields of steps."""
    if isinstance(part, Expr):
        yield part
    elif isinstance(part, (tuple, list, frozenset)):
        for item in part:
            yield from _exprs_in(item)
    elif isinstance(part, dict):
        yield from _exprs_in(tuple(part.values()))
    elif is_dataclass(part):
        for field in fields(part):
            yield from _exprs_in(getattr(part, field.name))
