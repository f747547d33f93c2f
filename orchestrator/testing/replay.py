"""Replays of tables: every event at its own instant through the real engine, customers created before theirs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from orchestrator.definitions.event_tables import ReplayEvent, ReplayTable
from orchestrator.definitions.load import LoadedProject
from orchestrator.testing.collector import seldom_collected
from orchestrator.testing.parallel_replay import PARTS, may_share, replay_shared
from orchestrator.testing.simulation import Emit, Progress, Simulation, Summary, longest_after


def simulate_events(
    loaded: LoadedProject,
    table: ReplayTable,
    emit: Emit,
    progress: Progress | None = None,
    *,
    with_values: bool = False,
    forget_messages: bool = True,
) -> Summary:
    """Replay a table of events, the clock starting at the first. Customers are created in silence before theirs.

    A large table is shared between processes where no customer can feel another: the lines and their order are the
    same. `emit` and `progress` are called in this process only.
    """
    loaded.require_valid()
    first_at, last_at = table.first_at, table.last_at
    if first_at is None or last_at is None:
        return Summary(datetime.fromtimestamp(0, UTC), datetime.fromtimestamp(0, UTC))
    replay = Replay(loaded, first_at, longest_after(last_at), with_values, forget_messages)
    with seldom_collected():
        if may_share(loaded.project, table):
            return replay_shared(replay.run, table, emit, progress, PARTS)
        return replay.run(table, emit, progress)


@dataclass(frozen=True, slots=True)
class Replay:
    """How a table is replayed, from the clock's first instant to its last: they are the same for every part of it."""

    loaded: LoadedProject
    start: datetime
    until: datetime
    with_values: bool = False
    forget_messages: bool = True

    def run(self, table: ReplayTable, emit: Emit, progress: Progress | None) -> Summary:
        """Replay a table, or a part of one, in this process."""
        simulation = Simulation(
            self.loaded, self.start, emit, with_values=self.with_values, forget_messages=self.forget_messages
        )
        simulation.prepare((), ())
        total = len(table)
        for number, group in _by_instant(table):
            simulation.advance_to(group[0].at)
            simulation.arrive(group)
            simulation.run_engine()
            if progress is not None:
                progress(number, total)
        simulation.run_out(self.until)
        return simulation.finish()


def _by_instant(table: ReplayTable) -> Iterator[tuple[int, list[ReplayEvent]]]:
    """The events of one instant together, with how many came so far."""
    group: list[ReplayEvent] = []
    count = 0
    for event in table:
        if group and event.at != group[0].at:
            yield count, group
            group = []
        group.append(event)
        count += 1
    if group:
        yield count, group
