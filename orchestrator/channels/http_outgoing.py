"""What a call sends: its headers and body, and the signature of a webhook.

Webhooks follow Standard Webhooks (standardwebhooks.com): `webhook-id` is the request's id, the same on every delivery
of it, so that receivers can drop a second copy; `webhook-timestamp` is the REAL time, also where the journey's clock
runs faster, because receivers compare it with theirs; `webhook-signature` covers id, timestamp and body.
"""

from __future__ import annotations

import hmac
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import orchestrator
from orchestrator.channels.http_failure import CallFailed
from orchestrator.channels.net_rules import Target
from orchestrator.core.ledger import Request
from orchestrator.core.transition import jsonable
from orchestrator.errors import UsageError

LARGEST_BODY: Final = 1024 * 1024
LARGEST_HEADERS: Final = 16 * 1024
SHORTEST_KEY: Final = 24
"""Bytes of a signing key (Standard Webhooks, "Signature scheme")."""

_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TRANSPORT: Final = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "expect", "te", "trailer",
     "accept-encoding", "proxy-authorization", "proxy-connection"}
)  # fmt: skip
_SIGNED: Final = frozenset({"webhook-id", "webhook-timestamp", "webhook-signature"})
_ID_KEPT: Final = "!#$&'()*+,/:;=?@[]~"

Headers = dict[str, str]


class Payload(NamedTuple):
    """What is sent to the first host: headers of the step and the lane, by lower-case name, and the body."""

    headers: Headers
    body: bytes | None


class Signer:
    """Signs webhooks with one key, or with several separated by blanks while one replaces another.

    Raises UsageError for what is no key.
    """

    def __init__(self, secret: str) -> None:
        self._keys = [_key(written) for written in secret.split()]
        if not self._keys:
            raise _no_key()

    def headers(self, request_id: str, at: datetime, body: bytes) -> Headers:
        """The three headers. `at` is real and aware."""
        seconds = str(int(at.timestamp()))
        signed = f"{request_id}.{seconds}.".encode() + body
        signatures = [b64encode(hmac.digest(key, signed, "sha256")).decode("ascii") for key in self._keys]
        return {
            "webhook-id": request_id,
            "webhook-timestamp": seconds,
            "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
        }


def _key(written: str) -> bytes:
    text = written.removeprefix("whsec_")
    try:
        key = b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        raise _no_key() from None
    if len(key) < SHORTEST_KEY:
        raise _no_key()
    return key


def _no_key() -> UsageError:
    return UsageError(
        f"the key that signs webhooks cannot be used; give 'whsec_' and the base64 of {SHORTEST_KEY} random bytes or "
        "more, such as printed by: echo whsec_$(head -c 32 /dev/urandom | base64)",
        "bad_setting",
    )


def payload_of(request: Request, signer: Signer | None, at: datetime) -> Payload:
    """What to send. Raises CallFailed (bad_request, too_large)."""
    headers = _own_headers(request.headers)
    body, kind = _body_of(request.body)
    if body is not None and len(body) > LARGEST_BODY:
        raise CallFailed("too_large", f"the body has {len(body)} bytes; at most {LARGEST_BODY} are sent")
    headers.setdefault("accept", "application/json, text/*;q=0.9, */*;q=0.1")
    headers.setdefault("user-agent", f"orchestrator/{orchestrator.__version__}")
    if kind is not None:
        headers.setdefault("content-type", kind)
    if request.kind == "webhook":
        request_id = quote(request.id, safe=_ID_KEPT)
        headers.setdefault("idempotency-key", request_id)
        if signer is not None:
            headers.update(signer.headers(request_id, at, body or b""))
    return Payload(headers, body)


def wire_headers(target: Target, headers: Mapping[str, str], body: bytes | None, method: str) -> list[tuple[str, str]]:
    """The headers of one exchange, with those of the transport."""
    transport = [("host", target.host_header), ("connection", "close"), ("accept-encoding", "gzip, deflate")]
    if body is not None or method in ("POST", "PUT", "PATCH"):
        transport.append(("content-length", str(len(body or b""))))
    return [*transport, *headers.items()]


def _own_headers(given: Mapping[str, str]) -> Headers:
    out: Headers = {}
    for written, value in given.items():
        name = written.lower()
        if not _NAME.fullmatch(written.encode("utf-8", "replace")):
            raise CallFailed("bad_request", f"'{written}' is no name of a header")
        if name in _TRANSPORT:
            raise CallFailed("bad_request", f"the header '{written}' is the transport's own; leave it out of the step")
        if any((c < " " and c != "\t") or c == "\x7f" or "\ud800" <= c <= "\udfff" for c in value):
            raise CallFailed("bad_request", f"the value of the header '{written}' holds a control character")
        if name not in _SIGNED:
            out[name] = value.strip()
    if sum(len(name) + len(value.encode()) for name, value in out.items()) > LARGEST_HEADERS:
        raise CallFailed("too_large", f"the headers are longer than {LARGEST_HEADERS} bytes together")
    return out


def _body_of(body: Any) -> tuple[bytes | None, str | None]:
    """(bytes, content type): a text as it is, everything else as JSON, with instants and dates in ISO 8601."""
    if body is None:
        return None, None
    try:
        if isinstance(body, str):
            return body.encode("utf-8"), "text/plain; charset=utf-8"
        text = json.dumps(jsonable(body), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode("utf-8"), "application/json"
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise CallFailed("bad_request", f"the body cannot be sent as JSON ({error})") from None
