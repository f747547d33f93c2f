"""`wait`: for a time, or for something to happen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.core.advance import STOP, stand
from orchestrator.core.enrollment import Enrollment
from orchestrator.core.program import Journey, WaitSomething, WaitTime
from orchestrator.core.waiting import begin_wait, look_ahead, look_at_wait, say_waiting

if TYPE_CHECKING:
    from orchestrator.core.turn import CustomerTurn


def run_wait_time(turn: CustomerTurn, e: Enrollment, journey: Journey, step: WaitTime) -> int:
    """Stand until an instant."""
    return begin_wait(turn, e, journey, step, turn.t)


def run_wait_something(turn: CustomerTurn, e: Enrollment, journey: Journey, step: WaitSomething) -> int:
    """Stand until one of the alternatives comes true, or time is up."""
    e.base_at = turn.t
    e.past = False
    e.until_at = None
    if step.up_to is not None:
        e.until_at = max(step.up_to.after(turn.t, turn.zone_of(e, step.timezone).zone), turn.t)
    say_waiting(turn, e, step)
    stand(turn, e, "wait", e.until_at, look_ahead(turn, e))
    look_at_wait(turn, e)
    return STOP
