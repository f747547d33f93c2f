"""What arrived, taken: one small function for each kind of inbox item."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, assert_never

from orchestrator.core.advance import complete, leave, stand
from orchestrator.core.calendar_triggers import fire_schedule, renew_dates, renew_inactive
from orchestrator.core.canary import HELD
from orchestrator.core.catalog_entering import fire_catalog
from orchestrator.core.entering import Attempt, try_to_enter
from orchestrator.core.events import apply_event, attribute_entries, profile_moved
from orchestrator.core.gathering import drop_standing, lay, renew_falls, score_entries
from orchestrator.core.groups import regroup
from orchestrator.core.identity import smear_for
from orchestrator.core.inbox import (
    AttributeMoved,
    Body,
    CatalogChanged,
    Classed,
    ConsentChanged,
    Deployed,
    EnrollmentRequested,
    Grouped,
    HistoryLaid,
    Identified,
    JourneyOperated,
    ListChanged,
    Occurred,
    Receipt,
    RedemptionRequested,
    RedemptionRolledBack,
    Replied,
    RowUploaded,
    ScheduleFired,
    ScoreMoved,
    SurveyAnswered,
    TaskClosed,
)
from orchestrator.core.index import Way
from orchestrator.core.lists import change_list, take_row
from orchestrator.core.migrating import move_waiting
from orchestrator.core.offers import refusal_of
from orchestrator.core.profile import (
    Moved,
    apply_traits,
    bring_up_to_date,
    remove_stale,
    renew_ends,
    set_attribute,
    set_consent,
)
from orchestrator.core.program import OnApi, OnAttribute, OnSegment, OnStage, OpenTask, Survey, TriggerBase
from orchestrator.core.receipts import take_receipt
from orchestrator.core.steps.people import forget_escalations
from orchestrator.core.till_story import redeem_settled, roll_back
from orchestrator.core.waiting import look_at_conditions, satisfy

if TYPE_CHECKING:
    from orchestrator.core.enrollment import Enrollment
    from orchestrator.core.turn import CustomerTurn


def take_item(turn: CustomerTurn, body: Body, arrived_at: datetime) -> None:
    """Apply one thing that arrived, at the turn's present instant."""
    match body:
        case Occurred():
            apply_event(turn, body.event, arrived_at)
        case Identified():
            _identified(turn, body, arrived_at)
        case ConsentChanged():
            _consent_changed(turn, body)
        case Receipt():
            take_receipt(turn, body)
        case Replied():
            _replied(turn, body)
        case TaskClosed():
            _task_closed(turn, body)
        case SurveyAnswered():
            _survey_answered(turn, body)
        case RedemptionRequested():
            _redemption_requested(turn, body)
        case RedemptionRolledBack():
            roll_back(turn, body)
        case EnrollmentRequested():
            _enrollment_requested(turn, body)
        case AttributeMoved():
            attribute_entries(turn, body.name, body.before, body.after, body.identity)
        case ScoreMoved():
            score_entries(turn, body)
        case HistoryLaid():
            lay(turn, body)
        case Classed():
            moved: Moved = []
            set_attribute(turn, body.attribute, body.value, moved)
            profile_moved(turn, moved, turn.occasion("classed", body.attribute))
        case Grouped():
            profile_moved(turn, regroup(turn, body), turn.occasion("grouped", body.group))
        case JourneyOperated():
            _journey_operated(turn, body)
        case Deployed():
            _deployed(turn, body)
        case ScheduleFired():
            way = _way(turn, body.journey, body.trigger)
            if way is not None:
                fire_schedule(turn, way, body)
        case CatalogChanged():
            fire_catalog(turn, body)
        case ListChanged():
            change_list(turn, body)
        case RowUploaded():
            take_row(turn, body)
        case _:
            assert_never(body)


def _way(turn: CustomerTurn, journey: str, number: int) -> Way | None:
    return next((w for w in turn.index.schedules if w.journey.id == journey and w.number == number), None)


def _identified(turn: CustomerTurn, item: Identified, arrived_at: datetime) -> None:
    before = turn.customer.stage
    moved = apply_traits(turn, item)
    if not item.silent and turn.customer.stage != before:
        turn.say("stage", {"from": before, "to": turn.customer.stage})
        properties = {"from": before, "to": turn.customer.stage}
        turn.emit_event("stage_changed", properties, turn.occasion("stage", str(turn.customer.stage)))
    profile_moved(turn, moved, turn.occasion("identified"), item.silent)
    if item.silent:
        renew_inactive(turn)


def _consent_changed(turn: CustomerTurn, item: ConsentChanged) -> None:
    moved: Moved = []
    set_consent(turn, item, moved)
    profile_moved(turn, moved, turn.occasion("consents"))


def _replied(turn: CustomerTurn, item: Replied) -> None:
    for e in list(turn.enrollments.values()):
        if e.standing == "reply" and e.outcome is not None and e.outcome.get("request") == item.request_id:
            e = turn.edit(e)
            answer = {"answered": True, "status": item.status, "answer": item.body, "error": item.error}
            e.outcome = {**(e.outcome or {}), **answer}
            if e.status != "parked":
                e.due_at = turn.t
                turn.put_enrollment(e)


def _task_closed(turn: CustomerTurn, item: TaskClosed) -> None:
    task = turn.tasks.get(item.task_id)
    if task is None or task.closed_at is not None:
        return
    assignee = item.assignee or task.assignee
    turn.put_task(task._replace(closed_at=turn.t, outcome=item.outcome, assignee=assignee))
    forget_escalations(turn, task)
    properties = {
        "queue": task.queue,
        "task": task.id,
        "outcome": item.outcome,
        "assignee": assignee,
        "step": task.step,
    }
    turn.emit_event("task_closed", properties, f"{task.id}.closed")
    e = turn.enrollments.get(task.enrollment_id)
    if e is not None and e.running and e.standing == "wait" and e.step == task.step and e.outcome is None:
        value = {"status": "closed", "outcome": item.outcome, "assignee": assignee, "closed_at": turn.t}
        satisfy(turn, e, value, {"task": task.id})


def _survey_answered(turn: CustomerTurn, item: SurveyAnswered) -> None:
    asked = [
        m.row
        for m in turn.messages
        if m.row.survey == item.survey and (item.message_id is None or m.row.id == item.message_id)
    ]
    row = asked[-1] if asked else None
    answer: dict[str, Any] = {"score": item.score, "choice": item.choice, "text": item.text}
    properties = {"survey": item.survey, "step": row.step if row is not None else None, **answer}
    turn.emit_event("survey_answered", properties, turn.occasion("survey", item.survey))
    e = turn.enrollments.get(row.enrollment_id) if row is not None else None
    if (
        row is not None
        and e is not None
        and e.running
        and e.standing == "wait"
        and e.step == e.name_now(row.version, row.step)
        and e.outcome is None
    ):
        satisfy(turn, e, {"survey": item.survey, "at": turn.t, **answer}, {"survey": item.survey})


def _redemption_requested(turn: CustomerTurn, item: RedemptionRequested) -> None:
    if item.settled:
        redeem_settled(turn, item)
        return
    offer = turn.project.offers.get(item.offer)
    mine = [c for c in turn.coupons.values() if c.offer == item.offer]
    if offer is None or any(c.order_id == item.order_id for c in mine):
        return  # idempotent by order
    mine = [c for c in mine if item.code in (None, c.code)]
    reason: str | None = "no code"
    for coupon in sorted(mine, key=lambda c: (c.issued_at, c.id), reverse=True):  # the latest one first
        reason = refusal_of(offer, coupon, item.total, turn.t)
        if reason is None:
            turn.put_coupon(coupon._replace(status="redeemed", order_id=item.order_id))
            turn.say("redeemed", {"offer": offer.id, "code": coupon.code})
            properties = {"offer": offer.id, "code": coupon.code, "order_id": item.order_id, "total": item.total}
            turn.emit_event("coupon_redeemed", properties, f"{coupon.id}.redeemed")
            return
    turn.say("redemption_refused", {"offer": offer.id, "reason": reason}, values={"order_id": item.order_id})


def _enrollment_requested(turn: CustomerTurn, item: EnrollmentRequested) -> None:
    journey = turn.project.journeys.get(item.journey)
    if journey is None:
        return  # it was removed since; the step's lint said so then
    triggers = [trigger for trigger in journey.triggers if isinstance(trigger, OnApi)]
    trigger = triggers[0] if triggers else None
    by = OnApi(
        id=trigger.id if trigger is not None and trigger.id != "api" else item.trigger,
        where=trigger.where if trigger is not None else None,
        key=trigger.key if trigger is not None else None,
        **_door_rules(trigger or journey.triggers[0]),
    )
    data = {**item.values, "at": turn.t, "name": item.trigger, "properties": item.values}
    identity = item.identity or turn.occasion(item.trigger)
    try_to_enter(turn, journey, [by], Attempt(item.trigger, item.values, turn.t, identity, data))


def _door_rules(trigger: TriggerBase) -> dict[str, Any]:
    return {"reentry": trigger.reentry, "overlap": trigger.overlap, "unless_in": trigger.unless_in}


def _journey_operated(turn: CustomerTurn, item: JourneyOperated) -> None:
    for e in turn.in_order(turn.enrollments.values()):
        if e.journey != item.journey or e.ended or item.enrollment not in (None, e.id):
            continue
        if item.action == "stop":
            leave(turn, e, "stopped", by_rule=True)
        elif item.action == "exit":
            leave(turn, e, "unenrolled", by_rule=True)
        elif item.action == "resume":
            _resume(turn, turn.edit(e))
        elif e.standing == HELD and item.action == "release":
            _let_go(turn, turn.edit(e))
        elif e.standing == HELD and item.action == "cancel":
            leave(turn, e, HELD, by_rule=True)
    if item.action == "release":
        move_waiting(turn)


def _let_go(turn: CustomerTurn, e: Enrollment) -> None:
    """A canary holds this enrollment no longer: it goes on in the version that is live now, after the smear, so that
    not all of them come at once."""
    live = turn.project.journeys.get(e.journey)
    if live is not None and live.version != e.version:
        said = {"from_version": e.version, "to_version": live.version}
        e.version = live.version
        turn.say("migrated", said, e, values={"by": HELD})
    journey = turn.program(e)
    if look_at_conditions(turn, e) or e.status != "running":
        return
    if journey.first < 0:
        complete(turn, e)
        return
    e.step = journey.steps[journey.first].id
    smear = smear_for(turn.view.salt, e.id, HELD, 1, turn.project.settings.smear)
    stand(turn, e, "before", turn.t + smear)


def _resume(turn: CustomerTurn, e: Any) -> None:
    """Overdue timers are due now, smeared; a parked step runs again, unless its message or task is out already."""
    if e.standing == HELD:
        e.status = "running"
        return
    if e.status == "parked":
        e.status = "running"
        step = turn.program(e).steps[turn.program(e).by_id[e.step]]
        if e.standing == "reply" or (e.standing == "wait" and isinstance(step, (Survey, OpenTask))):
            stand(turn, e, e.standing, e.until_at)
            if e.outcome is not None and (e.standing == "wait" or "answered" in e.outcome):
                e.due_at = turn.t
        else:
            e.standing = e.standing if e.standing == "before" else "retry"
            e.attempts = 0
            e.due_at = turn.t
    if e.due_at is not None and e.due_at < turn.t:
        smear = turn.project.settings.smear
        e.due_at = turn.t + smear_for(turn.view.salt, e.id, e.step or "", e.visits.get(e.step, 1), smear)
    turn.put_enrollment(e)


def _deployed(turn: CustomerTurn, item: Deployed) -> None:
    """New definitions: memberships are computed in silence; who waits in an older version may be moved; journeys new
    today may take those who qualify already."""
    remove_stale(turn, item)
    if turn.customer.fresh:
        turn.edit_customer().fresh = False
    drop_standing(turn)
    bring_up_to_date(turn, silent=True)
    move_waiting(turn)
    renew_dates(turn)
    for spec in turn.project.scores.values():
        renew_falls(turn, spec)
    if turn.customer.consent_dates:
        renew_ends(turn)
    renew_inactive(turn, None, item.new_journeys)
    for journey_id in sorted(item.new_journeys):
        journey = turn.project.journeys.get(journey_id)
        if journey is None:
            continue
        for trigger in journey.triggers:
            values = _qualifies(turn, trigger) if trigger.include_existing else None
            if values is not None:
                kind = next(k for k, v in _KINDS.items() if isinstance(trigger, v))
                attempt = Attempt(kind, values, turn.t, f"existing:{kind}:{turn.t.isoformat()}")
                try_to_enter(turn, journey, [trigger], attempt)
                break


_KINDS: dict[str, type[TriggerBase]] = {"segment": OnSegment, "stage": OnStage, "attribute": OnAttribute}


def _qualifies(turn: CustomerTurn, trigger: TriggerBase) -> dict[str, Any] | None:
    """The entry values of a customer who qualifies already, else None."""
    if isinstance(trigger, OnSegment):
        inside = trigger.segment in turn.customer.segments
        if inside == (trigger.edge == "entered"):
            return {"from": None, "to": trigger.segment} if inside else {"from": trigger.segment, "to": None}
    elif isinstance(trigger, OnStage):
        stage = turn.customer.stage
        if stage is not None and trigger.to in (None, stage) and trigger.from_stage is None:
            return {"from": None, "to": stage}
    elif isinstance(trigger, OnAttribute):
        value = turn.customer_data().get(trigger.attribute)
        if value is not None and (not trigger.has_to or value == trigger.to_value) and not trigger.has_from:
            return {"from": None, "to": value}
    return None
