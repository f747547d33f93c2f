"""What `orchestrator consume` runs on: the store beside whatever engine runs, its clock, its figures, and nudges."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from orchestrator.runtime.clock import resumed
from orchestrator.runtime.deployment import Watch
from orchestrator.runtime.nudge import NudgeSender
from orchestrator.runtime.violations import ViolationBook
from orchestrator.settings import Settings
from orchestrator.stores.protocol import Store, StoreBusy
from orchestrator.wiring.installation import Installation, installation, real_clock

FLUSH_EVERY: Final = 2.0
LAG: Final = "stream:{}:lag"

log = logging.getLogger(__name__)


class Consuming:
    """The shell around a consumer. `sender` nudges workers over the broker; None: turns look for what came each
    second."""

    def __init__(self, place: Installation, digest: str | None, sender: NudgeSender | None = None) -> None:
        self._sender = sender
        self.store: Store = place.store
        self.real_now: Callable[[], datetime] = real_clock(place.store)
        self.lag: Callable[[], int | None] = lambda: None
        self.violations = ViolationBook(place.store, self.count)
        self._figures: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._watch = Watch(place.store, lambda _: None, digest)

    def journey_now(self) -> datetime:
        """The journey time, as the engine wrote it down last."""
        now = self.real_now()
        return resumed(self.store, now).now(now)

    def count(self, changed: Mapping[str, int]) -> None:
        """Count for the installation's figures."""
        with self._lock:
            self._figures.update(changed)

    def nudge(self, shards: frozenset[int] | None) -> None:
        """Something came in (into these shards): as for what comes over HTTP, whoever decides is told at once."""
        if self._sender is not None:
            self._sender("turn", shards)

    def close(self) -> None:
        """Send the nudges that wait, and write everything down."""
        if self._sender is not None:
            self._sender.close()
        self.violations.close()
        try:
            self.flush()
        except StoreBusy:
            log.warning("the last figures could not be written down")

    @contextmanager
    def kept_up(self, stream: str) -> Iterator[None]:
        """A thread that adopts deployments and writes figures down, the lag among them."""
        over = threading.Event()

        def keep() -> None:
            last = 0
            while True:
                ended = over.wait(FLUSH_EVERY)
                try:
                    self._watch.once(self.journey_now())
                    lag = self.lag()
                    if lag is not None and lag != last:
                        self.count({LAG.format(stream): lag - last})
                        last = lag
                    self.flush()
                    if ended and last:
                        self.store.count({LAG.format(stream): -last})  # whoever takes over counts it
                except StoreBusy:
                    pass
                except Exception:
                    log.exception("figures could not be written down, or a deployment adopted")
                if ended:
                    return

        thread = threading.Thread(target=keep, name="keeping", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(10)

    def flush(self) -> None:
        """Write figures down. Raises StoreBusy."""
        with self._lock:
            waiting, self._figures = self._figures, Counter()
        if waiting:
            try:
                self.store.count(dict(waiting))
            except StoreBusy:
                with self._lock:
                    self._figures.update(waiting)
                raise


@contextmanager
def open_consuming(
    project: Path,
    database: str | None,
    broker: str | None,
    sender_of: Callable[[Settings], NudgeSender] | None = None,
) -> Iterator[Consuming]:
    """The installation that a command line names, as it is deployed. `sender_of` makes what nudges over the broker,
    where the settings name one. Raises UsageError where nothing is deployed."""
    with installation(project, database, broker) as place:
        revived = place.adopt()
        sender = sender_of(place.settings) if sender_of is not None and place.settings.broker_url else None
        made = Consuming(place, revived.snapshot.digest if revived.snapshot is not None else None, sender)
        try:
            yield made
        finally:
            made.close()
