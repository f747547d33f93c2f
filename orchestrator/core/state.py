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
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
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
    tags = 0

    def tagged(odd: Any) -> Any:
        nonlocal tags
        if isinstance(odd, Mapping):
            return dict(odd)
        tags += 1
        return _tagged(odd)

    try:
        text = json.dumps(value, default=tagged, separators=(",", ":"), allow_nan=False)
    except ValueError:  # a number that is none
        return _written(value)
    # Any other `"$` is a text or a key that begins so; a key has to be told from a tag.
    return text if text.count('"$') == tags else _written(value)


def loads(text: str) -> Any:
    """The value that was written. Raises ValueError for text that `dumps` did not write."""
    return json.loads(text, object_hook=_untagged) if '"$' in text else json.loads(text)


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
    return dumps({"is": _KINDS[type(body)], **_CODECS[type(body)].fields_of(body)})


def body_from_json(text: str) -> Body:
    """The body that was written by `body_to_json`. Raises KeyError for a kind that this version does not know."""
    fields = loads(text)
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
        names = (*fields, *settable)
        self._values = attrgetter(*names, names[0])  # the first one twice, because a single one comes without a tuple
        self._write = tuple(
            (
                name,
                default := defaults.get(name, _NEVER),
                default not in _ONLY,
                shaped[name][0] if name in shaped else None,
            )
            for name in names
        )
        self._read = {name: shape[1] for name, shape in shaped.items()}

    def fields_of(self, record: Any) -> dict[str, Any]:
        """The fields that do not hold their default, as JSON shapes them."""
        out: dict[str, Any] = {}
        for (name, default, compared, shape), value in zip(self._write, self._values(record)):
            if value is default or (compared and value == default and type(value) is type(default)):
                continue
            out[name] = value if shape is None else shape(value)
        return out

    def made_of(self, fields: dict[str, Any]) -> Any:
        """The record; fields that are not there hold their default."""
        read = self._read
        for name in fields:
            if name in read:
                fields[name] = read[name](fields[name])
        record = self._make(**{name: fields.pop(name) for name in self._given if name in fields})
        for name, value in fields.items():
            setattr(record, name, value)
        return record


class _EnrollmentCodec(_Codec):
    """`entry` repeats the properties and what the enrollment knows itself: only its properties and name are written."""

    def fields_of(self, record: Enrollment) -> dict[str, Any]:
        """The fields, with `entry` cut down to (name, properties) where the rest follows."""
        out = super().fields_of(record)
        name, properties = record.entry.get("name"), record.entry.get("properties")
        if isinstance(properties, dict) and isinstance(name, str) and record.entry == _entry(record, name, properties):
            out["entry"] = [name, properties]
        return out

    def made_of(self, fields: dict[str, Any]) -> Enrollment:
        """The record."""
        e: Enrollment = super().made_of(fields)
        entry: Any = e.entry
        if isinstance(entry, list):
            e.entry = _entry(e, *entry)
        return e


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
    return _Codec(kind, kind._fields, kind._field_defaults, shapes)


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
