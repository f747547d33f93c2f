"""What the HTTP layer is given: the store and the parts around it. The composition root makes an object of this shape.

The methods are called from many threads at once; the store's own promises hold, and nothing here adds a lock.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from orchestrator.channels.circuit import CircuitState
from orchestrator.core.ledger import Message
from orchestrator.core.links import Short
from orchestrator.runtime.loop import LaneState
from orchestrator.stores.protocol import Store
from orchestrator.templating.assets import Asset
from orchestrator.templating.render import Rendered
from orchestrator.wiring.surveys import SurveyForm

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from orchestrator.runtime.violations import ViolationBook
    from orchestrator.wiring.hooks import HookDoor
    from orchestrator.wiring.sources import SourceDoor


class Rendering(Protocol):
    """Renders a ledger row as it was mailed."""

    def render(self, row: Message) -> Rendered:
        """The texts. Raises RenderError."""

    def target(self, row: Message, short: Short) -> str | None:
        """Where a short link of a message leads; None: nowhere any more."""


class Service(Protocol):
    """The running installation, as its HTTP side sees it."""

    @property
    def store(self) -> Store:
        """Where everything is kept. `store.index` is what is live."""

    @property
    def renderer(self) -> Rendering:
        """For "view in browser" and previews: the renderer that delivery uses."""

    @property
    def base_url(self) -> str:
        """Where the public pages answer, as mails say it."""

    @property
    def secret(self) -> bytes:
        """What signs links."""

    @property
    def write_keys(self) -> Collection[str]:
        """The keys that may send events. Empty: every key may (the command line refuses that beyond loopback)."""

    @property
    def speed(self) -> float:
        """How many seconds of journey time pass in a real one, at most."""

    @property
    def lag_bound(self) -> timedelta:
        """How late the engine may be and still be called ready."""

    @property
    def registry(self) -> CollectorRegistry | None:
        """The engine's own figures, such as the histogram of lateness; None: it has none."""

    @property
    def hooks(self) -> HookDoor | None:
        """Who reads providers' callbacks; None: no provider is configured."""

    @property
    def api_keys(self) -> Collection[str]:
        """The keys of the brand's own servers, which no page may hold."""

    def real_now(self) -> datetime:
        """The actual instant, in UTC."""

    def journey_now(self) -> datetime:
        """The instant of journey time, in UTC."""

    def arrival(self) -> AbstractContextManager[datetime]:
        """The instant at which something arrives that is committed inside, in UTC."""

    def loop_lag(self) -> timedelta:
        """How long ago (in real time) the engine should have ended the pass it is in, or begun the next one."""

    def lanes(self) -> Sequence[LaneState]:
        """How the engine's lanes fare."""

    def degraded(self) -> Mapping[str, str]:
        """What is out of order without keeping this process from its work (the broker, workers), with the reason."""

    def circuits(self) -> Mapping[str, CircuitState]:
        """How the channels' circuits stand, by channel."""

    def survey(self, journey: str, name: str) -> SurveyForm | None:
        """What a survey asks for; None: no deployment that is known here has it."""

    @property
    def origins(self) -> Sequence[str]:
        """Origins of pages that may send events, `https://*.example.com` for all below; empty: all may."""

    @property
    def sources(self) -> SourceDoor | None:
        """Shops and services that post webhooks; None: none is configured."""

    @property
    def violations(self) -> ViolationBook:
        """Where what does not fit the tracking plan is counted."""

    def count(self, changed: Mapping[str, int]) -> None:
        """Count for the installation's figures: `ingest:accepted`, `ingest:duplicates`, `ingest:refused`."""

    def nudge(self, shards: Collection[int] | None = None) -> None:
        """Something came in (into these shards): the engine has work. Returns at once."""

    def asset(self, digits: str, name: str) -> Asset | None:
        """The picture or document of this name whose content hash begins with these digits; None: there is none."""
