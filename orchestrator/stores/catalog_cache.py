"""What a process remembers of catalogs that are kept as rows. Turns ask for rows by key; asking the database each time
would be a query a customer, and holding a million products in every process would be a gigabyte.

A small catalog is held whole, of a large one the rows that were asked for last. Before each turn one look at the
version numbers tells what changed since, and only that is read again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from threading import Lock
from typing import Any, Final

from orchestrator.core.state import loads
from orchestrator.stores.erasures import Run

WHOLE: Final = 5_000
"""A catalog of at most so many rows is held whole."""
MOST: Final = 50_000
"""Rows that are held of a larger one."""
_VERSIONS: Final = "SELECT name, version, forgotten FROM catalogs"
_CHANGED: Final = "SELECT key, data FROM catalog_rows WHERE catalog = ? AND version > ? LIMIT ?"
_FIRST: Final = "SELECT key, data FROM catalog_rows WHERE catalog = ? AND data IS NOT NULL LIMIT ?"
_LINKS: Final = "SELECT item FROM catalog_links WHERE catalog = ? AND kind = ? AND about = ? ORDER BY rank"
_ROW: Final = "SELECT data FROM catalog_rows WHERE catalog = ? AND key = ?"

Reading = Callable[[], AbstractContextManager[Run]]


class CachedRows:
    """One catalog, as orchestrator.core.view.CatalogRows."""

    def __init__(self, name: str, read: Reading, version: int) -> None:
        self.name = name
        self.version = version
        self._read = read
        self._lock = Lock()
        self._rows: dict[str, dict[str, Any] | None] = {}
        self._links: dict[tuple[str, str], tuple[str, ...]] = {}
        self._whole: bool | None = None
        """None: nobody asked yet."""

    def get(self, key: str) -> dict[str, Any] | None:
        """The row of a key; None: there is none."""
        if self._whole is None:
            self._look()
        try:
            return self._rows[key]
        except KeyError:
            if self._whole:
                return None
        version = self.version
        with self._read() as run:
            found = run(_ROW, self.name, key).fetchone()
        row = None if found is None or found[0] is None else loads(found[0])
        with self._lock:
            if version == self.version:  # else it may be older than what was noticed meanwhile
                if len(self._rows) >= MOST:
                    for old in list(self._rows)[: MOST // 10]:
                        del self._rows[old]
                self._rows[key] = row
        return row

    def links(self, kind: str, about: str) -> Sequence[str]:
        """What goes with an item, or with all."""
        known = self._links.get((kind, about))
        if known is not None:
            return known
        version = self.version
        with self._read() as run:
            found = tuple(item for (item,) in run(_LINKS, self.name, kind, about).fetchall())
        with self._lock:
            if version == self.version:
                if len(self._links) >= MOST:
                    self._links.clear()
                self._links[kind, about] = found
        return found

    def _look(self) -> None:
        version = self.version
        with self._read() as run:
            found = run(_FIRST, self.name, WHOLE + 1).fetchall()
        with self._lock:
            if version == self.version:
                self._rows = {key: loads(data) for key, data in found}
                self._whole = len(found) <= WHOLE
            elif self._whole is None:
                self._whole = False

    def bring_up_to_date(self, run: Run, version: int, forgotten: int) -> None:
        """Read again what changed since."""
        if version <= self.version:  # another thread may have looked later than this one
            return
        with self._lock:
            self._links = {}
            changed = run(_CHANGED, self.name, self.version, WHOLE + 1).fetchall() if self._whole is not None else []
            if self.version < forgotten or len(changed) > WHOLE:
                self._rows, self._whole = {}, None
            for key, data in changed if self._whole is not None else ():
                if self._whole and data is None:
                    self._rows.pop(key, None)
                elif self._whole or key in self._rows:
                    self._rows[key] = None if data is None else loads(data)
            if self._whole and len(self._rows) > 2 * WHOLE:
                self._whole = False
            self.version = version


class CatalogCache:
    """All catalogs of one store, of one process."""

    def __init__(self, read: Reading) -> None:
        self._read = read
        self._known: dict[str, CachedRows] = {}

    def views(self, run: Run, names: Sequence[str]) -> Mapping[str, CachedRows]:
        """The catalogs of these names as they stand now, for one turn. `run`: on the turn's connection."""
        for name, version, forgotten in run(_VERSIONS).fetchall():
            known = self._known.get(name)
            if known is None:
                self._known[name] = CachedRows(name, self._read, version)
            else:
                known.bring_up_to_date(run, version, forgotten)
        return {name: self._known[name] for name in names if name in self._known}
