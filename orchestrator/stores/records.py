"""The records that every turn reads and writes, as their rows keep them: lists of JSON in a fixed order.

What stands in a column of its own is not repeated in the text, instants are whole microseconds, and names of fields are
not written. A field that is added later goes to the end of its list, and is read where the list is long enough. Records
that are seldom read or written are kept as orchestrator.core.state writes them.
"""

from __future__ import annotations

import json.encoder
from collections.abc import Callable, Sequence
from typing import Any, Final

from orchestrator.core.customer import Customer, Timer
from orchestrator.core.enrollment import Enrollment, EntryRecord, LoopState
from orchestrator.core.inbox import Body, Event, Occurred
from orchestrator.core.ledger import Message
from orchestrator.core.state import body_from_json, body_to_json, dumps, loads
from orchestrator.stores.instants import instant, instant_or_none, micros, micros_or_none

_text: Final = json.encoder.encode_basestring_ascii
_message: Final[Callable[[Sequence[Any]], Message]] = Message._make

# --- customers --------------------------------------------------------------------------------------------------------

SEGMENTS: Final = "$[9]"
"""Where the segments stand in `state_of`, for a query."""


def state_of(c: Customer) -> str:
    """A customer's record without its id, `created_at` and consents, which have columns or rows of their own."""
    timers = [[*place, micros(timer.due_at), timer.data] for place, timer in c.timers.items()] if c.timers else ()
    return dumps(
        (
            c.attributes, c.email, c.phone, c.timezone, c.locale, c.country, c.currency, c.tags, c.stage,
            sorted(c.segments) if c.segments else (), timers, c.fresh,
        )
    )  # fmt: skip


def customer_of(id: str, created_at: int, state: str, consents: str | None) -> Customer:
    """The record with its consents."""
    c = Customer.__new__(Customer)
    c.id = id
    c.created_at = instant(created_at)
    (
        c.attributes, c.email, c.phone, c.timezone, c.locale, c.country, c.currency, tags, c.stage, segments, timers,
        c.fresh,
    ) = loads(state)  # fmt: skip
    c.tags = tuple(tags)
    c.segments = frozenset(segments)
    c.timers = {(kind, name): Timer(instant(due_at), data) for kind, name, due_at, data in timers} if timers else {}
    c.consents = {} if consents is None else choices_of(consents)
    return c


def choices_of(consents: str) -> dict[tuple[str, str], str]:
    """A customer's choices from their row: (topic, channel) to `in` or `out`."""
    return {(topic, channel): choice for topic, channel, choice in loads(consents)}


# --- enrollments and entries ------------------------------------------------------------------------------------------

ENROLLMENT: Final = (
    "t.id, t.journey, t.version, t.key, t.status, t.reason, t.ended_by_rule, t.step, t.entered_at, t.state"
)
"""The columns that `enrollment_of` takes, of a table that a query calls `t`."""


def enrollment_state(e: Enrollment) -> str:
    """What no column holds. Of the entry, only its name and properties, where the rest follows from them."""
    entry = e.entry
    properties = entry.get("properties")
    if isinstance(properties, dict) and entry == _entry(e, entry.get("name"), properties):
        entry = [entry.get("name"), properties]  # type: ignore[assignment]
    until_at = e.until_at
    until = None if until_at is None else micros(until_at)
    rare: Sequence[Any] = ()
    if (
        e.held_out or e.past or e.attempts or e.outcome is not None or e.loops or e.sent_ways or e.pending
        or e.ended_at is not None or e.converted_at is not None or e.look_at is not None
    ):  # fmt: skip
        rare = (
            e.held_out,
            e.past,
            e.attempts,
            e.outcome,
            [[id, *state._replace(anchor_at=micros(state.anchor_at))] for id, state in e.loops.items()],  # type: ignore[arg-type]
            e.sent_ways,
            e.pending,
            micros_or_none(e.ended_at),
            micros_or_none(e.converted_at),
            micros_or_none(e.look_at),
        )
    return dumps(
        (
            e.trigger,
            entry,
            None if e.updated_at is e.entered_at else micros(e.updated_at),
            e.standing,
            micros_or_none(e.base_at),
            until,
            until if e.due_at is until_at else micros_or_none(e.due_at),
            micros_or_none(e.first_due_at),
            e.visits,
            e.results,
            rare,
        )
    )


def enrollment_of(
    customer: str,
    id: str,
    journey: str,
    version: str,
    key: str,
    status: Any,
    reason: str | None,
    ended_by_rule: int,
    step: str | None,
    entered_at: int,
    state: str,
) -> Enrollment:
    """The enrollment of this customer in a row."""
    e = Enrollment.__new__(Enrollment)
    e.id = id
    e.customer_id = customer
    e.journey = journey
    e.version = version
    e.key = key
    e.status = status
    e.reason = reason
    e.ended_by_rule = ended_by_rule == 1
    e.step = step
    e.entered_at = begin = instant(entered_at)
    e.trigger, entry, updated_at, e.standing, base_at, until_at, due_at, first_due_at, e.visits, e.results, rare = (
        loads(state)
    )
    e.updated_at = begin if updated_at is None else instant(updated_at)
    e.base_at = None if base_at is None else instant(base_at)
    e.until_at = until = None if until_at is None else instant(until_at)
    e.due_at = until if due_at == until_at else instant_or_none(due_at)
    e.first_due_at = None if first_due_at is None else instant(first_due_at)
    e.entry = entry if type(entry) is dict else _entry(e, *entry)
    if rare:
        e.held_out, e.past, e.attempts, e.outcome, loops, ways, e.pending, ended_at, converted_at, look_at = rare
        e.loops = {id: LoopState(number, instant(at), since) for id, number, at, since in loops}
        e.sent_ways = tuple(ways)
        e.ended_at = instant_or_none(ended_at)
        e.converted_at = instant_or_none(converted_at)
        e.look_at = instant_or_none(look_at)
    else:
        e.held_out = e.past = False
        e.attempts = 0
        e.outcome = e.ended_at = e.converted_at = e.look_at = None
        e.loops = {}
        e.sent_ways = ()
        e.pending = {}
    return e


def _entry(e: Enrollment, name: Any, properties: dict[str, Any]) -> dict[str, Any]:
    """What `enter` and `update` make of a trigger's values."""
    return {
        **properties,
        "at": e.entered_at,
        "name": name,
        "key": e.key,
        "trigger": e.trigger,
        "updated_at": e.updated_at,
        "properties": properties,
    }


def entries_state(record: EntryRecord) -> str:
    """What is remembered of entries: instants alone, which need no escaping."""
    entered_at, exited_at, messaged_at = record
    many = ",".join([str(micros(at)) for at in entered_at])
    exited = "null" if exited_at is None else str(micros(exited_at))
    messaged = "null" if messaged_at is None else str(micros(messaged_at))
    return f"[{exited},{messaged},[{many}]]"


def entries_of(state: str) -> EntryRecord:
    """The record from its row."""
    exited_at, messaged_at, entered_at = loads(state)
    return EntryRecord(tuple(map(instant, entered_at)), instant_or_none(exited_at), instant_or_none(messaged_at))


# --- messages ---------------------------------------------------------------------------------------------------------

MESSAGE: Final = (
    "m.id, m.enrollment, m.journey, m.step, m.channel, m.topic, m.class, m.template, m.address, m.at, m.seq, m.row"
)
"""The columns that `message_of` takes, of a table that a query calls `m`."""


def message_row(m: Message) -> str:
    """What no column holds of a message."""
    (
        _, customer, _, _, version, key, _, visit, _, _, _, _, template_hash, locale, _, values, at, decided_at, _,
        subject, sender, reply_to, expires_at, not_after, *rest,
    ) = m  # fmt: skip
    return dumps(
        (
            customer, version, key, visit, template_hash, locale, values,
            None if decided_at is at else micros(decided_at), subject, sender, reply_to, micros_or_none(expires_at),
            micros_or_none(not_after), *rest,
        )
    )  # fmt: skip


def message_of(
    id: str,
    enrollment: str,
    journey: str,
    step: str,
    channel: str,
    topic: str,
    klass: str,
    template: str,
    to: str,
    at: int,
    seq: int,
    row: str,
) -> Message:
    """The message in a row."""
    (
        customer, version, key, visit, template_hash, locale, values, decided_at, subject, sender, reply_to, expires_at,
        not_after, *rest,
    ) = loads(row)  # fmt: skip
    sent_at = instant(at)
    return _message(
        (
            id, customer, enrollment, journey, version, key, step, visit, channel, topic, klass, template,
            template_hash, locale, to, values, sent_at, sent_at if decided_at is None else instant(decided_at), seq,
            subject, sender, reply_to, instant_or_none(expires_at), instant_or_none(not_after), *rest,
        )
    )  # fmt: skip


# --- the inbox --------------------------------------------------------------------------------------------------------


def body_text(body: Body) -> str:
    """An inbox item's body: an event as a list, anything else as `body_to_json` writes it."""
    if type(body) is Occurred:
        name, at, properties, id = body.event
        return event_text(name, micros(at), dumps(properties), id)
    return body_to_json(body)


def event_text(name: str, at: int, properties: str, id: str) -> str:
    """An event's body, of properties that were written already."""
    return f"[{_text(name)},{at},{properties},{_text(id)}]"


def body_of(text: str) -> Body:
    """The body that was written by `body_text`."""
    if text[0] == "[":
        name, at, properties, id = loads(text)
        return Occurred(Event(name, instant(at), properties, id))
    return body_from_json(text)
