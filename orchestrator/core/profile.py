"""The profile brought up to date: traits, consent, stage, segments, and the timers at which time alone changes them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from orchestrator.core.consent import EXPIRED, IMPLIED, choices_in, reopens, state_at
from orchestrator.core.customer import RESERVED, Timer
from orchestrator.core.devices import ATTRIBUTE, DEVICE_TRAITS, changed
from orchestrator.core.double_opt_in import ask, has_to_confirm
from orchestrator.core.expression.scope import PastEvent
from orchestrator.core.gathering import apply_standing, score_event, set_up
from orchestrator.core.inbox import ConsentChanged, Deployed, Identified
from orchestrator.core.inbox_feed import ATTRIBUTE as DISMISSED
from orchestrator.core.inbox_feed import DISMISS, with_dismissed
from orchestrator.core.index import Hearers
from orchestrator.core.project import Segment
from orchestrator.errors import DecisionError

if TYPE_CHECKING:
    from orchestrator.core.enrollment import Enrollment
    from orchestrator.core.turn import CustomerTurn

ENDS: Final = "consent"
"""The kind of the timers at which consent ends; `topic.channel` is their name."""
Moved = list[tuple[str, Any, Any]]
"""What changed in a profile: (name, before, after)."""


def apply_traits(turn: CustomerTurn, item: Identified) -> Moved:
    """Store the traits. Returns what changed, so that triggers on attributes can see it."""
    moved: Moved = []
    for name, value in item.traits.items():
        if name == "consents" and isinstance(value, Mapping):
            for choice in choices_in(item.traits, item.silent):
                held = turn.customer.consents.get((choice.topic, choice.channel))
                if held != choice.state or _says_more(choice, item.silent):
                    set_consent(turn, choice, moved, item.silent, relayed=True)
        elif name == "tags" and isinstance(value, (list, tuple)):
            set_tags(turn, tuple(dict.fromkeys(str(tag) for tag in value)), moved)
        elif name == "stage":
            if turn.customer.stage != value:
                moved.append(("stage", turn.customer.stage, value))
                turn.edit_customer().stage = value
        elif name == "created_at":
            turn.edit_customer().created_at = value
        elif name in turn.index.kept_out:
            continue  # what events add up to is nobody else's
        elif name in DEVICE_TRAITS:
            set_attribute(turn, ATTRIBUTE, changed(turn.customer.attributes, name, value), moved)
        elif name == DISMISS:
            set_attribute(turn, DISMISSED, with_dismissed(turn.customer.attributes, value), moved)
        else:
            set_attribute(turn, name, value, moved)
    return moved


def _says_more(choice: ConsentChanged, silent: bool) -> bool:
    """Whether a choice that holds already is told anew: an `in` with its proof or its end, an imported opt-out, which
    ingest stored. (Any other opt-out among traits came as a choice of its own, too.)"""
    if choice.state == "out":
        return silent
    return choice.proof is not None or choice.expires_at is not None or choice.at is not None


def set_consent(
    turn: CustomerTurn, choice: ConsentChanged, moved: Moved, silent: bool = False, relayed: bool = False
) -> None:
    """Note a customer's choice for one topic on one channel, store what follows from it, and announce it.

    Ingest has stored an opt-out already, so that the choice stored before does not tell whether it is new. `relayed`:
    it came among traits; see orchestrator.core.consent for what that changes.
    """
    place = (choice.topic, choice.channel)
    before, known_at = turn.customer.consents.get(place), turn.customer.consent_dates.get(place)
    arrived_at = turn.arrived_at
    at = arrived_at if choice.at is None or choice.at > arrived_at else choice.at
    if choice.state == "out":
        said = after = "out"
        date: datetime | None = max(at, known_at) if before == "out" and known_at is not None else at
    elif before == "out" and not reopens(choice, known_at, relayed):
        turn.note_choice(choice, "in", at, refused="opted_out")
        return
    elif before == EXPIRED and relayed and choice.source != IMPLIED and not reopens(choice, known_at, relayed):
        turn.note_choice(choice, "in", at, refused=EXPIRED)
        return
    elif state_at(turn.customer, place, turn.t) != "in" and has_to_confirm(turn, choice):
        said = "pending"
        after, date = ("out", known_at) if before == "out" else ("pending", at)
    else:
        said = after = "in"
        date = choice.expires_at
        if before == "in" and date is not None:  # what is only implied cuts nothing short
            date = None if known_at is None else max(date, known_at)
    turn.note_choice(choice, said, at)
    _hold_choice(turn, place, after, date)
    if silent:
        return
    if said == "pending":
        ask(turn, choice)
    change = {"topic": choice.topic, "channel": choice.channel, "state": said}
    moved.append(("consents", before, change))
    turn.emit_event("consent_changed", change, turn.occasion("consent", choice.topic, choice.channel, said))


def _hold_choice(turn: CustomerTurn, place: tuple[str, str], state: str, date: datetime | None) -> None:
    """What holds from now on, with the instant that belongs to it; of an `in` with an end, a timer sees to that."""
    turn.set_timer(ENDS, f"{place[0]}.{place[1]}", Timer(date) if state == "in" and date is not None else None)
    customer = turn.edit_customer()
    customer.consents[place] = state
    if customer.consent_dates.get(place) != date:
        dates = dict(customer.consent_dates)
        if date is None:
            dates.pop(place, None)
        else:
            dates[place] = date
        customer.consent_dates = dates


def renew_ends(turn: CustomerTurn) -> None:
    """Set the timers of choices that end, where a customer was stored without them."""
    for (topic, channel), date in turn.customer.consent_dates.items():
        if turn.customer.consents.get((topic, channel)) == "in":
            turn.set_timer(ENDS, f"{topic}.{channel}", Timer(date))


def end_consent(turn: CustomerTurn, name: str) -> Moved:
    """Consent that was given for a time is over: note it in the ledger, and announce it. Returns what changed."""
    turn.set_timer(ENDS, name, None)
    topic, _, channel = name.rpartition(".")
    place = (topic, channel)
    ended_at = turn.customer.consent_dates.get(place)
    if turn.customer.consents.get(place) != "in" or ended_at is None or ended_at > turn.t:
        return []
    turn.note_choice(ConsentChanged(topic, channel, "in", expires_at=ended_at), EXPIRED, ended_at)
    _hold_choice(turn, place, EXPIRED, ended_at)
    change = {"topic": topic, "channel": channel, "state": EXPIRED}
    turn.emit_event("consent_changed", change, turn.occasion("consent", topic, channel, EXPIRED))
    return [("consents", "in", change)]


def set_attribute(turn: CustomerTurn, name: str, value: Any, moved: Moved) -> None:
    """Store one attribute or reserved trait; no change leaves no trace."""
    if name in RESERVED:
        before = getattr(turn.customer, name)
        if before != value:
            setattr(turn.edit_customer(), name, value)
            moved.append((name, before, value))
        return
    before = turn.customer.attributes.get(name)
    if before != value or type(before) is not type(value):
        attributes = turn.edit_customer().attributes
        if value is None:
            attributes.pop(name, None)
        else:
            attributes[name] = value
        moved.append((name, before, value))


def set_tags(turn: CustomerTurn, tags: tuple[str, ...], moved: Moved) -> None:
    """Store the tags."""
    if turn.customer.tags != tags:
        moved.append(("tags", list(turn.customer.tags), list(tags)))
        turn.edit_customer().tags = tags


def bring_up_to_date(
    turn: CustomerTurn, silent: bool = False, new: bool = False, taking: PastEvent | None = None, late: bool = False
) -> None:
    """Stage, scores and segments after any change of the profile. `new`: the customer was just created; `taking`: by
    this event, under definitions that the customer was not told of yet."""
    turn.forget_zones()
    if turn.customer.computed.mark != turn.index.gathered:
        set_up(turn, silent or not new, taking, late)
    if turn.index.staged:
        apply_stage_rules(turn, silent)
    if turn.index.standing:
        apply_standing(turn, silent)
        if turn.index.staged:
            apply_stage_rules(turn, silent)
    for segment in turn.project.segments:
        look_at_segment(turn, segment, silent)


def hear(turn: CustomerTurn, hearers: Hearers, event: PastEvent, late: bool = False) -> None:
    """Stage, scores and segments after an event. A rule of a stage may rest on a score, and the other way round."""
    if hearers.stages:
        apply_stage_rules(turn)
    if hearers.scores or hearers.standing:
        score_event(turn, event, hearers, late)
        if hearers.standing:
            apply_standing(turn)
        if hearers.stages:
            apply_stage_rules(turn)
    for segment in hearers.segments:
        look_at_segment(turn, segment)


def look_at_segment(turn: CustomerTurn, segment: Segment, silent: bool = False) -> None:
    """Evaluate one segment, note when time alone can change it, and announce a change."""
    scope = turn.scope_of(None)
    scope.tracking = True
    try:
        member = segment.where.truth(scope)
    except DecisionError as error:
        # Neither true nor false: the membership stays as it was.
        turn.say("failed", {"reason": error.reason}, values={"segment": segment.name, "error": str(error)})
        return
    finally:
        scope.tracking = False
    look_at = scope.changes_at
    turn.set_timer("segment", segment.name, Timer(look_at) if look_at is not None else None)
    was = segment.name in turn.customer.segments
    if member == was:
        return
    customer = turn.edit_customer()
    customer.segments = customer.segments | {segment.name} if member else customer.segments - {segment.name}
    if silent:
        return
    edge = "entered" if member else "left"
    turn.say("segment", {"name": segment.name, "edge": edge})
    identity = turn.occasion("segment", segment.name, edge)
    turn.emit_event("segment_changed", {"segment": segment.name, "edge": edge}, identity)


def apply_stage_rules(turn: CustomerTurn, silent: bool = False) -> None:
    """The last listed stage whose rule holds is the customer's; when none holds, the stage stays."""
    scope = turn.scope_of(None)
    scope.tracking = True
    found: str | None = None
    try:
        for stage in turn.project.stages:
            if stage.where is not None and stage.where.truth(scope):
                found = stage.name
    except DecisionError as error:
        turn.say("failed", {"reason": error.reason}, values={"stage": "rules", "error": str(error)})
        return
    finally:
        scope.tracking = False
    look_at = scope.changes_at
    turn.set_timer("stages", "", Timer(look_at) if look_at is not None else None)
    if found is not None:
        set_stage(turn, found, silent)


def set_stage(
    turn: CustomerTurn, stage: str, silent: bool = False, e: Enrollment | None = None, step: str | None = None
) -> None:
    """Move the customer to a stage and announce it. `e` and `step`: the enrollment's step that does so, if one does."""
    before = turn.customer.stage
    if before == stage:
        return
    turn.edit_customer().stage = stage
    if silent:
        return
    turn.say("stage", {"from": before, "to": stage}, e, step)
    turn.emit_event("stage_changed", {"from": before, "to": stage}, turn.occasion("stage", stage))


def remove_stale(turn: CustomerTurn, item: Deployed) -> None:
    """After a deploy: forget memberships and timers of what no longer exists."""
    known = frozenset(turn.index.segments)
    if turn.customer.segments - known:
        turn.edit_customer().segments = turn.customer.segments & known
    for kind, name in list(turn.customer.timers):
        if kind == "segment" and name not in known:
            turn.set_timer(kind, name, None)
