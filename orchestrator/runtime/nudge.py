"""Nudges: word that there may be work. They carry nothing that the database does not know, and any number of them is
one.

Within a process a `Nudge` wakes a thread. Between processes a `NudgeSender` sends them from a thread of its own, so
that whoever nudges never waits: at most one for each lane in EVERY seconds, and what could not be sent is sent later
or, if this process ends before that, made up by the beat.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from time import monotonic
from typing import Final

EVERY: Final = 0.02
"""Seconds between two nudges of one lane by one process."""
AFTER_FAILURE: Final = 0.5
"""Seconds after which a broker that failed is tried again."""
MOST_SHARDS: Final = 64
"""Shards that one nudge names; of more, it names none, and whoever takes it searches."""

log = logging.getLogger(__name__)

Shards = frozenset[int]
Send = Callable[[str, Shards | None], None]
"""Sends a nudge of a lane, for some shards or (None) for whatever is due. Raises whatever goes wrong."""


class Nudge:
    """Wakes one lane. What comes while the lane works makes it look once more, and no more often than that."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def __call__(self) -> None:
        """There may be work."""
        self._event.set()

    def wait(self, seconds: float) -> bool:
        """Until nudged, at most so long. Whether there was a nudge; it is taken."""
        nudged = self._event.wait(max(0.0, seconds))
        self._event.clear()
        return nudged


class Nudges:
    """Several lanes together."""

    def __init__(self, nudges: Sequence[Nudge]) -> None:
        self._nudges = nudges

    def __call__(self) -> None:
        """There may be work for any of them."""
        for nudge in self._nudges:
            nudge()


class NudgeSender:
    """Sends nudges to other processes by `send`, which is called by one thread only; `clock` counts seconds."""

    def __init__(self, send: Send, every: float = EVERY, clock: Callable[[], float] = monotonic) -> None:
        self._send = send
        self._every = every
        self._clock = clock
        self._waiting: dict[str, Shards | None] = {}
        self._sent_at: dict[str, float] = {}
        self._changed = threading.Condition()
        self._busy = False
        self._stopped = False
        self._thread: threading.Thread | None = None
        self.trouble: str | None = None
        """Why the last nudge could not be sent; None: it could."""

    def __call__(self, lane: str, shards: Iterable[int] | None = None) -> None:
        """There may be work in a lane (in these shards). Returns at once, whatever state the broker is in."""
        named = None if shards is None else frozenset(shards)
        with self._changed:
            if lane in self._waiting:
                named = _together(self._waiting[lane], named)
            self._waiting[lane] = named if named is None or len(named) <= MOST_SHARDS else None
            if self._thread is None and not self._stopped:
                self._thread = threading.Thread(target=self._run, name="nudges", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def close(self, seconds: float = 1.0) -> None:
        """Send what waits, for so long at most, and end."""
        until = self._clock() + seconds
        with self._changed:
            while self._thread is not None and (self._waiting or self._busy) and self._clock() < until:
                self._changed.wait(0.05)
            self._stopped = True
            self._changed.notify_all()

    def _run(self) -> None:
        while (taken := self._next()) is not None:
            self._send_one(*taken)
            with self._changed:
                self._busy = False
                self._changed.notify_all()

    def _next(self) -> tuple[str, Shards | None] | None:
        """The nudge to send now, when it may go; None: it is over."""
        with self._changed:
            while not self._stopped:
                ready = [(self._sent_at.get(lane, 0.0) + self._every, lane) for lane in self._waiting]
                if not ready:
                    self._changed.wait()
                    continue
                at, lane = min(ready)
                left = at - self._clock()
                if left <= 0:
                    self._busy = True
                    return lane, self._waiting.pop(lane)
                self._changed.wait(left)
        return None

    def _send_one(self, lane: str, shards: Shards | None) -> None:
        self._sent_at[lane] = self._clock()
        try:
            self._send(lane, shards)
        except Exception as error:
            if self.trouble is None:
                log.warning("nudges cannot be sent, the beat's have to do: %s: %s", type(error).__name__, error)
            self.trouble = f"{type(error).__name__}: {error}"
            with self._changed:
                self._waiting[lane] = _together(self._waiting[lane], shards) if lane in self._waiting else shards
                again_at = self._clock() + AFTER_FAILURE - self._every
                for name in self._waiting:
                    self._sent_at[name] = again_at
        else:
            if self.trouble is not None:
                log.warning("nudges can be sent again")
            self.trouble = None


def _together(one: Shards | None, other: Shards | None) -> Shards | None:
    return None if one is None or other is None else one | other
