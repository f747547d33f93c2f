"""The replay of `up --replay`: in a thread of its own, with progress, and a summary as `simulate` prints it."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Any

from orchestrator.cli.problem_list import number_of
from orchestrator.cli.progress import progress_bar
from orchestrator.cli.runs import note_ingest
from orchestrator.cli.terminal import Terminal

if TYPE_CHECKING:
    from orchestrator.definitions.event_tables import ReplayTable
    from orchestrator.definitions.load import LoadedProject
    from orchestrator.wiring.engine import Running

JOIN_FOR = 8.0
"""Seconds for the step under way."""


class ReplayThread:
    """Replays, tells, and starts the lanes (or ends the server) when it is over. `error`: what ended it instead."""

    def __init__(
        self,
        args: argparse.Namespace,
        terminal: Terminal,
        loaded: LoadedProject,
        running: Running,
        table: ReplayTable,
        end: Callable[[], None],
    ) -> None:
        self.error: BaseException | None = None
        self._args = args
        self._terminal = terminal
        self._loaded = loaded
        self._running = running
        self._table = table
        self._end = end
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="replay", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the step under way; the replay goes on from there at the next start."""
        self._stop.set()

    def join(self) -> bool:
        """Wait for the end, for a while. Whether it came."""
        self._thread.join(JOIN_FOR)
        return not self._thread.is_alive()

    def _run(self) -> None:
        from orchestrator.wiring.databases import make_durable
        from orchestrator.wiring.replaying import Stopped

        try:
            self._replay()
            make_durable(self._running.store)
        except Stopped:
            self._terminal.note("the replay was broken off; the same command goes on where it was")
        except Exception as error:
            self.error = error
            self._end()
        else:
            if self._args.exit_when_done:
                self._end()
            else:
                self._running.loop.start()
                self._terminal.say("\nthe replay is over; serving until Ctrl-C")
            self._terminal.flush()

    def _replay(self) -> None:
        from orchestrator.core.time.iso import format_instant
        from orchestrator.insights.run_summary import RunSummary, summary_text
        from orchestrator.wiring.replaying import LiveReplay

        counts = RunSummary()
        began = perf_counter()
        terminal = self._terminal
        with progress_bar(terminal, "events") as progress:
            replay = LiveReplay(
                self._running, self._loaded, self._table, counts.add, progress, self._args.speed, self._wait
            )
            summary = replay.run()
        seconds = perf_counter() - began
        note_ingest(summary, terminal)
        terminal.say(
            f"\n{number_of(summary.events, 'event')} of {number_of(summary.customers, 'customer')}, "
            f"{format_instant(summary.started_at)} to {format_instant(summary.ended_at)}, in {seconds:.1f} s\n"
        )
        terminal.say(summary_text(counts))
        terminal.data(_as_data(summary, counts, seconds))

    def _wait(self, seconds: float) -> bool:
        """Wait for so long, or until `stop`. Whether it was that."""
        return self._stop.wait(seconds) if seconds > 0 else self._stop.is_set()


def _as_data(summary: Any, counts: Any, seconds: float) -> dict[str, Any]:
    return {
        "events": summary.events,
        "customers": summary.customers,
        "duplicates": summary.duplicates,
        "parked": summary.parked,
        "seconds": round(seconds, 3),
        "summary": counts.as_dict(),
    }
