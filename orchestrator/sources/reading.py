"""What a record says: JSON in Segment's shape, a CloudEvent, or whatever shape a mapping file knows."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from math import isinf
from typing import Any, Final, NamedTuple, NoReturn

from orchestrator.definitions.mapping import TableMapping
from orchestrator.definitions.mapping_rows import RowMapper, RowUnusable
from orchestrator.runtime.ingest import Incoming, Told
from orchestrator.runtime.sources.cloudevents import event_of, is_cloudevent
from orchestrator.runtime.sources.protocol import SourceRefused
from orchestrator.sources.protocol import Record
from orchestrator.stores.protocol_identity import Link

LARGEST: Final = 1024 * 1024
"""Bytes of a record."""
Items = Sequence[Incoming | Told]
Left = Sequence[tuple[str, str]]
SegmentReader = Callable[
    [Any, datetime, frozenset[str], frozenset[str]], tuple[Items, Left, Sequence[Link], Collection[str]]
]
"""Reads a document in Segment's shape: (document, arrival, names of stages, ids that are nobody's)."""


class Said(NamedTuple):
    """What a record says: items, why some or all of it could not be read, who is who, and who is anonymous."""

    items: Items
    left: Left = ()
    links: Sequence[Link] = ()
    anonymous: Collection[str] = ()


class Reader:
    """Reads records of one stream. Every item gets an id: its own, or else the record's place."""

    def __init__(self, segment: SegmentReader, mapping: TableMapping | None = None, prefix: str = "") -> None:
        self._segment = segment
        self._mapper = RowMapper(mapping) if mapping is not None else None
        self._prefix = prefix

    def read(self, record: Record, now: datetime, stages: frozenset[str], never: frozenset[str] = frozenset()) -> Said:
        """What the record says; `now` is its arrival."""
        try:
            return self._read(record, now, stages, never)
        except SourceRefused as error:
            return Said((), [(error.code, error.reason)])
        except RecursionError:
            return Said((), [("nested_too_deeply", "values are nested too deeply")])

    def _read(self, record: Record, now: datetime, stages: frozenset[str], never: frozenset[str]) -> Said:
        if len(record.value) > LARGEST:
            raise SourceRefused(
                400, "too_large", f"the record has {len(record.value):,} bytes; it may have {LARGEST:,}"
            )
        binary = {name[3:]: value for name, value in record.attributes.items() if name.startswith(("ce_", "ce-"))}
        if "specversion" in binary and self._mapper is None:  # CloudEvents, Kafka binding, binary content
            data = {"data": parsed(record.value)} if record.value else {}
            return Said([event_of({**binary, **data}, self._prefix, "", parsed)])
        document = parsed(record.value)
        if self._mapper is not None:
            return Said(self._mapped(record, document))
        if is_cloudevent(document):
            return Said([event_of(document, self._prefix, "", parsed)])
        items, left, links, anonymous = self._segment(document, now, stages, never)
        return Said([self._with_id(item, record, place) for place, item in enumerate(items)], left, links, anonymous)

    def _with_id(self, item: Incoming | Told, record: Record, place: int) -> Incoming | Told:
        return item if item.message_id is not None else item._replace(message_id=f"{record.id}:{place}")

    def _mapped(self, record: Record, document: Any) -> Items:
        assert self._mapper is not None
        if not isinstance(document, dict):
            raise SourceRefused(400, "no_object", "a record for a mapping is an object")
        try:
            customer, events = self._mapper.map({**document, "n": 0})
        except RowUnusable as error:
            raise SourceRefused(400, "unusable", str(error)) from None
        except KeyError as error:
            raise SourceRefused(400, "unusable", f"the record has no {error}") from None
        items = []
        for place, event in enumerate(events):
            shape = self._mapper.shapes[event.shape]
            properties = dict(zip(shape.names, event.values, strict=True))
            id = event.id if event.id is not None else f"{record.id}:{place}"
            items.append(Incoming(f"{self._prefix}{customer}", shape.name, properties, event.at, id))
        return items


class Poison(NamedTuple):
    """A record that could not be taken, and why."""

    record: Record
    reason: str


def parsed(data: bytes) -> Any:
    """JSON, as strict as over HTTP. Raises SourceRefused."""
    try:
        return json.loads(data.decode("utf-8-sig"), parse_constant=_no_number, parse_float=_finite)
    except UnicodeDecodeError:
        raise SourceRefused(400, "not_utf8", "the record is no UTF-8") from None
    except ValueError as error:
        raise SourceRefused(400, "bad_json", f"the record is no JSON: {error}"[:300]) from None


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


def _finite(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise ValueError(f"the number {text[:40]} is too large")
    return number
