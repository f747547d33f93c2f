"""How a worker ends that is told to: what is under way may finish, and it waits no longer than that takes."""

from __future__ import annotations

import select
import time
from typing import Any, Final

from celery.apps.worker import Worker  # type: ignore[import-untyped]
from celery.worker import state  # type: ignore[import-untyped]

LOOK_EVERY: Final = 0.05
"""Seconds."""


class SoftWorker(Worker):  # type: ignore[misc]
    """Celery's own worker, whose soft end lasts as long as its tasks do.

    Celery sleeps for all of `worker_soft_shutdown_timeout` in a signal's handler, in which no result is read: whether
    children are done is seen by what waits in their pipes.
    """

    def wait_for_soft_shutdown(self) -> None:
        """Until every child is done with its task, or the time is over."""
        until = time.monotonic() + float(self.app.conf.worker_soft_shutdown_timeout)
        while time.monotonic() < until and any(map(self._is_under_way, tuple(state.active_requests))):
            time.sleep(LOOK_EVERY)

    def _is_under_way(self, request: Any) -> bool:
        pool = getattr(self.pool, "_pool", None)
        for child in getattr(pool, "_pool", ()):
            if child.pid == request.worker_pid:
                said, _, _ = select.select([child.outqR_fd], [], [], 0)
                return not said
        return False
