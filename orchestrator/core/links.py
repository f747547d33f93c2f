"""Signed links: what stands in a message so that its reader can unsubscribe, answer a survey, or view it in a browser.

A link holds a purpose, an id and a signature (HMAC-SHA256, 128 bits of it) over both, so that a token of one purpose is
worth nothing for another.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from hmac import compare_digest, digest


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
    mac = digest(secret, f"{purpose}\x1f{id}".encode("utf-8", "surrogatepass"), "sha256")
    return urlsafe_b64encode(mac[:16])[:22].decode()  # without the padding
