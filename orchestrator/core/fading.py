"""When something that fades first changes how it looks: points halve with time, so no straight line tells."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

SMALLEST: Final = timedelta(microseconds=1)
FARTHEST: Final = timedelta(days=36_500)
"""Nobody waits longer than a century."""
_FIRST_STEP: Final = timedelta(minutes=1)
_NEAR: Final = timedelta(seconds=1)


def first_change(
    changed: Callable[[datetime], bool], now: datetime, guess: datetime | None = None, limit: datetime | None = None
) -> datetime | None:
    """The first instant after `now`, and before `limit`, at which `changed`, to the microsecond; None: there is none.

    It changes once and stays changed, as whatever fades does. `guess` is where it should be: looked at first.
    """
    last = now + FARTHEST if limit is None else limit - SMALLEST
    if last <= now or not changed(last):
        return None
    low, high = now, last
    if guess is not None and now < guess < last:
        width = _NEAR
        while low < guess - width and changed(guess - width):
            width *= 8
        low = max(now, guess - width)
        width = _NEAR
        while guess + width < last and not changed(guess + width):
            low, width = guess + width, width * 8
        high = min(last, guess + width)
    else:
        step = _FIRST_STEP
        while now + step < last and not changed(now + step):
            low, step = now + step, step * 2
        high = min(last, now + step)
    while high - low > SMALLEST:
        middle = low + (high - low) // 2
        if changed(middle):
            high = middle
        else:
            low = middle
    return high
