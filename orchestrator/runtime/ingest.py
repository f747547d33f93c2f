"""`ingest_once`: what arrives is checked, given an id, and put into the inbox in one transaction."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Iterable, Mapping, NamedTuple

from orchestrator.core.identity import stable_hash
from orchestrator.core.inbox import Body, Event, Identified, Occurred
from orchestrator.core.project import Project
from orchestrator.core.transition import jsonable
from orchestrator.stores.protocol import Arrival, Store



class Incoming(NamedTuple):
    """An event as it comes in. `at` None: at its arrival. `message_id` None: made from the content."""

    customer: str
    name: str
    properties: Mapping[str, Any]
    at: datetime | None = None
    message_id: str | None = None


class IngestCounts(NamedTuple):
    """What one pass did. `refused` says why items were not taken: (position, reason); `violations` counts properties
    that the tracking plan does not know, and required ones that were missing, as (event, property)."""

    accepted: int = 0
    duplicates: int = 0
    conflicts: tuple[str, ...] = ()
    refused: tuple[tuple[int, str], ...] = ()
    violations: tuple[tuple[str, str], ...] = ()


def ingest_once(store: Store, items: Iterable[Incoming | tuple[str, Body]], now: datetime) -> IngestCounts:
    """Take items that arrived at `now`; those that cannot be kept are refused one by one, the others are taken."""
    arrivals: list[Arrival] = []
    refused: list[tuple[int, str]] = []
    violations: list[tuple[str, str]] = []
    for position, item in enumerate(items):
        if isinstance(item, Incoming):
            arrival = _event(store.index.project, item, now, violations)
            if isinstance(arrival, str):
                refused.append((position, arrival))
            else:
                arrivals.append(arrival)
        else:
            customer, body = item
            why = _unstorable(customer, body.traits if isinstance(body, Identified) else {})
            if why is not None:
                refused.append((position, why))
            else:
                arrivals.append(Arrival(customer, now, body))
    done = store.ingest(arrivals)
    return IngestCounts(done.accepted, done.duplicates, done.conflicts, tuple(refused), tuple(violations))


def _event(project: Project, item: Incoming, now: datetime, violations: list[tuple[str, str]]) -> Arrival | str:
    properties = item.properties
    spec = project.events.get(item.name)
    policy = project.settings.unknown_properties
    if spec is not None:
        unknown = [name for name in properties if name not in spec.properties]
        missing = [name for name in spec.required if properties.get(name) is None]
        violations.extend((item.name, name) for name in (*unknown, *missing))
        if unknown and policy == "reject":
            return f"the property '{unknown[0]}' of {item.name} is not declared in schema.yaml"
        if unknown and policy == "drop":
            properties = {name: value for name, value in properties.items() if name in spec.properties}
    why = _unstorable(item.customer, properties) or _unstorable(item.name, {})
    if why is not None:
        return why
    at = now if item.at is None or item.at > now else item.at
    message_id = item.message_id or content_id(item.customer, item.name, at, properties)
    return Arrival(item.customer, now, Occurred(Event(item.name, at, properties, message_id)), message_id)


def content_id(customer: str, name: str, at: datetime, properties: Mapping[str, Any]) -> str:
    """An id made from the content: the same event sent twice without an id is one event."""
    content = json.dumps(jsonable(dict(properties)), sort_keys=True, ensure_ascii=False, default=str)
    return f"c-{stable_hash(customer, name, at.isoformat(), content):016x}"


def _unstorable(text: str, values: Mapping[str, Any]) -> str | None:
    """Why the database could not keep this, None if it can: a NUL, a lone surrogate, an empty id, too much."""
    if not text or len(text) > 512:
        return "an id or name must have 1 to 512 characters"
    for piece in (text, *_texts(values, 0)):
        if "\x00" in piece:
            return "text holds U+0000, which databases cannot store; remove it"
        if not piece.isascii() and any("\ud800" <= character <= "\udfff" for character in piece):
            return "text holds a lone surrogate (half of a character); send valid Unicode"
    return None


def _texts(value: Any, depth: int) -> Iterable[str]:
    if depth > 32:
        return
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield str(name)
            yield from _texts(inner, depth + 1)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _texts(inner, depth + 1)
