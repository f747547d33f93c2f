"""Nudges: word that there may be work. They carry nothing, and any number of them is one."""

from __future__ import annotations

import threading
from collections.abc import Sequence


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
