"""What a store does for imports and exports: many customers at once in, pages of rows in a fixed order out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol

from orchestrator.core.customer import Customer
from orchestrator.core.inbox import Event
from orchestrator.core.transition import Transition

ExportKind = Literal["customers", "events", "consents", "codes", "messages", "journal"]
"""What can be read page by page; the suppression list has `suppressed`."""


class ExportPage(NamedTuple):
    """Some rows, by column: instants are aware, values as the engine keeps them. `upto` goes on behind the last of
    them; None: none comes after them. `share`: how far the whole is done, 0 to 1, as far as keys tell."""

    rows: Sequence[Mapping[str, Any]]
    upto: str | None
    share: float = 0.0


class FeedLine(NamedTuple):
    """A line of the journal. `id` names it for good."""

    id: str
    line: Transition


class FeedPage(NamedTuple):
    """Lines of the journal in the order in which they were committed, and where it goes on."""

    lines: Sequence[FeedLine]
    upto: str


class Feed(NamedTuple):
    """Where somebody who follows the journal stands. `position`: behind the last line that was told ("": before all);
    `batch` counts what was told; `tries` are attempts at the next batch, `retry_at` (real) when to try again, `reason`
    why. `lines` of the journal are in the batch that is under way (0: none is), so that each attempt tells the same;
    `since` (real) is when the first began. `paused`: nothing is told until somebody says so."""

    name: str
    position: str = ""
    batch: int = 0
    tries: int = 0
    retry_at: datetime | None = None
    reason: str = ""
    lines: int = 0
    since: datetime | None = None
    paused: bool = False


class FeedLetter(NamedTuple):
    """A line of the journal that a follower would not take, by its id: why, and since when (real)."""

    feed: str
    id: str
    at: datetime
    reason: str


class ExportStore(Protocol):
    """See the module's docstring."""

    def known_customers(self, ids: Collection[str]) -> frozenset[str]:
        """Those of these ids that are customers."""

    def profiles_of(self, ids: Collection[str]) -> Mapping[str, Customer]:
        """The customers of these ids, with their consents; unknown ones are left out."""

    def lay_histories(self, pasts: Mapping[str, Sequence[Event]]) -> Mapping[str, Sequence[Event]]:
        """`lay_history` for many customers at once, in one transaction. Returns what was joined, where anything adds up
        to something (a project that computes nothing is told nothing)."""

    def export_page(self, kind: ExportKind, after: str, limit: int) -> ExportPage:
        """At most `limit` rows (about: choices of one customer stay together) behind `after` ("": from the beginning),
        in the order of keys: what is written meanwhile may or may not be among them, and nothing comes twice. Each page
        is a statement of its own: nothing holds a snapshot for longer."""

    def journal_after(self, position: str, limit: int) -> FeedPage:
        """About `limit` lines of the journal behind a position ("": all), each once, however late its transaction is
        committed, and up to where none can be committed any more. An empty page may have another position."""

    def journal_end(self) -> str:
        """The position behind all that was committed by now, for a follower who does not want the past."""

    def journal_lines(self, ids: Collection[str]) -> Mapping[str, Transition]:
        """Lines of the journal by their ids; those that are gone are left out."""

    def feed(self, name: str) -> Feed | None:
        """Where a follower stands; None: it never began."""

    def keep_feed(self, feed: Feed, since: Feed | None, letters: Sequence[FeedLetter] = ()) -> bool:
        """Write down where a follower stands, and what it would not take. False (and nothing is written) where it does
        not stand at `since` any more (None: it never began): another process tells the same."""

    def feeds(self, prefix: str) -> Sequence[Feed]:
        """The followers whose names begin so."""

    def letters(self, feed: str, limit: int, after: str = "") -> Sequence[FeedLetter]:
        """What a follower would not take, in the order of ids, behind `after`."""

    def letters_left(self, feed: str) -> int:
        """How many those are."""

    def drop_letters(self, feed: str, ids: Collection[str]) -> None:
        """They were taken, or are given up."""
