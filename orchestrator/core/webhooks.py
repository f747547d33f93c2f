"""Webhooks that tell others what is decided: which lines of the journal, where to, and what of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from orchestrator.core.expression.expr import Expr
from orchestrator.records import dataclass

LINES: Final = (
    "entered", "refused", "waiting", "rescheduled", "branched", "assigned", "held", "message", "outcome", "suppressed",
    "coupon", "released", "redeemed", "rolled_back", "task", "attribute", "event", "fetched", "webhook", "goal",
    "exited", "completed", "failed", "segment", "stage", "migrated",
)  # fmt: skip
"""The types of lines of a journal (docs/interfaces.md, "Output lines")."""
MOST_LINES: Final = 100
"""Lines of one call."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """One receiver. Either `url` or `place`, the name of an address among the settings, is "".

    `where` sees the line as `line`; without it all lines of the types `lines` are told. `personal`: with all that a
    line says; else with what is nothing that a person said or is. `past`: beginning with the oldest line there is.
    """

    name: str
    url: str
    place: str
    lines: frozenset[str]
    where: Expr | None = None
    batch: int = MOST_LINES
    personal: bool = False
    timeout: timedelta = timedelta(seconds=10)
    give_up_after: timedelta = timedelta(hours=24)
    stop_on_failure: bool = False
    past: bool = False
