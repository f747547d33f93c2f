"""How long each table keeps its rows, and what forbids to keep them for less."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from orchestrator.core.project import CapRule, Retention, Settings
from orchestrator.definitions.compiler.fields import Fields
from orchestrator.definitions.models.project import ProjectModel

PROVEN: Final = timedelta(days=62)
"""The journal and the ledger of messages hold the month that is proven last, and the present one."""
_DAY: Final = timedelta(days=1)


def compile_retention(model: ProjectModel, fields: Fields, settings: Settings, caps: Sequence[CapRule]) -> Retention:
    """The lengths; finds those that would take away what conditions, caps, goals or proofs still ask for."""
    given = {name: fields.fixed(getattr(model.retention, name), ("retention", name)) for name in _NAMES}
    history = f"conditions look back {_days(settings.history)} (`settings: history`)"
    least: dict[str, list[tuple[timedelta, str]]] = {
        "events": [(settings.history, history)],
        "passages": [(settings.history, f"goals and {history}")],
        "journal": [(PROVEN, "the monthly proof reads the month before")],
        "messages": [(PROVEN, "the monthly proof reads the month before")],
        "refused": [(_DAY, "somebody has to be able to look at them")],
    }
    for number, cap in enumerate(caps, 1):
        words = f"cap {number} (at most {cap.max} messages) counts those of {_days(cap.per)}"
        least["messages"].append((cap.per + settings.late_tolerance, words))
    for name, bounds in least.items():
        length = given[name]
        bound, why = max(bounds, key=lambda each: each[0])
        if length is not None and length < bound:
            message = f"{name} kept for {_days(length)} are too few: {why}"
            fields.complain(("retention", name), "bad_value", message, f"keep them for at least {_days(bound)}")
    return Retention(**given)


_NAMES: Final = ("events", "journal", "passages", "messages", "refused")


def _days(length: timedelta) -> str:
    """A length as a file says it, rounded up to hours."""
    hours = -(-length // timedelta(hours=1))
    return f"{hours // 24}d" if hours % 24 == 0 else f"{hours // 24}d{hours % 24}h" if hours > 24 else f"{hours}h"
