"""Items of Segment's HTTP tracking API, as bytes: what was said is fixed when it is said."""
# ruff: noqa: TID252

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from os import PathLike, fspath
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid4

from .problems import ItemInvalid

LARGEST_ITEM: Final = 32 * 1024
LARGEST_BATCH: Final = 480 * 1000
"""Bytes of a batch's items together; the server takes 500 KB, envelope included."""
LONGEST_ID: Final = 512


class Item(NamedTuple):
    """An item that can be sent: its id, and its JSON in UTF-8 on one line."""

    message_id: str
    data: bytes


def make_item(
    kind: str,
    *,
    user_id: str | int | UUID | None,
    anonymous_id: str | None,
    fields: Mapping[str, Any],
    context: Mapping[str, Any] | None,
    timestamp: datetime | None,
    message_id: str | None,
) -> Item:
    """An item of a kind ("track"). Raises ItemInvalid where it could never be taken."""
    user, nobody = _id(user_id, "user_id"), _id(anonymous_id, "anonymous_id")
    if user is None and nobody is None:
        raise ItemInvalid(f"{kind}() needs a user_id or an anonymous_id")
    at = timestamp if timestamp is not None else datetime.now(UTC)
    if at.tzinfo is None:
        raise ItemInvalid(f"timestamp {at} has no zone; say datetime.now(UTC), or .replace(tzinfo=...)")
    own = _id(message_id, "message_id") or f"py-{uuid4()}"
    item: dict[str, Any] = {"type": kind, "messageId": own, "timestamp": instant_text(at)}
    item |= {name: value for name, value in (("userId", user), ("anonymousId", nobody)) if value is not None}
    item |= {name: value for name, value in fields.items() if value is not None}
    item["context"] = {"library": {"name": "orchestrator-python"}, **(context or {})}
    data = encoded(item)
    if len(data) > LARGEST_ITEM:
        raise ItemInvalid(f"the item has {len(data):,} bytes; it may have {LARGEST_ITEM:,}")
    return Item(own, data)


def batch_body(items: list[bytes], now: datetime) -> bytes:
    """The body of a request with these items."""
    return b'{"batch":[' + b",".join(items) + b'],"sentAt":"' + instant_text(now).encode() + b'"}'


def instant_text(at: datetime) -> str:
    """An instant as RFC 3339 in UTC."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def encoded(value: Any) -> bytes:
    """JSON in UTF-8 on one line. Raises ItemInvalid where something in it is none."""
    try:
        try:
            return _text(value, False).encode()
        except UnicodeEncodeError:  # half of a character: as an escape it can be sent
            return _text(value, True).encode()
    except RecursionError:
        raise ItemInvalid("values are nested too deeply, or contain themselves") from None
    except ItemInvalid:
        raise
    except (TypeError, ValueError) as error:
        raise ItemInvalid(f"this is no JSON: {error}") from None


def _text(value: Any, ascii_only: bool) -> str:
    return json.dumps(value, default=_plain, ensure_ascii=ascii_only, allow_nan=False, separators=(",", ":"))


def _plain(value: Any) -> Any:
    """Values of Python that JSON has no word for."""
    match value:
        case datetime():
            if value.tzinfo is None:
                raise ItemInvalid(f"the instant {value} has no zone; say datetime.now(UTC), or .replace(tzinfo=...)")
            return instant_text(value)
        case date():
            return value.isoformat()
        case Decimal():
            return int(value) if value.is_finite() and value == value.to_integral_value() else float(value)
        case Enum():
            return value.value
        case UUID():
            return str(value)
        case set() | frozenset():
            return sorted(value, key=str)
        case Mapping():
            return dict(value)
        case PathLike():
            return fspath(value)
    raise ItemInvalid(f"a {type(value).__name__} cannot be sent; make it a text, a number, a list or a dict")


def _id(given: Any, name: str) -> str | None:
    if given is None or given == "":
        return None
    if isinstance(given, bool) or not isinstance(given, (str, int, UUID)):
        raise ItemInvalid(f"{name} is a {type(given).__name__}; it should be a text")
    text = str(given)
    if len(text) > LONGEST_ID:
        raise ItemInvalid(f"{name} has {len(text):,} characters; it may have {LONGEST_ID}")
    return text
