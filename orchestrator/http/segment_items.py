"""One item of Segment's tracking API as something for a customer's inbox."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from orchestrator.core.devices import ADD
from orchestrator.core.expression.nearest import did_you_mean
from orchestrator.core.identity import stable_hash
from orchestrator.core.inbox import Grouped, Identified
from orchestrator.core.linking import is_nobody
from orchestrator.core.state import dumps
from orchestrator.http.segment_times import happened_at, read_instant
from orchestrator.http.segment_traits import device_in, traits_of
from orchestrator.runtime.ingest import Incoming, Told, incoming


class ItemRefused(Exception):
    """An item that cannot be taken, with a stable code; the others of its batch go on."""

    def __init__(self, code: str, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(reason)


class Alias(NamedTuple):
    """Two ids that mean one person, as a client says."""

    previous: str
    customer: str
    message_id: str | None = None


class Sending(NamedTuple):
    """What all items of a request share. `now` is their arrival, `sent_at` what the client's clock said; `fit`: every
    text and number of the request can be stored."""

    now: datetime
    sent_at: datetime | None = None
    context: Mapping[str, Any] = {}
    stages: frozenset[str] = frozenset()
    fit: bool = False
    never: frozenset[str] = frozenset()
    """Values that are nobody's id, beside those that never are."""


def sending_of(
    body: Any,
    now: datetime,
    stages: frozenset[str] = frozenset(),
    fit: bool = False,
    never: frozenset[str] = frozenset(),
) -> Sending:
    """From a request's body. A `sentAt` that cannot be read corrects nothing."""
    if not isinstance(body, dict):
        return Sending(now, stages=stages, fit=fit, never=never)
    context = body.get("context")
    return Sending(now, _sent_at(body.get("sentAt")), context if isinstance(context, dict) else {}, stages, fit, never)


def read_item(item: Any, kind: str | None, sending: Sending) -> Incoming | Told | Alias:
    """The item. `kind` None: a batch's, which names its own. Raises ItemRefused."""
    if not isinstance(item, dict):
        raise ItemRefused("no_object", f"the item is {_kind(item)}; expected an object")
    kind = kind or item.get("type")
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        found = f"the type is {ascii(kind)[:60]}" if kind is not None else "the item has no type"
        hint = did_you_mean(kind, _READERS) if isinstance(kind, str) and len(kind) < 60 else None
        raise ItemRefused("unknown_type", f"{found}; {hint or 'possible is ' + ', '.join(_READERS)}")
    return reader(item, sending)


def device_told(item: Mapping[str, Any], read: Incoming, sending: Sending) -> Told | None:
    """The push token that came along with an event, as something for the profile; None, as nearly always: none did.

    Its id is made from customer and token: a phone names its token in every call, and says something new once.
    """
    context = item.get("context") if "context" in item else sending.context
    if type(context) is not dict or "device" not in context:
        return None
    device = device_in(context)
    if device is None:
        return None
    id = f"d-{stable_hash(read.customer, device.kind, device.token, device.app or ''):016x}"
    return Told(read.customer, Identified({ADD: device.as_data()}), id)


def _track(item: dict[str, Any], sending: Sending) -> Incoming:
    name = item.get("event")
    if type(name) is not str or not name:
        raise ItemRefused("no_event", "a track needs the event's name under 'event', as text")
    return _occurred(item, sending, name, _object(item, "properties"))


def _page(item: dict[str, Any], sending: Sending) -> Incoming:
    return _occurred(item, sending, "page_viewed", _viewed(item, sending, "page"))


def _screen(item: dict[str, Any], sending: Sending) -> Incoming:
    return _occurred(item, sending, "screen_viewed", _viewed(item, sending, "screen"))


def _viewed(item: dict[str, Any], sending: Sending, place: str) -> dict[str, Any]:
    """The properties, what the browser says about the page, and the item's own name and category."""
    about = _context(item, sending).get(place)
    about = about if isinstance(about, dict) else {}
    named = {name: item[name] for name in ("name", "category") if item.get(name) is not None}
    kept = {name: about[name] for name in _PAGE if about.get(name) is not None}
    return {**kept, **_object(item, "properties"), **named}


def _identify(item: dict[str, Any], sending: Sending) -> Told:
    try:
        traits = traits_of(item, _context(item, sending), sending.now)
    except ValueError as error:
        raise ItemRefused("bad_traits", str(error)) from None
    stage = traits.get("stage")
    if stage is not None and not (isinstance(stage, str) and stage in sending.stages):
        known = ", ".join(sorted(sending.stages)) or "none"
        raise ItemRefused("unknown_stage", f"the trait 'stage' names no stage of project.yaml; there is {known}")
    return Told(_customer(item, sending), Identified(traits), _message_id(item, "identify"), sending.fit)


def _group(item: dict[str, Any], sending: Sending) -> Told:
    group = _text(item, "groupId")
    if group is None:
        raise ItemRefused("no_group", "a group needs the group's id under 'groupId'")
    body = Grouped(group, _object(item, "traits"))
    return Told(_customer(item, sending), body, _message_id(item, "group"), sending.fit)


def _alias(item: dict[str, Any], sending: Sending) -> Alias:
    previous, customer = _text(item, "previousId"), _text(item, "userId")
    if previous is None or customer is None:
        raise ItemRefused("no_customer", "an alias needs two ids, 'previousId' and 'userId'")
    if is_nobody(customer, sending.never):  # everybody whose client knows of no id would become one person
        raise ItemRefused("no_customer", f"{customer[:60]!a} is nobody's id, but what clients send that know of none")
    return Alias(previous, customer, _message_id(item, "alias"))


_READERS: Final[dict[str, Callable[[dict[str, Any], Sending], Incoming | Told | Alias]]] = {
    "identify": _identify,
    "track": _track,
    "page": _page,
    "screen": _screen,
    "group": _group,
    "alias": _alias,
}
KINDS: Final = tuple(_READERS)
"""The types of items, each of which has an address of its own as well."""
_PAGE: Final = ("url", "path", "title", "referrer", "search")


def _occurred(item: dict[str, Any], sending: Sending, name: str, properties: dict[str, Any]) -> Incoming:
    at = None
    given = item.get("originalTimestamp") or item.get("timestamp")
    if given is not None:
        try:
            own = read_instant(given)
        except ValueError as error:
            raise ItemRefused("bad_timestamp", f"the timestamp: {error}") from None
        sent_at = sending.sent_at
        if item.get("sentAt") is not None:
            sent_at = _sent_at(item["sentAt"]) or sent_at
        at = happened_at(own, sent_at, sending.now)
    return incoming((_customer(item, sending), name, properties, at, _message_id(item, name), sending.fit))


def _sent_at(given: Any) -> datetime | None:
    if given is None:
        return None
    try:
        return read_instant(given)
    except ValueError:
        return None


def _customer(item: dict[str, Any], sending: Sending) -> str:
    found = _text(item, "userId")
    if found is not None and not is_nobody(found, sending.never):
        return found
    anonymous = _text(item, "anonymousId")
    if anonymous is not None and not is_nobody(anonymous, sending.never):
        return anonymous
    given = found or anonymous
    if given is None:
        raise ItemRefused("no_customer", "the item has neither a userId nor an anonymousId")
    raise ItemRefused("no_customer", f"{given[:60]!a} is nobody's id, but what clients send that know of none")


def anonymous_id(item: Mapping[str, Any], read: Incoming | Told) -> str | None:
    """The anonymous id of an item, if it is one (of somebody whose user id stands beside it, or stands alone)."""
    given = item.get("anonymousId")
    if given is None or given == "":
        return None
    return str(given) if type(given) in (str, int) else None


def _message_id(item: dict[str, Any], name: str) -> str | None:
    """The client's id, else one from what it sent together with its own timestamp, which is the same at a retry.

    Without either the same content twice is two items: somebody who looks at one page twice.
    """
    given = _text(item, "messageId")
    if given is not None:
        return given
    if item.get("originalTimestamp") is None and item.get("timestamp") is None:
        return None
    content = {key: item[key] for key in sorted(item) if key not in _OF_ONE_TRY}
    return f"c-{stable_hash(name, dumps(content)):016x}"


_OF_ONE_TRY: Final = frozenset({"sentAt", "receivedAt", "writeKey", "context", "integrations", "_metadata"})


def _text(item: dict[str, Any], name: str) -> str | None:
    """An id as text; whole numbers are what some clients send."""
    value = item.get(name)
    if type(value) is str:
        return value if value and not value.isspace() else None
    if value is None:
        return None
    if type(value) is int:
        return str(value)
    raise ItemRefused("bad_id", f"{name} is {_kind(value)}; expected text")


def _object(item: dict[str, Any], name: str) -> dict[str, Any]:
    value = item.get(name)
    if value is None:
        return {}
    if type(value) is dict:
        return value
    raise ItemRefused(f"bad_{name}", f"{name} is {_kind(value)}; expected an object")


def _context(item: dict[str, Any], sending: Sending) -> Mapping[str, Any]:
    own = item.get("context")
    if not isinstance(own, dict):
        return sending.context
    return {**sending.context, **own} if sending.context else own


def _kind(value: Any) -> str:
    words = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return words.get(type(value), "a number")
