"""Who enters, who leaves, what counts: triggers and the rules of a journey in a few words."""

from __future__ import annotations

from typing import assert_never

from orchestrator.core.program import (
    Do,
    ExitRule,
    Goal,
    Journey,
    OnApi,
    OnAttribute,
    OnCatalog,
    OnceAt,
    OnDate,
    OnEvent,
    OnInactive,
    OnInbound,
    OnSchedule,
    OnScore,
    OnSegment,
    OnStage,
    OnUpload,
    Reentry,
    Trigger,
    UpdateRule,
)
from orchestrator.insights.step_words import step_words
from orchestrator.insights.words import Words, clock, given, literal, percent, source_of, span


def trigger_words(trigger: Trigger) -> Words:
    """Who enters, and when."""
    keys = given(("where", source_of(trigger.where)), ("key", source_of(trigger.key)))
    again = (*_reentry(trigger.reentry), *(() if trigger.overlap == "refuse" else (f"overlap: {trigger.overlap}",)))
    busy = (f"unless in {', '.join(trigger.unless_in)}",) if trigger.unless_in else ()
    title, lines = _trigger_title(trigger)
    return Words(title, (*lines, *keys, *again, *busy))


def _trigger_title(trigger: Trigger) -> Words:
    match trigger:
        case OnEvent():
            return Words(f"on {trigger.event}")
        case OnSegment():
            return Words(f"on {'entering' if trigger.edge == 'entered' else 'leaving'} segment {trigger.segment}")
        case OnAttribute():
            sides = ("from", trigger.from_value, trigger.has_from), ("to", trigger.to_value, trigger.has_to)
            lines = tuple(f"{side} {literal(value)}" for side, value, given in sides if given)
            return Words(f"when customer.{trigger.attribute} changes", lines)
        case OnSchedule():
            return Words(f"at {trigger.cron.text}", _audience(trigger.segment, trigger.zone))
        case OnceAt():
            spread = (f"spread over {span(trigger.spread)}",) if trigger.spread else ()
            when = trigger.local.isoformat(timespec="minutes")
            return Words(f"once, {when}", (*_audience(trigger.segment, trigger.zone), *spread))
        case OnDate():
            offset = str(trigger.offset) if trigger.offset is not None else None
            every = None if trigger.every == "once" else trigger.every
            calendar = None if trigger.calendar == "gregorian" else trigger.calendar
            lines = given(("offset", offset), ("at", clock(trigger.at)), ("every", every), ("calendar", calendar))
            return Words(f"on customer.{trigger.attribute}", lines)
        case OnInactive():
            never = ("or never any",) if trigger.or_never else ()
            return Words(f"no {trigger.event} for {span(trigger.idle_for)}", never)
        case OnStage():
            lines = given(("from", trigger.from_stage))
            return Words(f"on stage {trigger.to}" if trigger.to is not None else "on any change of stage", lines)
        case OnScore():
            way = "reaching" if trigger.direction == "up" else "falling below"
            return Words(f"on score {trigger.score} {way} {trigger.bound:g}")
        case OnInbound():
            lines = (f"saying {' or '.join(sorted(trigger.keywords))}",) if trigger.keywords else ()
            return Words(f"on a reply by {trigger.channel}", lines)
        case OnCatalog():
            what = " or ".join(kind.replace("_", " ") for kind in trigger.kinds)
            least = (f"by {percent(trigger.by)} or more",) if trigger.by else ()
            who = tuple(f"who had {i.event} within {span(i.within)}" for i in trigger.who)
            return Words(f"on {what} in {trigger.catalog}", (*least, *who))
        case OnApi():
            return Words("on request")
        case OnUpload():
            return Words(f"on each row uploaded as {trigger.upload}")
        case _:
            assert_never(trigger)


def _audience(segment: str | None, zone: object) -> tuple[str, ...]:
    return given(("segment", segment), ("in", str(zone) if zone is not None else "the customer's zone"))


def _reentry(reentry: Reentry) -> tuple[str, ...]:
    if reentry.always:
        return ("again: always",)
    if reentry.after is None:
        return ()
    return (f"again: {span(reentry.after)} after {reentry.since}",)


def exit_words(rule: ExitRule, journey: Journey) -> Words:
    """What ends an enrollment at any time, and what is still done then."""
    title = f"exit on {rule.event}" if rule.event is not None else f"exit when {source_of(rule.when)}"
    reason = None if rule.reason in (rule.event, "when") else rule.reason
    done: list[str] = []
    index = rule.do
    while 0 <= index < len(journey.steps) and len(done) < len(journey.steps):
        step = journey.steps[index]
        done.append(f"then {step_words(step).title}")
        index = step.first if isinstance(step, Do) else step.next
    return Words(title, (*given(("where", source_of(rule.where)), ("reason", reason)), *done))


def update_words(rule: UpdateRule) -> Words:
    """What renews `entry`."""
    return Words(f"update on {rule.event}", given(("where", source_of(rule.where))))


def goal_words(goal: Goal) -> Words:
    """What counts as success."""
    within = span(goal.within) if goal.within is not None else None
    lines = given(("where", source_of(goal.where)), ("within", within), ("value", source_of(goal.value)))
    return Words(f"goal: {goal.event}", (*lines, *(("ends the journey",) if goal.exit else ())))


def limit_words(journey: Journey) -> tuple[Words, ...]:
    """Holdout, throttle, circuit breakers and lateness, where the journey has them."""
    words = []
    if journey.holdout:
        words.append(Words(f"holdout {percent(journey.holdout)}"))
    if journey.throttle is not None:
        words.append(Words(f"at most {journey.throttle.max:,} messages per {span(journey.throttle.per)}"))
    if journey.limits.entries_per_day is not None:
        words.append(Words(f"at most {journey.limits.entries_per_day:,} entries a day"))
    if journey.limits.messages_total is not None:
        words.append(Words(f"at most {journey.limits.messages_total:,} messages in all"))
    if journey.late is not None:
        words.append(Words(f"if {span(journey.late.after)} late: {journey.late.then}"))
    return tuple(words)
