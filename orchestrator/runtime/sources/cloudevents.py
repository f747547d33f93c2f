"""CloudEvents 1.0, HTTP protocol binding: structured, binary and batched content, in JSON.

`subject` is the customer (else `userId` or `anonymousId` in the data), `type` the event's name, `source` with `id` its
message id, as the specification wants it, `time` when it happened. The data are the event's properties.
"""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import unquote

from orchestrator.core.identity import stable_hash
from orchestrator.runtime.ingest import Incoming
from orchestrator.runtime.sources.options import SourceUrl
from orchestrator.runtime.sources.protocol import Came, Parse, Read, SourceRefused
from orchestrator.runtime.sources.values import instant, mapping, text

OPTIONS: Final = ("strip",)
STRUCTURED: Final = "application/cloudevents+json"
BATCHED: Final = "application/cloudevents-batch+json"
REQUIRED: Final = ("specversion", "id", "source", "type")
MOST: Final = 1_000
"""Events of one batch."""
_CUSTOMER: Final = ("userId", "user_id", "customer_id", "anonymousId")


class CloudEvents:
    """A sender of CloudEvents, which has no signature: it brings the source's secret as a token."""

    def __init__(self, url: SourceUrl) -> None:
        self.name = url.name
        self._url = url
        self._strip = url.options.get("strip", "")

    def verify(self, came: Came) -> None:
        """See Source. The secret comes as Bearer token, or as a Basic password or user name."""
        given = token_of(came.headers.get("authorization", ""))
        same = [
            hmac.compare_digest(one.encode("utf-8", "surrogatepass"), known.encode())
            for one in given
            for known in self._url.secrets
        ]
        if not any(same):
            raise SourceRefused(401, "bad_token", "the token is not the source's")

    def read(self, came: Came, parse: Parse, now: datetime) -> Read:
        """See Source."""
        kind = came.headers.get("content-type", "").partition(";")[0].strip().lower()
        if "ce-specversion" in came.headers:
            events: list[Any] = [_binary(came, parse, kind)]
        else:
            said = parse(came.body)
            events = said if isinstance(said, list) else [said]
            if kind == BATCHED and not isinstance(said, list):
                raise SourceRefused(400, "no_batch", "a batch of CloudEvents is a list")
        if len(events) > MOST:
            raise SourceRefused(400, "too_many", f"a batch may have {MOST:,} events")
        items, left = [], []
        for place, event in enumerate(events):
            try:
                items.append(event_of(event, self._url.prefix, self._strip, parse))
            except SourceRefused as error:
                if len(events) == 1:
                    raise
                left.append((error.code, f"event {place}: {error.reason}"))
        return Read(tuple(items), left=tuple(left))


def is_cloudevent(value: Any) -> bool:
    """Whether a JSON value is a CloudEvent in structured form."""
    return isinstance(value, dict) and all(isinstance(value.get(name), str) for name in REQUIRED)


def event_of(event: Any, prefix: str, strip: str, parse: Parse) -> Incoming:
    """An event from its attributes and data. `prefix` stands before the customer's id, `strip` is left out at the
    front of the type. Raises SourceRefused (400)."""
    if not isinstance(event, dict):
        raise SourceRefused(400, "no_object", "a CloudEvent is an object")
    for name in REQUIRED:
        if not isinstance(event.get(name), str) or not event[name]:
            raise SourceRefused(400, "no_cloudevent", f"the attribute '{name}' is missing, or no text")
    if event["specversion"] != "1.0":
        raise SourceRefused(400, "unknown_version", f"specversion is '{event['specversion'][:20]}'; expected 1.0")
    data = _data(event, parse)
    who = text(event.get("subject")) or next((id for name in _CUSTOMER if (id := text(data.get(name)))), None)
    if who is None:
        raise SourceRefused(400, "no_customer", "there is neither a subject nor a userId in the data")
    at = None
    if event.get("time") is not None:
        at = instant(event["time"], utc=True)
        if at is None:
            raise SourceRefused(400, "bad_timestamp", "the time is no RFC 3339 instant")
    name = event["type"]
    name = name[len(strip) :] if strip and name.startswith(strip) and len(name) > len(strip) else name
    id = f"ce:{event['source']}:{event['id']}"
    id = id if len(id) <= 500 else f"ce:{stable_hash(event['source'], event['id']):016x}"
    return Incoming(f"{prefix}{who}", name, data, at, id)


def _data(event: Mapping[str, Any], parse: Parse) -> dict[str, Any]:
    if "data_base64" in event:
        encoded = event["data_base64"]
        try:
            found = parse(b64decode(encoded, validate=True)) if isinstance(encoded, str) else None
        except (binascii.Error, ValueError):
            raise SourceRefused(400, "bad_data", "data_base64 is no base64") from None
    else:
        found = event.get("data")
    if found is None:
        return {}
    return dict(mapping(found)) if isinstance(found, dict) else {"value": found}


def _binary(came: Came, parse: Parse, kind: str) -> dict[str, Any]:
    """Attributes in `ce-` headers, percent-encoded, and the data alone in the body."""
    event: dict[str, Any] = {name[3:]: unquote(value) for name, value in came.headers.items() if name.startswith("ce-")}
    if came.body:
        if kind and not (kind == "application/json" or kind.endswith("+json")):
            raise SourceRefused(400, "no_json", f"the data is {kind[:60]}; expected application/json")
        event["data"] = parse(came.body)
    return event


def token_of(authorization: str) -> tuple[str, ...]:
    """What a request brings as a secret."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return (value.strip(),)
    if scheme.lower() != "basic":
        return ()
    try:
        user, _, password = b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return ()
    return tuple(filter(None, (user, password)))
