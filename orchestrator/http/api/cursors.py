"""Cursors: where a list goes on, as a text that nobody can make or use for another list.

A cursor is bound to its operation, to the filters of the query, and by a signature to this installation. It holds the
values of the last item's key, never an offset, so that a page costs the same however far on it is.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b
from hmac import compare_digest
from typing import Any, Final

from orchestrator.http.problems import HttpRefusal

LONGEST_CURSOR: Final = 4_096
_DIGEST: Final = 16


def cursor_of(secret: bytes, place: str, key: tuple[Any, ...]) -> str:
    """The cursor behind an item with this key (texts, numbers, null), in the list of a place."""
    said = json.dumps(key, separators=(",", ":")).encode()
    return urlsafe_b64encode(_signed(secret, place, said) + said).decode().rstrip("=")


def key_of(secret: bytes, place: str, cursor: str, types: tuple[type, ...] | None = None) -> tuple[Any, ...]:
    """The key behind a cursor. Raises HttpRefusal (400) for one that is not of this list."""
    try:
        if len(cursor) > LONGEST_CURSOR:
            raise ValueError
        data = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        signature, said = data[:_DIGEST], data[_DIGEST:]
        if not compare_digest(signature, _signed(secret, place, said)):
            raise ValueError
        return tuple(json.loads(said))
    except (ValueError, UnicodeEncodeError):
        detail = "this cursor is not of this list with these filters; begin again without one"
        raise HttpRefusal(400, "bad_cursor", detail) from None


def _signed(secret: bytes, place: str, said: bytes) -> bytes:
    key = blake2b(b"api cursor\n" + secret, digest_size=32).digest()
    return blake2b(place.encode("utf-8", "backslashreplace") + b"\n" + said, digest_size=_DIGEST, key=key).digest()
