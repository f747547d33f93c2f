"""`set`, tags, `stage`, `score`, `track`, `enroll`, `unenroll`: what a journey does to the customer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.core.advance import leave
from orchestrator.core.enrollment import Enrollment
from orchestrator.core.gathering import add_points
from orchestrator.core.inbox import EnrollmentRequested
from orchestrator.core.ledger import effect_id
from orchestrator.core.profile import Moved, set_attribute, set_stage, set_tags
from orchestrator.core.program import AddScore, Enroll, Journey, SetAttributes, SetStage, Step, Tag, Track, Unenroll
from orchestrator.core.steps.message import suppress

if TYPE_CHECKING:
    from orchestrator.core.turn import CustomerTurn


def run_set(turn: CustomerTurn, e: Enrollment, journey: Journey, step: SetAttributes) -> int:
    """Set attributes; all values are computed before the first one is stored."""
    from orchestrator.core.events import profile_moved

    scope = turn.scope_of(e)
    values = [(name, template.value(scope)) for name, template in step.values]
    moved: Moved = []
    for name, value in values:
        set_attribute(turn, name, value, moved)
        turn.say("attribute", {"name": name, "value": value}, e, step.id)
    profile_moved(turn, moved, effect_id(e.id, step.id, e.visits.get(step.id, 1)), by_step=True)
    return step.next


def run_tag(turn: CustomerTurn, e: Enrollment, journey: Journey, step: Tag) -> int:
    """Add or remove tags."""
    from orchestrator.core.events import profile_moved

    tags = (step.tag, *step.more)
    kept = tuple(tag for tag in turn.customer.tags if tag not in tags)
    moved: Moved = []
    set_tags(turn, (*kept, *tags) if step.add else kept, moved)
    turn.say("attribute", {"name": "tags", "value": list(turn.customer.tags)}, e, step.id)
    profile_moved(turn, moved, effect_id(e.id, step.id, e.visits.get(step.id, 1)), by_step=True)
    return step.next


def run_stage(turn: CustomerTurn, e: Enrollment, journey: Journey, step: SetStage) -> int:
    """Move the customer to a stage."""
    from orchestrator.core.events import profile_moved

    before = turn.customer.stage
    set_stage(turn, step.stage, False, e, step.id)
    if before != step.stage:
        identity = effect_id(e.id, step.id, e.visits.get(step.id, 1))
        profile_moved(turn, [("stage", before, step.stage)], identity, by_step=True)
    return step.next


def run_score(turn: CustomerTurn, e: Enrollment, journey: Journey, step: AddScore) -> int:
    """Add points to scores."""
    from orchestrator.core.events import profile_moved

    moved: Moved = []
    for name, add in step.points:
        change = add_points(turn, name, add)
        if change is not None:
            moved.append(("score", {name: change[0]}, {name: change[1]}))
    profile_moved(turn, moved, effect_id(e.id, step.id, e.visits.get(step.id, 1)), by_step=True)
    return step.next


def run_track(turn: CustomerTurn, e: Enrollment, journey: Journey, step: Track) -> int:
    """Make an event of this customer; it joins the queue for this instant."""
    if _left_undone(turn, e, step):
        return step.next
    scope = turn.scope_of(e)
    properties = {name: template.value(scope) for name, template in step.properties}
    turn.emit_event(step.event, properties, effect_id(e.id, step.id, e.visits.get(step.id, 1)))
    turn.say("event", {"name": step.event, "properties": properties}, e, step.id)
    return step.next


def run_enroll(turn: CustomerTurn, e: Enrollment, journey: Journey, step: Enroll) -> int:
    """Let the customer into another journey, through its door."""
    if _left_undone(turn, e, step):
        return step.next
    scope = turn.scope_of(e)
    values = {name: template.value(scope) for name, template in step.values}
    identity = effect_id(e.id, step.id, e.visits.get(step.id, 1))
    turn.emit(EnrollmentRequested(step.journey, values, "enroll", identity))
    return step.next


def run_unenroll(turn: CustomerTurn, e: Enrollment, journey: Journey, step: Unenroll) -> int:
    """End the customer's enrollments in another journey."""
    for other in turn.in_order(turn.enrollments.values()):
        if other.journey == step.journey and other.id != e.id and not other.ended:
            leave(turn, other, "unenrolled", by_rule=True)
    return step.next


def _left_undone(turn: CustomerTurn, e: Enrollment, step: Step) -> bool:
    """A held-out enrollment does not do this; it is recorded."""
    if e.held_out:
        suppress(turn, e, step, None, "holdout")
    return e.held_out
