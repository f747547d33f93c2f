"""Who may send events (the write key, as Basic user name or in the body), and who may ask for more (an API key)."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Collection
from hmac import compare_digest
from typing import Any

from orchestrator.http.problems import HttpRefusal


def check_key(allowed: Collection[str], authorization: str | None, body: Any) -> None:
    """Nothing, when one of the request's keys is allowed, or no key is configured. Raises HttpRefusal (401)."""
    if not allowed:
        return
    given = [key for key in (_basic_user(authorization), _in_body(body)) if key]
    if not any(_is(key, one) for key in given for one in allowed):
        found = "this write key is not known here" if given else "there is no write key"
        detail = f"{found}; send it as the user name of Basic authorization, or as writeKey in the body"
        raise HttpRefusal(401, "unknown_write_key", detail, {"WWW-Authenticate": 'Basic realm="write key"'})


def check_api_key(api_keys: Collection[str], write_keys: Collection[str], authorization: str | None) -> None:
    """Nothing, when the request brings an API key as Bearer token or as Basic user name, or no key of either kind is
    configured, as on the own machine only. Raises HttpRefusal (401, 403).

    A write key is not enough: it stands in the source of every page that sends events.
    """
    if not api_keys and not write_keys:
        return
    if not api_keys:
        detail = "no API key is configured here; set ORCHESTRATOR_API_KEYS (a write key is no secret, and not enough)"
        raise HttpRefusal(403, "no_api_key", detail)
    scheme, _, value = (authorization or "").partition(" ")
    given = value.strip() if scheme.lower() == "bearer" else _basic_user(authorization)
    if not any(_is(given or "", one) for one in api_keys):
        found = "this API key is not known here" if given else "there is no API key"
        detail = f"{found}; send it as `Authorization: Bearer KEY`"
        raise HttpRefusal(401, "unknown_api_key", detail, {"WWW-Authenticate": 'Bearer realm="API key"'})


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
