"""The engine of an embedded installation: lanes, each a thread that calls a single pass when nudged, or each second.

Deciding, delivering and calling out are lanes of their own, so that a provider that hangs holds up no decision. The
database orders what they do. A database that cannot be written stops a lane for a while and no more (nothing is sent
that cannot be recorded); any other exception is told loudly, counted and shown, and the lane goes on. Nothing here
has to end well: whatever was begun is found again in the database.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic, sleep
from typing import Final

from orchestrator.channels.protocol import Caller, Channel
from orchestrator.core.changes import Changes
from orchestrator.runtime.canary import CanaryWatch, canary_once
from orchestrator.runtime.clock import JourneyClock
from orchestrator.runtime.delivery import MessageRenderer, UnsubscribeUrl, deliver_once, hold_line
from orchestrator.runtime.expected_entries import EntryWatch
from orchestrator.runtime.figures import Figures
from orchestrator.runtime.following import Receivers, follow_once
from orchestrator.runtime.gates import Gates
from orchestrator.runtime.housekeeping import housekeep_once
from orchestrator.runtime.lateness import Lateness
from orchestrator.runtime.limits_hit import LimitsHit
from orchestrator.runtime.linking import link_once
from orchestrator.runtime.nudge import Nudge, Nudges
from orchestrator.runtime.requests import requests_once
from orchestrator.runtime.segments import build_segments_once
from orchestrator.runtime.sweep import next_sweep_at, sweep_once
from orchestrator.runtime.task_notices import TaskNotices
from orchestrator.runtime.turns import UNKNOWN_VERSION, Live, TurnCounts, turn_once
from orchestrator.stores.protocol import Store, StoreBusy
from orchestrator.stores.sealing import CLOSED
from orchestrator.templating.failure import RenderError

CLASSES: Final = ("transactional", "service", "promotional")
"""Lanes of delivery, in this order."""
TICK: Final = 1.0
"""Seconds after which a lane looks without having been nudged."""
TURNS_FOR: Final = 0.25
"""Seconds of turns in one pass."""
BETWEEN_TURNS: Final = 0.0005
"""Seconds in which whoever waits for the database gets it: Python's locks let the last holder have them again."""
HOUSEKEEPING_EVERY: Final = 1.0
SWEEP_EVERY: Final = 10.0
"""Seconds after which schedules are looked at even if none is due, so that it is known how far they were."""
LINK_EVERY: Final = 1.0
"""Seconds between looks for links that nobody acted on."""
TAKE_UP_EVERY: Final = 30.0
"""Seconds for which somebody in an unknown version is left alone."""
TAKEN_UP_AT_ONCE: Final = 1_000
DELIVERED_AT_ONCE: Final = 500
"""Messages of one class in one pass; the next class has its turn then."""
PASS_ALLOWED: Final = 2.0
"""Seconds that a pass of deciding may take before it counts as lag."""
OUTSIDE_ALLOWED: Final = 60.0
"""The same where others have to answer."""
FIRST_BACK_OFF: Final = 0.2
LONGEST_BACK_OFF: Final = 30.0

log = logging.getLogger(__name__)
RealNow = Callable[[], datetime]


@dataclass
class Engine:
    """What the passes work on. `real_now` is the only clock of the machine; `patience` is half of late_tolerance."""

    store: Store
    channels: Mapping[str, Channel]
    caller: Caller
    renderer: MessageRenderer
    clock: JourneyClock
    real_now: RealNow
    unsubscribe_url: UnsubscribeUrl | None = None
    """Where one click ends a message's topic; None: mails have no such header."""
    lateness: Lateness = field(default_factory=Lateness)
    figures: Figures = field(init=False)
    """What this process counts for the installation's figures."""
    watch: Callable[[], None] = lambda: None
    """Called before turns: adopts what another process deployed."""
    learn: Callable[[], bool] = lambda: False
    """Called where somebody is in a version that is not known here: whether it has found any."""
    live: Live | None = None
    """Whether this process runs what was deployed last, asked where somebody hears of a deploy."""
    hopeless: Callable[[], bool] = lambda: False
    """Whether there are versions that this program cannot run at all, so that who is in them is left to others."""
    receivers: Receivers | None = None
    """Where webhooks go; None: nobody is told anything."""
    awaited: bool = False
    """Whether messages are to be handed over, and the last pass over them came on."""
    gates: Gates = field(init=False)
    """What lets messages through to the channels."""
    limits_hit: LimitsHit = field(default_factory=LimitsHit)
    """Limits of journeys that this process's turns reached."""
    task_notices: TaskNotices = field(default_factory=TaskNotices)
    """What staff have to hear of tasks."""
    entry_watch: EntryWatch = field(init=False)
    """Counts whom journeys let in of which somebody said how many to expect."""
    canary_watch: CanaryWatch = field(init=False)
    """Counts what becomes of the messages of canaries."""
    _swept_at: float = 0.0
    _linked_at: float = 0.0
    _took_up_at: float = 0.0

    def __post_init__(self) -> None:
        self.gates = Gates(self.channels, store=self.store, real_now=self.real_now)
        self.figures = Figures(self.lateness)
        self.entry_watch = EntryWatch(self.store)
        self.canary_watch = CanaryWatch(self.store, self.figures.add)

    @property
    def patience(self) -> timedelta:
        """How far a clock that runs faster may pass what is overdue."""
        return self.store.index.project.settings.late_tolerance / 2

    def now(self) -> datetime:
        """Journey time."""
        return self.clock.now(self.real_now())

    def next_due_at(self) -> datetime | None:
        """When time alone brings something next."""
        instants = [at for at in (self.store.next_due_at(), next_sweep_at(self.store)) if at is not None]
        return min(instants, default=None)

    def decide_once(self, stopping: Callable[[], bool] = lambda: False, seconds: float = TURNS_FOR) -> int:
        """One pass of deciding: schedules, then turns until nothing is due, for so long at most. Returns how much."""
        self.watch()
        work = self.sweep_once()
        build_segments_once(self.store, self.now())
        until = monotonic() + seconds
        due_at = self.store.next_due_at()
        while not stopping():
            now = self.now()
            counts = turn_once(self.store, now, learn=self.learn, live=self.live, saved=self._saved)
            if not counts.customers:
                break
            work += counts.customers
            if due_at is not None:
                self.lateness.observe(now - due_at)
            due_at = self.store.next_due_at()
            self.clock.wait_for(due_at, self.patience)
            if monotonic() >= until:
                break
            sleep(BETWEEN_TURNS)
        self.awaited = self.awaited or work > 0
        self._let_go_on()
        return work

    def turns_once(
        self,
        told: Callable[[TurnCounts], None],
        shards: Sequence[int] | None = None,
        seconds: float = TURNS_FOR,
    ) -> bool:
        """Turns (of these shards) until nothing is due, for so long at most; `told` hears of each. Whether there may
        be more. For workers: several processes do this at once, and none of them sweeps."""
        until = monotonic() + seconds
        due_at = self.store.next_due_at() if shards is None else None
        while True:
            now = self.now()
            counts = turn_once(self.store, now, shards=shards, learn=self.learn, live=self.live, saved=self._saved)
            if not counts.customers:
                return False
            if due_at is not None and due_at <= now:
                self.lateness.observe(now - due_at)
            told(counts)
            if monotonic() >= until:
                return True
            due_at = None  # a pass tells its lateness once: to ask between its turns would cost a tenth of a turn

    def _saved(self, changes: Changes) -> None:
        self.figures.decided(changes)
        self.limits_hit.decided(changes, self.store.index.project)
        self.task_notices.decided(changes, self.store.index.project)
        self.entry_watch.decided(changes)
        self.canary_watch.decided(changes)

    def sweep_once(self) -> int:
        """A sweep writes down how far it came: only when an occurrence is due, and now and then."""
        if monotonic() - self._linked_at >= LINK_EVERY:
            self._linked_at = monotonic()
            link_once(self.store, self.now(), seconds=LINK_EVERY)
        due_at, now = next_sweep_at(self.store), self.now()
        if (due_at is None or due_at > now) and monotonic() - self._swept_at < SWEEP_EVERY:
            return 0
        self._swept_at = monotonic()
        return sweep_once(self.store, now)

    def _let_go_on(self) -> None:
        """Tell the clock how far it may go until the next pass.

        What is overdue and was not taken waits for something else than the engine, such as a provider that is down;
        then time goes on in steps that make nobody late.
        """
        now, due_at = self.now(), self.next_due_at()
        stuck = due_at is not None and due_at <= now and not self.awaited
        self.clock.wait_for(now if stuck else due_at, self.patience)

    def deliver_once(self, stopping: Callable[[], bool] = lambda: False) -> int:
        """One pass over the classes of messages, the most urgent first. Returns how many rows it settled."""
        work = 0
        for klass in CLASSES:
            if stopping():
                break
            work += self.deliver_class_once(klass)
        self.tell_throttled()
        self.awaited = work > 0
        return work

    def tell_throttled(self) -> None:
        """Write down, once a message, that it waits for its journey's throttle."""
        if any(journey.throttle is not None for journey in self.store.index.journeys):
            now = self.now()
            self.store.record([hold_line(row, now, at) for row, at in self.store.throttled(now)])

    def deliver_class_once(self, klass: str) -> int:
        """One pass over the messages of one class. Returns how many rows it settled."""
        counts = deliver_once(
            self.store,
            self.channels,
            self.renderer,
            self.now(),
            DELIVERED_AT_ONCE,
            RenderError,
            real_at=self.real_now(),
            klass=klass,
            gates=self.gates,
            unsubscribe_url=self.unsubscribe_url,
            counted=self.figures.add,
        )
        return sum(counts)

    def requests_once(self) -> int:
        """One pass of calls to the outside. Returns how many were settled."""
        return requests_once(self.store, self.caller, self.now(), real_at=self.real_now())

    def follow_once(self, stopping: Callable[[], bool] = lambda: False) -> int:
        """One pass over the webhooks that hear what is decided. Returns how many batches were settled."""
        if self.receivers is None:
            return 0
        return follow_once(self.store, self.receivers, self.real_now, counted=self.figures.add, stopping=stopping)

    def housekeep_once(self) -> int:
        """One pass of housekeeping."""
        self._take_up_once()
        self.figures.flush(self.store)
        told = canary_once(self.store, self.now())
        return told + housekeep_once(self.store, self.clock, self.real_now())

    def _take_up_once(self) -> None:
        """Try again who was left alone because of a version, or a key, that was not known: it may be by now."""
        if monotonic() - self._took_up_at >= TAKE_UP_EVERY and not self.hopeless():
            self._took_up_at = monotonic()
            for reason in (UNKNOWN_VERSION, CLOSED):
                self.store.take_up(reason, TAKEN_UP_AT_ONCE, self.now())


@dataclass
class LaneState:
    """What is shown of a lane. `failures` counts exceptions that were not the database's; `busy` those that were."""

    name: str
    passes: int = 0
    work: int = 0
    failures: int = 0
    busy: int = 0
    last_at: datetime | None = None
    last_error: str | None = None
    failing: bool = False
    """Whether the last pass failed."""


class Lane:
    """One thread that calls `once` when nudged, at `due_in` seconds, or each second; `told` hears of work done."""

    def __init__(
        self,
        name: str,
        once: Callable[[], int],
        real_now: RealNow,
        told: Callable[[], None] = lambda: None,
        due_in: Callable[[], float] = lambda: TICK,
        allowed: float = PASS_ALLOWED,
    ) -> None:
        self.state = LaneState(name)
        self.nudge = Nudge()
        self._once = once
        self._real_now = real_now
        self._told = told
        self._due_in = due_in
        self._stop = threading.Event()
        self._back_off = 0.0
        self._allowed = allowed
        self._expected_by = float("inf")
        self._thread = threading.Thread(target=self._run, name=f"lane-{name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the pass that runs, and end."""
        self._stop.set()
        self.nudge()

    def stopping(self) -> bool:
        """Whether `stop` was called: long passes end early then."""
        return self._stop.is_set()

    def join(self, seconds: float) -> bool:
        """Wait for the end, at most so long. Whether it came."""
        if self._thread.ident is not None:  # it was started
            self._thread.join(max(0.0, seconds))
        return not self._thread.is_alive()

    def lag(self) -> float:
        """Seconds by which the pass that runs is over its time, or the next one, or since passes began to fail."""
        return max(0.0, monotonic() - self._expected_by)

    def pass_once(self) -> float:
        """One pass, whatever happens in it. Returns the seconds after which to look again without a nudge."""
        state = self.state
        if not state.failing:
            self._expected_by = monotonic() + self._allowed
        try:
            work = self._once()
        except StoreBusy as error:
            state.busy += 1
            return self._failed(str(error), log.warning)
        except Exception as error:
            state.failures += 1
            return self._failed(f"{type(error).__name__}: {error}", log.exception)
        if state.failing:
            log.info("the lane '%s' works again", state.name)
        state.failing, self._back_off = False, 0.0
        state.passes += 1
        state.work += work
        state.last_at = self._real_now()
        if work:
            self._told()
        seconds = 0.0 if work else min(TICK, self._due_in())
        self._expected_by = monotonic() + seconds + self._allowed
        return seconds

    def _failed(self, why: str, tell: Callable[..., None]) -> float:
        self._back_off = min(LONGEST_BACK_OFF, self._back_off * 2 or FIRST_BACK_OFF)
        self.state.failing, self.state.last_error = True, why
        tell("the lane '%s' could not finish, and tries again in %.1f s: %s", self.state.name, self._back_off, why)
        return self._back_off

    def _run(self) -> None:
        while not self._stop.is_set():
            seconds = self.pass_once()
            if self.state.failing:
                self._stop.wait(seconds)  # nudges do not shorten a back-off
            elif seconds > 0:
                self.nudge.wait(seconds)


class EngineLoop:
    """All lanes of one engine. `nudge` is for whoever puts something into the database."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._kept_at = 0.0
        real_now = engine.real_now
        self.decide = Lane("decide", self._decide, real_now, self._nudge_all, self._due_in)
        self.deliver = Lane("deliver", self._deliver, real_now, self._nudge_decide, allowed=OUTSIDE_ALLOWED)
        self.requests = Lane("requests", engine.requests_once, real_now, self._nudge_decide, allowed=OUTSIDE_ALLOWED)
        self.webhooks = Lane("webhooks", self._follow, real_now, allowed=OUTSIDE_ALLOWED)
        self.lanes: Sequence[Lane] = (self.decide, self.deliver, self.requests, self.webhooks)
        self._all = Nudges([lane.nudge for lane in self.lanes])

    def start(self) -> None:
        """Begin."""
        for lane in self.lanes:
            lane.start()

    def stop(self, seconds: float = 8.0) -> bool:
        """Let every lane finish its pass, for so long at most, and write down the clock. Whether all have ended.

        Where one has not (a provider does not answer), the rows that it holds are found again under their lease.
        """
        until = monotonic() + seconds
        for lane in self.lanes:
            lane.stop()
        ended = [lane.join(until - monotonic()) for lane in self.lanes]
        if all(ended):
            try:
                self.engine.housekeep_once()
            except StoreBusy as error:
                log.warning("the clock could not be written down: %s", error)
        return all(ended)

    def nudge(self) -> None:
        """Something came: look at once."""
        self.engine.clock.arrived(self.engine.real_now(), self.engine.patience)
        self.decide.nudge()

    def states(self) -> Sequence[LaneState]:
        """What is shown of the lanes."""
        return [lane.state for lane in self.lanes]

    def lag(self) -> timedelta:
        """The largest lag of a lane, in real time."""
        return timedelta(seconds=max(lane.lag() for lane in self.lanes))

    def _decide(self) -> int:
        work = self.engine.decide_once(self.decide.stopping)
        if monotonic() - self._kept_at >= HOUSEKEEPING_EVERY:
            self._kept_at = monotonic()
            work += self.engine.housekeep_once()
        return work

    def _deliver(self) -> int:
        return self.engine.deliver_once(self.deliver.stopping)

    def _follow(self) -> int:
        return self.engine.follow_once(self.webhooks.stopping)

    def _due_in(self) -> float:
        """Seconds until the next thing is due, as far as the clock goes on by itself."""
        engine = self.engine
        due_at, real_at = engine.next_due_at(), engine.real_now()
        if due_at is None:
            return TICK
        # What is due already and was not taken is not for a turn: a lane that spun on it would only burn.
        if due_at <= engine.clock.now(real_at):
            return TICK if engine.clock.speed <= 1 else TICK / 20
        return engine.clock.real_wait(due_at, real_at).total_seconds()

    def _nudge_all(self) -> None:
        self._all()

    def _nudge_decide(self) -> None:
        self.decide.nudge()
