"""A running installation: the engine over a store, and the shape in which its HTTP side sees it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from orchestrator.definitions.load import LoadedProject
from orchestrator.runtime.canary import carry_on
from orchestrator.runtime.clock import JourneyClock, resumed
from orchestrator.runtime.deployment import (
    Revived,
    Watch,
    deploy,
    refuse_unapproved,
    renderer_of,
    revive,
    snapshot_of,
)
from orchestrator.runtime.loop import Engine, EngineLoop, LaneState
from orchestrator.runtime.rendering import LedgerRenderer
from orchestrator.settings import Settings
from orchestrator.stores.protocol import Store
from orchestrator.templating.assets import Asset
from orchestrator.wiring.installation import real_clock, real_now
from orchestrator.wiring.outside import Reached, caller_of, reached, refuse_unreadable_chats, urls_of
from orchestrator.wiring.sources import refuse_bad_sources
from orchestrator.wiring.surveys import SurveyForm, survey_forms
from orchestrator.wiring.trouble import TROUBLES, TroubleBoard
from orchestrator.wiring.webhooks import webhook_places

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from orchestrator.channels.circuit import CircuitState
    from orchestrator.runtime.violations import ViolationBook
    from orchestrator.wiring.alerting import AlertKeeper
    from orchestrator.wiring.bounces import BounceReader
    from orchestrator.wiring.hooks import HookDoor
    from orchestrator.wiring.sources import SourceDoor

LAG_BOUND: Final = timedelta(seconds=30)
"""How far behind the engine may be and still be called ready."""


class Work(Protocol):
    """Other processes that do the work."""

    def nudge(self, shards: Collection[int] | None = None) -> None:
        """Something came in (into these shards). Returns at once."""

    def degraded(self) -> Mapping[str, str]:
        """What is out of order with them, by name."""


@dataclass
class Running:
    """Everything that runs on one store. It is the Service of the HTTP side, too."""

    store: Store
    renderer: LedgerRenderer
    channels: Mapping[str, Reached]
    engine: Engine
    loop: EngineLoop
    base_url: str
    secret: bytes
    write_keys: Collection[str]
    deployed_news: bool = False
    """Whether the project differs from what was live before."""
    assets: dict[tuple[str, str], Asset] = field(default_factory=dict)
    """By the first digits of their hash and their name, as they stand in mails."""
    surveys: dict[tuple[str, str], SurveyForm] = field(default_factory=dict)
    """By journey and name, as they were deployed last: answers come in when their journey has gone, too."""
    settings: Settings | None = None
    """Those that it was made with."""
    project: Path = Path(".")
    """The folder that relative places are below."""
    work: Work | None = None
    """Who does the work, where it is not this process's own loop."""
    _abandoned: bool = False

    @property
    def speed(self) -> float:
        """How many seconds of journey time pass in a real one, at most."""
        return self.engine.clock.speed

    @property
    def lag_bound(self) -> timedelta:
        """How late the engine may be and still be called ready."""
        return LAG_BOUND

    @cached_property
    def registry(self) -> CollectorRegistry:
        """The installation's figures, beside those of a status page."""
        from orchestrator.wiring.figures import registry_of

        return registry_of(self)

    @cached_property
    def alerts(self) -> AlertKeeper:
        """Who tells people that something is out of order; to be started."""
        from orchestrator.wiring.alerting import AlertKeeper

        return AlertKeeper(self, self.settings)

    @cached_property
    def hooks(self) -> HookDoor:
        """Who reads providers' callbacks."""
        from orchestrator.wiring.hooks import door_of

        urls = urls_of(self.settings) if self.settings is not None else {}
        return door_of(urls, {name: to.channel for name, to in self.channels.items()}, self.real_now)

    @property
    def origins(self) -> Sequence[str]:
        """Origins of pages that may send events; empty: all."""
        return self.settings.allowed_origins if self.settings is not None else ()

    @cached_property
    def sources(self) -> SourceDoor:
        """Shops and services that post webhooks."""
        from orchestrator.wiring.sources import door_of

        return door_of(self.settings)

    @cached_property
    def violations(self) -> ViolationBook:
        """What did not fit the tracking plan, on its way into the database."""
        from orchestrator.runtime.violations import ViolationBook

        return ViolationBook(self.store, self.count)

    @cached_property
    def bounces(self) -> BounceReader:
        """Who reads mails that came back; to be started."""
        from orchestrator.wiring.bounces import BounceReader, bounce_place

        return BounceReader(self, bounce_place(self.settings, self.project))

    @property
    def api_keys(self) -> Collection[str]:
        """The keys of the brand's own servers."""
        return self.settings.secret_keys if self.settings is not None else frozenset()

    def real_now(self) -> datetime:
        """The actual instant."""
        return self.engine.real_now()

    def journey_now(self) -> datetime:
        """The journey time."""
        return self.engine.now()

    def arrival(self) -> AbstractContextManager[datetime]:
        """When what is taken inside arrives. A clock that runs fast waits for it until the engine has seen it."""
        return self.engine.clock.arriving(self.real_now(), self.engine.patience)

    def loop_lag(self) -> timedelta:
        """How long ago the engine should have come further."""
        return self.loop.lag() if self.work is None else timedelta(0)

    def lanes(self) -> Sequence[LaneState]:
        """How the engine's lanes fare; none of them is this process's where workers do the work."""
        return self.loop.states() if self.work is None else ()

    def degraded(self) -> Mapping[str, str]:
        """What is out of order and keeps nobody from taking events and answering, with the reason."""
        found = {} if self.work is None else dict(self.work.degraded())
        if self.settings is not None and self.settings.test_mode == "seeds":
            found["test mode"] = "messages reach seed addresses only; all others are rejected"
        return found

    def circuits(self) -> Mapping[str, CircuitState]:
        """How the channels' circuits stand."""
        return self.engine.gates.states()

    def survey(self, journey: str, name: str) -> SurveyForm | None:
        """What a survey asks for; None: no deployment that is known here has it."""
        return self.surveys.get((journey, name))

    def count(self, changed: Mapping[str, int]) -> None:
        """Count for the installation's figures."""
        self.engine.figures.add(changed)

    def nudge(self, shards: Collection[int] | None = None) -> None:
        """Something came in (into these shards)."""
        if self.work is None:
            self.loop.nudge()
        else:
            self.work.nudge(shards)

    def asset(self, digits: str, name: str) -> Asset | None:
        """A picture or document by what stands in mails."""
        found = self.assets.get((digits[:12], name))
        return found if found is not None and len(digits) >= 12 and found.content_hash.startswith(digits) else None

    def watch(self, digest: str | None = None) -> None:
        """From now on adopt what other processes deploy into the database, and write down what is out of order.

        `digest`: of the files that run here already.
        """
        watch = Watch(self.store, self._adopted, digest, self._learned)
        board = TroubleBoard(self.store, TROUBLES)

        def look() -> None:
            watch.once(self.engine.now())
            board.once(self._troubles, self.real_now())

        self.engine.watch = look
        self.engine.learn = watch.learn
        self.renderer.learn = lambda: watch.learn(at_once=True)  # once a template: it has no second chance
        self.engine.live = watch
        self.engine.hopeless = lambda: bool(watch.broken)

    def _troubles(self) -> frozenset[str]:
        circuits = [f"channel {name}" for name, circuit in self.circuits().items() if circuit.state != "closed"]
        return frozenset([*circuits, *(f"lane {lane.name}" for lane in self.lanes() if lane.failing)])

    def _adopted(self, loaded: LoadedProject) -> None:
        self.renderer.deploy(loaded.templates, loaded.project)
        self.keep(loaded)

    def _learned(self, loaded: LoadedProject) -> None:
        self.renderer.keep(loaded.templates)
        self.keep(loaded)

    def abandon(self) -> None:
        """A thread still uses the store and the channels: leave them open, the process's end closes them."""
        self._abandoned = True

    def close(self) -> None:
        """Give back what store and channels hold."""
        if not self._abandoned:
            if "violations" in self.__dict__:
                self.violations.close()
            for channel in {id(to.channel): to.channel for to in self.channels.values()}.values():
                channel.close()
            self.store.close()

    def keep(self, loaded: LoadedProject) -> None:
        """Serve the assets and surveys of a deployment, beside those of older ones."""
        found = loaded.templates.assets.values()
        self.assets.update(((asset.content_hash[:12], asset.name), asset) for asset in found)
        self.surveys.update(survey_forms(loaded))


def start_engine(
    store: Store,
    loaded: LoadedProject,
    settings: Settings,
    project: Path,
    *,
    secret: bytes,
    base_url: str,
    speed: float = 1.0,
    begin_at: datetime | None = None,
) -> Running:
    """Deploy a project on a store and put together all that runs it; nothing is started yet.

    `begin_at`: where the clock of the journeys starts, unless it has been later before (a replay). Raises UsageError
    for settings that no adapter takes.
    """
    snapshot = snapshot_of(loaded.root)
    revived = revive(store, snapshot)
    refuse_unapproved(store, revived, loaded, snapshot)
    running = assemble(
        store, revived, loaded, settings, project, secret=secret, base_url=base_url, speed=speed, begin_at=begin_at
    )
    if revived.snapshot is not None and revived.snapshot.digest != snapshot.digest:
        carry_on(store, revived.older, loaded, running.engine.now())
    running.deployed_news = deploy(store, loaded, running.engine.now(), snapshot, real_now())
    running.watch(snapshot.digest)
    return running


def assemble(
    store: Store,
    revived: Revived,
    loaded: LoadedProject,
    settings: Settings,
    project: Path,
    *,
    secret: bytes,
    base_url: str,
    speed: float = 1.0,
    begin_at: datetime | None = None,
) -> Running:
    """All that runs `loaded` on a store, which has still to be told of it (`deploy`)."""
    real_now = real_clock(store)
    clock = resumed(store, real_now(), speed) if begin_at is None else _begun(store, speed, begin_at)
    renderer = renderer_of(revived, loaded, base_url, secret)
    refuse_unreadable_chats(settings)
    refuse_bad_sources(settings)
    channels = reached(settings, project)
    adapters = {name: to.channel for name, to in channels.items()}
    engine = Engine(store, adapters, caller_of(settings), renderer, clock, real_now, renderer.unsubscribe_url)
    # A replay tells nobody: what it decides happened long ago.
    engine.receivers = webhook_places(settings) if begin_at is None else None
    running = Running(store, renderer, channels, engine, EngineLoop(engine), base_url, secret, settings.keys)
    running.settings, running.project = settings, project  # for what is begun later
    for deployed in (*revived.older, loaded):
        running.keep(deployed)
    return running


def _begun(store: Store, speed: float, begin_at: datetime) -> JourneyClock:
    """The clock of a replay: it stands at the first event, or where an earlier part of the replay ended."""
    now = real_now()
    known = resumed(store, now)
    return JourneyClock(now, max(begin_at, known.now(now)) if known.virtual else begin_at, speed)
