"""A run on a virtual clock, with the real engine: what `simulate`, `test` and `up --replay` share.

The clock jumps from instant to instant: the next thing that arrives, the next timer, the next occurrence of a schedule.
At each, what arrives is ingested, then turns, deliveries and requests run until nothing more is due.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

from orchestrator.channels.protocol import Channel
from orchestrator.core.inbox import Event, Identified
from orchestrator.core.index import Index
from orchestrator.core.tracking_plan import MISSING, UNKNOWN
from orchestrator.core.transition import Transition, line_of
from orchestrator.definitions import scenario_items as items
from orchestrator.definitions.event_tables import ReplayEvent
from orchestrator.definitions.load import LoadedProject
from orchestrator.errors import Problem, ProjectInvalid
from orchestrator.runtime.catalogs import RowRefused, checked_key, checked_row
from orchestrator.runtime.customer_table import traits_of_spec
from orchestrator.runtime.delivery import deliver_once, hold_line
from orchestrator.runtime.ingest import Incoming, incoming, ingest_once
from orchestrator.runtime.rendering import LedgerRenderer
from orchestrator.runtime.requests import requests_once
from orchestrator.runtime.sweep import next_sweep_at, start_schedules, sweep_once
from orchestrator.runtime.turns import turn_once
from orchestrator.stores.memory import MemoryStore
from orchestrator.stores.protocol import Store
from orchestrator.stores.protocol_catalogs import Edit
from orchestrator.templating.failure import RenderError
from orchestrator.testing.sink import ScriptedHttp, SinkChannel

LONGEST = timedelta(days=400)
"""How long a scenario without `until` may run."""
NOT_PRINTED = frozenset({"retried", "exhausted", "redemption_refused"})
"""Kinds of transitions that are kept for `why`, and are no lines of the simulator."""
BASE_URL = "http://localhost:8000"
CHANNELS = ("email", "sms", "push", "whatsapp", "wechat", "inbox")

Emit = Callable[[dict[str, Any]], None]
Progress = Callable[[int, int], None]


class Outside(NamedTuple):
    """What a replay on a live installation is given: its channels and renderer, and who hears of every step in time.

    `between` is called before the clock stands at a later instant; what it raises ends the run there.
    """

    channels: Mapping[str, Channel]
    renderer: LedgerRenderer
    between: Callable[[datetime], None]


@dataclass
class Summary:
    """What a run did. `lines` by type; `ended_at` is the clock's last instant."""

    started_at: datetime
    ended_at: datetime
    customers: int = 0
    events: int = 0
    lines: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0
    refused: list[str] = field(default_factory=list)
    conflicts: int = 0
    violations: Counter[tuple[str, str]] = field(default_factory=Counter)
    parked: int = 0


class Simulation:
    """One run: a store, its outside world, and the virtual clock. `emit` gets each line in the documented order.

    `store`: another one than memory; it has its own salt and fixed draws then. `width`: how many messages the providers
    are given together.
    """

    def __init__(
        self,
        loaded: LoadedProject,
        start: datetime,
        emit: Emit,
        *,
        salt: str | None = None,
        force: dict[str, str | bool] | None = None,
        fetch: dict[str, items.FetchAnswer] | None = None,
        only: frozenset[str] | None = None,
        with_values: bool = False,
        forget_messages: bool = False,
        store: Store | None = None,
        outside: Outside | None = None,
        width: int = 1,
    ) -> None:
        loaded.require_valid()
        self.now = start
        self.sinks = {channel: SinkChannel(width) for channel in CHANNELS}
        self._channels: Mapping[str, Channel] = dict(self.sinks)
        self.http = ScriptedHttp(fetch or {})
        self.summary = Summary(start, start)
        self._emit = emit
        self._with_values = with_values
        self._only = only
        self._loaded = loaded
        self._pending: list[Transition] = []
        self._stalled_until: datetime | None = None
        self._renderer = LedgerRenderer(
            loaded.templates, loaded.project, BASE_URL, b"simulation", bounces=False, coupon_pages=False
        )
        self._between: Callable[[datetime], None] | None = None
        if outside is not None:
            self._channels, self._renderer, self._between = outside
        self._index = self._index_of(loaded)
        self.store: Store = store or MemoryStore(
            salt if salt is not None else "0", force, forget_messages and not self._index.asks_ledger
        )

    def _index_of(self, loaded: LoadedProject) -> Index:
        project = loaded.project
        if self._only is not None:
            project = replace(project, journeys={id: j for id, j in project.journeys.items() if id in self._only})
        return Index(project)

    # --- the start -------------------------------------------------------------------------------------------------

    def prepare(self, customers: Iterable[items.CustomerSpec], history: Iterable[items.PastSpec]) -> None:
        """Customers first, in order and in silence; then history; then the deploy."""
        empty = replace(
            self._index.project,
            journeys={},
            segments=(),
            stages=tuple(replace(stage, where=None) for stage in self._index.project.stages),
            scores={},
            accumulators={},
        )
        self.store.deploy(Index(empty), self.now)
        for spec in customers:
            self.create(spec)
        self._turns()
        for past in history:
            event = Event(past.name, past.at, past.properties, past.message_id or f"h{past.order}")
            self.store.lay_history(past.customer, [event])
        self.store.deploy(self._index, self.now)
        start_schedules(self.store, self.now)
        self.run_engine()
        self.flush(everything=False)

    def create(self, spec: items.CustomerSpec) -> None:
        """A customer who is simply there, from now on."""
        self.summary.customers += 1
        self.ingest([(spec.id, Identified(traits_of_spec(spec, self.now), silent=True))])

    # --- the clock -------------------------------------------------------------------------------------------------

    def advance_to(self, at: datetime) -> None:
        """Run everything that is due before `at`, then stand at `at`."""
        while True:
            due_at = self.next_due_at()
            if due_at is None or due_at >= at:
                break
            self._stand_at(max(due_at, self.now))
            self.run_engine()
        self._stand_at(at)

    def run_out(self, until: datetime) -> None:
        """Run everything that is due up to and including `until`."""
        while (due_at := self.next_due_at()) is not None and due_at <= until:
            self._stand_at(max(due_at, self.now))
            self.run_engine()

    def next_due_at(self) -> datetime | None:
        """The next instant at which time alone brings something."""
        if self._stalled_until is not None:
            return self._stalled_until
        instants = [at for at in (self.store.next_due_at(), next_sweep_at(self.store)) if at is not None]
        return min(instants, default=None)

    def _stand_at(self, at: datetime) -> None:
        if at > self.now:
            self.flush(everything=False)
            if self._between is not None:
                self._between(at)
            self.now = at
        if self._stalled_until is not None and self.now >= self._stalled_until:
            self._stalled_until = None

    def run_engine(self) -> None:
        """Everything that is due now, until nothing is."""
        if self._stalled_until is not None:
            return
        while True:
            work = sweep_once(self.store, self.now)
            work += self._turns()
            work += requests_once(self.store, self.http, self.now, width=1)
            work += self._deliver()
            if not work:
                break

    def _turns(self) -> int:
        done = 0
        while (counts := turn_once(self.store, self.now)).customers:
            done += counts.customers
            self.summary.parked += counts.parked
        return done

    def _deliver(self) -> int:
        counts = deliver_once(self.store, self._channels, self._renderer, self.now, render_errors=RenderError)
        waiting = self.store.throttled(self.now)
        self._pending.extend(hold_line(row, self.now, at) for row, at in waiting)
        return sum(counts)

    # --- output ----------------------------------------------------------------------------------------------------

    def flush(self, everything: bool = True) -> None:
        """Print what can no longer be preceded by anything: instants may lie late_tolerance behind the clock."""
        self._pending.extend(self.store.drain_journal())
        if not self._pending:
            return
        self._pending.sort(key=_place)
        if everything:
            ready, self._pending = self._pending, []
        else:
            edge = self.now - self._index.project.settings.late_tolerance
            count = len(self._pending)
            while count and self._pending[count - 1].at >= edge:
                count -= 1
            ready, self._pending = self._pending[:count], self._pending[count:]
        counts, emit = self.summary.lines, self._emit
        counts.update(map(_type, ready))
        for transition in ready:
            if transition.type in NOT_PRINTED and not self._with_values:
                continue
            line = line_of(transition)
            if self._with_values and transition.values:
                line["values"] = line_of(transition._replace(data={"v": dict(transition.values)}))["v"]
            emit(line)

    def finish(self) -> Summary:
        """The end: print what is left."""
        self.flush()
        self.summary.ended_at = self.now
        return self.summary

    # --- what arrives -----------------------------------------------------------------------------------------------

    def ingest(self, arrivals: Sequence[Any]) -> None:
        """Items arrive now."""
        counts = ingest_once(self.store, arrivals, self.now)
        self.summary.duplicates += counts.duplicates
        self.summary.conflicts += len(counts.conflicts)
        self.summary.refused.extend(why for _, why in counts.refused)
        self.summary.violations.update((v.event, v.property) for v in counts.violations if v.kind in (UNKNOWN, MISSING))

    def event(self, customer: str, name: str, properties: Any, message_id: str | None) -> None:
        """An event arrives; `at` is both its timestamp and its arrival."""
        self.summary.events += 1
        self.ingest([Incoming(customer, name, properties, self.now, message_id)])

    def arrive(self, events: Iterable[ReplayEvent]) -> None:
        """Events of a table arrive together; a customer is created in silence before the first of theirs."""
        arrivals: list[Incoming | tuple[str, Identified]] = []
        for event in events:
            if event.profile is not None:
                self.summary.customers += 1
                arrivals.append((event.customer, Identified(traits_of_spec(event.profile, self.now), silent=True)))
            self.summary.events += 1
            arrivals.append(incoming((event.customer, event.name, event.properties, self.now, event.message_id, False)))
        self.ingest(arrivals)

    def deploy(self, loaded: LoadedProject) -> None:
        """Another project becomes live."""
        self._loaded = loaded
        self._index = self._index_of(loaded)
        self._renderer.deploy(loaded.templates, loaded.project)
        self.store.deploy(self._index, self.now)
        start_schedules(self.store, self.now)

    def change_catalog(self, item: items.CatalogItem) -> None:
        """A row of a catalog changes. Raises ProjectInvalid for what the catalog cannot keep."""
        rule = self._index.project.row_catalogs.get(item.catalog)
        try:
            if rule is None:
                raise RowRefused(f"project.yaml keeps no catalog '{item.catalog}' as rows")
            key = checked_key(item.key)
            values = item.values
            if values is not None:
                known = self.store.catalog_row(item.catalog, key)
                values = checked_row(rule, key, {**(known.data if known is not None else {}), **values})
        except RowRefused as error:
            where = Problem("scenario", item.line, 1, "bad_value", str(error), "change the item")
            raise ProjectInvalid([where]) from None
        self.store.change_catalog(item.catalog, [Edit(key, values)], self.now)

    def stall(self, stall_for: timedelta) -> None:
        """The engine is down for so long: what arrives is kept, and nothing is decided."""
        until_at = self.now + stall_for
        self._stalled_until = max(until_at, self._stalled_until or until_at)


_place = itemgetter(0, 1, 2)
"""Where a transition stands among the others: its instant, customer and seq."""
_type = attrgetter("type")


def longest_after(at: datetime) -> datetime:
    """The last instant of a run without an end of its own; the calendar's last one where that comes first."""
    last = datetime.max.replace(tzinfo=at.tzinfo)
    return at + LONGEST if at < last - LONGEST else last
