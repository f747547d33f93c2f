"""Tokens that prove who we are to Google, Apple and browsers' push services: JWTs signed with a private key (RFC 7519,
RS256 and ES256 of RFC 7518), and access tokens that are kept until they expire."""

from __future__ import annotations

import threading
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic
from typing import Any, Final, NamedTuple, TypeAlias

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    derive_private_key,
)
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from orchestrator.errors import UsageError

PrivateKey: TypeAlias = EllipticCurvePrivateKey | RSAPrivateKey
HAD_WITHIN: Final = 1.0
"""Seconds: whatever takes longer lies between the last check of a message and its hand-over."""
FAILED_FOR: Final = 60.0
"""Seconds for which nobody waits again for what did not come after a while."""
LARGEST_KEY_FILE: Final = 20_000
"""Bytes."""


class Lease(NamedTuple):
    """A token, and the second (of the Unix clock) from which another one is asked for."""

    token: str
    until: float


class TokenLate(Exception):
    """Getting a token took so long that the message has to be checked again before it is handed over."""


class KeptToken:
    """A token that is made anew when its time is over, or when a provider no longer takes it. Safe for several threads:
    one of them asks, the others wait for what it gets, and for a while for no more after it got nothing for long."""

    def __init__(self, make: Callable[[], Lease], clock: Callable[[], float]) -> None:
        self._make = make
        self._clock = clock
        self._lock = threading.Lock()
        self._lease: Lease | None = None
        self._failed: Exception | None = None
        self._failed_until = 0.0

    def get(self) -> str:
        """The token in force. Raises whatever `make` raises, and TokenLate: the next call has it at once."""
        began_at = monotonic()
        with self._lock:
            if self._lease is None or self._clock() >= self._lease.until:
                self._lease = self._made()
            token = self._lease.token
        if (took := monotonic() - began_at) > HAD_WITHIN:
            raise TokenLate(f"the access token took {took:.1f} s")
        return token

    def _made(self) -> Lease:
        began_at = monotonic()
        if self._failed is not None and began_at < self._failed_until:
            raise self._failed.with_traceback(None)
        try:
            lease = self._make()
        except Exception as error:
            slow = monotonic() - began_at > HAD_WITHIN
            self._failed, self._failed_until = (error, monotonic() + FAILED_FOR) if slow else (None, 0.0)
            raise
        self._failed = None
        return lease

    def refused(self, token: str) -> None:
        """The provider did not take this one: the next `get` makes another, unless somebody did meanwhile."""
        with self._lock:
            if self._lease is not None and self._lease.token == token:
                self._lease = None


def signed_jwt(key: PrivateKey, claims: Mapping[str, Any], headers: Mapping[str, Any] | None = None) -> str:
    """A JWT: ES256 with a key on P-256, RS256 with one of RSA."""
    algorithm = "RS256" if isinstance(key, RSAPrivateKey) else "ES256"
    return jwt.encode(dict(claims), key, algorithm=algorithm, headers=dict(headers or {}))


def read_secret_file(base_dir: Path, name: str, what: str) -> str:
    """The text of a file that a channel's address names. Raises UsageError, which shows none of it."""
    path = base_dir / name
    try:
        if path.stat().st_size > LARGEST_KEY_FILE:
            raise UsageError(f"{what}: the file {path} is too large to be one", "bad_setting")
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or "it is no text"
        raise UsageError(f"{what}: the file {path} cannot be read ({said})", "bad_setting") from None


def private_key(text: str, what: str) -> PrivateKey:
    """The key in a PEM text, or in the base64url of its 32 bytes, as tools for VAPID print it. Raises UsageError."""
    text = text.strip()
    try:
        if text.startswith("-----"):
            key = load_pem_private_key(text.encode(), None)
        else:
            raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
            if len(raw) != 32:
                raise ValueError
            key = derive_private_key(int.from_bytes(raw, "big"), SECP256R1())
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise UsageError(f"{what}: no private key can be read (PEM, without a password)", "bad_setting") from None
    if isinstance(key, RSAPrivateKey):
        return key
    if isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1):
        return key
    raise UsageError(f"{what}: the key is neither of RSA nor on the curve P-256", "bad_setting")


def elliptic_key(text: str, what: str) -> EllipticCurvePrivateKey:
    """A key on P-256. Raises UsageError."""
    key = private_key(text, what)
    if not isinstance(key, EllipticCurvePrivateKey):
        raise UsageError(f"{what}: expected a key on the curve P-256, found one of RSA", "bad_setting")
    return key


def unpadded(data: bytes) -> str:
    """Base64url without padding (RFC 7515, section 2)."""
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def padded(text: str) -> bytes:
    """The bytes of base64 or base64url, padded or not. Raises ValueError."""
    text = text.rstrip("=").replace("+", "-").replace("/", "_")
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
