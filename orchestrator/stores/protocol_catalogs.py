"""What every store does for catalogs that are kept as rows: rows, their changes, and whom these concern."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, Protocol

MOST_EDITS: Final = 1_000
"""Rows that one call changes."""
LINKED_EVERY: Final = timedelta(days=1)
"""How often links are worked out."""


class CatalogRow(NamedTuple):
    """A row as it stands. `version`: the catalog's at the row's last change; a row that changes gets a higher one."""

    key: str
    data: Mapping[str, Any]
    version: int
    updated_at: datetime


class Edit(NamedTuple):
    """A row as it shall be. `data` None: deleted; `merge`: what `data` does not say stays as it is, and a row that is
    not there is not made. `version`: only if it is the row's still (0: only if there is none; None: whatever is)."""

    key: str
    data: Mapping[str, Any] | None
    merge: bool = False
    version: int | None = None


class Edited(NamedTuple):
    """What became of edits, counted. `missing`: keys of rows that are not there to be merged into or deleted; `stale`:
    keys of rows that have another version. `version`: the catalog's now."""

    version: int
    added: int = 0
    changed: int = 0
    removed: int = 0
    same: int = 0
    missing: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()


class Link(NamedTuple):
    """An item that goes with another, or with all; the higher the score, the more."""

    item: str
    score: float


class CatalogStore(Protocol):
    """The part of the Store about catalogs. Names are those of `project.row_catalogs`; a catalog gets its first rows
    from its file when it is first deployed."""

    def catalog_version(self, catalog: str) -> int | None:
        """How often a catalog changed; None: it is not kept as rows here."""

    def catalog_row(self, catalog: str, key: str) -> CatalogRow | None:
        """A row; None: there is none."""

    def catalog_page(self, catalog: str, after: str, limit: int) -> Sequence[CatalogRow]:
        """The first `limit` rows whose keys come after `after` ("": all do), by code point."""

    def change_catalog(self, catalog: str, edits: Sequence[Edit], now: datetime) -> Edited:
        """Change at most MOST_EDITS rows, all at once. Of several edits of one key each sees the one before it. What
        triggers listen to is told to them `fold` later, as one change of the item."""

    def finish_catalog(self, catalog: str, version: int, now: datetime, limit: int) -> int:
        """Delete at most `limit` rows that nobody wrote, changed or not, after the catalog had this version: the end of
        a replacement. Returns how many went."""

    def spread_catalogs(self, now: datetime, budget: int) -> int:
        """One step of bringing changes to those whom they concern, each change to each customer of each trigger once:
        look through the past for what triggers newly ask for, hand out changes that are due, put at most `budget` items
        into inboxes, while less than that waits there. Returns how much was done; 0: nothing is left to do now."""

    def next_catalog_at(self) -> datetime | None:
        """When there is next something to do for `spread_catalogs`; None: there is nothing."""

    def link_catalogs(self, now: datetime, every: timedelta = LINKED_EVERY) -> int:
        """One step of working out anew what is bought together and what is popular, and of forgetting what nobody asks
        for any more; a step is small, and whoever takes the next one goes on where it ended. Returns how much was done;
        0: all of it was done not longer than `every` ago."""

    def catalog_links(self, catalog: str, kind: str, about: str) -> Sequence[Link]:
        """What is `bought` with an item, or `popular`, the best first."""
