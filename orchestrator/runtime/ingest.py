"""`ingest_once`: what arrives is checked, given an id, and put into the inbox in one transaction."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from functools import partial
from math import isfinite
from typing import Any, NamedTuple

from orchestrator.core.addresses import WECHAT_ATTRIBUTE
from orchestrator.core.consent import choices_in
from orchestrator.core.customer import RESERVED
from orchestrator.core.devices import ATTRIBUTE as DEVICES
from orchestrator.core.devices import DEVICE_TRAITS, trait_fault
from orchestrator.core.identity import stable_hash
from orchestrator.core.inbox import Body, ConsentChanged, Event, Grouped, Identified, Occurred
from orchestrator.core.inbox_feed import ATTRIBUTE as DISMISSED
from orchestrator.core.index import ENTERED_BY_CHANGE
from orchestrator.core.project import Project
from orchestrator.core.tracking_plan import (
    COMPUTED,
    OWN,
    UNKNOWN,
    UNKNOWN_EVENT,
    Violation,
    attribute_faults,
    faults_of,
    is_fit,
)
from orchestrator.core.transition import jsonable
from orchestrator.core.typed_traits import typed
from orchestrator.stores.protocol import Arrival, Store
from orchestrator.stores.protocol_identity import Link

LONGEST_NAME = 512
"""Characters of an id or a name."""
DEEPEST = 32
"""Levels of nesting in what arrives."""


class Incoming(NamedTuple):
    """An event as it comes in. `at` None: at its arrival. `message_id` None: made from the content.

    `fit`: who read it saw that every text and number in it can be stored; only lengths and depths are looked at.
    """

    customer: str
    name: str
    properties: Mapping[str, Any]
    at: datetime | None = None
    message_id: str | None = None
    fit: bool = False


incoming: Callable[[tuple[Any, ...]], Incoming] = partial(tuple.__new__, Incoming)
_arrival: Callable[[tuple[Any, ...]], Arrival] = partial(tuple.__new__, Arrival)
_event_of: Callable[[tuple[Any, ...]], Event] = partial(tuple.__new__, Event)
"""From all fields in their order, without the calls that naming the class takes."""


class Told(NamedTuple):
    """Something other than an event, of a sender who may send it again: `message_id` dedupes. `fit` as of Incoming."""

    customer: str
    body: Body
    message_id: str | None = None
    fit: bool = False


class IngestCounts(NamedTuple):
    """What one pass did. `refused` says why items were not taken: (position, reason); `violations`: what did not fit
    the tracking plan. `shards`: where the accepted ones wait; None: whoever looks has to search."""

    accepted: int = 0
    duplicates: int = 0
    conflicts: tuple[str, ...] = ()
    refused: tuple[tuple[int, str], ...] = ()
    violations: tuple[Violation, ...] = ()
    shards: frozenset[int] | None = None
    erased: int = 0
    """Left out, because they are about somebody who was erased."""


def ingest_once(
    store: Store,
    items: Iterable[Incoming | Told | tuple[str, Body]],
    now: datetime,
    links: Sequence[Link] = (),
    anonymous: Collection[str] = (),
) -> IngestCounts:
    """Take items that arrived at `now`; those that cannot be kept are refused one by one, the others are taken.

    `links` and `anonymous` as of Store.ingest; whoever brings links acts on them with `link_once` afterwards.
    """
    arrivals: list[Arrival] = []
    refused: list[tuple[int, str]] = []
    violations: list[Violation] = []
    project = store.index.project
    for position, item in enumerate(items):
        if isinstance(item, Incoming):
            arrival = _event(project, item, now, violations)
            if isinstance(arrival, str):
                refused.append((position, arrival))
            else:
                arrivals.append(arrival)
        else:
            customer, body, message_id, fit = item if isinstance(item, Told) else Told(*item)
            inside = body.traits if isinstance(body, Identified) else _inside(body)
            names = (customer, customer if message_id is None else message_id)
            why = unstorable((*names, body.group) if isinstance(body, Grouped) else names, inside, fit)
            if why is None and isinstance(body, Identified):
                why = unfit_traits(body.traits)
                if why is None and project.attributes:
                    fitting = _fitting(project, body, violations)
                    why, body = (fitting, body) if isinstance(fitting, str) else (None, fitting)
            if why is not None:
                refused.append((position, why))
                continue
            arrivals.append(Arrival(customer, now, body, message_id))
            outs = _opt_outs(body)
            arrivals.extend(Arrival(customer, now, out, _id_beside(message_id, out)) for out in outs)
    if links:
        links = [link for link in links if unstorable((link.value, link.customer), {}) is None]
    done = store.ingest(arrivals, links, anonymous) if links or anonymous else store.ingest(arrivals)
    told = tuple(refused), tuple(violations)
    return IngestCounts(done.accepted, done.duplicates, done.conflicts, *told, done.shards, done.dropped)


def _id_beside(message_id: str | None, out: ConsentChanged) -> str | None:
    """The id of an opt-out that came with traits: what is sent again after the customer opted in says nothing new."""
    return None if message_id is None else f"o-{stable_hash(message_id, out.topic, out.channel):016x}"


def _inside(body: Body) -> list[Any]:
    return [getattr(body, field.name) for field in fields(body)]


def _event(project: Project, item: Incoming, now: datetime, violations: list[Violation]) -> Arrival | str:
    customer, name, properties, at, message_id, fit = item
    if name in ENTERED_BY_CHANGE:
        return f"the event '{name}' is the engine's own; it is made when a segment or a stage changes"
    spec = project.events.get(name)
    if spec is None:
        if project.events and name not in OWN:
            violations.append(Violation(name, "", UNKNOWN_EVENT))
    elif not is_fit(spec, properties):
        found = faults_of(spec, properties)
        violations += found
        unknown = [fault.property for fault in found if fault.kind == UNKNOWN]
        policy = project.settings.unknown_properties
        if unknown and policy == "reject":
            return f"the property '{unknown[0]}' of {name} is not declared in schema.yaml"
        if unknown and policy == "drop":
            properties = {key: value for key, value in properties.items() if key in spec.properties}
    why = unstorable((customer, name, message_id or name), properties, fit)
    if why is not None:
        return why
    if at is None or at > now:
        at = now
    id = message_id or content_id(customer, name, at, properties)
    return _arrival((customer, now, Occurred(_event_of((name, at, properties, id))), id))


def _fitting(project: Project, body: Identified, violations: list[Violation]) -> Identified | str:
    """Traits as the tracking plan lets them in, or why it does not."""
    traits = typed(project.attributes, body.traits)
    found = attribute_faults(project.attributes, traits, _MEANT)
    if not found:
        return body if traits is body.traits else replace(body, traits=traits)
    violations += found
    policy = project.settings.unknown_properties
    if policy == "reject" and (bad := next((fault for fault in found if fault.kind != COMPUTED), None)) is not None:
        if bad.kind == UNKNOWN:
            return f"the attribute '{bad.property}' is not declared in schema.yaml"
        return f"the attribute '{bad.property}' is not what schema.yaml says of it ({bad.kind})"
    out = {fault.property for fault in found if policy == "drop" or fault.kind == COMPUTED}
    return replace(body, traits={name: value for name, value in traits.items() if name not in out} if out else traits)


def content_id(customer: str, name: str, at: datetime, properties: Mapping[str, Any]) -> str:
    """An id made from the content: the same event sent twice without an id is one event."""
    content = json.dumps(jsonable(dict(properties)), sort_keys=True, ensure_ascii=False, default=str)
    return f"c-{stable_hash(customer, name, at.isoformat(), content):016x}"


def unfit_traits(traits: Mapping[str, Any]) -> str | None:
    """Why traits with a meaning of their own cannot have it; None when they can."""
    for name, value in traits.items():
        if name in _TEXTS and not (value is None or isinstance(value, str)):
            return f"the trait '{name}' is {type(value).__name__}; expected text"
        if name == "created_at" and not (isinstance(value, datetime) and value.tzinfo is not None):
            return "the trait 'created_at' is no instant; expected a date and time with a zone"
        if name == "tags" and not (isinstance(value, (list, tuple)) and all(isinstance(tag, str) for tag in value)):
            return "the trait 'tags' is no list of texts"
        if name == "consents":
            try:
                list(choices_in(traits, silent=False))
            except ValueError as error:
                return f"the trait 'consents' {error}"
        if name in DEVICE_TRAITS and (fault := trait_fault(name, value)) is not None:
            return fault
    return None


_TEXTS = frozenset({*RESERVED, "stage"})
_MEANT = frozenset(
    {*_TEXTS, *DEVICE_TRAITS, DEVICES, DISMISSED, WECHAT_ATTRIBUTE, "created_at", "tags", "consents", "group"}
)
"""Traits that nobody has to declare."""


def _opt_outs(body: Body) -> list[ConsentChanged]:
    """The opt-outs among a customer's traits: as choices of their own, so that they are effective at once."""
    if not isinstance(body, Identified) or body.silent:
        return []
    return [choice for choice in choices_in(body.traits, silent=False) if choice.state == "out"]


def unstorable(names: Sequence[str], values: Any, fit: bool = False) -> str | None:
    """Why the database could not keep this, None if it can: a NUL, a lone surrogate, no number, too long or deep.

    `fit`: only the last two are asked.
    """
    for text in names:
        if not 0 < len(text) <= LONGEST_NAME:
            return f"an id or name must have 1 to {LONGEST_NAME} characters"
    if fit and type(values) is dict and _FLAT.issuperset(map(type, values.values())):
        return None
    if all(map(str.isprintable, names)) and _plain(values):
        return None
    return next((why for text in names if (why := _unfit_text(text)) is not None), None) or _unfit(values, 0)


def _plain(value: Any, levels: int = 3) -> bool:
    """Whether a value needs no closer look, as hardly any does: not deep, with numbers and texts that can be printed.

    Neither U+0000 nor half of a character is printable.
    """
    kind: type = type(value)
    if kind is str:
        return bool(value.isprintable())
    if kind is list:
        return levels > 0 and all(_plain(inner, levels - 1) for inner in value)
    if kind is float:
        return isfinite(value)
    if kind is not dict:
        return kind in _ALWAYS_FIT
    for name, inner in value.items():
        kind = type(inner)
        if type(name) is not str or not name.isprintable():
            return False
        if kind is str:
            if not inner.isprintable():
                return False
        elif kind not in _ALWAYS_FIT and (levels == 0 or not _plain(inner, levels - 1)):
            return False
    return True


_ALWAYS_FIT = frozenset({int, bool, datetime, type(None)})
_FLAT = _ALWAYS_FIT | {str, float}


def _unfit(value: Any, depth: int) -> str | None:
    if value is None or isinstance(value, (bool, int)):
        return None
    if isinstance(value, str):
        return _unfit_text(value)
    if isinstance(value, float):
        return None if isfinite(value) else f"a value is {value}, which is no number; leave it out"
    if depth > DEEPEST:
        return f"values are nested more than {DEEPEST} levels deep"
    inner: Iterable[Any] = ()
    if isinstance(value, Mapping):
        inner = (*value, *value.values())
    elif isinstance(value, (list, tuple, set, frozenset)):
        inner = value
    return next((why for item in inner if (why := _unfit(item, depth + 1)) is not None), None)


def _unfit_text(text: str) -> str | None:
    if "\x00" in text:
        return "text holds U+0000, which databases cannot store; remove it"
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        return "text holds a lone surrogate (half of a character); send valid Unicode"
    return None
