"""Steps, triggers and rules in a few words: what pictures and stories say of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time, timedelta
from typing import NamedTuple, assert_never

from orchestrator.core.expression.expr import Expr
from orchestrator.core.expression.values import printed
from orchestrator.core.interpolation import Template
from orchestrator.core.program import (
    Choose,
    Days,
    Do,
    Enroll,
    ExitRule,
    Fetch,
    Goal,
    Goto,
    IssueCoupon,
    Journey,
    Leave,
    MessageOptions,
    OnApi,
    OnAttribute,
    OnceAt,
    OnDate,
    OnEvent,
    OnInactive,
    OnSchedule,
    OnSegment,
    OnStage,
    OpenTask,
    Reentry,
    Repeat,
    RepeatAgain,
    Send,
    SetAttributes,
    SetStage,
    Split,
    Step,
    Survey,
    Tag,
    Track,
    Trigger,
    Unenroll,
    UntilEvent,
    UntilTrue,
    UpdateRule,
    WaitFor,
    WaitSomething,
    WaitUntilDate,
    WaitUntilTime,
    WaitWindow,
    Webhook,
)

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Words(NamedTuple):
    """A short title, and lines with what else matters, expressions as their author wrote them."""

    title: str
    lines: tuple[str, ...] = ()


def step_words(step: Step) -> Words:
    """What a step does."""
    words = _step_words(step)
    lines = list(words.lines)
    if step.skip_if is not None:
        lines.append(f"skipped if {step.skip_if.source}")
    if step.on_error != "fail" and not (isinstance(step, Fetch) and step.on_error == "default"):
        lines.append(f"on error: {step.on_error}")
    return Words(words.title, tuple(lines))


def _step_words(step: Step) -> Words:
    match step:
        case WaitFor() | WaitUntilTime() | WaitUntilDate() | WaitWindow():
            return _wait_words(step)
        case WaitSomething():
            return _wait_something_words(step)
        case Choose():
            return Words(step.branches[0].when.source) if step.verb == "if" else Words("choose")
        case Do():
            return Words("do")
        case Split():
            return Words(f"split {step.name}")
        case Repeat():
            return Words(
                f"repeat {step.times} times",
                _given(
                    ("every", str(step.every) if step.every is not None else None),
                    ("while", _source(step.condition)),
                ),
            )
        case RepeatAgain():
            return Words("again")
        case Goto():
            return Words("go on elsewhere")
        case Leave():
            return Words(f"exit: {step.reason}")
        case Send():
            return _send_words(step)
        case Survey():
            way = f"by {step.way.channel}: {step.way.template}"
            up_to = _given(("at most", str(step.up_to) if step.up_to is not None else None))
            return Words(f"survey {step.name} ({step.kind})", (way, *up_to, *_options(step.options)))
        case _:
            return _action_words(step)


def _action_words(
    step: Fetch | Webhook | IssueCoupon | OpenTask | SetAttributes | Tag | SetStage | Track | Enroll | Unenroll,
) -> Words:
    match step:
        case Fetch():
            return Words(f"fetch {step.as_name}", (template_text(step.url),))
        case Webhook():
            return Words(f"webhook {step.method}", (template_text(step.url),))
        case IssueCoupon():
            return Words(f"coupon {step.offer}", (f"if exhausted: {step.on_exhausted}",))
        case OpenTask():
            due = _given(("due in", str(step.due) if step.due is not None else None))
            waits = ("waits until it is closed",) if step.wait else ()
            return Words(f"task for {step.queue}", (template_text(step.title), *due, *waits))
        case SetAttributes():
            return Words("set", tuple(f"{name} = {template_text(value)}" for name, value in step.values))
        case Tag():
            return Words(f"{'add' if step.add else 'remove'} tag {step.tag}")
        case SetStage():
            return Words(f"stage: {step.stage}")
        case Track():
            properties = tuple(f"{name}: {template_text(value)}" for name, value in step.properties)
            return Words(f"track {step.event}", properties)
        case Enroll():
            return Words(f"enroll in {step.journey}")
        case Unenroll():
            return Words(f"unenroll from {step.journey}")
        case _:
            assert_never(step)


def _wait_words(step: WaitFor | WaitUntilTime | WaitUntilDate | WaitWindow) -> Words:
    past = {"continue": (), "skip_next": ("if past: skip the next step",), "exit": ("if past: exit",)}[step.if_past]
    match step:
        case WaitFor():
            return Words(f"wait {step.duration if step.duration is not None else _source(step.expr)}", past)
        case WaitUntilTime():
            return Words(f"wait until {clock(step.time)}", (*_on(step.days), *past))
        case WaitWindow():
            title = f"wait for {clock(step.window.start)}-{clock(step.window.end)}"
            return Words(title, (*_on(step.days), *past))
        case WaitUntilDate():
            offset = str(step.offset) if step.offset is not None else _source(step.offset_expr)
            lines = _given(("offset", offset), ("at", clock(step.at) if step.at is not None else None))
            return Words(f"wait until {step.until.source}", (*lines, *_on(step.days), *past))
        case _:
            assert_never(step)


def _wait_something_words(step: WaitSomething) -> Words:
    up_to = _given(("at most", str(step.up_to) if step.up_to is not None else None))
    if len(step.alternatives) > 1:
        return Words("wait for any of", (*(_until_text(item) for item in step.alternatives), *up_to))
    only = step.alternatives[0]
    if isinstance(only, UntilEvent):
        return Words(f"wait for {only.event}", (*_given(("where", _source(only.where))), *up_to))
    return Words(f"wait until {_until_text(only)}", up_to)


def _until_text(item: UntilEvent | UntilTrue) -> str:
    if isinstance(item, UntilEvent):
        return item.event + (f" where {item.where.source}" if item.where is not None else "")
    return f"in segment {item.segment}" if item.segment is not None else item.when.source


def _send_words(step: Send) -> Words:
    if len(step.ways) == 1:
        return Words(f"{step.ways[0].channel}: {step.ways[0].template}", _options(step.options))
    ways = tuple(f"{way.channel}: {way.template}" for way in step.ways)
    title = "send on every channel" if step.every_way else "send on the first open channel"
    return Words(title, (*ways, *_options(step.options)))


def _options(options: MessageOptions) -> tuple[str, ...]:
    valid_for = str(options.valid_for) if options.valid_for is not None else None
    quiet = options.on_quiet if options.on_quiet != "hold" else None
    cap = options.on_cap if options.on_cap != "skip" else None
    return _given(("topic", options.topic), ("valid for", valid_for), ("in quiet hours:", quiet), ("if capped:", cap))


def trigger_words(trigger: Trigger) -> Words:
    """Who enters, and when."""
    keys = _given(("where", _source(trigger.where)), ("key", _source(trigger.key)))
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
            lines = tuple(f"{side} {_literal(value)}" for side, value, given in sides if given)
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
            lines = _given(("offset", offset), ("at", clock(trigger.at)), ("every", every), ("calendar", calendar))
            return Words(f"on customer.{trigger.attribute}", lines)
        case OnInactive():
            never = ("or never any",) if trigger.or_never else ()
            return Words(f"no {trigger.event} for {span(trigger.idle_for)}", never)
        case OnStage():
            lines = _given(("from", trigger.from_stage))
            return Words(f"on stage {trigger.to}" if trigger.to is not None else "on any change of stage", lines)
        case OnApi():
            return Words("on request")
        case _:
            assert_never(trigger)


def _audience(segment: str | None, zone: object) -> tuple[str, ...]:
    return _given(("segment", segment), ("in", str(zone) if zone is not None else "the customer's zone"))


def _reentry(reentry: Reentry) -> tuple[str, ...]:
    if reentry.always:
        return ("again: always",)
    if reentry.after is None:
        return ()
    return (f"again: {span(reentry.after)} after {reentry.since}",)


def exit_words(rule: ExitRule, journey: Journey) -> Words:
    """What ends an enrollment at any time, and what is still done then."""
    title = f"exit on {rule.event}" if rule.event is not None else f"exit when {_source(rule.when)}"
    reason = None if rule.reason in (rule.event, "when") else rule.reason
    done: list[str] = []
    index = rule.do
    while 0 <= index < len(journey.steps) and len(done) < len(journey.steps):
        step = journey.steps[index]
        done.append(f"then {step_words(step).title}")
        index = step.first if isinstance(step, Do) else step.next
    return Words(title, (*_given(("where", _source(rule.where)), ("reason", reason)), *done))


def update_words(rule: UpdateRule) -> Words:
    """What renews `entry`."""
    return Words(f"update on {rule.event}", _given(("where", _source(rule.where))))


def goal_words(goal: Goal) -> Words:
    """What counts as success."""
    within = span(goal.within) if goal.within is not None else None
    lines = _given(("where", _source(goal.where)), ("within", within), ("value", _source(goal.value)))
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


def template_text(template: Template) -> str:
    """A step template as its author wrote it."""
    if template.entries is not None:
        return "{" + ", ".join(f"{key}: {template_text(value)}" for key, value in template.entries) + "}"
    if template.items is not None:
        return "[" + ", ".join(template_text(item) for item in template.items) + "]"
    if not template.parts:
        return _literal(template.literal)
    return "".join(part if isinstance(part, str) else f"{{{{ {part.source} }}}}" for part in template.parts)


def percent(share: float) -> str:
    """A share of one as a percentage with at most one decimal."""
    return f"{share * 100:.1f}".rstrip("0").rstrip(".") + "%"


def clock(at: time) -> str:
    """`09:00`; seconds only where there are some."""
    return at.isoformat() if at.second else at.isoformat(timespec="minutes")


def span(length: timedelta) -> str:
    """A fixed span in its largest units, `7d`, `1h30m`; days of 24 hours."""
    rest = int(length.total_seconds())
    parts = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def _given(*pairs: tuple[str, str | None]) -> tuple[str, ...]:
    return tuple(f"{name} {value}" for name, value in pairs if value is not None)


def _on(days: Days) -> tuple[str, ...]:
    return () if days is None else (f"on {_day_names(sorted(days))}",)


def _day_names(days: Sequence[int]) -> str:
    if len(days) > 2 and list(days) == list(range(days[0], days[-1] + 1)):
        return f"{_DAYS[days[0]]}..{_DAYS[days[-1]]}"
    return ", ".join(_DAYS[day] for day in days)


def _source(expr: Expr | None) -> str | None:
    return None if expr is None else " ".join(expr.source.split())


def _literal(value: object) -> str:
    if value is None:
        return "none"
    return printed(value) if isinstance(value, (bool, int, float, str, list, dict)) else str(value)
