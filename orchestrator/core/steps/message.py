"""`email`, `sms`, ... and `send`: choose the channel, pass the guards, write the row."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from orchestrator.core.advance import STOP, is_late, leave, release_coupon, stand
from orchestrator.core.enrollment import Enrollment, entry_record
from orchestrator.core.guard import NoReach, Reach, expires_at, reach, timing
from orchestrator.core.ledger import ATTACHMENTS, effect_id, message
from orchestrator.core.passage import Verdict
from orchestrator.core.program import ChannelTemplate, Journey, MessageOptions, Send, Step

if TYPE_CHECKING:
    from orchestrator.core.turn import CustomerTurn


def run_send(turn: CustomerTurn, e: Enrollment, journey: Journey, step: Send) -> int:
    """Send on the first channel that passes, or on all of them. Returns the next step, or STOP while held."""
    if journey.late is not None and is_late(turn, journey):
        for way in step.ways:
            suppress(turn, e, step, way.channel, "late")
        return step.next
    if step.every_way:
        return _send_all(turn, e, journey, step)
    return send_first(turn, e, journey, step, step.ways, step.options) or step.next


def send_first(
    turn: CustomerTurn,
    e: Enrollment,
    journey: Journey,
    step: Step,
    ways: tuple[ChannelTemplate, ...],
    options: MessageOptions,
    survey: str | None = None,
) -> int | None:
    """Send on the first channel that passes address, suppression and consent.

    Returns None when the enrollment goes on (sent or suppressed), else STOP: it holds or has left.
    """
    closed: list[NoReach] = []
    for way in ways:
        found = reach(turn, e, journey, step, way, options)
        if isinstance(found, Reach):
            verdict = timing(turn, e, journey, step, found, options)
            if verdict.action == "send":
                write(turn, e, journey, step, found, options, survey, verdict.not_after)
                return None
            return _not_now(turn, e, step, way, verdict)
        closed.append(found)
    for refusal in closed:
        suppress(turn, e, step, refusal.way.channel, refusal.reason)
    _let_go_of_coupon(turn, e, step)
    return None


def _not_now(turn: CustomerTurn, e: Enrollment, step: Step, way: ChannelTemplate, verdict: Verdict) -> int | None:
    """The guards of time and number let no message pass: hold it, leave it out, or leave."""
    if verdict.action == "hold":
        hold(turn, e, step, verdict)
        return STOP
    assert verdict.reason is not None
    suppress(turn, e, step, way.channel, verdict.reason)
    _let_go_of_coupon(turn, e, step)
    if verdict.action == "exit":
        leave(turn, e, verdict.reason)
        return STOP
    return None


def _send_all(turn: CustomerTurn, e: Enrollment, journey: Journey, step: Send) -> int:
    """Every channel on its own; those that are held keep the step, the others are done and not looked at again."""
    held: list[Verdict] = []
    done = list(e.sent_ways)
    for way in step.ways:
        if way.channel in done:
            continue
        found = reach(turn, e, journey, step, way, step.options)
        if isinstance(found, NoReach):
            suppress(turn, e, step, way.channel, found.reason)
            done.append(way.channel)
            continue
        verdict = timing(turn, e, journey, step, found, step.options)
        if verdict.action == "hold":
            held.append(verdict)
            continue
        if verdict.action == "send":
            write(turn, e, journey, step, found, step.options, None, verdict.not_after)
        else:
            assert verdict.reason is not None
            suppress(turn, e, step, way.channel, verdict.reason)
            if verdict.action == "exit":
                leave(turn, e, verdict.reason)
                return STOP
        done.append(way.channel)
        e.sent_ways = tuple(done)  # at once: an error at the next channel must not send this one again
    if held:
        e.sent_ways = tuple(done)
        hold(turn, e, step, min(held, key=lambda verdict: verdict.until_at or turn.t))
        return STOP
    e.sent_ways = ()
    _let_go_of_coupon(turn, e, step)
    return step.next


def hold(turn: CustomerTurn, e: Enrollment, step: Step, verdict: Verdict) -> None:
    """Keep the message back; the enrollment waits on this step."""
    turn.say("held", {"reason": verdict.reason, "until": verdict.until_at}, e, step.id)
    e.until_at = verdict.until_at
    stand(turn, e, "hold", verdict.until_at)


def suppress(turn: CustomerTurn, e: Enrollment, step: Step, channel: str | None, reason: str) -> None:
    """Record that something is not done."""
    turn.say("suppressed", {"channel": channel, "reason": reason}, e, step.id)


def _let_go_of_coupon(turn: CustomerTurn, e: Enrollment, step: Step) -> None:
    """The message that was to carry a code will certainly not be sent by this step: the code is taken back."""
    coupon_id = e.pending.pop(step.id, None) if e.pending else None
    if coupon_id is not None:
        release_coupon(turn, e, coupon_id, step.id)


def _coupon_carried(turn: CustomerTurn, e: Enrollment, step: Step, many: bool) -> str | None:
    """The coupon whose code this message carries."""
    coupon_id = e.pending.pop(step.id, None) if e.pending else None
    return coupon_id or (_coupon_on_another_way(turn, e, step) if many else None)


def _coupon_on_another_way(turn: CustomerTurn, e: Enrollment, step: Step) -> str | None:
    """The coupon that the same visit's message on another channel carries: it is taken back when all are unsent."""
    visit = e.visits.get(step.id, 1)
    for loaded in reversed(turn.messages):
        row = loaded.row
        if row.enrollment_id == e.id and row.step == step.id and row.visit == visit:
            return row.coupon
    return None


def write(
    turn: CustomerTurn,
    e: Enrollment,
    journey: Journey,
    step: Step,
    found: Reach,
    options: MessageOptions,
    survey: str | None,
    not_after: datetime | None,
) -> None:
    """Write the ledger row with exactly the values that the template uses, frozen."""
    zone = turn.zone_at(e, journey, step)
    scope = turn.scope_of(e, None, zone.zone if step.timezone is None else None, journey=journey)
    passage, address, template, topic = found
    way = passage.way
    if options.values or journey.vars:
        asked = frozenset[str]().union(*(expr.needs.results for _, expr in template.uses))
        results = dict(e.results)
        results.update((name, expr.evaluate(scope)) for name, expr in journey.vars if name in asked)
        results.update((name, template.value(scope)) for name, template in options.values)
        scope.results = results
    values: dict[str, Any] = {key: expr.evaluate(scope) for key, expr in template.uses}
    if options.attachments and way.channel == "email":
        values[ATTACHMENTS] = [
            one if isinstance(one, str) else {name: text.text(scope) for name, text in one}
            for one in options.attachments
        ]
    subject = options.subject.text(scope) if options.subject is not None else None
    visit = e.visits.get(step.id, 1)
    many = isinstance(step, Send) and step.every_way
    seq = turn.next_seq(2)  # the second for what becomes of it
    row = message(
        (
            effect_id(e.id, step.id, visit, way.channel if many else ""),
            e.customer_id,
            e.id,
            e.journey,
            e.version,
            e.key,
            step.id,
            visit,
            way.channel,
            topic.id,
            topic.klass,
            way.template,
            template.hash,
            template.locale,
            address.text,
            values,
            turn.t,
            turn.now,
            seq,
            subject,
            options.sender,
            options.reply_to,
            None if options.valid_for is None else expires_at(turn, e, step, options),
            not_after,
            options.on_quiet,
            step.in_exit,
            journey.throttle is not None,
            _coupon_carried(turn, e, step, many) if many or e.pending else None,
            survey,
            zone.zone.key,
            zone.zone.key if zone.link == "step" else None,
        )
    )
    turn.append_message(row)
    record = turn.entry_record(e.journey, e.key)
    turn.out.entries[e.journey, e.key] = entry_record((record.entered_at, record.exited_at, turn.t))
