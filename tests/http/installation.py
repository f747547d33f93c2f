"""An installation for tests of the HTTP layer: a store in memory, a small project, clocks that stand still."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from prometheus_client import CollectorRegistry

from orchestrator.channels.circuit import CircuitState
from orchestrator.core.index import Index
from orchestrator.core.ledger import Message
from orchestrator.definitions.load import LoadedProject
from orchestrator.runtime.delivery import deliver_once
from orchestrator.runtime.loop import LaneState
from orchestrator.runtime.rendering import LedgerRenderer
from orchestrator.runtime.turns import turn_once
from orchestrator.runtime.violations import ViolationBook
from orchestrator.stores.memory import MemoryStore
from orchestrator.stores.protocol import Store
from orchestrator.templating.assets import Asset
from orchestrator.testing.sink import SinkChannel
from orchestrator.wiring.hooks import HookDoor
from orchestrator.wiring.sources import SourceDoor
from orchestrator.wiring.surveys import SurveyForm, survey_forms
from tests.small_projects import project_of

START = datetime(2026, 3, 2, 10, tzinfo=UTC)
SECRET = b"a secret for tests, of 32 bytes."
BASE = "http://localhost:8000"

JOURNEYS: dict[str, Any] = {
    "greets": {
        "title": "Says hello",
        "topic": "promotions",
        "enter": {"event": "go", "key": "event.order", "reentry": "always"},
        "steps": [{"email": "hello"}],
    },
    "confirms": {
        "topic": "orders",
        "enter": {"event": "bought", "key": "event.order", "reentry": "always"},
        "steps": [{"email": "second"}, {"sms": "hello"}],
    },
    "asks": {
        "topic": "care",
        "enter": {"event": "stop", "reentry": "always", "overlap": "parallel"},
        "steps": [{"survey": {"name": "nps_stay", "kind": "nps", "via": "email", "template": "nps", "up_to": "7d"}}],
    },
    "wishes": {
        "topic": "care",
        "enter": {"event": "changed", "reentry": "always"},
        "steps": [
            {"survey": {"name": "room", "kind": "choice", "choices": ["sea & sun", "quiet"], "template": "nps"}},
            {"survey": {"name": "stay", "kind": "csat", "template": "nps"}},
        ],
    },
    "waits": {"enter": {"event": "ping", "reentry": "always"}, "steps": [{"wait": "30d"}]},
}
TOPICS = {
    "promotions": {"class": "promotional", "title": "Offers <and> news"},
    "care": {"class": "service", "title": "Care"},
    "orders": {"class": "transactional", "title": "Your orders"},
}
TEMPLATES = {
    "email/hello.html": (
        "---\nsubject: Hello\n---\n<p>Hello</p><img src='assets/dot.png' alt=''><a href='{{ view_url }}'>view</a>"
        "<a href='{{ preferences_url }}'>p</a><a href='{{ unsubscribe_url }}'>u</a>\n"
    ),
    "email/second.html": "---\nsubject: Your order\n---\n<p>Order</p><a href='{{ unsubscribe_url }}'>u</a>\n",
    "email/nps.html": (
        "---\nsubject: How was it?\n---\n{% for link in survey.links %}<a href='{{ link.url }}'>{{ link.score }}</a>"
        "{% endfor %}\n"
    ),
    "sms/hello.txt": "Hello. Reply STOP to end.\n",
}
DOT = bytes.fromhex("89504e470d0a1a0a") + b"not much of a picture"


@dataclass
class Installation:
    """What the composition root gives to the HTTP layer, and a way to let the engine run."""

    store: Store
    loaded: LoadedProject
    write_keys: frozenset[str] = frozenset()
    api_keys: frozenset[str] = frozenset()
    base_url: str = BASE
    secret: bytes = SECRET
    speed: float = 1.0
    lag_bound: timedelta = timedelta(seconds=10)
    lag: timedelta = timedelta(0)
    now: datetime = START
    real: datetime = START
    nudges: int = 0
    lane_states: list[LaneState] = field(default_factory=list)
    troubles: dict[str, str] = field(default_factory=dict)
    circuit_states: dict[str, CircuitState] = field(default_factory=dict)
    registry: CollectorRegistry | None = field(default_factory=CollectorRegistry)
    hooks: HookDoor | None = None
    origins: tuple[str, ...] = ()
    sources: SourceDoor | None = None

    def __post_init__(self) -> None:
        self.violations = ViolationBook(self.store, self.store.count, every=0.01)
        self.store.deploy(Index(self.loaded.project), self.now)
        self.renderer = LedgerRenderer(self.loaded.templates, self.loaded.project, self.base_url, self.secret)
        self.sinks = {name: SinkChannel() for name in ("email", "sms", "push", "whatsapp", "wechat", "inbox")}

    def real_now(self) -> datetime:
        return self.real

    def journey_now(self) -> datetime:
        return self.now

    def arrival(self) -> AbstractContextManager[datetime]:
        return nullcontext(self.now)

    def lanes(self) -> Sequence[LaneState]:
        return self.lane_states

    def circuits(self) -> Mapping[str, CircuitState]:
        return self.circuit_states

    def degraded(self) -> Mapping[str, str]:
        return self.troubles

    def survey(self, journey: str, name: str) -> SurveyForm | None:
        return survey_forms(self.loaded).get((journey, name))

    def loop_lag(self) -> timedelta:
        return self.lag

    def count(self, changed: Mapping[str, int]) -> None:
        self.store.count(changed)

    def nudge(self, shards: Collection[int] | None = None) -> None:
        self.nudges += 1

    def asset(self, digits: str, name: str) -> Asset | None:
        found = self.loaded.templates.assets.get(name)
        return found if found is not None and found.content_hash.startswith(digits) else None

    def run(self) -> None:
        """Everything that is due now."""
        while turn_once(self.store, self.now).customers:
            pass
        while sum(deliver_once(self.store, self.sinks, self.renderer, self.now)):
            pass
        while turn_once(self.store, self.now).customers:
            pass

    def messages(self, customer: str) -> list[Message]:
        card = self.store.card(customer)
        return [message.row for message in card.messages] if card is not None else []

    def consents(self, customer: str) -> Mapping[tuple[str, str], str]:
        card = self.store.card(customer)
        assert card is not None and card.customer is not None
        return card.customer.consents


@lru_cache(maxsize=1)
def _loaded() -> LoadedProject:
    with TemporaryDirectory() as folder:
        asset = Path(folder) / "templates" / "assets" / "dot.png"
        asset.parent.mkdir(parents=True)
        asset.write_bytes(DOT)
        project = {"topics": TOPICS, "stages": ["new", "loyal"]}
        return project_of(Path(folder), JOURNEYS, project=project, templates=TEMPLATES)


def installation(**options: Any) -> Installation:
    """A fresh one over a store in memory."""
    return Installation(options.pop("store", None) or MemoryStore(keep_journal=True), _loaded(), **options)
