"""The replay of `up --replay`: in a thread of its own, with progress, and a summary as `simulate` prints it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Any

from orchestrator.cli.beside_server import BesideServer
from orchestrator.cli.problem_list import number_of
from orchestrator.cli.progress import progress_bar
from orchestrator.cli.runs import note_ingest
from orchestrator.cli.terminal import Terminal
from orchestrator.wiring.replaying import LiveReplay, Stopped

if TYPE_CHECKING:
    from orchestrator.definitions.event_tables import ReplayTable
    from orchestrator.definitions.load import LoadedProject
    from orchestrator.wiring.engine import Running


class ReplayThread(BesideServer):
    """The table's events, with progress and summary. It is broken off after the step under way, and goes on from there
    at the next start."""

    broken_off = Stopped
    broken_off_means = "the replay was broken off; the same command goes on where it was"
    goes_on = "\nthe replay is over; serving until Ctrl-C"

    def __init__(
        self,
        args: argparse.Namespace,
        terminal: Terminal,
        loaded: LoadedProject,
        running: Running,
        table: ReplayTable,
        end: Callable[[], None],
    ) -> None:
        super().__init__("replay", terminal, running, end)
        self._args = args
        self._loaded = loaded
        self._table = table

    def stays(self) -> bool:
        """Unless it shall end with the replay."""
        return not self._args.exit_when_done

    def play(self) -> None:
        """The whole table; what is committed afterwards survives a power cut again. Raises Stopped."""
        from orchestrator.wiring.databases import make_durable

        self._replay()
        make_durable(self.running.store)

    def _replay(self) -> None:
        from orchestrator.core.time.iso import format_instant
        from orchestrator.insights.run_summary import RunSummary, summary_text

        counts = RunSummary()
        began = perf_counter()
        terminal = self._terminal
        with progress_bar(terminal, "events") as progress:
            replay = LiveReplay(
                self.running, self._loaded, self._table, counts.add, progress, self._args.speed, self._wait
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
        return self.stopping.wait(seconds) if seconds > 0 else self.stopping.is_set()


def _as_data(summary: Any, counts: Any, seconds: float) -> dict[str, Any]:
    return {
        "events": summary.events,
        "customers": summary.customers,
        "duplicates": summary.duplicates,
        "parked": summary.parked,
        "seconds": round(seconds, 3),
        "summary": counts.as_dict(),
    }
