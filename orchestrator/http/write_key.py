"""Who may send events: the write key, as Basic user name or in the body."""

from __future__ import annotations

import binascii
from base64 import b64decode
from hmac import compare_digest
from typing import Any, Final, NamedTuple

from orchestrator.http.api.access import ring_of
from orchestrator.http.problems import HttpRefusal
from orchestrator.http.service import Service


class Writer(NamedTuple):
    """Who sends events. `key`: the id of a key of the table (None: one of the settings, or anybody's); `rate`: events a
    second that it may send; `source`: what its events are counted under."""

    key: str | None = None
    rate: float | None = None
    source: str | None = None


ANYBODY: Final = Writer()


def writer_of(service: Service, authorization: str | None, body: Any) -> Writer:
    """Who sends, when one of the request's keys may send events, or none was ever configured. Raises HttpRefusal (401),
    StoreBusy.

    Keys are those of ORCHESTRATOR_WRITE_KEYS, write keys of the table, and API keys with the scope events:write.
    """
    given = [key for key in (_basic_user(authorization), _in_body(body)) if key]
    allowed, ring = service.write_keys, ring_of(service.store)
    if any(_is(key, one) for key in given for one in allowed):
        return ANYBODY
    real_at = service.real_now()
    for key in given:
        found = ring.find(key, real_at)
        if found is not None and (found.kind == "write" or "events:write" in found.scopes):
            return Writer(found.id, found.rate, found.source)
    if not allowed and not ring.any("write"):
        return ANYBODY
    told = "this write key is not known here (any more)" if given else "there is no write key"
    detail = f"{told}; send it as the user name of Basic authorization, or as writeKey in the body"
    raise HttpRefusal(401, "unknown_write_key", detail, {"WWW-Authenticate": 'Basic realm="write key"'})


def check_rate(service: Service, writer: Writer, events: int) -> None:
    """Raises HttpRefusal (429) where a key sends more than it may."""
    if writer.key is None or writer.rate is None:
        return
    allowance = ring_of(service.store).take(writer.key, writer.rate, max(events, 1), service.real_now())
    if not allowance.allowed:
        detail = f"this key may send {writer.rate:g} events a second; send these again after {allowance.after} s"
        raise HttpRefusal(429, "too_many_events", detail, {"Retry-After": str(allowance.after)})


def given_secret(authorization: str | None) -> str | None:
    """The key of a request, as Bearer token or as Basic user name; None: it brings none."""
    scheme, _, value = (authorization or "").partition(" ")
    return (value.strip() or None) if scheme.lower() == "bearer" else _basic_user(authorization) or None


def _is(given: str, allowed: str) -> bool:
    return compare_digest(given.encode("utf-8", "surrogatepass"), allowed.encode())


def _basic_user(authorization: str | None) -> str | None:
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return b64decode(encoded.strip(), validate=True).decode().partition(":")[0]
    except (binascii.Error, ValueError):
        return None


def _in_body(body: Any) -> str | None:
    key = body.get("writeKey") if isinstance(body, dict) else None
    return key if isinstance(key, str) else None
