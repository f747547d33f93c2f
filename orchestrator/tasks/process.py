"""A worker's process: its own engine over its own connections, opened after the fork, and what it nudges others by."""

from __future__ import annotations

import gc
import logging
import os
import socket
import time
from collections.abc import Iterable
from typing import Any, Final

from celery import Celery  # type: ignore[import-untyped]
from celery.signals import worker_process_init, worker_process_shutdown  # type: ignore[import-untyped]

from orchestrator.definitions.collector import MADE_BETWEEN, MIDDLE_LOOKS, YOUNG_LOOKS
from orchestrator.errors import ProjectInvalid, UsageError
from orchestrator.runtime.loop import Engine
from orchestrator.runtime.nudge import NudgeSender
from orchestrator.stores.protocol import StoreBusy
from orchestrator.wiring.processes import HEARTBEAT_EVERY, seen
from orchestrator.wiring.worker import running, shut

LOOK_EVERY: Final = 0.25
"""Seconds between two looks for what another process deployed."""
HOUSEKEEPING_EVERY: Final = 5.0
TRUSTED_FOR: Final = 0.5
"""Seconds for which a pass that has begun stands for nudges that were sent before it. Clocks of machines differ: a
wrong one costs no more than this."""
TOLD_EVERY: Final = 10.0
"""Seconds between two lines about the same trouble."""
_FORKED_FROM: Final = os.getpid()

log = logging.getLogger(__name__)


class Process:
    """What the tasks of one process share. One task runs at a time."""

    def __init__(self, app: Celery) -> None:
        self.app = app
        self.pid = os.getpid()
        self._sender: NudgeSender | None = None
        self._begun: dict[str, tuple[float, float]] = {}
        self._looked_at = self._seen_at = self._kept_at = self._told_at = -1e9
        self._beats: dict[str, float] = {}

    @property
    def engine(self) -> Engine:
        """This process's engine. Raises UsageError where nothing is deployed yet, StoreBusy."""
        return running().engine

    def nudge(self, lane: str, shards: Iterable[int] | None = None) -> None:
        """There is work in a lane."""
        if self._sender is None:
            from orchestrator.tasks.sending import sender

            self._sender = sender(self.app)
        self._sender(lane, shards)

    def look(self, beat: str | None = None) -> None:
        """Adopt what was deployed, and write down that this worker (and the beat that nudged it) is there."""
        now = time.monotonic()
        if now - self._looked_at >= LOOK_EVERY:
            self._looked_at = now
            self.engine.watch()
        if now - self._seen_at >= HEARTBEAT_EVERY:
            self._seen_at = now
            seen(self.engine.store, "worker", f"{socket.gethostname()}:{os.getppid()}", self.engine.real_now())
        if isinstance(beat, str) and now - self._beats.get(beat, -1e9) >= HEARTBEAT_EVERY:
            self._beats = {beat: now}
            seen(self.engine.store, "beat", beat, self.engine.real_now())

    def begins(self, lane: str) -> None:
        """A pass begins that will see all that is there now."""
        self._begun[lane] = time.time(), time.monotonic()

    def has_begun_since(self, lane: str, sent: Any) -> bool:
        """Whether a pass of this process began after a nudge was sent, and so sees all that it was sent for."""
        begun = self._begun.get(lane)
        if begun is None or not isinstance(sent, float):
            return False
        at, counted = begun
        return sent < at and time.monotonic() - counted < TRUSTED_FOR

    def housekeeping_is_due(self) -> bool:
        """Whether it is time again."""
        due = time.monotonic() - self._kept_at >= HOUSEKEEPING_EVERY
        if due:
            self._kept_at = time.monotonic()
        return due

    def tell(self, error: Exception) -> None:
        """Say why nothing is done; not each time."""
        if time.monotonic() - self._told_at >= TOLD_EVERY:
            self._told_at = time.monotonic()
            log.warning("nothing can be done for now: %s", error)

    def begin(self) -> None:
        """Open everything before the first task comes; what cannot be opened yet is tried again by each task."""
        try:
            self.look()
        except (StoreBusy, UsageError, ProjectInvalid) as error:
            self.tell(error)
        gc.collect()
        gc.freeze()  # what is here now stays: no collection has to look at it again
        gc.set_threshold(MADE_BETWEEN, YOUNG_LOOKS, MIDDLE_LOOKS)  # a turn makes many objects and no cycles

    def end(self) -> None:
        """Send what is waiting, and close everything."""
        if self._sender is not None:
            self._sender.close()
        try:
            shut()
        except StoreBusy as error:
            log.warning("the clock could not be written down: %s", error)


_found: Process | None = None


def process_of(app: Celery) -> Process:
    """The one of this process: a child that was forked has its own."""
    global _found
    if _found is None or _found.pid != os.getpid() or _found.app is not app:
        _found = Process(app)
    return _found


def attach(app: Celery) -> None:
    """Let children of a worker open their engine when they begin, and close it when they end."""

    def begin(**_: Any) -> None:
        if os.getpid() != _FORKED_FROM:  # a pool without children: the process belongs to somebody else
            process_of(app).begin()

    def end(**_: Any) -> None:
        if os.getpid() != _FORKED_FROM:
            process_of(app).end()

    worker_process_init.connect(begin, weak=False, dispatch_uid="orchestrator")
    worker_process_shutdown.connect(end, weak=False, dispatch_uid="orchestrator")
