"""Replays of tables: every event at its own instant through the real engine, customers created before theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from orchestrator.definitions.collector import seldom_collected
from orchestrator.definitions.event_tables import ReplayEvent, ReplayTable
from orchestrator.definitions.load import LoadedProject
from orchestrator.records import dataclass
from orchestrator.stores.protocol import Store
from orchestrator.testing.parallel_replay import PARTS, Prepare, may_share, prepared, replay_shared
from orchestrator.testing.simulation import Emit, Progress, Simulation, Summary, longest_after

TOGETHER: Final = 100
"""Messages that a provider is given together where no answer of it can matter to the next."""


def simulate_events(
    loaded: LoadedProject,
    table: ReplayTable,
    emit: Callable[[Any], None],
    progress: Progress | None = None,
    *,
    prepare: Prepare | None = None,
    with_values: bool = False,
    forget_messages: bool = True,
    store: Store | None = None,
) -> Summary:
    """Replay a table of events, the clock starting at the first. Customers are created in silence before theirs.

    A large table is shared between processes where no customer can feel another: the lines and their order are the
    same. `emit` and `progress` are called in this process only. With a `store` of its own there is one process.

    `prepare`: `emit` gets what it makes of each line, in whatever process the line arises. Who only writes lines has
    their text made there, which is then not taken apart and made again on its way.
    """
    loaded.require_valid()
    first_at, last_at = table.first_at, table.last_at
    if first_at is None or last_at is None:
        return Summary(datetime.fromtimestamp(0, UTC), datetime.fromtimestamp(0, UTC))
    replay = Replay(loaded, first_at, longest_after(last_at), with_values, forget_messages)
    with seldom_collected():
        if store is None and may_share(loaded.project, table):
            # Who is a stranger to everybody else does not mind who is written to in the same breath. Only render errors
            # that pause a journey would tell: after those the parts are given up, and all is replayed one by one.
            part = replace(replay, width=TOGETHER)
            return replay_shared(part.run, table, emit, progress, PARTS, prepare, alone=replay.run)
        return replay.run(table, prepared(emit, prepare), progress, store)


@dataclass(frozen=True, slots=True)
class Replay:
    """How a table is replayed, from the clock's first instant to its last: they are the same for every part of it."""

    loaded: LoadedProject
    start: datetime
    until: datetime
    with_values: bool = False
    forget_messages: bool = True
    width: int = 1

    def run(self, table: ReplayTable, emit: Emit, progress: Progress | None, store: Store | None = None) -> Summary:
        """Replay a table, or a part of one, in this process."""
        simulation = Simulation(
            self.loaded,
            self.start,
            emit,
            with_values=self.with_values,
            forget_messages=self.forget_messages,
            store=store,
            width=self.width,
        )
        simulation.prepare((), ())
        play(simulation, table, self.until, progress)
        return simulation.finish()


def play(
    simulation: Simulation,
    table: ReplayTable,
    until: datetime,
    progress: Progress | None,
    after: datetime | None = None,
) -> None:
    """Let the events of a table arrive at their instants, and run out what they began, up to and including `until`.

    `after`: leave out those up to and including this instant, which arrived in an earlier run.
    """
    total = len(table)
    for number, group in _by_instant(table):
        if after is not None and group[0].at <= after:
            continue
        simulation.advance_to(group[0].at)
        simulation.arrive(group)
        simulation.run_engine()
        if progress is not None:
            progress(number, total)
    simulation.run_out(until)


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
