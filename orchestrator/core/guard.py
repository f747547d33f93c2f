"""The right to send: the guards in their order, each with a stable reason (the language reference, section 7).

enrollment live -> holdout -> address -> suppression -> consent -> valid_for -> quiet hours -> caps -> send limits.
`reach` asks the first five, which choose the channel of a `send`; `timing` the others, for the chosen one.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple
from zoneinfo import ZoneInfo

from orchestrator.core.addresses import BY_NUMBER, Address, address_of
from orchestrator.core.changes import STOPPED
from orchestrator.core.consent import has_ended
from orchestrator.core.enrollment import Enrollment
from orchestrator.core.identity import smear_for
from orchestrator.core.ledger import UNSENT
from orchestrator.core.passage import SEND, FreeTime, Passage, Verdict, passage
from orchestrator.core.program import ChannelTemplate, Journey, MessageOptions, Step
from orchestrator.core.project import CapRule, TemplateRef, Topic
from orchestrator.core.time.quiet import Quiet, next_quiet_start, quiet_and_next

if TYPE_CHECKING:
    from orchestrator.core.turn import CustomerTurn


LOOK_AGAIN: Final = timedelta(days=1)
"""A message of a project whose quiet hours depend on the place is looked at again before it is handed over, even where
none were known when it was written: the customer may have moved. Only what leaves in the same breath is not."""


class Reach(NamedTuple):
    """A channel on which the customer may be written to: what is known of the message, and the address."""

    passage: Passage
    address: Address
    template: TemplateRef
    topic: Topic


_reached: Callable[[tuple[Passage, Address, TemplateRef, Topic]], Reach] = partial(tuple.__new__, Reach)
"""A Reach from all its fields in their order, without the calls that `Reach(...)` takes."""


class NoReach(NamedTuple):
    """Why this channel is closed."""

    way: ChannelTemplate
    reason: str


def locale_of(turn: CustomerTurn, e: Enrollment, options: MessageOptions) -> str:
    """The language of a message: the step's, else the customer's, else the project's."""
    if options.locale is not None:
        value = options.locale.value(turn.scope_of(e))
        if isinstance(value, str) and value:
            return value
    return turn.customer.locale or turn.project.locale


def reach(
    turn: CustomerTurn, e: Enrollment, journey: Journey, step: Step, way: ChannelTemplate, options: MessageOptions
) -> Reach | NoReach:
    """Ask the guards up to consent about one channel. Raises DecisionError when topic, locale or `to` cannot be
    told."""
    customer, channel = turn.customer, way.channel
    if options.locale is None and not customer.locale:
        found = turn.index.passage(journey, options, way)
    else:
        found = passage(turn.project, journey, options, way, locale_of(turn, e, options))
    topic, template = found.topic, found.template
    if topic is None:
        raise found.no_topic()
    if e.status != "running" and not step.in_exit:
        return NoReach(way, "exited")
    if e.held_out and found.sensitive:
        return NoReach(way, "holdout")
    to = None
    if options.to is not None:
        value = options.to.value(turn.scope_of(e))
        to = "" if value is None else str(value)
    address, reason = address_of(customer, channel, to, found.channel)
    if address is None:
        return NoReach(way, reason or "no_address")
    causes = turn.causes(channel, address)
    refused = forbidden(causes, topic) if causes else None
    if refused is None and found.sensitive:
        state = customer.consents.get(found.consent)
        if state != "in":
            refused = no_consent(state, topic)
        elif customer.consent_dates and has_ended(customer, found.consent, turn.t):
            refused = no_consent(None, topic)
    if refused is not None:
        return NoReach(way, refused)
    if template is None:
        return NoReach(way, "render_error")
    return _reached((found, address, template, topic))


def forbidden(causes: frozenset[str], topic: Topic) -> str | None:
    """Whether the suppression list forbids a message of this class, and the cause.

    A hard bounce, STOP and erasure stop every class; a complaint or a global unsubscribe promotional and service ones.
    """
    if not causes:
        return None
    for cause in ("bounced", "suppressed"):
        if cause in causes:
            return cause
    if STOPPED in causes:
        return "suppressed"
    if topic.klass != "transactional":
        for cause in ("complained", "opted_out"):
            if cause in causes:
                return cause
    return None


def no_consent(state: str | None, topic: Topic) -> str | None:
    """Whether consent is missing: promotional needs `in`, service must not be `out`, transactional needs none."""
    if topic.klass == "transactional":
        return None
    if state == "out":
        return "opted_out"
    return "no_consent" if topic.klass == "promotional" and state != "in" else None


def expires_at(turn: CustomerTurn, e: Enrollment, step: Step, options: MessageOptions) -> datetime | None:
    """The end by `valid_for`, counted from when the step was first due."""
    if options.valid_for is None:
        return None
    assert e.first_due_at is not None
    return options.valid_for.after(e.first_due_at, turn.zone_of(e, step.timezone).zone)


def timing(
    turn: CustomerTurn, e: Enrollment, journey: Journey, step: Step, found: Reach, options: MessageOptions
) -> Verdict:
    """Ask validity, quiet hours, caps and send limits. A slot of the send limit is taken when the answer is send."""
    ends_at = None if options.valid_for is None else expires_at(turn, e, step, options)
    if ends_at is not None and turn.t > ends_at:
        return Verdict("suppress", "expired")
    known = found.passage
    verdict = SEND
    quiet, zones, place = known.quiet, None, None
    if known.placed is not None:
        to = found.address.text if options.to is not None and known.way.channel in BY_NUMBER else None
        quiet, zones = known.placed.placed(turn.customer, turn.zone_at(e, journey, step), turn.zone(None), to)
        place = quiet
        verdict = Verdict("send", not_after=turn.t + LOOK_AGAIN)
    if quiet is not None:
        if zones is None:
            zones = turn.zone_at(e, journey, step).all_zones
        free = turn.index.free_times.get((place, zones))
        if free is None or not free.since <= turn.t < free.until:
            free_at, not_after = quiet_and_next(turn.t, zones, quiet)
            if free_at is not None:
                return _quiet(turn, e, step, zones, quiet, free_at, options, ends_at)
            if not_after is not None:
                free = FreeTime(turn.t, not_after, Verdict("send", not_after=not_after))
                turn.index.free_times[place, zones] = free
        if free is not None:
            verdict = free.verdict
    if known.caps and len(turn.record.messages) + len(turn.out.messages) >= known.least_cap:
        capped = _capped(turn, known.caps, options, ends_at, step)
        if capped is not None:
            return capped
    return verdict if turn.pools.message(journey.id) else Verdict("suppress", "send_limit")


def _quiet(
    turn: CustomerTurn,
    e: Enrollment,
    step: Step,
    zones: tuple[ZoneInfo, ...],
    quiet: Quiet,
    free_at: datetime,
    options: MessageOptions,
    ends_at: datetime | None,
) -> Verdict:
    """It is quiet until `free_at`."""
    if options.on_quiet == "exit":
        return Verdict("exit", "quiet_hours")
    if options.on_quiet == "skip" or step.in_exit:
        return Verdict("suppress", "quiet_hours")
    smear = turn.project.settings.smear
    next_start = next_quiet_start(free_at, zones, quiet)
    if next_start is not None:
        smear = min(smear, next_start - free_at)
    assert e.step is not None
    release_at = free_at + smear_for(turn.view.salt, e.id, step.id, e.visits.get(step.id, 1), smear)
    if ends_at is not None and release_at > ends_at:
        return Verdict("suppress", "expired")
    return Verdict("hold", "quiet_hours", release_at)


def _capped(
    turn: CustomerTurn, caps: tuple[CapRule, ...], options: MessageOptions, ends_at: datetime | None, step: Step
) -> Verdict | None:
    room_at: datetime | None = None
    for rule in caps:
        free_at = cap_room_at(turn, rule)
        if free_at is not None and (room_at is None or free_at > room_at):
            room_at = free_at
    if room_at is None:
        return None
    if options.on_cap == "exit":
        return Verdict("exit", "capped")
    if options.on_cap == "skip" or step.in_exit:
        return Verdict("suppress", "capped")
    if ends_at is not None and room_at > ends_at:
        return Verdict("suppress", "expired")
    return Verdict("hold", "capped", room_at)


def cap_room_at(turn: CustomerTurn, rule: CapRule) -> datetime | None:
    """When a rule next has room: None now, else the first instant at which fewer than `max` messages stand in its
    window.

    The window is (t - per, t]: a message sent exactly `per` ago no longer counts.
    """
    opened_at = turn.t - rule.per
    inside: list[datetime] = []
    for message in reversed(turn.messages):
        row = message.row
        if row.at <= opened_at:
            if row.at <= opened_at - turn.project.settings.late_tolerance:
                break  # rows stand in the order of their decisions, whose instants are at most that much out of order
            continue
        if message.status not in UNSENT and rule.matches(row.klass, row.topic, row.channel):
            inside.append(row.at)
    if len(inside) < rule.max:
        return None
    if rule.max == 0:
        return turn.t + max(rule.per, timedelta(days=1))
    inside.sort(reverse=True)
    return inside[rule.max - 1] + rule.per
