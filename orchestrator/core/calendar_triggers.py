"""Triggers that time pulls: dates of a customer, inactivity, and the occurrences of schedules and campaigns."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from orchestrator.core.customer import Timer
from orchestrator.core.entering import Attempt, try_to_enter
from orchestrator.core.identity import smear_for
from orchestrator.core.inbox import Event, ScheduleFired
from orchestrator.core.index import Way, way_name
from orchestrator.core.program import OnceAt, OnDate, OnInactive, OnSchedule
from orchestrator.core.time.iso import format_instant
from orchestrator.core.time.occurrences import next_date_occurrence
from orchestrator.core.time.waits import read_moment
from orchestrator.core.time.zones import local
from orchestrator.errors import BadDate

if TYPE_CHECKING:
    from orchestrator.core.turn import CustomerTurn


def renew_dates(turn: CustomerTurn, new: Collection[str] = ()) -> None:
    """Set the timers of the date triggers anew, from now on.

    `new` are the attributes that became known just now (not by an import or a deploy, by which nobody enters anything):
    an instant of theirs that has passed is skipped or entered as the trigger says.
    """
    for way in turn.index.dates:
        trigger = way.trigger
        assert isinstance(trigger, OnDate)
        name = way_name(way)
        value = _local_date(turn, way)
        if value is None:
            turn.set_timer("date", name, None)
            continue
        known = turn.customer.timers.get(("date", name))
        if known is not None and {**known.data, "date": None} == _timer_data(turn, way, value, None):
            continue
        found = _occurrence(turn, way, value, turn.t - timedelta(microseconds=1))
        missed = _missed(turn, way, value) if trigger.if_missed == "enter" and trigger.attribute in new else None
        _set(turn, way, value, found)
        if missed is not None:
            _enter_on_date(turn, way, missed, turn.t)


def _missed(turn: CustomerTurn, way: Way, value: date) -> date | None:
    """The occurrence whose instant had passed when the date became known, if its own day is not over (once:
    whenever)."""
    trigger = way.trigger
    assert isinstance(trigger, OnDate)
    today = local(turn.t, turn.zone(way.journey.timezone).zone).date()
    if trigger.every == "once":
        found = _occurrence(turn, way, value, datetime.min.replace(tzinfo=turn.t.tzinfo))
        return found[0] if found is not None and found[1] < turn.t else None
    found = _occurrence(turn, way, value, turn.t - timedelta(days=370))
    latest: date | None = None
    while found is not None and found[1] < turn.t:
        latest = found[0]
        found = _occurrence(turn, way, value, found[1])
    return latest if latest is not None and latest >= today else None


def _local_date(turn: CustomerTurn, way: Way) -> date | None:
    """The date that a customer has for a trigger, None when there is none or it cannot be read."""
    trigger = way.trigger
    assert isinstance(trigger, OnDate)
    value = turn.customer_data().get(trigger.attribute)
    if value is None:
        return None
    try:
        moment = read_moment(value)
    except BadDate:
        return None
    return local(moment, turn.zone(way.journey.timezone).zone).date() if moment.tzinfo is not None else moment.date()


def _zone_name(turn: CustomerTurn, way: Way) -> str:
    return turn.zone(way.journey.timezone).zone.key


def _occurrence(turn: CustomerTurn, way: Way, value: date, after: datetime) -> tuple[date, datetime] | None:
    trigger = way.trigger
    assert isinstance(trigger, OnDate)
    return next_date_occurrence(
        value,
        trigger.every,
        trigger.calendar,
        trigger.offset,
        trigger.at,
        turn.zone(way.journey.timezone).zone,
        turn.project.settings.leap_day,
        after,
    )


def _set(turn: CustomerTurn, way: Way, value: date, found: tuple[date, datetime] | None) -> None:
    timer = None
    if found is not None:
        timer = Timer(found[1], _timer_data(turn, way, value, found[0].isoformat()))
    turn.set_timer("date", way_name(way), timer)


def _timer_data(turn: CustomerTurn, way: Way, value: date, day: str | None) -> dict[str, Any]:
    """What the timer of a date trigger was worked out from, and the occurrence that it brings."""
    trigger = way.trigger
    assert isinstance(trigger, OnDate)
    rule = f"{trigger.every} {trigger.calendar} {trigger.offset or ''} {trigger.at} {turn.project.settings.leap_day}"
    return {"of": value.isoformat(), "zone": _zone_name(turn, way), "rule": rule, "date": day}


def fire_date(turn: CustomerTurn, way: Way, timer: Timer) -> None:
    """A date's instant has come: set the next one, and try to enter."""
    turn.set_timer("date", way_name(way), None)
    value = _local_date(turn, way)
    if value is None:
        return
    _set(turn, way, value, _occurrence(turn, way, value, timer.due_at))
    _enter_on_date(turn, way, date.fromisoformat(timer.data["date"]), turn.t)


def _enter_on_date(turn: CustomerTurn, way: Way, day: date, at: datetime) -> None:
    occurrence = day.isoformat()
    attempt = Attempt("date", {"date": occurrence}, at, f"date:{occurrence}", None, occurrence)
    try_to_enter(turn, way.journey, [way.trigger], attempt)


def renew_inactive(
    turn: CustomerTurn, event: Event | None = None, include: frozenset[str] | None = None, late: bool = False
) -> None:
    """Set the timers of the inactivity triggers, after an event (None: all of them).

    `include` (at a deploy) are the journeys that also take those who qualify already; others count from now on. A timer
    that is overdue for the same last event stays: an outage is no miss. `late`: the event is too old to let anyone in.
    """
    ways = turn.index.inactive if event is None else turn.index.by_inactive.get(event.name, ())
    for way in ways:
        trigger = way.trigger
        assert isinstance(trigger, OnInactive)
        past = turn.history.events(trigger.event)
        last_at = past[-1].at if past else (turn.customer.created_at if trigger.or_never else None)
        name = way_name(way)
        if last_at is None:
            turn.set_timer("inactive", name, None)
            continue
        if event is not None and event.at < last_at:
            continue  # it is not the last one
        due_at = last_at + trigger.idle_for
        known = turn.customer.timers.get(("inactive", name))
        if known is not None and known == Timer(due_at, {"last_at": format_instant(last_at)}):
            continue
        if (event is None or late) and due_at <= turn.t:
            if include is None or way.journey.id not in include or not trigger.include_existing:
                turn.set_timer("inactive", name, None)
                continue
            due_at = turn.t
        turn.set_timer("inactive", name, Timer(due_at, {"last_at": format_instant(last_at)}))


def fire_inactive(turn: CustomerTurn, way: Way, timer: Timer) -> None:
    """Nothing happened for so long: try to enter, once for each last event."""
    turn.set_timer("inactive", way_name(way), None)
    last_at = str(timer.data["last_at"])
    attempt = Attempt("inactive", {"last_at": last_at}, turn.t, f"inactive:{last_at}", None, last_at)
    try_to_enter(turn, way.journey, [way.trigger], attempt)


def fire_schedule(turn: CustomerTurn, way: Way, item: ScheduleFired) -> None:
    """A schedule's or a campaign's occurrence reached the customer. Who is not in its segment is not concerned."""
    trigger = way.trigger
    assert isinstance(trigger, (OnSchedule, OnceAt))
    if trigger.segment is not None and trigger.segment not in turn.customer.segments:
        return
    if isinstance(trigger, OnceAt) and trigger.spread:
        later = smear_for(turn.view.salt, f"{way.journey.id}:{item.occurrence}", turn.customer.id, 1, trigger.spread)
        if later:
            turn.set_timer("spread", way_name(way), Timer(turn.t + later, {"occurrence": item.occurrence}))
            return
    enter_on_occurrence(turn, way, item.occurrence)


def fire_spread(turn: CustomerTurn, way: Way, timer: Timer) -> None:
    """A smeared entry of a campaign is due."""
    turn.set_timer("spread", way_name(way), None)
    enter_on_occurrence(turn, way, str(timer.data["occurrence"]))


def enter_on_occurrence(turn: CustomerTurn, way: Way, occurrence: str) -> None:
    """Try to enter on a schedule's local minute."""
    kind = "schedule" if isinstance(way.trigger, OnSchedule) else "once"
    values: dict[str, Any] = {"occurrence": occurrence}
    attempt = Attempt(kind, values, turn.t, f"{kind}:{occurrence}", None, occurrence)
    try_to_enter(turn, way.journey, [way.trigger], attempt)
