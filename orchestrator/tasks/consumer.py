"""What a worker does when its connection to the broker breaks: goes on, whatever breaks on the way."""

from __future__ import annotations

import logging
import warnings
from typing import Any, Final

from celery.worker.consumer import Consumer  # type: ignore[import-untyped]
from celery.worker.state import maybe_shutdown  # type: ignore[import-untyped]

LONGEST_WAIT: Final = 2.0
"""Seconds between two tries to reach a broker that is away. Celery's own wait grows to half a minute."""

log = logging.getLogger(__name__)


class LastingConsumer(Consumer):  # type: ignore[misc]
    """Celery's own consumer, which outlives a Redis that ends while tasks run, and is back soon after it.

    Kombu 5.7 closes the broken connection twice. Where messages are not acknowledged yet, the second time looks for an
    address that is gone already, and its AttributeError would end the worker.
    """

    _told = False

    def on_connection_error_after_connected(self, exc: BaseException) -> None:
        """Give the connection back, and let the worker make another one."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", PendingDeprecationWarning)  # that tasks go on is what we want
                super().on_connection_error_after_connected(exc)
        except AttributeError as error:
            log.info("the broken connection could not be closed in order: %s", error)

    def ensure_connected(self, conn: Any) -> Any:
        """Wait until the broker answers; a worker that is told to stop meanwhile stops."""

        def failed(error: BaseException, _: float) -> None:
            if not self._told:
                log.warning("the broker cannot be reached, and is tried again: %s: %s", type(error).__name__, error)
            self._told = True

        conn.ensure_connection(
            failed, None, interval_start=0.5, interval_step=0.5, interval_max=LONGEST_WAIT, callback=maybe_shutdown
        )
        if self._told:
            log.warning("the broker is back")
        self._told = self.first_connection_attempt = False
        return conn
