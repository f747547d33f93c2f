"""How many messages a second a channel takes: a token bucket in real time.

Tokens grow at the rate, up to a second's worth. Those who find none are told when to come again, each at an instant of
their own, so that a long queue is looked at once for every message and not over and over.
"""

from __future__ import annotations

import re
import threading
from typing import Final

from orchestrator.errors import UsageError

LONGEST_AHEAD: Final = 3600.0
"""Seconds ahead at which somebody is told to come again, at most."""

_RATE: Final = re.compile(r"\s*(\d{1,9}(?:\.\d{1,6})?)\s*(?:/|per)\s*(s|sec|second|m|min|minute|h|hour|d|day)\s*")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def parse_rate(text: str) -> float:
    """Messages a second from `100/s`, `3000/min`, `50000/h`, `1000000/d`. Raises UsageError."""
    found = _RATE.fullmatch(text.lower())
    if found is None or not float(found[1]) > 0:
        raise UsageError(
            f"the rate is '{text[:40]}'; expected messages in a time, such as 100/s, 3000/min, 50000/h or 200000/d",
            "bad_setting",
        )
    return float(found[1]) / _SECONDS[found[2][0]]


class TokenBucket:
    """Safe for several threads. `rate` is messages a second; instants are real seconds of any clock."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._size = max(1.0, rate)
        self._tokens = self._size
        self._filled_at: float | None = None
        self._promised_at = 0.0
        self._lock = threading.Lock()

    def room(self, now: float) -> int:
        """How many messages may go now."""
        with self._lock:
            self._fill(now)
            return int(self._tokens)

    def take(self, count: int, now: float) -> int:
        """Take at most `count` tokens. Returns how many there were."""
        with self._lock:
            self._fill(now)
            taken = min(count, int(self._tokens))
            self._tokens -= taken
            return taken

    def come_again(self, now: float) -> float:
        """In how many seconds one who found no token shall ask again; the next one who asks is told a later instant."""
        with self._lock:
            self._promised_at = min(max(self._promised_at, now) + 1 / self._rate, now + LONGEST_AHEAD)
            return self._promised_at - now

    def _fill(self, now: float) -> None:
        """A clock that went back gives nothing, and takes nothing away."""
        if self._filled_at is not None and now > self._filled_at:
            self._tokens = min(self._size, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
