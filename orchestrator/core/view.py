"""All that a turn may read. The store fills it with a handful of set-based queries; the turn never asks for more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import Any, Protocol

from orchestrator.core.canary import Canary
from orchestrator.core.customer import Customer
from orchestrator.core.enrollment import Enrollment, EntryRecord
from orchestrator.core.expression.scope import PastEvent
from orchestrator.core.inbox import Item
from orchestrator.core.index import Index
from orchestrator.core.ledger import Coupon, Message, Task
from orchestrator.core.program import Journey
from orchestrator.core.project import Project
from orchestrator.records import dataclass


class History(Protocol):
    """A customer's past events."""

    def events(self, name: str) -> Sequence[PastEvent]:
        """The events of this name, ascending by timestamp. Raises NotLoaded when they were not asked for."""


class CatalogRows(Protocol):
    """A catalog that is kept as rows, as it stood when the turn began."""

    def get(self, key: str, /) -> dict[str, Any] | None:
        """The row of a key; None: there is none."""

    def links(self, kind: str, about: str) -> Sequence[str]:
        """Keys of what is `bought` together with an item, or `popular` (in a category, or ''), the best first."""


@dataclass(frozen=True, slots=True)
class Switches:
    """What operators switched off. All of it is effective at once."""

    paused: frozenset[str] = frozenset()
    stopped: frozenset[str] = frozenset()
    killed_journeys: frozenset[str] = frozenset()
    killed_channels: frozenset[str] = frozenset()
    killed_all: bool = False
    canaries: tuple[Canary, ...] = ()
    """Journeys whose live version only a share of the customers enters yet, each once."""

    def killed(self, journey: str, channel: str) -> bool:
        """Whether messages of this journey on this channel must not leave."""
        return self.killed_all or channel in self.killed_channels or journey in self.killed_journeys


@dataclass(frozen=True, slots=True)
class CouponPool:
    """What one offer still has to give in this turn. `left`, `left_today`: codes; `budget_left`: money; None: no limit.

    Generated codes come from serial numbers, `next_serial` on; imported ones from `codes`.
    """

    next_serial: int = 0
    left: int | None = None
    left_today: int | None = None
    budget_left: float | None = None
    codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pools:
    """Quantities shared by all customers, as far as this turn may take from them.

    `entries_left` and `messages_left` by journey (absent: no limit); `queue_turns` is how many tasks each queue was
    given
    so far (for round robin), `open_tasks` the open ones by (queue, member).
    """

    coupons: Mapping[str, CouponPool] = field(default_factory=dict)
    entries_left: Mapping[str, int] = field(default_factory=dict)
    messages_left: Mapping[str, int] = field(default_factory=dict)
    queue_turns: Mapping[str, int] = field(default_factory=dict)
    open_tasks: Mapping[tuple[str, str], int] = field(default_factory=dict)


@dataclass(slots=True)
class LoadedMessage:
    """A ledger row with what became of it. `status` is one of ledger.MessageStatus."""

    row: Message
    status: str = "queued"
    opened_at: datetime | None = None
    clicked_at: datetime | None = None


@dataclass(slots=True)
class CustomerView:
    """One customer's part of the view. Nothing in it is changed by the turn.

    `enrollments`: those that run or are parked, and ended ones whose goal is still open. `messages` ascending by
    instant.
    """

    customer: Customer
    inbox: Sequence[Item] = ()
    enrollments: Sequence[Enrollment] = ()
    entries: Mapping[tuple[str, str], EntryRecord] = field(default_factory=dict)
    history: History | None = None
    messages: Sequence[LoadedMessage] = ()
    coupons: Sequence[Coupon] = ()
    tasks: Sequence[Task] = ()


@dataclass(slots=True)
class View:
    """Everything that one turn reads. `ordinal` numbers the turns of the store, upwards; `salt` is the store's.

    `versions` holds the pinned journeys by (id, version), the live ones included. `suppressions` maps (channel,
    normalised address) to its causes, for the addresses of the customers in this view. `forced` fixes the draw of a
    split (by name) or of `holdout`, in tests of journeys.
    """

    ordinal: int
    salt: str
    index: Index
    versions: Mapping[tuple[str, str], Journey]
    customers: Sequence[CustomerView]
    switches: Switches = Switches()
    pools: Pools = Pools()
    suppressions: Mapping[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    forced: Mapping[str, str | bool] = field(default_factory=dict)
    catalogs: Mapping[str, CatalogRows] = field(default_factory=dict)
    """Catalogs that are kept as rows, by name."""

    @property
    def project(self) -> Project:
        """The live definitions."""
        return self.index.project
