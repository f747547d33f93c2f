"""Scenarios and replays on a virtual clock, with the real engine: what `simulate`, `test` and `up --replay` share.

The clock jumps from instant to instant: the next thing that arrives, the next timer, the next occurrence of a schedule.
At each, what arrives is ingested, then turns, deliveries and requests run until nothing more is due.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from orchestrator.channels.protocol import Channel
from orchestrator.core.inbox import (
    ConsentChanged,
    EnrollmentRequested,
    Event,
    Identified,
    Receipt,
    RedemptionRequested,
    SurveyAnswered,
    TaskClosed,
)
from orchestrator.core.index import Index
from orchestrator.core.transition import Transition, line_of
from orchestrator.core.view import Switches
from orchestrator.definitions import scenario_items as items
from orchestrator.definitions.event_tables import ReplayEvent
from orchestrator.definitions.lint import lint_project
from orchestrator.definitions.load import LoadedProject
from orchestrator.errors import Problem, ProjectInvalid
from orchestrator.runtime.delivery import deliver_once, hold_line
from orchestrator.runtime.ingest import Incoming, ingest_once
from orchestrator.runtime.rendering import LedgerRenderer
from orchestrator.runtime.requests import requests_once
from orchestrator.runtime.sweep import next_sweep_at, start_schedules, sweep_once
from orchestrator.runtime.turns import turn_once
from orchestrator.stores.memory import MemoryStore
from orchestrator.stores.protocol import Store
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
OpenStore = Callable[[str | None, Mapping[str, str | bool]], Store]
"""Opens the store of a run: with the salt (None: the store's own) and the draws that a test fixed."""


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

    `store`: another one than memory; it has its own salt and fixed draws then.
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
    ) -> None:
        loaded.require_valid()
        self.now = start
        self.sinks = {channel: SinkChannel() for channel in CHANNELS}
        self._channels: Mapping[str, Channel] = dict(self.sinks)
        self.http = ScriptedHttp(fetch or {})
        self.summary = Summary(start, start)
        self._emit = emit
        self._with_values = with_values
        self._only = only
        self._loaded = loaded
        self._deploys: dict[Path, LoadedProject] = {}
        self._pending: list[Transition] = []
        self._stalled_until: datetime | None = None
        self._renderer = LedgerRenderer(loaded.templates, loaded.project, BASE_URL, b"simulation")
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
        self._ingest([(spec.id, Identified(traits_of(spec, self.now), silent=True))])

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

    # --- what happens ----------------------------------------------------------------------------------------------

    def _ingest(self, arrivals: list[Any]) -> None:
        counts = ingest_once(self.store, arrivals, self.now)
        self.summary.duplicates += counts.duplicates
        self.summary.conflicts += len(counts.conflicts)
        self.summary.refused.extend(why for _, why in counts.refused)
        self.summary.violations.update(counts.violations)

    def event(self, customer: str, name: str, properties: Any, message_id: str | None) -> None:
        """An event arrives; `at` is both its timestamp and its arrival."""
        self.summary.events += 1
        self._ingest([Incoming(customer, name, properties, self.now, message_id)])

    def arrive(self, events: Iterable[ReplayEvent]) -> None:
        """Events of a table arrive together; a customer is created in silence before the first of theirs."""
        arrivals: list[Incoming | tuple[str, Identified]] = []
        for event in events:
            if event.profile is not None:
                self.summary.customers += 1
                arrivals.append((event.customer, Identified(traits_of(event.profile, self.now), silent=True)))
            self.summary.events += 1
            arrivals.append(Incoming(event.customer, event.name, event.properties, self.now, event.message_id))
        self._ingest(arrivals)

    def happen(self, item: items.TimelineItem) -> bool:
        """One item of a timeline. Returns whether it only arrived (so that more may arrive before the engine runs)."""
        match item:
            case items.EventItem():
                self.event(item.customer, item.name, item.properties, item.message_id)
            case items.IdentifyItem():
                self._ingest([(item.customer, Identified(item.traits))])
            case items.ConsentItem():
                self._ingest([(item.customer, ConsentChanged(item.topic, item.channel, item.state))])
            case items.ReceiptItem():
                row = self.store.message(item.customer, item.channel, item.step)
                receipt = Receipt(item.kind, item.channel, row.id if row is not None else None, item.text, item.url)
                self._ingest([(item.customer, receipt)])
            case items.TaskItem():
                task = self.store.open_task(item.customer, item.step)
                if task is not None:
                    self._ingest([(item.customer, TaskClosed(task.id, item.outcome, item.assignee))])
            case items.SurveyItem():
                self._ingest([(item.customer, SurveyAnswered(item.name, item.score, item.choice, item.text))])
            case items.RedeemItem():
                redemption = RedemptionRequested(item.offer, item.order_id, item.total, item.code)
                self._ingest([(item.customer, redemption)])
            case items.EnrollItem():
                self._ingest([(item.customer, EnrollmentRequested(item.journey, item.values, "api", f"s{item.order}"))])
            case _:
                self._operate(item)
                return False
        return not isinstance(item, (items.ReceiptItem, items.TaskItem))

    def _operate(self, item: items.TimelineItem) -> None:
        store = self.store
        switches = store.switches()
        match item:
            case items.ProviderItem():
                self.sinks[item.channel].outcome = item.outcome
            case items.HttpItem():
                self.http.script(item)
            case items.PauseItem():
                store.set_switches(replace(switches, paused=switches.paused | {item.journey}))
            case items.ResumeItem():
                store.set_switches(
                    replace(
                        switches,
                        paused=switches.paused - {item.journey},
                        stopped=switches.stopped - {item.journey},
                    )
                )
                store.operate(item.journey, "resume", self.now)
            case items.StopItem():
                store.set_switches(replace(switches, stopped=switches.stopped | {item.journey}))
                store.operate(item.journey, "stop", self.now)
            case items.KillItem() | items.LiftItem():
                store.set_switches(_killed(switches, item))
            case items.StallItem():
                until_at = self.now + item.stall_for
                self._stalled_until = max(until_at, self._stalled_until or until_at)
            case items.DeployItem():
                self._deploy(item)
            case items.MergeItem():
                where = Problem(
                    "scenario",
                    item.line,
                    1,
                    "merge_unsupported",
                    f"merging two customers ('{item.source}' into '{item.target}') is not supported yet",
                    "take the item out; an alias of an unknown id adds an identifier",
                )
                raise ProjectInvalid([where])

    def load_deploys(self, timeline: Iterable[items.TimelineItem]) -> None:
        """Load what the timeline will deploy. Raises ProjectInvalid before anything runs where lint finds errors."""
        for path in {item.path: None for item in timeline if isinstance(item, items.DeployItem)}:
            loaded, problems = lint_project(path)
            if any(problem.severity == "error" for problem in problems):
                raise ProjectInvalid([replace(problem, path=str(path / problem.path)) for problem in problems])
            self._deploys[path] = loaded

    def _deploy(self, item: items.DeployItem) -> None:
        loaded = self._deploys[item.path]
        self._loaded = loaded
        self._index = self._index_of(loaded)
        self._renderer.deploy(loaded.templates, loaded.project)
        self.store.deploy(self._index, self.now)
        start_schedules(self.store, self.now)


_place = itemgetter(0, 1, 2)
"""Where a transition stands among the others: its instant, customer and seq."""
_type = attrgetter("type")


def _killed(switches: Switches, item: items.KillItem | items.LiftItem) -> Switches:
    on = isinstance(item, items.KillItem)
    if item.scope == "all":
        return replace(switches, killed_all=on)
    name = frozenset({item.name or ""})
    if item.scope == "channel":
        was = switches.killed_channels
        return replace(switches, killed_channels=was | name if on else was - name)
    was = switches.killed_journeys
    return replace(switches, killed_journeys=was | name if on else was - name)


def traits_of(spec: items.CustomerSpec, now: datetime) -> dict[str, Any]:
    """A customer's profile as the traits of a creation."""
    traits: dict[str, Any] = dict(spec.attributes)
    for name in ("email", "phone", "timezone", "locale", "country", "currency"):
        value = getattr(spec, name)
        if value is not None:
            traits[name] = value
    traits["created_at"] = spec.created_at or now
    if spec.tags:
        traits["tags"] = list(spec.tags)
    if spec.stage is not None:
        traits["stage"] = spec.stage
    if spec.consents:
        traits["consents"] = spec.consents
    return traits


def longest_after(at: datetime) -> datetime:
    """The last instant of a run without an end of its own; the calendar's last one where that comes first."""
    last = datetime.max.replace(tzinfo=at.tzinfo)
    return at + LONGEST if at < last - LONGEST else last


def simulate_scenario(
    loaded: LoadedProject,
    scenario: items.Scenario,
    emit: Emit,
    *,
    only: frozenset[str] | None = None,
    with_values: bool = False,
    open_store: OpenStore | None = None,
) -> Summary:
    """Run a scenario. Raises ProjectInvalid when the project, or one that it deploys, has errors."""
    force = dict(scenario.force)
    run = Simulation(
        loaded,
        scenario.start,
        emit,
        salt=scenario.seed,
        force=force,
        fetch=dict(scenario.fetch),
        only=only,
        with_values=with_values,
        store=open_store(scenario.seed, force) if open_store is not None else None,
    )
    run.load_deploys(scenario.timeline)
    run.prepare(scenario.customers, scenario.history)
    until = scenario.until or longest_after(scenario.start)
    arrived = False
    for item in scenario.timeline:
        if item.at > until:
            break
        if item.at > run.now:
            if arrived:
                run.run_engine()
            run.advance_to(item.at)
            arrived = False
        if arrived and not _only_arrives(item):
            run.run_engine()
            arrived = False
        run.happen(item)
        arrived = arrived or _only_arrives(item)
    run.run_engine()
    run.run_out(until)
    return run.finish()


def _only_arrives(item: items.TimelineItem) -> bool:
    """Items for the inbox may arrive together; those that look at or change the world wait for the engine."""
    return isinstance(
        item,
        (items.EventItem, items.IdentifyItem, items.ConsentItem, items.SurveyItem, items.RedeemItem, items.EnrollItem),
    )
