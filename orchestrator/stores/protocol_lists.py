"""What a store lists page by page: customers, their past, messages, tasks.

Each list goes on behind the key of its last item (a keyset), so that the thousandth page costs what the first does. A
list with filters that no index serves looks at LOOK rows at most: a page may hold fewer items than were asked for, and
go on all the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol

from orchestrator.core.customer import Customer
from orchestrator.core.enrollment import Enrollment
from orchestrator.core.ledger import Coupon, Task
from orchestrator.core.transition import Transition
from orchestrator.core.view import LoadedMessage

LOOK: Final = 5_000
"""Rows that are looked at for one page."""
LOOK_AT_PROFILES: Final = 20_000
"""Customers that are looked at for one page of those who have an address."""
NEVER: Final = 2**62
"""In a key, the microseconds of an instant that there is none of: behind all others."""


class Happened(NamedTuple):
    """An event of a customer's past. (`at` in microseconds, `seq`) orders them."""

    micros: int
    seq: int
    at: datetime
    name: str
    id: str
    properties: Mapping[str, Any]


class Written(NamedTuple):
    """A line of a customer's journal. (`micros`, `seq`, `n`) is its key."""

    micros: int
    seq: int
    n: int
    line: Transition


class MessageFilter(NamedTuple):
    """Which messages: of a status, a channel, a journey, decided from `since` to before `until` (journey time)."""

    status: str | None = None
    channel: str | None = None
    journey: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class MessagePage(NamedTuple):
    """Messages, the latest first. `key`: behind which the list goes on; None: nothing comes any more."""

    messages: Sequence[LoadedMessage]
    key: tuple[int, str] | None


class TaskFilter(NamedTuple):
    """Which tasks: open or closed, of a queue, of an assignee ("" : nobody's), due before an instant."""

    closed: bool = False
    queue: str | None = None
    assignee: str | None = None
    due_before: datetime | None = None


class JourneyCounts(NamedTuple):
    """What became of a journey's enrollments, by (status, reason; "": none), and of its messages, by (channel, status):
    how many, how many were opened, and clicked."""

    enrollments: Mapping[tuple[str, str], int]
    messages: Mapping[tuple[str, str], tuple[int, int, int]]


class ListStore(Protocol):
    """See the module's docstring."""

    def profile(self, customer: str) -> Customer | None:
        """A customer's profile with consents, by the brand's own id."""

    def profiles(self, prefix: str, after: str, limit: int) -> Sequence[Customer]:
        """Customers whose ids begin so and come after `after` (""), in the order of their ids by code point."""

    def reached_by(self, kind: str, normal: str, after: str, limit: int) -> tuple[Sequence[Customer], str | None]:
        """Customers with this (normalised) address in their profile, `kind` email or phone, in the order of their ids
        after `after`; and the id behind which the list goes on (None: nobody comes any more). At most LOOK_AT_PROFILES
        customers are looked at."""

    def happened(
        self, customer: str, name: str | None, before: tuple[int, int] | None, limit: int
    ) -> Sequence[Happened]:
        """A customer's past events (of a name), the latest first, before a key."""

    def written(self, customer: str, before: tuple[int, int, int] | None, limit: int) -> Sequence[Written]:
        """A customer's journal, the latest line first, before a key."""

    def passages(self, customer: str, before: tuple[int, str] | None, limit: int) -> Sequence[Enrollment]:
        """A customer's enrollments, ended ones too, the latest first, before the key (entered_at in microseconds,
        id)."""

    def passage(self, customer: str, id: str) -> Enrollment | None:
        """One of them."""

    def messages_of(self, customer: str, before: tuple[int, str] | None, limit: int) -> Sequence[LoadedMessage]:
        """A customer's messages, the latest first, before the key (at in microseconds, id)."""

    def message_page(self, wanted: MessageFilter, before: tuple[int, str] | None, limit: int) -> MessagePage:
        """Messages of everybody, the latest first, before a key."""

    def journey_counts(self, journey: str, since: datetime | None, until: datetime | None) -> JourneyCounts:
        """Enrollments that were entered, and messages that were decided, from `since` to before `until`, as far as they
        are kept. Looks at all rows of a table: not for every request."""

    def coupons_of(self, customer: str) -> Sequence[Coupon]:
        """A customer's coupons, as they were given."""

    def tasks_of(self, customer: str) -> Sequence[Task]:
        """A customer's tasks, as they were opened."""

    def task(self, id: str) -> Task | None:
        """A task by its id."""

    def task_page(self, wanted: TaskFilter, after: tuple[int, str] | None, limit: int) -> Sequence[Task]:
        """Open tasks, those due first in front (those without an end last), or closed ones, the latest first; after
        the key (microseconds of due_at, or of closed_at; id)."""

    def assign_task(self, id: str, assignee: str | None) -> Task | None:
        """Give an open task to somebody, or to nobody. None: no open task has this id."""
