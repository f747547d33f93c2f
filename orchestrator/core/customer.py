"""A customer as a turn sees one: profile, consent, memberships, and the timers that belong to no enrollment."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from orchestrator.core.accumulators import NOTHING_COMPUTED, Computed
from orchestrator.core.scores import NO_POINTS, Points


class Timer(NamedTuple):
    """Something to look at for this customer at `due_at`. `data` is JSON-able and belongs to the timer's kind."""

    due_at: datetime
    data: Mapping[str, Any] = {}


NO_DATES: Mapping[tuple[str, str], datetime] = {}
"""Of customers none of whose choices has an instant."""
NO_DRAWS: Mapping[str, str] = {}
"""Of customers who draw under their own id, as all do into whom nobody was merged."""


class Customer:
    """One customer. A turn never changes the object it was given: it edits a copy (see `copy`).

    `id` is the external id under which the customer was created; it is the one that all hashes use.
    `consents` maps (topic, channel) to `in`, `out`, `pending` or `expired`; `consent_dates` holds, for those that have
    one, the instant that belongs to it: of an `in` its end, of an `out` or a `pending` when it was said, of an
    `expired` when that was. It is replaced, never
    changed, and empty for most. `timers` maps (kind, name) to a Timer. `draws` says of a split (`split:NAME`), of a
    journey's control group (`holdout:JOURNEY`) or of the project's (`holdout`) under which other id it is drawn, since
    two customers became one; replaced, never changed. `scores` and `computed` are what events added up to, replaced as
    well; see orchestrator.core.scores and orchestrator.core.accumulators.
    `fresh`: just created, and nothing was computed for it yet (stage, segments, timers).
    """

    __slots__ = (
        "attributes",
        "computed",
        "consent_dates",
        "consents",
        "country",
        "created_at",
        "currency",
        "draws",
        "email",
        "fresh",
        "id",
        "locale",
        "phone",
        "scores",
        "segments",
        "stage",
        "tags",
        "timers",
        "timezone",
    )

    def __init__(self, id: str, created_at: datetime) -> None:
        self.id = id
        self.created_at = created_at
        self.attributes: dict[str, Any] = {}
        self.email: str | None = None
        self.phone: str | None = None
        self.timezone: str | None = None
        self.locale: str | None = None
        self.country: str | None = None
        self.currency: str | None = None
        self.tags: tuple[str, ...] = ()
        self.stage: str | None = None
        self.consents: dict[tuple[str, str], str] = {}
        self.consent_dates: Mapping[tuple[str, str], datetime] = NO_DATES
        self.segments: frozenset[str] = frozenset()
        self.timers: dict[tuple[str, str], Timer] = {}
        self.fresh = True
        self.draws: Mapping[str, str] = NO_DRAWS
        self.scores: Mapping[str, Points] = NO_POINTS
        self.computed: Computed = NOTHING_COMPUTED

    def copy(self) -> Customer:
        """A copy whose own fields may be changed; nested values are replaced, never changed in place."""
        twin = Customer.__new__(Customer)
        twin.id = self.id
        twin.created_at = self.created_at
        twin.attributes = self.attributes.copy()
        twin.email = self.email
        twin.phone = self.phone
        twin.timezone = self.timezone
        twin.locale = self.locale
        twin.country = self.country
        twin.currency = self.currency
        twin.tags = self.tags
        twin.stage = self.stage
        twin.consents = self.consents.copy()
        twin.consent_dates = self.consent_dates
        twin.segments = self.segments
        twin.timers = self.timers.copy()
        twin.fresh = self.fresh
        twin.draws = self.draws
        twin.scores = self.scores
        twin.computed = self.computed
        return twin

    def drawn_as(self, what: str) -> str:
        """The id by whose hash this is drawn; see `draws`."""
        return self.draws.get(what, self.id) if self.draws else self.id

    def next_timer_at(self) -> datetime | None:
        """When the earliest of the customer's own timers is due."""
        return min((timer.due_at for timer in self.timers.values()), default=None)


RESERVED = ("email", "phone", "timezone", "locale", "country", "currency")
"""Traits that are fields of the customer, not attributes."""
