"""Signed links: what stands in a message so that its reader can unsubscribe, answer a survey, or view it in a browser.

A link holds a purpose, an id and a signature (HMAC-SHA256, 128 bits of it) over both, so that a token of one purpose is
worth nothing for another.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from functools import lru_cache
from hashlib import sha256
from hmac import compare_digest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

_BLOCK = 64
"""Bytes of one block of SHA-256."""


def token(secret: bytes, purpose: str, id: str) -> str:
    """The signed token for an id."""
    return f"{id}.{_signature(secret, purpose, id)}"


def opened(secret: bytes, purpose: str, given: str) -> str | None:
    """The id in a token; None when the signature does not fit (compared in constant time)."""
    id, dot, signature = given.rpartition(".")
    if not dot or not signature.isascii():
        return None
    return id if compare_digest(signature, _signature(secret, purpose, id)) else None


def _signature(secret: bytes, purpose: str, id: str) -> str:
    first, second = _halves(secret)
    inner, outer = first.copy(), second.copy()
    inner.update(f"{purpose}\x1f{id}".encode("utf-8", "surrogatepass"))
    outer.update(inner.digest())
    return urlsafe_b64encode(outer.digest()[:16])[:22].decode()  # without the padding


@lru_cache(maxsize=16)
def _halves(secret: bytes) -> tuple[Hash, Hash]:
    """The two hashes of an HMAC (RFC 2104) after the key, which is the same for all links: `hmac` starts anew each
    time, and takes three times as long."""
    key = (secret if len(secret) <= _BLOCK else sha256(secret).digest()).ljust(_BLOCK, b"\0")
    return sha256(bytes(byte ^ 0x36 for byte in key)), sha256(bytes(byte ^ 0x5C for byte in key))
