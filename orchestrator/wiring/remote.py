"""The work as a process sees it that only takes events and answers (`serve`): workers do it, nudged over a broker."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import Final

from orchestrator.errors import UsageError
from orchestrator.runtime.figures import FLUSH_EVERY
from orchestrator.runtime.nudge import NudgeSender
from orchestrator.stores.protocol import StoreBusy
from orchestrator.wiring.engine import LAG_BOUND, Running
from orchestrator.wiring.processes import HEARTBEAT_EVERY, living, seen

LOOK_EVERY: Final = 0.5
"""Seconds between two looks for what another process deployed."""
CHECK_EVERY: Final = 5.0
"""Seconds between two looks at the broker, the workers, and how late they are."""

TOLD_EVERY: Final = 10.0
"""Seconds between two lines about the same trouble."""

log = logging.getLogger(__name__)


class RemoteWork:
    """Nudges workers, and a thread that adopts deployments, gives signs of life, and sees what is out of order."""

    def __init__(
        self, running: Running, sender: NudgeSender, broker_fault: Callable[[], str | None], identity: str
    ) -> None:
        self._running = running
        self._sender = sender
        self._broker_fault = broker_fault
        self._identity = identity
        self._found: Mapping[str, str] = {}
        self._stop = threading.Event()
        self._seen_at = self._checked_at = self._told_at = self._flushed_at = -1e9
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()
        self._running.alerts.start()

    def stop(self) -> None:
        """Send the nudges that wait, and end."""
        self._stop.set()
        self._running.alerts.stop()
        self._sender.close()
        if self._thread.ident is not None:
            self._thread.join(5.0)
        self._running.engine.figures.flush(self._running.store)

    def nudge(self, shards: Collection[int] | None = None) -> None:
        """Something came in (into these shards)."""
        self._sender("turn", shards)

    def degraded(self) -> Mapping[str, str]:
        """What was out of order at the last look."""
        trouble = self._sender.trouble
        return self._found if trouble is None else {**self._found, "broker": f"nudges cannot be sent ({trouble})"}

    def _run(self) -> None:
        while not self._stop.wait(LOOK_EVERY):
            try:
                self.watch_once()
            except (StoreBusy, UsageError) as error:
                self._tell(error)
            except Exception:
                log.exception("the watch failed, and goes on")

    def _tell(self, error: Exception) -> None:
        if time.monotonic() - self._told_at >= TOLD_EVERY:
            self._told_at = time.monotonic()
            log.warning("deployments cannot be looked for just now: %s", error)

    def watch_once(self) -> None:
        """One look. Raises StoreBusy."""
        running, now = self._running, time.monotonic()
        running.engine.watch()
        if now - self._flushed_at >= FLUSH_EVERY:
            self._flushed_at = now
            running.engine.figures.flush(running.store)
        if now - self._seen_at >= HEARTBEAT_EVERY:
            self._seen_at = now
            seen(running.store, "api", self._identity, running.real_now())
        if now - self._checked_at >= CHECK_EVERY:
            self._checked_at = now
            self._found = self._troubles()

    def _troubles(self) -> Mapping[str, str]:
        running, found = self._running, {}
        fault = self._broker_fault()
        if fault is not None:
            found["broker"] = fault
        if not living(running.store, running.real_now())["worker"]:
            found["workers"] = "none gave a sign of life in the last minute; events are kept until one does"
        due_at, now = running.store.next_due_at(), running.journey_now()
        if due_at is not None and now - due_at > LAG_BOUND:
            found["lag"] = f"what is due waits for {(now - due_at).total_seconds():.0f} s"
        return found
