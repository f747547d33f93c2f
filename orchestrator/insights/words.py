"""Small pieces of words that pictures and stories share: spans, shares, clocks, templates as they were written."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time, timedelta
from typing import NamedTuple

from orchestrator.core.expression.expr import Expr
from orchestrator.core.expression.values import printed
from orchestrator.core.interpolation import Template
from orchestrator.core.program import Days

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Words(NamedTuple):
    """A short title, and lines with what else matters, expressions as their author wrote them."""

    title: str
    lines: tuple[str, ...] = ()


def template_text(template: Template) -> str:
    """A step template as its author wrote it."""
    if template.entries is not None:
        return "{" + ", ".join(f"{key}: {template_text(value)}" for key, value in template.entries) + "}"
    if template.items is not None:
        return "[" + ", ".join(template_text(item) for item in template.items) + "]"
    if not template.parts:
        return literal(template.literal)
    return "".join(part if isinstance(part, str) else f"{{{{ {part.source} }}}}" for part in template.parts)


def percent(share: float) -> str:
    """A share of one as a percentage with at most one decimal."""
    return f"{share * 100:.1f}".rstrip("0").rstrip(".") + "%"


def clock(at: time) -> str:
    """`09:00`; seconds only where there are some."""
    return at.isoformat() if at.second else at.isoformat(timespec="minutes")


def span(length: timedelta) -> str:
    """A fixed span in its largest units, `7d`, `1h30m`; days of 24 hours."""
    rest = int(length.total_seconds())
    parts = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def given(*pairs: tuple[str, str | None]) -> tuple[str, ...]:
    """A line for each name that has a value."""
    return tuple(f"{name} {value}" for name, value in pairs if value is not None)


def on_days(days: Days) -> tuple[str, ...]:
    """``on mon..fri``; nothing for every day."""
    return () if days is None else (f"on {_day_names(sorted(days))}",)


def _day_names(days: Sequence[int]) -> str:
    if len(days) > 2 and list(days) == list(range(days[0], days[-1] + 1)):
        return f"{_DAYS[days[0]]}..{_DAYS[days[-1]]}"
    return ", ".join(_DAYS[day] for day in days)


def source_of(expr: Expr | None) -> str | None:
    """An expression as its author wrote it, on one line."""
    return None if expr is None else " ".join(expr.source.split())


def literal(value: object) -> str:
    """A value that stands in the file."""
    if value is None:
        return "none"
    return printed(value) if isinstance(value, (bool, int, float, str, list, dict)) else str(value)
