"""What retention must not forget: events that some expression counts without end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass

from orchestrator.core.expression.expr import Expr
from orchestrator.core.index import Index
from orchestrator.core.program import Journey


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
