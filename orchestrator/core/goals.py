"""How long an enrollment may still reach its journey's goal."""

from __future__ import annotations

from datetime import datetime

from orchestrator.core.enrollment import Enrollment
from orchestrator.core.program import Goal
from orchestrator.core.project import Settings


def goal_is_open(goal: Goal | None, e: Enrollment, at: datetime, settings: Settings) -> bool:
    """Whether what arrives at `at` may still be the goal of an enrollment.

    What happened within `goal.within` counts however late it arrives, until `settings.history` after the entry (or
    `within`, where that is longer): the longest for which anything is kept. After that an enrollment that ended is
    nobody's concern any more. One that runs, and whose goal has no `within`, can always reach it.
    """
    if goal is None or e.converted_at is not None:
        return False
    if goal.within is None:
        return not e.ended or at - e.entered_at <= settings.history + settings.late_events
    return at - e.entered_at <= max(goal.within, settings.history) + settings.late_events
