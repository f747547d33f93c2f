"""A bucket of tokens as a value: it fills at a rate, up to a bound, and whoever wants to send takes a token."""

from __future__ import annotations

from typing import NamedTuple


class Bucket(NamedTuple):
    """`filled_at`: up to when the tokens were counted, in seconds."""

    tokens: float
    filled_at: float


def drawn(bucket: Bucket | None, rate: float, burst: float, want: int, now: float) -> tuple[Bucket, int]:
    """The bucket after at most `want` whole tokens were taken, and how many these were. None: a new one, which is full.

    `rate` is tokens a second; it holds `burst` of them, at least one. A clock that went back gives nothing, and what it
    counts again later gives nothing twice.
    """
    size = max(burst, 1.0)
    if bucket is None:
        bucket = Bucket(size, now)
    at = max(bucket.filled_at, now)
    tokens = min(size, bucket.tokens + (at - bucket.filled_at) * rate)
    granted = max(0, min(want, int(tokens)))
    return Bucket(tokens - granted, at), granted
