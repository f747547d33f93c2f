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
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
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
    """An inbox item's body, with its kind."""
    return dumps({"kind": _KINDS[type(body)], **_CODECS[type(body)].fields_of(body)})


def body_from_json(text: str) -> Body:
    """The body that was written by `body_to_json`. Raises KeyError for a kind that this version does not know."""
    fields = loads(text)
    body: Body = _CODECS[_BODIES[fields.pop("kind")]].made_of(fields)
    return body


_Convert = Callable[[Any], Any]


class _Codec:
    """How one kind of record is written: its fields, their defaults, and those that JSON shapes differently."""

    def __init__(
        self,
        make: Callable[..., Any],
        fields: tuple[str, ...],
        defaults: Mapping[str, Any],
        shapes: Mapping[str, tuple[_Convert, _Convert]],
        settable: tuple[str, ...] = (),
    ) -> None:
        self._make = make
        self._given = tuple((name, defaults.get(name, _NEVER)) for name in fields)
        self._settable = tuple((name, defaults[name]) for name in settable)
        self._shapes = shapes

    def fields_of(self, record: Any) -> dict[str, Any]:
        """The fields that do not hold their default, as JSON shapes them."""
        out: dict[str, Any] = {}
        shapes = self._shapes
        for name, default in (*self._given, *self._settable):
            value = getattr(record, name)
            if value is default or (value == default and type(value) is type(default)):
                continue
            out[name] = shapes[name][0](value) if name in shapes else value
        return out

    def made_of(self, fields: Mapping[str, Any]) -> Any:
        """The record; fields that are not there hold their default."""
        shapes = self._shapes
        values = {name: shapes[name][1](value) if name in shapes else value for name, value in fields.items()}
        record = self._make(**{name: values.pop(name) for name, _ in self._given if name in values})
        for name, value in values.items():
            setattr(record, name, value)
        return record


_NEVER: Final = object()
_TUPLE: Final[tuple[_Convert, _Convert]] = (list, tuple)
_NAMES: Final[tuple[_Convert, _Convert]] = (sorted, frozenset)
_PAIRS: Final[tuple[_Convert, _Convert]] = (
    lambda pairs: [[*pair, value] for pair, value in pairs.items()],
    lambda rows: {(row[0], row[1]): row[2] for row in rows},
)
_TIMERS: Final[tuple[_Convert, _Convert]] = (
    lambda timers: [[*place, timer.due_at, timer.data] for place, timer in timers.items()],
    lambda rows: {(row[0], row[1]): Timer(row[2], row[3]) for row in rows},
)
_LOOPS: Final[tuple[_Convert, _Convert]] = (
    lambda loops: [[id, *state] for id, state in loops.items()],
    lambda rows: {row[0]: LoopState(row[1], row[2]) for row in rows},
)
_EVENT: Final[tuple[_Convert, _Convert]] = (list, lambda row: Event(*row))


def _tuple_codec(kind: Any, **shapes: tuple[_Convert, _Convert]) -> _Codec:
    return _Codec(kind, kind._fields, kind._field_defaults, shapes)


def _body_codec(kind: Any, **shapes: tuple[_Convert, _Convert]) -> _Codec:
    defaults = {}
    for name, spec in kind.__dataclass_fields__.items():
        if spec.default_factory is not spec.default:  # both are dataclasses.MISSING where there is none
            defaults[name] = spec.default_factory() if callable(spec.default_factory) else spec.default
    return _Codec(kind, tuple(kind.__dataclass_fields__), defaults, shapes)


def _object_codec(kind: Any, given: tuple[str, ...], **shapes: tuple[_Convert, _Convert]) -> _Codec:
    """A class whose other slots are set after it was made. Their defaults are those of a new object."""
    new = kind(**dict.fromkeys(given))
    settable = tuple(name for name in kind.__slots__ if name not in given)
    return _Codec(kind, given, {name: getattr(new, name) for name in settable}, shapes, settable)


_CODECS: Final[dict[type, _Codec]] = {
    Customer: _object_codec(
        Customer, ("id", "created_at"), tags=_TUPLE, consents=_PAIRS, segments=_NAMES, timers=_TIMERS
    ),
    Enrollment: _object_codec(
        Enrollment,
        ("id", "customer_id", "journey", "version", "key", "trigger", "entered_at", "entry"),
        loops=_LOOPS,
        sent_ways=_TUPLE,
    ),
    EntryRecord: _tuple_codec(EntryRecord, entered_at=_TUPLE),
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
