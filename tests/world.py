"""A whole small world for tests of properties: an engine over a store, and the histories that are fed to it.

`Engine` runs the same single passes as the simulator, at whatever instants a test chooses, over whatever store it is
given. `exactly` is the virtual clock: it stops at every arrival and at every instant at which something is due.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from orchestrator.channels.protocol import Channel
from orchestrator.core.inbox import Body
from orchestrator.core.index import Index
from orchestrator.core.transition import Transition, line_of
from orchestrator.definitions.load import LoadedProject
from orchestrator.runtime.delivery import deliver_once
from orchestrator.runtime.ingest import Incoming, ingest_once
from orchestrator.runtime.rendering import LedgerRenderer
from orchestrator.runtime.requests import requests_once
from orchestrator.runtime.sweep import next_sweep_at, start_schedules, sweep_once
from orchestrator.runtime.turns import turn_once
from orchestrator.stores.protocol import Settlement, Store
from orchestrator.templating.failure import RenderError
from orchestrator.testing.sink import ScriptedHttp, SinkChannel

CHANNELS = ("email", "sms", "push", "whatsapp", "wechat", "inbox")


class Happening(NamedTuple):
    """Something that arrives for a customer: an event (its timestamp: `at`, or earlier) or an inbox body."""

    at: datetime
    customer: str
    what: Incoming | Body


@dataclass
class Engine:
    """The passes over one store. `delivers` False: every message counts as sent at once, whatever the claim would
    say."""

    store: Store
    project: LoadedProject
    start: datetime
    delivers: bool = True
    channels: Mapping[str, Channel] = field(default_factory=lambda: {name: SinkChannel() for name in CHANNELS})
    http: ScriptedHttp = field(default_factory=lambda: ScriptedHttp({}))
    turn: Callable[[Store, datetime], int] = lambda store, now: turn_once(store, now).customers

    def __post_init__(self) -> None:
        self.store.deploy(Index(self.project.project), self.start)
        start_schedules(self.store, self.start)
        self._renderer = LedgerRenderer(self.project.templates, self.project.project, "https://example.com", b"tests")
        self.journal: list[Transition] = []

    def arrive(self, happenings: Iterable[Happening]) -> None:
        """Ingest, each at its own instant."""
        for at, customer, what in happenings:
            counts = ingest_once(self.store, [what if isinstance(what, Incoming) else (customer, what)], at)
            assert not counts.refused, counts.refused

    def run(self, now: datetime) -> int:
        """Everything that is due now, until nothing is. Returns how much was done."""
        done = 0
        for _ in range(10_000):
            work = sweep_once(self.store, now)
            while taken := self.turn(self.store, now):
                work += taken
            work += requests_once(self.store, self.http, now, width=1)
            if self.delivers:
                work += sum(deliver_once(self.store, self.channels, self._renderer, now, render_errors=RenderError))
            else:
                claimed = [claimed.row for claimed in self.store.claim_messages(now, 1_000)]
                self.store.settle_messages([Settlement(row.id, row.customer_id, "sent") for row in claimed], now)
            if not work:
                self.journal.extend(self.store.drain_journal())
                return done
            done += work
        raise AssertionError(f"the engine does not come to rest at {now}")

    def next_due_at(self) -> datetime | None:
        """The next instant at which time alone brings something to decide."""
        instants = [at for at in (self.store.next_due_at(), next_sweep_at(self.store)) if at is not None]
        return min(instants, default=None)

    def sorted_journal(self) -> list[Transition]:
        """The journal in its order."""
        return sorted(self.journal, key=lambda t: (t.at, t.customer, t.seq))

    def lines(self) -> list[dict[str, Any]]:
        """The journal as the simulator prints it."""
        return [line_of(transition) for transition in self.sorted_journal()]


def exactly(engine: Engine, happenings: Sequence[Happening], until: datetime) -> Engine:
    """Run the engine on the virtual clock. `happenings` ascend by instant."""
    groups: dict[datetime, list[Happening]] = {}
    for happening in happenings:
        groups.setdefault(happening.at, []).append(happening)
    engine.run(engine.start)
    now = engine.start
    for at in [*sorted(groups), until]:
        while (due_at := engine.next_due_at()) is not None and due_at < at:
            now = max(due_at, now)
            engine.run(now)
        if at in groups:
            now = at
            engine.arrive(groups[at])
            engine.run(now)
    return engine


def ticking(engine: Engine, happenings: Sequence[Happening], delays: Sequence[timedelta], until: datetime) -> Engine:
    """Run the engine some time after something arrived or became due: the n-th time by the n-th delay, over and over.

    That is what is left of any pattern of ticks without those that find nothing to do. What happens in between is
    ingested at its own instant.
    """
    waiting = sorted(happenings, key=lambda happening: happening.at)
    engine.run(engine.start)
    place = 0
    while True:
        instants = [at for at in (engine.next_due_at(), waiting[0].at if waiting else None) if at is not None]
        if not instants or min(instants) >= until:
            return engine
        tick = min(instants) + delays[place % len(delays)]
        place += 1
        arrived = [happening for happening in waiting if happening.at <= tick]
        waiting = waiting[len(arrived) :]
        engine.arrive(arrived)
        engine.run(tick)
