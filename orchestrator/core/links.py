"""Signed links: what stands in a message so that its reader can unsubscribe, answer a survey, or view it in a browser.

A link holds a purpose, an id and a signature (HMAC-SHA256, 128 bits of it) over both, so that a token of one purpose is
worth nothing for another.

The link to a page that is tracked holds its target, too: it leads there for ever, whatever becomes of the message, and
nowhere else, as the target is signed. In texts, where each character is paid for, it has 11 characters and no target:
`short_token` names the message and the link's number, and what is there is looked up.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as BadBase64
from functools import lru_cache
from hashlib import sha256
from hmac import compare_digest
from typing import TYPE_CHECKING, Final, NamedTuple

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


def click_token(secret: bytes, id: str, target: str) -> str:
    """The signed token of a link to `target` in the message with this id."""
    held = urlsafe_b64encode(f"{id}\x1f{target}".encode("utf-8", "surrogatepass")).decode().rstrip("=")
    return f"{held}.{_signature(secret, 'click', held)}"


def clicked(secret: bytes, given: str) -> tuple[str, str] | None:
    """The message's id and the target in a token; None when the signature does not fit."""
    held = opened(secret, "click", given)
    if held is None:
        return None
    try:
        id, mark, target = urlsafe_b64decode(held + "=" * (-len(held) % 4)).decode("utf-8").partition("\x1f")
    except (BadBase64, ValueError):  # signed by us, and yet not written by `click_token`
        return None
    return (id, target) if mark else None


# --- short links ------------------------------------------------------------------------------------------------------

MOST_SHORT: Final = 16
"""Links of one text that can be short."""
SHORT: Final = 11
"""Characters of a short token: 66 bits."""
PREFIX: Final = 12
"""Digits of the enrollment's id that a short token holds: 48 bits."""
_ROUNDS: Final = 8
_HALF: Final = 33
_MASK: Final = (1 << _HALF) - 1


class Short(NamedTuple):
    """What a short token says: ids of messages that may be meant begin with `prefix`; `fits` tells which one it is."""

    prefix: str
    check: int
    number: int

    def fits(self, id: str) -> bool:
        """Whether the message with this id is meant."""
        return id.startswith(self.prefix) and _check(id) == self.check


def short_token(secret: bytes, id: str, number: int) -> str | None:
    """The token of link `number` (from 0) of a message; None where its id or the number is of another kind.

    12 digits of the enrollment's id, 14 bits of a hash of the message's and the number are shuffled together by a
    cipher (eight Feistel rounds over the secret), so that whoever guesses a token or changes one character of it meets
    a message of ours once in 2^40 times, where there are sixty million links.
    """
    prefix = id[:PREFIX]
    if not 0 <= number < MOST_SHORT or len(id) <= 16 or id[16] != "." or not _is_hex(id[:16]):
        return None
    left, right = divmod((int(prefix, 16) << 18) | (_check(id) << 4) | number, 1 << _HALF)
    for turn in range(_ROUNDS):
        left, right = right, left ^ _round(secret, turn, right)
    return urlsafe_b64encode(((left << _HALF | right) << 6).to_bytes(9, "big")).decode()[:SHORT]


def short_opened(secret: bytes, given: str) -> Short | None:
    """What a token says; None: it is none. One that nobody made says something, too, that fits no message."""
    if len(given) != SHORT or not all(c.isascii() and (c.isalnum() or c in "-_") for c in given):
        return None
    left, right = divmod(int.from_bytes(urlsafe_b64decode(given + "A"), "big") >> 6, 1 << _HALF)
    for turn in reversed(range(_ROUNDS)):
        left, right = right ^ _round(secret, turn, left), left
    value = left << _HALF | right
    return Short(f"{value >> 18:012x}", value >> 4 & 0x3FFF, value & 0xF)


def _is_hex(text: str) -> bool:
    return all(c in "0123456789abcdef" for c in text)


def _check(id: str) -> int:
    return int.from_bytes(sha256(id.encode("utf-8", "surrogatepass")).digest()[:2], "big") & 0x3FFF


def _round(secret: bytes, turn: int, half: int) -> int:
    return int.from_bytes(keyed_digest(secret, b"short\x1f%d\x1f%d" % (turn, half))[:5], "big") & _MASK


def _signature(secret: bytes, purpose: str, id: str) -> str:
    digest = keyed_digest(secret, f"{purpose}\x1f{id}".encode("utf-8", "surrogatepass"))
    return urlsafe_b64encode(digest[:16])[:22].decode()  # without the padding


def keyed_digest(secret: bytes, message: bytes) -> bytes:
    """The HMAC-SHA256 of a message."""
    first, second = _halves(secret)
    inner, outer = first.copy(), second.copy()
    inner.update(message)
    outer.update(inner.digest())
    return outer.digest()


@lru_cache(maxsize=16)
def _halves(secret: bytes) -> tuple[Hash, Hash]:
    """The two hashes of an HMAC (RFC 2104) after the key, which is the same for all links: `hmac` starts anew each
    time, and takes three times as long."""
    key = (secret if len(secret) <= _BLOCK else sha256(secret).digest()).ljust(_BLOCK, b"\0")
    return sha256(bytes(byte ^ 0x36 for byte in key)), sha256(bytes(byte ^ 0x5C for byte in key))
