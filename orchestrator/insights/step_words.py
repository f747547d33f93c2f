"""What each kind of step does, in a few words."""

from __future__ import annotations

from typing import assert_never

from orchestrator.core.program import (
    AddScore,
    Choose,
    Do,
    Enroll,
    Fetch,
    Goto,
    IssueCoupon,
    Leave,
    MessageOptions,
    OpenTask,
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
    Unenroll,
    UntilEvent,
    UntilTrue,
    WaitFor,
    WaitSomething,
    WaitUntilDate,
    WaitUntilTime,
    WaitWindow,
    Webhook,
)
from orchestrator.insights.words import Words, clock, given, on_days, source_of, template_text


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
                given(
                    ("every", str(step.every) if step.every is not None else None),
                    ("while", source_of(step.condition)),
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
            up_to = given(("at most", str(step.up_to) if step.up_to is not None else None))
            return Words(f"survey {step.name} ({step.kind})", (way, *up_to, *_options(step.options)))
        case _:
            return _action_words(step)


def _action_words(
    step: Fetch
    | Webhook
    | IssueCoupon
    | OpenTask
    | SetAttributes
    | Tag
    | SetStage
    | AddScore
    | Track
    | Enroll
    | Unenroll,
) -> Words:
    match step:
        case Fetch():
            return Words(f"fetch {step.as_name}", (template_text(step.url),))
        case Webhook():
            return Words(f"webhook {step.method}", (template_text(step.url),))
        case IssueCoupon():
            return Words(f"coupon {step.offer}", (f"if exhausted: {step.on_exhausted}",))
        case OpenTask():
            due = given(("due in", str(step.due) if step.due is not None else None))
            waits = ("waits until it is closed",) if step.wait else ()
            return Words(f"task for {step.queue}", (template_text(step.title), *due, *waits))
        case SetAttributes():
            return Words("set", tuple(f"{name} = {template_text(value)}" for name, value in step.values))
        case Tag():
            return Words(f"{'add' if step.add else 'remove'} tag {step.tag}")
        case SetStage():
            return Words(f"stage: {step.stage}")
        case AddScore():
            return Words("score", tuple(f"{name} {points:+g}" for name, points in step.points))
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
            return Words(f"wait {step.duration if step.duration is not None else source_of(step.expr)}", past)
        case WaitUntilTime():
            return Words(f"wait until {clock(step.time)}", (*on_days(step.days), *past))
        case WaitWindow():
            title = f"wait for {clock(step.window.start)}-{clock(step.window.end)}"
            return Words(title, (*on_days(step.days), *past))
        case WaitUntilDate():
            offset = str(step.offset) if step.offset is not None else source_of(step.offset_expr)
            lines = given(("offset", offset), ("at", clock(step.at) if step.at is not None else None))
            return Words(f"wait until {step.until.source}", (*lines, *on_days(step.days), *past))
        case _:
            assert_never(step)


def _wait_something_words(step: WaitSomething) -> Words:
    up_to = given(("at most", str(step.up_to) if step.up_to is not None else None))
    if len(step.alternatives) > 1:
        return Words("wait for any of", (*(_until_text(item) for item in step.alternatives), *up_to))
    only = step.alternatives[0]
    if isinstance(only, UntilEvent):
        return Words(f"wait for {only.event}", (*given(("where", source_of(only.where))), *up_to))
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
    return given(("topic", options.topic), ("valid for", valid_for), ("in quiet hours:", quiet), ("if capped:", cap))
