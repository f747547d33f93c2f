"""Who is in which segment, worked out for customers outside of a turn: for previews, checks, and full builds.

Nothing is decided here, and nothing is announced: a turn alone does that, by the same conditions.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from orchestrator.core.expression.expr import Expr
from orchestrator.core.pools import WorkingPools
from orchestrator.core.profile import look_at_segment
from orchestrator.core.turn import CustomerTurn
from orchestrator.core.view import View
from orchestrator.errors import DecisionError


def memberships(view: View, now: datetime) -> dict[str, frozenset[str]]:
    """The segments of each customer of the view at an instant, as a turn would find them. Where a condition cannot be
    evaluated, what is stored stays."""
    known = frozenset(view.index.segments)
    return {turn.customer.id: turn.customer.segments & known for turn in _turns(view, now)}


def matches(view: View, expr: Expr, now: datetime) -> dict[str, bool | None]:
    """Whether a condition holds for each customer of the view; None: it cannot be evaluated. What it asks of segments
    is brought up to date first."""
    found: dict[str, bool | None] = {}
    for turn in _turns(view, now, update=bool(expr.needs.segments)):
        try:
            found[turn.customer.id] = expr.truth(turn.scope_of(None))
        except DecisionError:
            found[turn.customer.id] = None
    return found


def _turns(view: View, now: datetime, update: bool = True) -> Iterator[CustomerTurn]:
    """The customers of a view, one after another, with their segments as they are at the instant."""
    turn = CustomerTurn(view, WorkingPools(view.pools, view.salt), now)
    for record in view.customers:
        turn.begin(record)
        turn.take(now)
        turn.forget_zones()
        if update:
            for segment in view.project.segments:
                look_at_segment(turn, segment, silent=True)
        yield turn
    turn.leave()
