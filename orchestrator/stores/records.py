"""The records that every turn reads and writes, as their rows keep them: lists of JSON in a fixed order.

What stands in a column of its own is not repeated in the text, instants are whole microseconds, and names of fields are
not written. A field that is added later goes to the end of its list with its default in `*_LATER`, so that rows of an
older version are read. Records that are seldom read or written are kept as orchestrator.core.state writes them.

Every customer of every turn passes here. The texts are put together by hand, because their shapes are known: the json
module takes several times as long for a short list.
"""

from __future__ import annotations

import json.encoder
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any, Final

from orchestrator.core.accumulators import NOTHING_COMPUTED, Computed
from orchestrator.core.consent import Choice
from orchestrator.core.customer import NO_DATES, Customer, Timer
from orchestrator.core.enrollment import Enrollment, EntryRecord, LoopState, entry_record
from orchestrator.core.inbox import Body, Event, Occurred
from orchestrator.core.ledger import Message, message
from orchestrator.core.scores import NO_POINTS, Points
from orchestrator.core.state import body_from_json, body_to_json, dumps, loads
from orchestrator.stores import sealed_rows
from orchestrator.stores.instants import instant, instant_or_none, micros, micros_or_none
from orchestrator.stores.sealing import SEALED, Sealer

_text: Final = json.encoder.encode_basestring_ascii
_new_customer: Final = partial(object.__new__, Customer)
_new_enrollment: Final = partial(object.__new__, Enrollment)
_event: Final[Callable[[tuple[Any, ...]], Event]] = partial(tuple.__new__, Event)


def _of_this_version(values: list[Any], blank: str) -> list[Any]:
    """The values of a row that another version wrote: what it did not know has its default, what is not known here is
    left out. `blank` has the defaults of all fields."""
    defaults = loads(blank)
    return [*values, *defaults[len(values) :]][: len(defaults)]


def _or_null(text: str | None) -> str:
    return "null" if text is None else _text(text)


# --- customers --------------------------------------------------------------------------------------------------------

SEGMENTS: Final = "$[9]"
"""Where the segments stand in `state_of`, for a query."""
_CUSTOMER: Final = "[{},null,null,null,null,null,null,[],null,[],[],true,{},[]]"
_CUSTOMER_FIELDS: Final = len(loads(_CUSTOMER))
_NO_SEGMENTS: Final[frozenset[str]] = frozenset()


def state_of(c: Customer, sealer: Sealer, private: frozenset[str]) -> str:
    """A customer's record without its id, `created_at` and consents, which have columns or rows of their own.

    `private`: names of the attributes that are sealed, with the addresses, where the store seals."""
    attributes, email, phone = c.attributes, c.email, c.phone
    if sealed_rows.HIDDEN in attributes:  # nobody's but the store's
        attributes = {name: value for name, value in attributes.items() if name != sealed_rows.HIDDEN}
    if sealer.seals:
        hidden = sealed_rows.hidden_part(attributes, private)
        secret = _secret(c, private)
        if hidden or email is not None or phone is not None or secret:
            parts = (hidden, email, phone, *secret)
            token = sealer.seal(f"{sealed_rows.STATE}:{c.id}", dumps(parts))
            attributes, email, phone = sealed_rows.without(attributes, hidden, token), None, None
    timers = [[*place, micros(timer.due_at), timer.data] for place, timer in c.timers.items()] if c.timers else ()
    return dumps(
        (
            attributes, email, phone, c.timezone, c.locale, c.country, c.currency, c.tags, c.stage,
            sorted(c.segments) if c.segments else (), timers, c.fresh, c.draws,
            _gathered(c, private if sealer.seals else _NOTHING_PRIVATE),
        )
    )  # fmt: skip


def customer_of(sealer: Sealer, id: str, created_at: int, state: str, consents: str | None) -> Customer:
    """The record with its consents. Raises Unopened."""
    c = _new_customer()
    c.id = id
    c.created_at = instant(created_at)
    values = loads(state)
    if len(values) != _CUSTOMER_FIELDS:
        values = _of_this_version(values, _CUSTOMER)
    (
        c.attributes, c.email, c.phone, c.timezone, c.locale, c.country, c.currency, tags, c.stage, segments, timers,
        c.fresh, c.draws, gathered,
    ) = values  # fmt: skip
    if gathered:
        _gather(c, *gathered)
    else:
        c.scores, c.computed = NO_POINTS, NOTHING_COMPUTED
    if sealed_rows.HIDDEN in c.attributes:
        _open_customer(c, sealer)
    c.tags = tuple(tags) if tags else ()
    c.segments = frozenset(segments) if segments else _NO_SEGMENTS
    c.timers = {(kind, name): Timer(instant(due_at), data) for kind, name, due_at, data in timers} if timers else {}
    if consents is None:
        c.consents, c.consent_dates = {}, NO_DATES
    else:
        states, c.consent_dates = _choices(consents)
        c.consents = states.copy()
    return c


SCORES: Final = "$[13][0]"
"""Where the scores stand in `state_of`, by name: [points, microseconds of their instant, standing points]."""


_NOTHING_PRIVATE: Final[frozenset[str]] = frozenset()


def _gathered(c: Customer, private: frozenset[str]) -> tuple[Any, ...]:
    """What events added up to; nothing where no project asked for it."""
    if not c.scores and not c.computed.mark:
        return ()
    points = {name: (value, micros(at), standing) for name, (value, at, standing) in c.scores.items()}
    states = c.computed.states
    if private and not private.isdisjoint(states):
        states = {name: kept for name, kept in states.items() if name not in private}
    return points, c.computed.mark, states


def _secret(c: Customer, private: frozenset[str]) -> tuple[dict[str, Any], ...]:
    """What computed attributes that are personal rest on, once; nothing where there are none."""
    found = {name: kept for name, kept in c.computed.states.items() if name in private}
    return (found,) if found else ()


def _gather(c: Customer, points: dict[str, Any], mark: str, states: dict[str, Any]) -> None:
    c.scores = {name: Points(value, instant(at), standing) for name, (value, at, standing) in points.items()}
    c.computed = Computed(mark, {name: (of, state) for name, (of, state) in states.items()})


def _open_customer(c: Customer, sealer: Sealer) -> None:
    token = c.attributes[sealed_rows.HIDDEN]
    if type(token) is str and token.startswith(SEALED):
        hidden, c.email, c.phone, *secret = loads(sealer.open(f"{sealed_rows.STATE}:{c.id}", token))
        if secret:
            opened = {name: (of, state) for name, (of, state) in secret[0].items()}
            c.computed = c.computed._replace(states={**c.computed.states, **opened})
        del c.attributes[sealed_rows.HIDDEN]
        c.attributes.update(hidden)


def segments_of(state: str) -> list[str]:
    """The segments that `state_of` wrote."""
    return loads(state)[9]  # type: ignore[no-any-return]


Choices = Mapping[tuple[str, str], tuple[str, int | None]]
"""(topic, channel) to what holds, with the instant (in microseconds) that belongs to it; see Customer."""


def choices_of(consents: str) -> dict[tuple[str, str], tuple[str, int | None]]:
    """A customer's choices from their row."""
    return {(topic, channel): (state, date[0] if date else None) for topic, channel, state, *date in loads(consents)}


def choices_text(choices: Choices) -> str:
    """A customer's choices as their row keeps them: [[topic, channel, state], ...], with an instant where one
    belongs to it."""
    rows = [(*place, state, date) for place, (state, date) in choices.items()]
    return dumps([row if row[3] is not None else row[:3] for row in rows])


def choices_by(customer: Customer) -> dict[tuple[str, str], tuple[str, int | None]]:
    """A customer's choices, for their row."""
    dates = customer.consent_dates
    return {place: (state, micros_or_none(dates.get(place))) for place, state in customer.consents.items()}


def told(before: Choices, after: Choices) -> list[tuple[str, tuple[str, str]]]:
    """What changed choices mean for `rights`, as (kind, place): opt-outs and their ends. A first "in" closes nothing,
    and is nobody's right."""
    return [
        (f"opted_{state}", place)
        for place, (state, _) in after.items()
        if (state == "out") != (place in before and before[place][0] == "out")
    ]


def chose_anew(before: Customer, after: Customer) -> bool:
    """Whether the row of a customer's choices has to be written."""
    return before.consents != after.consents or before.consent_dates != after.consent_dates


@lru_cache(maxsize=1_024)
def _choices(consents: str) -> tuple[dict[tuple[str, str], str], Mapping[tuple[str, str], datetime]]:
    """Most customers of a brand made one of a few choices, to which no instant belongs."""
    known = choices_of(consents)
    dates = {place: instant(date) for place, (_, date) in known.items() if date is not None}
    return {place: state for place, (state, _) in known.items()}, dates or NO_DATES


CHOICE: Final = "shard, customer, seq, at, noted_at, topic, channel, state, source, wording, proof, expires_at, refused"
"""The columns of the consent ledger, for those who write and read it."""


def choice_row(choice: Choice, sealer: Sealer, owner: int) -> tuple[Any, ...]:
    """A row of the consent ledger behind (shard, customer, seq). `owner`: the customer's internal id."""
    topic, channel, state, at, noted_at, source, wording, proof, expires_at, refused = choice
    shown = None if proof is None else sealer.seal(f"{sealed_rows.PROOF}:{owner}", dumps(proof))
    return (
        micros(at), micros(noted_at), topic, channel, state, source, wording, shown, micros_or_none(expires_at),
        refused,
    )  # fmt: skip


def choice_of(
    sealer: Sealer,
    owner: int,
    at: int,
    noted_at: int,
    topic: str,
    channel: str,
    state: str,
    source: str,
    wording: str | None,
    proof: str | None,
    expires_at: int | None,
    refused: str | None,
) -> Choice:
    """The row that `choice_row` wrote."""
    shown = None if proof is None else loads(sealer.open(f"{sealed_rows.PROOF}:{owner}", proof))
    return Choice(
        topic, channel, state, instant(at), instant(noted_at), source, wording, shown, instant_or_none(expires_at),
        refused,
    )  # fmt: skip


# --- enrollments and entries ------------------------------------------------------------------------------------------

ENROLLMENT: Final = (
    "t.id, t.journey, t.version, t.key, t.status, t.reason, t.ended_by_rule, t.step, t.entered_at, t.state"
)
"""The columns that `enrollment_of` takes, of a table that a query calls `t`."""
_ENROLLMENT: Final = '["",{},null,null,null,null,null,null,{},{},[]]'
_ENROLLMENT_FIELDS: Final = len(loads(_ENROLLMENT))
_RARE: Final = "[false,false,0,null,[],[],{},null,null,null,{}]"
_RARE_FIELDS: Final = len(loads(_RARE))
_AS_UNTIL: Final = "true"


NO_STATE: Final = _ENROLLMENT
"""The state of an enrollment that is nobody's any more."""


def enrollment_state(e: Enrollment, sealer: Sealer, properties_text: str | None = None) -> str:
    """What no column holds; sealed as a whole, because it tells what a person did to enter, and what was answered. Of
    the entry, only its name and properties, where the rest follows from them. `properties_text`: those of its entry,
    where they were written already.

    Instants are counted from the entry: most of them are none or 0 then, and the others are short.
    """
    entry, entered_at, until_at, due_at = e.entry, e.entered_at, e.until_at, e.due_at
    properties, name = entry.get("properties"), entry.get("name")
    if type(properties) is dict and type(name) is str and entry == _entry(e, name, properties):
        entry_text = f"[{_text(name)},{properties_text or dumps(properties)}]"
    else:
        entry_text = dumps(entry)
    begin = micros(entered_at)
    updated_at, base_at, first_due_at = e.updated_at, e.base_at, e.first_due_at
    updated = "null" if updated_at is entered_at else micros(updated_at) - begin
    base = "null" if base_at is None else 0 if base_at is entered_at else micros(base_at) - begin
    until = "null" if until_at is None else micros(until_at) - begin
    due = "null" if due_at is None else _AS_UNTIL if due_at is until_at else micros(due_at) - begin
    first_due = "null" if first_due_at is None else 0 if first_due_at is entered_at else micros(first_due_at) - begin
    rare = "[]"
    if (
        e.held_out or e.past or e.attempts or e.outcome is not None or e.loops or e.sent_ways or e.pending
        or e.ended_at is not None or e.converted_at is not None or e.look_at is not None or e.renamed
    ):  # fmt: skip
        rare = _rare(e)
    text = (
        f"[{_text(e.trigger)},{entry_text},{updated},{_or_null(e.standing)},{base},{until},{due},{first_due},"
        f"{data_text(e.visits)},{data_text(e.results)},{rare}]"
    )
    return sealer.seal(f"{sealed_rows.ENROLLMENT}:{e.id}", text) if sealer.seals else text


def _rare(e: Enrollment) -> str:
    """What few enrollments have, or only at their end."""
    if e.outcome is None and not (
        e.held_out or e.past or e.attempts or e.loops or e.sent_ways or e.pending or e.converted_at or e.look_at
        or e.renamed
    ):  # fmt: skip
        return f"[false,false,0,null,[],[],{{}},{'null' if e.ended_at is None else micros(e.ended_at)},null,null,{{}}]"
    loops = [[id, state.number, micros(state.anchor_at), state.since] for id, state in e.loops.items()]
    return dumps(
        (
            e.held_out, e.past, e.attempts, e.outcome, loops, e.sent_ways, e.pending, micros_or_none(e.ended_at),
            micros_or_none(e.converted_at), micros_or_none(e.look_at), e.renamed,
        )
    )  # fmt: skip


def enrollment_of(
    sealer: Sealer,
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
    """The enrollment of this customer in a row. Raises Unopened."""
    if state[0] == SEALED:
        state = sealer.open(f"{sealed_rows.ENROLLMENT}:{id}", state)
    e = _new_enrollment()
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
    values = loads(state)
    if len(values) != _ENROLLMENT_FIELDS:
        values = _of_this_version(values, _ENROLLMENT)
    e.trigger, entry, updated, e.standing, base, until, due, first_due, e.visits, e.results, rare = values
    e.updated_at = begin if updated is None else instant(entered_at + updated)
    e.base_at = None if base is None else instant(entered_at + base) if base else begin
    e.until_at = until_at = None if until is None else instant(entered_at + until)
    e.due_at = until_at if due is True else None if due is None else instant(entered_at + due)
    e.first_due_at = None if first_due is None else instant(entered_at + first_due) if first_due else begin
    e.entry = entry if type(entry) is dict else _entry(e, *entry)
    if rare:
        if len(rare) != _RARE_FIELDS:
            rare = _of_this_version(rare, _RARE)
        (
            e.held_out, e.past, e.attempts, e.outcome, loops, ways, e.pending, ended_at, converted_at, look_at,
            e.renamed,
        ) = rare  # fmt: skip
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
        e.renamed = {}
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


_ENTRIES: Final = "[null,null,[]]"


def entries_state(record: EntryRecord) -> str:
    """What is remembered of entries: instants alone, which need no escaping."""
    entered_at, exited_at, messaged_at = record
    many = micros(entered_at[0]) if len(entered_at) == 1 else ",".join([str(micros(at)) for at in entered_at])
    exited = "null" if exited_at is None else micros(exited_at)
    messaged = "null" if messaged_at is None else micros(messaged_at)
    return f"[{exited},{messaged},[{many}]]"


def entries_of(state: str) -> EntryRecord:
    """The record from its row."""
    values = loads(state)
    if len(values) != 3:
        values = _of_this_version(values, _ENTRIES)
    exited_at, messaged_at, entered_at = values
    instants = (instant(entered_at[0]),) if len(entered_at) == 1 else tuple(map(instant, entered_at))
    return entry_record(
        (
            instants,
            None if exited_at is None else instant(exited_at),
            None if messaged_at is None else instant(messaged_at),
        )
    )


# --- messages ---------------------------------------------------------------------------------------------------------

MESSAGE: Final = (
    "m.id, m.enrollment, m.journey, m.step, m.channel, m.topic, m.class, m.template, m.address, m.at, m.seq, m.row"
)
"""The columns that `message_of` takes, of a table that a query calls `m`."""
_MESSAGE: Final = '["","","",0,"",null,{},null,null,null,null,null,null,"hold",false,false,null,null,"UTC",null]'
_MESSAGE_FIELDS: Final = len(loads(_MESSAGE))


def message_columns(m: Message, sealer: Sealer) -> tuple[str, str]:
    """`address` and `row` of a message. Where the store seals, the address stands as a mark, by which it is found, and
    again with the sealed row."""
    if not sealer.seals:
        return m.to, message_row(m)
    return sealer.mark(m.to), sealer.seal(f"{sealed_rows.MESSAGE}:{m.id}", f"{m.to}\n{message_row(m)}")


def message_row(m: Message) -> str:
    """What no column holds of a message."""
    (
        _, customer, _, _, version, key, _, visit, _, _, _, _, template_hash, locale, _, values, at, decided_at, _,
        subject, sender, reply_to, expires_at, not_after, on_quiet, survives_exit, throttled, coupon, survey, zone,
        fixed_zone,
    ) = m  # fmt: skip
    return (
        f"[{_text(customer)},{_text(version)},{_text(key)},{visit},{_text(template_hash)},{_or_null(locale)},"
        f"{dumps(values)},{'null' if decided_at is at else micros(decided_at)},{_or_null(subject)},{_or_null(sender)},"
        f"{_or_null(reply_to)},{'null' if expires_at is None else micros(expires_at)},"
        f"{'null' if not_after is None else micros(not_after)},{_text(on_quiet)},"
        f"{'true' if survives_exit else 'false'},{'true' if throttled else 'false'},{_or_null(coupon)},"
        f"{_or_null(survey)},{_text(zone)},{_or_null(fixed_zone)}]"
    )


def message_of(
    sealer: Sealer,
    id: str,
    enrollment: str,
    journey: str,
    step: str,
    channel: Any,
    topic: str,
    klass: Any,
    template: str,
    to: str,
    at: int,
    seq: int,
    row: str,
) -> Message:
    """The message in a row. Raises Unopened."""
    if row[0] == SEALED:
        to, _, row = sealer.open(f"{sealed_rows.MESSAGE}:{id}", row).rpartition("\n")
    found = loads(row)
    if len(found) != _MESSAGE_FIELDS:
        found = _of_this_version(found, _MESSAGE)
    (
        customer, version, key, visit, template_hash, locale, values, decided_at, subject, sender, reply_to, expires_at,
        not_after, on_quiet, survives_exit, throttled, coupon, survey, zone, fixed_zone,
    ) = found  # fmt: skip
    sent_at = instant(at)
    return message(
        (
            id, customer, enrollment, journey, version, key, step, visit, channel, topic, klass, template,
            template_hash, locale, to, values, sent_at, sent_at if decided_at is None else instant(decided_at), seq,
            subject, sender, reply_to, None if expires_at is None else instant(expires_at),
            None if not_after is None else instant(not_after), on_quiet, survives_exit, throttled, coupon, survey, zone,
            fixed_zone,
        )
    )  # fmt: skip


# --- the journal ------------------------------------------------------------------------------------------------------

_LONGEST_REPEATED: Final = 100
"""Characters of a value that is looked for among those written lately."""


def data_text(data: Mapping[str, Any]) -> str:
    """`dumps` of what a line of the journal says, or was decided on: often one thing, and the same as many others."""
    if len(data) == 1:
        [(name, value)] = data.items()
        kind = type(value)
        if (
            (kind is str and len(value) <= _LONGEST_REPEATED)
            or kind is int
            or (kind is datetime and value.tzinfo is UTC)
        ):
            return _one_text(name, value)
    return dumps(data) if data else "{}"


@lru_cache(maxsize=4_096)
def _one_text(name: str, value: str | int | datetime) -> str:
    return dumps({name: value})


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


def body_of(sealer: Sealer, owner: int, text: str) -> Body:
    """The body that was written by `body_text`. `owner`: the customer's internal id. Raises Unopened."""
    if text[0] == SEALED:
        text = sealer.open(f"{sealed_rows.INBOX}:{owner}", text)
    if text[0] == "[":
        name, at, properties, id = loads(text)
        return Occurred(_event((name, instant(at), properties, id)))
    return body_from_json(text)
