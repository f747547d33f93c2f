"""State as JSON and back, for stores and exports: every type of a value survives the round trip.

Plain JSON stays as it is. What JSON has no word for is an object of one key: `{"$t": instant}`, `{"$d": date}`,
`{"$s": microseconds}` for a span, `{"$f": "nan"}` for a number that is none. A key of somebody's data that begins with
`$` gets a second one, so that no data can pass for one of these. Fields that hold their default are left out, so that
old rows can be read after a field was added.

`dumps` and `loads` are for values; `to_json` and `from_json` for the records of the engine. Most values hold none of
the above, and are then written and read by the C code of the json module alone.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from json import encoder
from operator import attrgetter
from typing import Any, Final, TypeVar

from orchestrator.core.customer import Customer, Timer
from orchestrator.core.enrollment import Enrollment, EntryRecord, LoopState
from orchestrator.core.expression.scope import PastEvent
from orchestrator.core.inbox import (
    AttributeMoved,
    Body,
    ConsentChanged,
    Deployed,
    EnrollmentRequested,
    Event,
    Identified,
    JourneyOperated,
    Occurred,
    Receipt,
    RedemptionRequested,
    Replied,
    ScheduleFired,
    SurveyAnswered,
    TaskClosed,
)
from orchestrator.core.ledger import Coupon, Message, Request, Task

Record = TypeVar("Record")

# --- values -----------------------------------------------------------------------------------------------------------

_MICROSECOND: Final = timedelta(microseconds=1)


def dumps(value: Any) -> str:
    """A value as JSON text without spaces. Raises TypeError for what is no data (a set, an object)."""
    try:
        text = "".join(_plain(value, 0))
    except (_Odd, ValueError):  # it holds what JSON has no word for, or a number that is none
        return _tagged_text(value)
    return text if '"$' not in text else _tagged_text(value)


def _tagged_text(value: Any) -> str:
    tags = 0

    def tagged(odd: Any) -> Any:
        nonlocal tags
        if isinstance(odd, Mapping):
            return dict(odd)
        tags += 1
        return _tagged(odd)

    try:
        text = "".join(_encoder(tagged)(value, 0))
    except ValueError:  # a number that is none
        return _written(value)
    # Any other `"$` is a text or a key that begins so; a key has to be told from a tag.
    return text if text.count('"$') == tags else _written(value)


def loads(text: str) -> Any:
    """The value that was written. Raises ValueError for text that `dumps` did not write."""
    if '"$' in text:
        return json.loads(text, object_hook=_untagged)
    value, end = _read(text)
    return value if end == len(text) else json.loads(text)  # which says what is wrong with it


class _Odd(Exception):
    """A value that JSON has no word for."""


def _odd(value: Any) -> Any:
    raise _Odd


def _encoder(default: Callable[[Any], Any]) -> Callable[[Any, int], Iterable[str]]:
    """The json module's encoder for one value after the other: `json.dumps` makes a new one each time, in Python, which
    takes as long as the encoding."""
    make = getattr(encoder, "c_make_encoder", None)
    if make is None:  # a Python without the C part
        options = json.JSONEncoder(default=default, separators=(",", ":"), allow_nan=False, check_circular=False)
        return lambda value, _: options.iterencode(value)
    made: Callable[[Any, int], Iterable[str]] = make(
        None, default, encoder.encode_basestring_ascii, None, ":", ",", False, False, False
    )
    return made


_plain: Final = _encoder(_odd)
_read: Final = json.JSONDecoder().raw_decode


def _tagged(odd: Any) -> dict[str, Any]:
    match odd:
        case datetime():
            return {"$t": (odd.astimezone(UTC) if odd.tzinfo is not None else odd).isoformat()}
        case date():
            return {"$d": odd.isoformat()}
        case timedelta():
            return {"$s": odd // _MICROSECOND}
    raise TypeError(f"{type(odd).__name__} is no data and cannot be stored: {odd!r}")


def _written(value: Any) -> str:
    return json.dumps(_escaped(value), separators=(",", ":"))


def _escaped(value: Any) -> Any:
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else {"$f": repr(value)}
        case Mapping():
            return {f"${key}" if key.startswith("$") else key: _escaped(item) for key, item in value.items()}
        case list() | tuple():
            return [_escaped(item) for item in value]
    return _tagged(value)


def _untagged(found: dict[str, Any]) -> Any:
    if len(found) == 1:
        for tag, held in found.items():
            match tag:
                case "$t":
                    return datetime.fromisoformat(held)
                case "$d":
                    return date.fromisoformat(held)
                case "$s":
                    return held * _MICROSECOND
                case "$f":
                    return float(held)
    return {key[1:] if key.startswith("$$") else key: value for key, value in found.items()}


# --- records ----------------------------------------------------------------------------------------------------------


def to_json(record: object) -> str:
    """A record of the engine as JSON text. Raises TypeError for what is none."""
    return dumps(_codec_of(type(record)).fields_of(record))


def from_json(kind: type[Record], text: str) -> Record:
    """The record of this kind that was written by `to_json`."""
    made: Record = _codec_of(kind).made_of(loads(text))
    return made


def body_to_json(body: Body) -> str:
    """An inbox item's body, with its kind under `is` (a word that can be no field)."""
    if type(body) is Occurred:
        return dumps({"is": "occurred", "event": _EVENT[0](body.event)})
    return dumps({"is": _KINDS[type(body)], **_CODECS[type(body)].fields_of(body)})


def body_from_json(text: str) -> Body:
    """The body that was written by `body_to_json`. Raises KeyError for a kind that this version does not know."""
    fields = loads(text)
    if fields["is"] == "occurred":
        return Occurred(_EVENT[1](fields["event"]))
    body: Body = _CODECS[_BODIES[fields.pop("is")]].made_of(fields)
    return body


_Convert = Callable[[Any], Any]
_Shape = tuple[_Convert, _Convert]


class _Codec:
    """How one kind of record is written: its fields, their defaults, and those that JSON shapes differently.

    Fields that are instants by their name (`at`, `*_at`, `not_after`) are plain ISO text.
    """

    def __init__(
        self,
        make: Callable[..., Any],
        fields: tuple[str, ...],
        defaults: Mapping[str, Any],
        shapes: Mapping[str, _Shape],
        settable: tuple[str, ...] = (),
    ) -> None:
        self._make = make
        self._given = fields
        instants = {name: _INSTANT for name in (*fields, *settable) if name == "not_after" or _AT.search(name)}
        shaped = {**instants, **shapes}
        self._names = (*fields, *settable)
        self._values = attrgetter(*self._names, self._names[0])  # one twice: a single one comes without a tuple
        self._defaults = tuple(defaults.get(name, _NEVER) for name in self._names)
        told_by_value = zip(self._names, self._defaults)
        self._compared = tuple((name, default) for name, default in told_by_value if default not in _ONLY)
        self._write = tuple((name, shape[0]) for name, shape in shaped.items())
        self._read = tuple((name, shape[1]) for name, shape in shaped.items())

    def fields_of(self, record: Any) -> dict[str, Any]:
        """The fields that do not hold their default, as JSON shapes them."""
        values = zip(self._names, self._values(record), self._defaults)
        out = {name: value for name, value, default in values if value is not default}
        for name, default in self._compared:
            if name in out and out[name] == default and type(out[name]) is type(default):
                del out[name]
        for name, write in self._write:
            if name in out:
                out[name] = write(out[name])
        return out

    def made_of(self, fields: dict[str, Any]) -> Any:
        """The record; fields that are not there hold their default."""
        for name, read in self._read:
            if name in fields:
                fields[name] = read(fields[name])
        return self.filled(fields)

    def filled(self, fields: dict[str, Any]) -> Any:
        """The record of these values."""
        record = self._make(**{name: fields.pop(name) for name in self._given if name in fields})
        for name, value in fields.items():
            setattr(record, name, value)
        return record


class _TupleCodec(_Codec):
    """Of a tuple with names, which takes its values in their order."""

    def __init__(self, kind: Any, shapes: Mapping[str, _Shape]) -> None:
        super().__init__(kind._make, kind._fields, kind._field_defaults, shapes)
        self._blank = dict(zip(self._names, self._defaults))

    def filled(self, fields: dict[str, Any]) -> Any:
        """The record of these values. Raises ValueError where one is missing that has no default."""
        values = {**self._blank, **fields}.values()
        if _NEVER in values:
            raise ValueError(f"a field is missing: {sorted(self._blank.keys() - fields.keys())}")
        return self._make(values)


class _EnrollmentCodec(_Codec):
    """Written out field by field, because every turn reads and writes enrollments.

    `entry` repeats the properties and what the enrollment knows itself: only its properties and name are written.
    """

    def fields_of(self, e: Enrollment) -> dict[str, Any]:
        """The fields, with `entry` cut down to [name, properties] where the rest follows."""
        name, properties = e.entry.get("name"), e.entry.get("properties")
        known = isinstance(properties, dict) and isinstance(name, str) and e.entry == _entry(e, name, properties)
        entered_at = e.entered_at.isoformat()
        out: dict[str, Any] = {
            "id": e.id,
            "customer_id": e.customer_id,
            "journey": e.journey,
            "version": e.version,
            "key": e.key,
            "trigger": e.trigger,
            "entered_at": entered_at,
            "entry": [name, properties] if known else e.entry,
            "updated_at": entered_at if e.updated_at is e.entered_at else e.updated_at.isoformat(),
        }
        if e.status != "running":
            out["status"] = e.status
        if e.step is not None:
            out["step"] = e.step
        if e.standing is not None:
            out["standing"] = e.standing
        if e.visits:
            out["visits"] = e.visits
        if e.base_at is not None:
            out["base_at"] = e.base_at.isoformat()
        if e.until_at is not None:
            out["until_at"] = e.until_at.isoformat()
        if e.due_at is not None:
            out["due_at"] = out["until_at"] if e.due_at is e.until_at else e.due_at.isoformat()
        if e.first_due_at is not None:
            out["first_due_at"] = entered_at if e.first_due_at is e.entered_at else e.first_due_at.isoformat()
        if e.look_at is not None:
            out["look_at"] = e.look_at.isoformat()
        if e.results:
            out["results"] = e.results
        if e.outcome is not None:
            out["outcome"] = e.outcome
        if e.past:
            out["past"] = True
        if e.held_out:
            out["held_out"] = True
        if e.ended_at is not None:
            out["ended_at"] = e.ended_at.isoformat()
        if e.reason is not None:
            out["reason"] = e.reason
        if e.ended_by_rule:
            out["ended_by_rule"] = True
        if e.converted_at is not None:
            out["converted_at"] = e.converted_at.isoformat()
        if e.attempts:
            out["attempts"] = e.attempts
        if e.loops:
            out["loops"] = _LOOPS[0](e.loops)
        if e.sent_ways:
            out["sent_ways"] = list(e.sent_ways)
        if e.pending:
            out["pending"] = e.pending
        return out

    def made_of(self, fields: dict[str, Any]) -> Enrollment:
        """The record."""
        get, instant = fields.get, datetime.fromisoformat
        e = Enrollment(
            fields["id"],
            fields["customer_id"],
            fields["journey"],
            fields["version"],
            fields["key"],
            fields["trigger"],
            instant(fields["entered_at"]),
            fields["entry"],
        )
        for name in fields.keys() & _LATER_INSTANTS:
            setattr(e, name, instant(fields[name]))
        e.status = get("status", "running")
        e.step = get("step")
        e.standing = get("standing")
        e.outcome = get("outcome")
        e.past = get("past", False)
        e.held_out = get("held_out", False)
        e.reason = get("reason")
        e.ended_by_rule = get("ended_by_rule", False)
        e.attempts = get("attempts", 0)
        e.visits = get("visits") or {}
        e.results = get("results") or {}
        e.pending = get("pending") or {}
        if "loops" in fields:
            e.loops = _LOOPS[1](fields["loops"])
        if "sent_ways" in fields:
            e.sent_ways = tuple(fields["sent_ways"])
        if isinstance(entry := fields["entry"], list):
            e.entry = _entry(e, *entry)
        return e


_LATER_INSTANTS: Final = frozenset(
    {
        "updated_at",
        "base_at",
        "until_at",
        "due_at",
        "first_due_at",
        "look_at",
        "ended_at",
        "converted_at",
    }
)


def _entry(e: Enrollment, name: str, properties: dict[str, Any]) -> dict[str, Any]:
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


def _text_of(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None


def _instant_of(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text is not None else None


_NEVER: Final = object()
_ONLY: Final = (None, False, True, (), _NEVER)
"""Defaults of which there is only one, so that identity tells."""
_AT: Final = re.compile(r"(^|_)at$")
_INSTANT: Final[_Shape] = (_text_of, _instant_of)
_INSTANTS: Final[_Shape] = (
    lambda instants: [at.isoformat() for at in instants],
    lambda texts: tuple(map(datetime.fromisoformat, texts)),
)
_TUPLE: Final[_Shape] = (list, tuple)
_NAMES: Final[_Shape] = (sorted, frozenset)
_PAIRS: Final[_Shape] = (
    lambda pairs: [[*pair, value] for pair, value in pairs.items()],
    lambda rows: {(row[0], row[1]): row[2] for row in rows},
)
_TIMERS: Final[_Shape] = (
    lambda timers: [[*place, timer.due_at.isoformat(), timer.data] for place, timer in timers.items()],
    lambda rows: {(row[0], row[1]): Timer(datetime.fromisoformat(row[2]), row[3]) for row in rows},
)
_LOOPS: Final[_Shape] = (
    lambda loops: [[id, state.number, state.anchor_at.isoformat(), state.since] for id, state in loops.items()],
    lambda rows: {row[0]: LoopState(row[1], datetime.fromisoformat(row[2]), row[3]) for row in rows},
)
_EVENT: Final[_Shape] = (
    lambda event: [event.name, event.at.isoformat(), event.properties, event.id],
    lambda row: Event(row[0], datetime.fromisoformat(row[1]), row[2], row[3]),
)


def _tuple_codec(kind: Any, **shapes: _Shape) -> _Codec:
    return _TupleCodec(kind, shapes)


def _body_codec(kind: Any, **shapes: _Shape) -> _Codec:
    defaults = {}
    for name, spec in kind.__dataclass_fields__.items():
        if spec.default_factory is not spec.default:  # both are dataclasses.MISSING where there is none
            defaults[name] = spec.default_factory() if callable(spec.default_factory) else spec.default
    return _Codec(kind, tuple(kind.__dataclass_fields__), defaults, shapes)


def _object_codec(codec: type[_Codec], kind: Any, given: tuple[str, ...], **shapes: _Shape) -> _Codec:
    """A class whose other slots are set after it was made. Their defaults are those of a new object."""
    new = kind(**dict.fromkeys(given))
    settable = tuple(name for name in kind.__slots__ if name not in given)
    return codec(kind, given, {name: getattr(new, name) for name in settable}, shapes, settable)


_CODECS: Final[dict[type, _Codec]] = {
    Customer: _object_codec(
        _Codec, Customer, ("id", "created_at"), tags=_TUPLE, consents=_PAIRS, segments=_NAMES, timers=_TIMERS
    ),
    Enrollment: _object_codec(
        _EnrollmentCodec,
        Enrollment,
        ("id", "customer_id", "journey", "version", "key", "trigger", "entered_at", "entry"),
        loops=_LOOPS,
        sent_ways=_TUPLE,
    ),
    EntryRecord: _tuple_codec(EntryRecord, entered_at=_INSTANTS),
    Message: _tuple_codec(Message),
    Coupon: _tuple_codec(Coupon),
    Task: _tuple_codec(Task),
    Request: _tuple_codec(Request),
    Timer: _tuple_codec(Timer),
    PastEvent: _tuple_codec(PastEvent),
    Event: _tuple_codec(Event),
    Occurred: _body_codec(Occurred, event=_EVENT),
    Identified: _body_codec(Identified),
    ConsentChanged: _body_codec(ConsentChanged),
    Receipt: _body_codec(Receipt),
    Replied: _body_codec(Replied),
    TaskClosed: _body_codec(TaskClosed),
    SurveyAnswered: _body_codec(SurveyAnswered),
    RedemptionRequested: _body_codec(RedemptionRequested),
    EnrollmentRequested: _body_codec(EnrollmentRequested),
    AttributeMoved: _body_codec(AttributeMoved),
    JourneyOperated: _body_codec(JourneyOperated),
    Deployed: _body_codec(Deployed, new_journeys=_NAMES),
    ScheduleFired: _body_codec(ScheduleFired),
}

_KINDS: Final[dict[type, str]] = {
    Occurred: "occurred",
    Identified: "identified",
    ConsentChanged: "consent_changed",
    Receipt: "receipt",
    Replied: "replied",
    TaskClosed: "task_closed",
    SurveyAnswered: "survey_answered",
    RedemptionRequested: "redemption_requested",
    EnrollmentRequested: "enrollment_requested",
    AttributeMoved: "attribute_moved",
    JourneyOperated: "journey_operated",
    Deployed: "deployed",
    ScheduleFired: "schedule_fired",
}
_BODIES: Final = {name: kind for kind, name in _KINDS.items()}


def _codec_of(kind: type) -> _Codec:
    codec = _CODECS.get(kind)
    if codec is None:
        raise TypeError(f"{kind.__name__} is no record of the engine")
    return codec
