"""`up --replay`: a table of the past on a live installation, on the journey clock, as fast as the engine goes.

It steps through time exactly as `simulate --events` does (testing/replay.py), so that the counts are the same; but the
store stays, messages go to the installation's sinks, and a replay that was broken off goes on where it was.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from orchestrator.core.time.iso import format_instant
from orchestrator.definitions.collector import seldom_collected
from orchestrator.definitions.event_tables import ReplayTable
from orchestrator.definitions.load import LoadedProject
from orchestrator.errors import UsageError
from orchestrator.runtime.clock import JOURNEY_MARK, keep, resumed
from orchestrator.stores.protocol import Store, StoreBusy
from orchestrator.testing.replay import play
from orchestrator.testing.simulation import Emit, Outside, Progress, Simulation, Summary, longest_after
from orchestrator.wiring.engine import Running
from orchestrator.wiring.installation import real_now

KEPT_EVERY: Final = timedelta(seconds=1)
"""Real time after which it is written down how far the replay is."""
TRIES: Final = 20
"""Times in a row that a database may be busy before the replay gives up."""

log = logging.getLogger(__name__)


class Stopped(Exception):
    """Somebody asked to stop; the replay goes on from here another time."""


def refuse_later_clock(store: Store, last_at: datetime) -> None:
    """Raises UsageError where the store's journeys are past the table, or run in real time: time never goes back."""
    stands_at = store.mark(JOURNEY_MARK)
    if stands_at is not None and stands_at > last_at:
        raise UsageError(
            f"the clock of this database stands at {format_instant(stands_at)}, after the last event of the table "
            f"({format_instant(last_at)}); to go on from there leave out --replay, to replay again give an empty "
            "database: --database sqlite:///replay.db",
            "clock_later",
        )


class LiveReplay:
    """One table on one running installation. `run` is for a thread of its own; `stop` for any other."""

    def __init__(
        self,
        running: Running,
        loaded: LoadedProject,
        table: ReplayTable,
        emit: Emit,
        progress: Progress | None,
        speed: float | None,
        wait: Callable[[float], bool],
    ) -> None:
        assert table.first_at is not None and table.last_at is not None  # the command refused an empty one
        self._running = running
        self._table = table
        self._loaded = loaded
        self._emit = emit
        self._progress = progress
        self._speed = speed
        self._wait = wait
        self._until = longest_after(table.last_at)
        self._first_at = table.first_at
        self._kept_at = real_now()
        self._begun = (real_now(), self._first_at)
        self.summary: Summary | None = None

    def run(self) -> Summary:
        """Replay to the end. Raises Stopped, and StoreBusy when the database stays out of reach."""
        busy = 0
        with seldom_collected():
            while True:
                try:
                    return self._run()
                except StoreBusy as error:
                    busy += 1
                    log.warning("the replay waits for the database: %s", error)
                    if busy >= TRIES or self._wait(min(5.0, 0.2 * busy)):
                        raise

    def _run(self) -> Summary:
        store, clock = self._running.store, self._running.engine.clock
        known = resumed(store, real_now())
        stood_at = store.mark(JOURNEY_MARK) if known.virtual else None
        after = stood_at if stood_at is not None and stood_at >= self._first_at else None
        start = after or self._first_at
        self._begun = (real_now(), start)
        clock.stand(start, real_now())
        simulation = Simulation(
            self._loaded,
            start,
            self._emit,
            store=store,
            outside=Outside(self._running.engine.channels, self._running.renderer, self._between),
        )
        if self.summary is not None:  # an earlier try counts, too
            simulation.summary = self.summary
        self.summary = simulation.summary
        simulation.run_engine()
        play(simulation, self._table, self._until, self._progress, after)
        summary = simulation.finish()
        self._keep()
        clock.go_on(real_now())
        return summary

    def _between(self, at: datetime) -> None:
        """Before time moves: stop, wait for the speed that was asked for, and write down how far all is done."""
        now = real_now()
        if now - self._kept_at >= KEPT_EVERY:
            self._keep()
        if self._wait(self._seconds_until(at)):
            self._keep()
            raise Stopped
        self._running.engine.clock.stand(at, real_now())

    def _seconds_until(self, at: datetime) -> float:
        if self._speed is None:
            return 0.0
        began_at, started_at = self._begun
        return max(0.0, (at - started_at).total_seconds() / self._speed - (real_now() - began_at).total_seconds())

    def _keep(self) -> None:
        self._kept_at = real_now()
        keep(self._running.store, self._running.engine.clock, self._kept_at)
