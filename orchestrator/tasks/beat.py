"""The beat: nudges every lane each second, and keeps nothing: neither a file nor anything to lose.

Two beats nudge twice, which is as good as once. A broker that is away is tried again each second.
"""

from __future__ import annotations

import logging
from typing import Any

from celery.beat import Scheduler  # type: ignore[import-untyped]

from orchestrator.tasks.sending import BrokerSend, identity

log = logging.getLogger(__name__)


class NudgeScheduler(Scheduler):  # type: ignore[misc]
    """Celery's own scheduler with its schedule in memory, over a connection that is made anew when it fails."""

    producer = None  # ours sends: Celery's would wait for the broker, ever longer
    _failing = False
    _send: BrokerSend | None = None

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """Send one nudge; a failure is told once, and mended by the next one."""
        if self._send is None:
            self._send = BrokerSend(self.app)
        try:
            self._send.send(entry.name, {"beat": identity()})
        except Exception as error:
            if not self._failing:
                log.warning("the broker cannot be reached, and is tried again: %s: %s", type(error).__name__, error)
            self._failing = True
        else:
            if self._failing:
                log.warning("the broker is back")
            self._failing = False

    def setup_schedule(self) -> None:
        """The lanes, and nothing else."""
        self.merge_inplace(self.app.conf.beat_schedule)

    def close(self) -> None:
        """Give the connection back."""
        if self._send is not None:
            self._send.close()
