"""What events add up to for one customer: computed attributes and scores, brought up to date within a turn.

In the order of the language reference, section 6: attributes first, then the stage, then scores, then segments.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from orchestrator.core import scores
from orchestrator.core.accumulators import Accumulator, Computed, added, recount, value_of
from orchestrator.core.customer import Timer
from orchestrator.core.entering import Attempt, try_to_enter
from orchestrator.core.expression.scope import PastEvent, event_data
from orchestrator.core.inbox import AttributeMoved, HistoryLaid, ScoreMoved
from orchestrator.core.index import Hearers, Way, doors_of, way_name
from orchestrator.core.program import OnScore
from orchestrator.core.scores import Points, ScoreSpec
from orchestrator.errors import DecisionError

if TYPE_CHECKING:
    from orchestrator.core.turn import CustomerTurn

Moved = list[tuple[str, Any, Any]]


def is_set_up(turn: CustomerTurn) -> bool:
    """Whether everything that events add up to rests on the definitions that are live."""
    return turn.customer.computed.mark == turn.index.gathered


def set_up(turn: CustomerTurn, silent: bool, taking: PastEvent | None = None, late: bool = False) -> None:
    """Work computed attributes out from the history where their definition is new, and scores that nobody has points
    in yet. The event that is being taken stands in the history already.

    What is kept under an unchanged definition stays: it knows of events that the history has forgotten. To that, the
    event is added.
    """
    known, states, moved = turn.customer.computed, dict[str, tuple[str, Any]](), Moved()
    for of in turn.index.accumulators.values():
        held = known.states.get(of.name)
        if held is None or held[0] != of.mark:
            state = recount(of, turn.history.events(of.event), lambda event, of=of: _holds(turn, of, event))  # type: ignore[misc]
            held = None if state is None else (of.mark, state)
        elif taking is not None and of.event == taking.name and _holds(turn, of, taking):
            held = (of.mark, added(of, held[1], taking))
        if held is not None:
            states[of.name] = held
        _show(turn, of, held[1] if held is not None else None, moved)
    for name in known.states.keys() - turn.index.accumulators.keys():
        if name not in turn.project.attributes:
            _store(turn, name, None, moved)
    turn.edit_customer().computed = Computed(turn.index.gathered, states)
    if not silent:
        announce(turn, moved)
    missing = [spec for spec in turn.project.scores.values() if spec.name not in turn.customer.scores]
    if taking is not None:
        for spec in turn.project.scores.values():
            if spec not in missing:
                before = turn.customer.scores.get(spec.name)
                _earn(turn, spec, taking)
                _moved(turn, spec, before, quiet=late)
    for spec in missing:
        names = {rule.event for rule in spec.rules if rule.event is not None}
        past = [event for name in sorted(names) for event in turn.history.events(name)]
        before = turn.customer.scores.get(spec.name)
        for event in sorted(past, key=lambda event: event.at):
            _earn(turn, spec, event)
        if not silent:
            _moved(turn, spec, before)
        else:
            renew_falls(turn, spec)


def gather(turn: CustomerTurn, event: PastEvent, hearers: Hearers) -> None:
    """Add one event to the computed attributes that count it."""
    moved: Moved = []
    _add(turn, event, hearers.accumulators, moved)
    announce(turn, moved)


def lay(turn: CustomerTurn, item: HistoryLaid) -> None:
    """Take in events that joined the past by an import, in silence. What is not set up yet will find them there."""
    ready = is_set_up(turn)
    held, earning = turn.customer.computed.states, frozenset(turn.customer.scores)
    kept = {of.name for of in turn.index.accumulators.values() if ready or held.get(of.name, ("",))[0] == of.mark}
    for event in item.events:
        past = PastEvent(event.at, event.name, dict(event.properties), event.id)
        hearers = turn.index.hearers(event.name)
        _add(turn, past, [of for of in hearers.accumulators if of.name in kept], [])
        for spec in hearers.scores:
            if ready or spec.name in earning:
                _earn(turn, spec, past)
    for spec in turn.project.scores.values():
        renew_falls(turn, spec)


def _add(turn: CustomerTurn, event: PastEvent, accumulators: Iterable[Accumulator], moved: Moved) -> None:
    for of in accumulators:
        if not _holds(turn, of, event):
            continue
        held = turn.customer.computed
        before = held.states.get(of.name)
        state = added(of, before[1] if before is not None else None, event)
        if state is not None:
            turn.edit_customer().computed = held._replace(states={**held.states, of.name: (of.mark, state)})
            _show(turn, of, state, moved)


def _holds(turn: CustomerTurn, of: Accumulator, event: PastEvent) -> bool:
    return _truth(turn, of.where, event, {"attribute": of.name})


def _truth(turn: CustomerTurn, where: Any, event: PastEvent, about: dict[str, Any]) -> bool:
    if where is None:
        return True
    try:
        return bool(where.truth(turn.scope_of(None, event_data(event))))
    except DecisionError as error:
        # Neither true nor false: the event counts for nothing here, and somebody is told.
        turn.say("failed", {"reason": error.reason}, values={**about, "event": event.id, "error": str(error)})
        return False


def _show(turn: CustomerTurn, of: Accumulator, state: Any, moved: Moved) -> None:
    _store(turn, of.name, value_of(of, state), moved)


def _store(turn: CustomerTurn, name: str, value: Any, moved: Moved) -> None:
    from orchestrator.core.profile import set_attribute

    set_attribute(turn, name, value, moved)


def announce(turn: CustomerTurn, moved: Moved) -> None:
    """Triggers on attributes and dates hear of computed ones that changed: behind this event, at the same instant."""
    from orchestrator.core.calendar_triggers import renew_dates

    identity = turn.occasion("computed") if moved else ""
    for name, before, after in moved:
        if name in turn.index.by_attribute:
            turn.emit(AttributeMoved(name, before, after, identity))
    names = {name for name, _, _ in moved}
    if names & turn.index.date_attributes:
        renew_dates(turn, names)


# --- scores -----------------------------------------------------------------------------------------------------------


def score_event(turn: CustomerTurn, event: PastEvent, hearers: Hearers, late: bool) -> None:
    """The points that rules give for an event. One that came too late enters nobody."""
    for spec in hearers.scores:
        before = turn.customer.scores.get(spec.name)
        _earn(turn, spec, event)
        _moved(turn, spec, before, quiet=late)


def _earn(turn: CustomerTurn, spec: ScoreSpec, event: PastEvent) -> None:
    for rule in spec.rules:
        if rule.event == event.name and _truth(turn, rule.where, event, {"score": spec.name}):
            points = scores.earned(spec, turn.customer.scores.get(spec.name), rule.add, event.at, turn.t)
            _hold(turn, spec.name, points)


def add_points(turn: CustomerTurn, name: str, add: float) -> tuple[float, float] | None:
    """A step's points. Returns the score before and after; None: there is no such score any more."""
    spec = turn.project.scores.get(name)
    if spec is None:
        return None
    before = turn.customer.scores.get(name)
    _hold(turn, name, scores.earned(spec, before, add, turn.t, turn.t))
    _moved(turn, spec, before)
    return scores.total(spec, before, turn.t), scores.total(spec, turn.customer.scores[name], turn.t)


def drop_standing(turn: CustomerTurn) -> None:
    """Points of rules about the profile go with the last such rule of their score."""
    for spec in turn.project.scores.values():
        points = turn.customer.scores.get(spec.name)
        if points is not None and points.standing and not spec.standing:
            _hold(turn, spec.name, scores.with_standing(points, 0.0, turn.t))


def apply_standing(turn: CustomerTurn, silent: bool = False) -> None:
    """The points of rules about the profile, and when time alone can change them."""
    scope = turn.scope_of(None)
    scope.tracking = True
    found: dict[str, float] = {}
    try:
        for spec in turn.index.standing:
            found[spec.name] = sum(rule.add for rule in spec.standing if rule.where and rule.where.truth(scope))
    except DecisionError as error:
        turn.say("failed", {"reason": error.reason}, values={"scores": "rules", "error": str(error)})
        return
    finally:
        scope.tracking = False
    look_at = scope.changes_at
    turn.set_timer("scores", "", Timer(look_at) if look_at is not None else None)
    for spec in turn.index.standing:
        before = turn.customer.scores.get(spec.name)
        if (before.standing if before is not None else 0.0) != found[spec.name]:
            _hold(turn, spec.name, scores.with_standing(before, found[spec.name], turn.t))
            if silent:
                renew_falls(turn, spec)
            else:
                _moved(turn, spec, before)


def _hold(turn: CustomerTurn, name: str, points: Points) -> None:
    turn.edit_customer().scores = {**turn.customer.scores, name: points}


def _moved(turn: CustomerTurn, spec: ScoreSpec, before: Points | None, quiet: bool = False) -> None:
    """A score may have moved: triggers hear of bounds that it crossed, behind what is being taken."""
    points = turn.customer.scores.get(spec.name)
    if points == before:
        return
    ways = turn.index.by_score.get(spec.name)
    if not ways:
        return
    renew_falls(turn, spec)
    was, now = scores.total(spec, before, turn.t), scores.total(spec, points, turn.t)
    if not quiet and any(_crosses(way.trigger, was, now) for way in ways):
        turn.emit(ScoreMoved(spec.name, was, now, turn.occasion("score", spec.name)))


def _crosses(trigger: object, before: float, after: float) -> bool:
    assert isinstance(trigger, OnScore)
    if trigger.direction == "up":
        return before < trigger.bound <= after
    return after < trigger.bound <= before


def score_entries(turn: CustomerTurn, item: ScoreMoved) -> None:
    """The triggers on a score that moved."""
    ways = [way for way in turn.index.by_score.get(item.name, ()) if _crosses(way.trigger, item.before, item.after)]
    values = {"from": item.before, "to": item.after}
    attempt = Attempt("score", values, turn.t, f"score:{item.name}:{item.identity}", None)
    for journey, triggers in doors_of(ways):
        try_to_enter(turn, journey, triggers, attempt)


def renew_falls(turn: CustomerTurn, spec: ScoreSpec) -> None:
    """Set the timers of triggers that time alone may bring about: where a score fades across a bound."""
    points = turn.customer.scores.get(spec.name)
    for way in turn.index.by_score.get(spec.name, ()):
        trigger = way.trigger
        assert isinstance(trigger, OnScore)
        above = scores.total(spec, points, turn.t) >= trigger.bound
        due_at = None
        if above == (trigger.direction == "down"):
            due_at = scores.reaches_at(spec, points, trigger.bound, turn.t)
        turn.set_timer("score", way_name(way), Timer(due_at) if due_at is not None else None)


def fire_fall(turn: CustomerTurn, way: Way) -> None:
    """Time alone has brought a score across a bound."""
    trigger = way.trigger
    name = way_name(way)
    turn.set_timer("score", name, None)
    spec = turn.project.scores.get(trigger.score) if isinstance(trigger, OnScore) else None
    if spec is None:
        return
    assert isinstance(trigger, OnScore)
    now = scores.total(spec, turn.customer.scores.get(spec.name), turn.t)
    if (now >= trigger.bound) == (trigger.direction == "up"):
        bound = int(trigger.bound) if trigger.bound == int(trigger.bound) else trigger.bound
        values = {"from": bound, "to": now}
        attempt = Attempt("score", values, turn.t, f"score:{name}:{turn.occasion('fall', name)}", None)
        try_to_enter(turn, way.journey, [trigger], attempt)
