"""Entries of the suppression list that name nobody, and how soft bounces add up.

A hashed entry outlives the erasure of a person: whoever asks for an address finds it, and nobody reads an address out
of it without knowing it already. It stands in the list as any other: its channel is `#email`, its address 64
hexadecimal digits, so that it is exported, replayed after a restore, and looked up without a table of its own.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

_BLOCK: Final = 64
"""Bytes of one block of SHA-256."""
HASHED: Final = "#"
"""Before the channel of a hashed entry."""
HALF_LIFE: Final = timedelta(days=7)
"""In which a soft bounce loses half of its weight."""
TOO_MANY: Final = 4.0
"""The weight of soft bounces at which an address is given up: four at once, five days in a row; one a week never."""


def hashed_entry(salt: str, channel: str, normal: str) -> tuple[str, str]:
    """(channel, address) of the hashed entry of a normalised address. `salt` is the installation's, which its database
    keeps: a copy of the list tells nothing without it, and a restored backup still finds everyone."""
    first, second = _halves(salt)
    inner, outer = first.copy(), second.copy()
    inner.update(f"{channel}\x1f{normal}".encode("utf-8", "surrogatepass"))
    outer.update(inner.digest())
    return HASHED + channel, outer.hexdigest()


@lru_cache(maxsize=16)
def _halves(salt: str) -> tuple[Hash, Hash]:
    """The two hashes of an HMAC (RFC 2104) after the key, which is the same for all entries: a third of the time that
    `hmac` takes, once an address of every decision."""
    key = sha256(f"suppression\x1f{salt}".encode()).digest().ljust(_BLOCK, b"\0")
    return sha256(bytes(byte ^ 0x36 for byte in key)), sha256(bytes(byte ^ 0x5C for byte in key))


class Softness(NamedTuple):
    """The weight of an address's soft bounces as it was `at` the last of them."""

    score: float
    at: datetime


def softened(before: Softness | None, at: datetime, half_life: timedelta, alive_at: datetime | None = None) -> Softness:
    """One soft bounce more. `alive_at`: somebody there last got, opened or clicked something; what was before is over.

    Several at one instant are several: a pass reads all that came at once. That a report counts once although it is
    read twice is its caller's part.
    """
    if before is None or (alive_at is not None and alive_at > before.at):
        return Softness(1.0, at)
    gap = abs((at - before.at) / half_life)
    faded = 0.5 ** min(gap, 1_000.0)
    if at < before.at:
        return Softness(before.score + faded, before.at)
    return Softness(before.score * faded + 1.0, at)
