"""State as JSON and back, for stores and exports: every type of a value survives the round trip.

Plain JSON stays as it is. What JSON has no word for is an object of one key: `{"$t": instant}`, `{"$d": date}`,
`{"$s": microseconds}` for a span, `{"$f": "nan"}` for a number that is none. A key of somebody's data that begins with
`$` gets a second one, so that no data can pass for one of these. Fields that hold their default are left out, so that
old rows can be read after a field was added.

`dumps` and `loads` are for values; `to_json` and `from_json` for records that are seldom read or written: those of
every turn stand in rows of their own, see orchestrator.stores.records. Most values hold none of the above, and are then
written and read by the C code of the json module alone.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from json import encoder
from operator import attrgetter
from typing import Any, Final, TypeVar

from orchestrator.core.inbox import (
    AttributeMoved,
    Body,
    CatalogChanged,
    Classed,
    ConsentChanged,
    Deployed,
    EnrollmentRequested,
    Event,
    Grouped,
    HistoryLaid,
    Identified,
    JourneyOperated,
    ListChanged,
    Occurred,
    Receipt,
    RedemptionRequested,
    RedemptionRolledBack,
    Replied,
    RowUploaded,
    ScheduleFired,
    ScoreMoved,
    SurveyAnswered,
    TaskClosed,
)
from orchestrator.core.ledger import Coupon, Request, Task

Record = TypeVar("Record")

# --- values -----------------------------------------------------------------------------------------------------------

_MICROSECOND: Final = timedelta(microseconds=1)


def dumps(value: Any) -> str:
    """A value as JSON text without spaces. Raises TypeError for what is no data (a set, an object)."""
    tags = 0

    def odd(of: Any) -> Any:  # what stands for a value that JSON has no word for
        nonlocal tags
        if type(of) is datetime and of.tzinfo is UTC:
            tags += 1
            return _utc_tag(of)
        if isinstance(of, Mapping):
            return dict(of)
        tags += 1
        return _tagged(of)

    try:
        text = "".join(_encoder(odd)(value, 0))
    except ValueError:  # a number that is none
        return _written(value)
    # Any `"$` that is no tag is a text or a key that begins so; a key has to be told from a tag.
    return text if '"$' not in text or text.count('"$') == tags else _written(value)


def data_text(value: Any) -> str:
    """As `dumps`, in half the time, for what hardly ever holds a value that JSON cannot say: it arrived as JSON."""
    try:
        text = "".join(_plain(value, 0))
    except (_Odd, ValueError):
        return dumps(value)
    return dumps(value) if '"$' in text else text


class _Odd(Exception):
    """There is a value that JSON has no word for."""


def _refuse(of: Any) -> Any:
    raise _Odd


def loads(text: str) -> Any:
    """The value that was written. Raises ValueError for text that `dumps` did not write."""
    if '"$' in text:
        return json.loads(text, object_hook=_untagged)
    try:
        value, end = _scanned(text, 0)
    except StopIteration:
        return json.loads(text)  # which says what is wrong with it
    return value if end == len(text) else json.loads(text)


@lru_cache(maxsize=1_024)
def _utc_tag(at: datetime) -> dict[str, str]:
    """The tag of an instant in UTC: decisions of one turn name few of them. (Those of other zones may be equal and not
    the same, in the hour that a clock shows twice.)"""
    return {"$t": at.isoformat()}


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


_plain: Final = _encoder(_refuse)
_scanned: Final[Callable[[str, int], tuple[Any, int]]] = json.JSONDecoder().scan_once  # type: ignore[attr-defined]


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
    ) -> None:
        self._make = make
        self._names = fields
        instants = {name: _INSTANT for name in fields if name == "not_after" or _AT.search(name)}
        shaped = {**instants, **shapes}
        self._values = attrgetter(*fields, fields[0])  # one twice: a single one comes without a tuple
        self._defaults = tuple(defaults.get(name, _NEVER) for name in fields)
        told_by_value = zip(fields, self._defaults)
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
        return self._make(**fields)


class _TupleCodec(_Codec):
    """Of a tuple with names, which takes its values in their order."""

    def __init__(self, kind: Any) -> None:
        super().__init__(kind._make, kind._fields, kind._field_defaults, {})
        self._blank = dict(zip(self._names, self._defaults))

    def filled(self, fields: dict[str, Any]) -> Any:
        """The record of these values. Raises ValueError where one is missing that has no default."""
        values = {**self._blank, **fields}.values()
        if _NEVER in values:
            raise ValueError(f"a field is missing: {sorted(self._blank.keys() - fields.keys())}")
        return self._make(values)


def _text_of(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None


def _instant_of(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text is not None else None


_NEVER: Final = object()
_ONLY: Final = (None, False, True, (), _NEVER)
"""Defaults of which there is only one, so that identity tells."""
_AT: Final = re.compile(r"(^|_)at$")
_INSTANT: Final[_Shape] = (_text_of, _instant_of)
_NAMES: Final[_Shape] = (sorted, frozenset)
_EVENT: Final[_Shape] = (
    lambda event: [event.name, event.at.isoformat(), event.properties, event.id],
    lambda row: Event(row[0], datetime.fromisoformat(row[1]), row[2], row[3]),
)
_EVENTS: Final[_Shape] = (lambda events: list(map(_EVENT[0], events)), lambda rows: tuple(map(_EVENT[1], rows)))


def _body_codec(kind: Any, **shapes: _Shape) -> _Codec:
    defaults = {}
    for name, spec in kind.__dataclass_fields__.items():
        if spec.default_factory is not spec.default:  # both are dataclasses.MISSING where there is none
            defaults[name] = spec.default_factory() if callable(spec.default_factory) else spec.default
    return _Codec(kind, tuple(kind.__dataclass_fields__), defaults, shapes)


_CODECS: Final[dict[type, _Codec]] = {
    Coupon: _TupleCodec(Coupon),
    Task: _TupleCodec(Task),
    Request: _TupleCodec(Request),
    Occurred: _body_codec(Occurred, event=_EVENT),
    Identified: _body_codec(Identified),
    ConsentChanged: _body_codec(ConsentChanged),
    Receipt: _body_codec(Receipt),
    Replied: _body_codec(Replied),
    TaskClosed: _body_codec(TaskClosed),
    SurveyAnswered: _body_codec(SurveyAnswered),
    RedemptionRequested: _body_codec(RedemptionRequested),
    RedemptionRolledBack: _body_codec(RedemptionRolledBack),
    EnrollmentRequested: _body_codec(EnrollmentRequested),
    AttributeMoved: _body_codec(AttributeMoved),
    ScoreMoved: _body_codec(ScoreMoved),
    HistoryLaid: _body_codec(HistoryLaid, events=_EVENTS),
    Classed: _body_codec(Classed),
    Grouped: _body_codec(Grouped),
    JourneyOperated: _body_codec(JourneyOperated),
    Deployed: _body_codec(Deployed, new_journeys=_NAMES),
    ScheduleFired: _body_codec(ScheduleFired),
    ListChanged: _body_codec(ListChanged),
    RowUploaded: _body_codec(RowUploaded),
    CatalogChanged: _body_codec(CatalogChanged),
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
    RedemptionRolledBack: "redemption_rolled_back",
    EnrollmentRequested: "enrollment_requested",
    AttributeMoved: "attribute_moved",
    ScoreMoved: "score_moved",
    HistoryLaid: "history_laid",
    Classed: "classed",
    Grouped: "grouped",
    JourneyOperated: "journey_operated",
    Deployed: "deployed",
    ScheduleFired: "schedule_fired",
    ListChanged: "list_changed",
    RowUploaded: "row_uploaded",
    CatalogChanged: "catalog_changed",
}
_BODIES: Final = {name: kind for kind, name in _KINDS.items()}


def _codec_of(kind: type) -> _Codec:
    codec = _CODECS.get(kind)
    if codec is None:
        raise TypeError(f"{kind.__name__} is no record of the engine")
    return codec
