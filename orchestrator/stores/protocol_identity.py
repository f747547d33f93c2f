"""What every database does about identity: identifiers of customers, links between ids, merges and their undoing.

A part of orchestrator.stores.protocol.Store; tests/stores/contract_identity.py is the contract as tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple, Protocol

from orchestrator.core.customer import Customer
from orchestrator.core.linking import Cause, Kind

DAY: Final = 86_400_000_000
"""Microseconds of the 24 hours in which merges into one customer are counted."""
OF_PEOPLE: Final = ("external", "anonymous")
"""Kinds of identifiers by which whatever arrives reaches the customer."""


class Link(NamedTuple):
    """The news that `value`, an identifier of a kind, is one of this customer's. `at`: journey time. It waits as a row
    until somebody acts on it: `id` is that row's (0: not written yet)."""

    kind: Kind
    value: str
    customer: str
    at: datetime
    id: int = 0


class Identifier(NamedTuple):
    """A name of a customer. The one under which it was created is among them."""

    kind: str
    value: str


class Merge(NamedTuple):
    """A merge that was done and can be undone: `source` (the brand's own id) became part of somebody at `at` (journey
    time), because of `cause`, by `actor`."""

    source: str
    at: datetime
    cause: str
    actor: str


class Joined(NamedTuple):
    """What came of a link or an order to merge. `outcome`: merged, added (a new identifier), nothing (they are one
    already), unknown (somebody of the two is nobody), blocked (then `reason` says by which rule); `customer`: who it is
    now, `source`: who became part of it."""

    outcome: str
    customer: str | None = None
    source: str | None = None
    reason: str | None = None


class IdentityStore(Protocol):
    """See the module's docstring."""

    def merge(self, source: str, into: str, now: datetime, actor: str, cause: Cause = "operator") -> Joined:
        """Make `source` part of `into`, by any of their ids, in one transaction that excludes turns and claims of both:
        all rows are the target's afterwards, and all ids of the source name the target. See orchestrator.core.merging.
        """

    def unmerge(self, source: str, now: datetime, actor: str) -> Joined:
        """Undo the merge of a source, by the id under which it was a customer: it comes back with its identifiers, its
        profile as it was and its own history. What arrived since, messages and enrollments stay with the target; what
        is opted out stays so on both. `outcome` unmerged, or unknown: no such merge is remembered."""

    def links(self, limit: int) -> Sequence[Link]:
        """Links that wait for somebody to act on them, oldest first."""

    def settle_link(self, link: Link, now: datetime) -> Joined:
        """Act on a link, once, as the rules of the project say (orchestrator.core.linking)."""

    def unlinked(self, links: Sequence[Link]) -> Sequence[Link]:
        """Those of these links that say something new: the identifier is not the customer's yet."""

    def resolve(self, id: str) -> str | None:
        """The customer whom an id means: its own, or an identifier of it; None: nobody."""

    def identifiers(self, customer: str) -> Sequence[Identifier]:
        """All identifiers of a customer, in an order of their own."""

    def everybody(self, after: str, limit: int) -> Sequence[Customer]:
        """At most `limit` customers whose ids come after `after`, in the order of their ids, without their choices."""

    def merges(self, customer: str) -> Sequence[Merge]:
        """Who became part of a customer, the latest first, as far as it can be undone."""
