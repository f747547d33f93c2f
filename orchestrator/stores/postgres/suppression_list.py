"""The suppression list, which may hold millions of addresses: looked up as it is asked, and for a claim all at once."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from orchestrator.stores.on_demand import causes_of
from orchestrator.stores.postgres.database import Database
from orchestrator.stores.postgres.loading import suppressed_among

_ALL: Final = "SELECT DISTINCT channel, address FROM suppressions"
_COUNT: Final = f"SELECT count(*) FROM ({_ALL}) AS s"
_ANY: Final = "SELECT EXISTS (SELECT 1 FROM suppressions)"
_Known = dict[tuple[str, str], frozenset[str]]


class SuppressionList(Mapping[tuple[str, str], frozenset[str]]):
    """The list as it is now; `known` are addresses that were asked already, an empty set meaning that they are not on
    it. An installation that suppressed nobody yet is asked that once for the list, not for each message."""

    def __init__(self, db: Database, salt: str, known: _Known | None = None) -> None:
        self._db = db
        self._salt = salt
        self._known = known if known is not None else {}
        self._any: bool | None = None if known is None else bool(known)

    def __getitem__(self, key: tuple[str, str]) -> frozenset[str]:
        causes = self._known.get(key)
        if causes is None:
            with self._db.read() as c:
                causes = causes_of(lambda places: suppressed_among(c, places), self._salt, [key])[key]
        if not causes:
            raise KeyError(key)
        return causes

    def __iter__(self) -> Iterator[tuple[str, str]]:
        with self._db.read() as c:
            found = c.execute(_ALL).fetchall()
        return iter([(channel, self._db.sealer.unmark(address)) for channel, address in found])

    def __len__(self) -> int:
        with self._db.read() as c:
            row = c.execute(_COUNT).fetchone()
        return int(row[0]) if row is not None else 0

    def __bool__(self) -> bool:
        if self._any is None:
            with self._db.read() as c:
                row = c.execute(_ANY).fetchone()
            self._any = row is not None and bool(row[0])
        return self._any


class Causes:
    """What the last claim of each thread read of the list, with what this thread added since."""

    def __init__(self) -> None:
        self._own = threading.local()

    def know(self, causes: Mapping[tuple[str, str], frozenset[str]] | None) -> None:
        """What a claim read (None: the list is empty), instead of what the one before it did."""
        self._own.known = dict(causes or {})

    def known(self, leases: Collection[str]) -> _Known | None:
        """What may still be believed: as long as claimed messages wait for their settlement. None: ask the list."""
        return getattr(self._own, "known", None) if leases else None

    def add(self, channel: str, address: str, cause: str) -> None:
        """This thread put an address on the list."""
        known: _Known | None = getattr(self._own, "known", None)
        if known is not None:
            known[channel, address] = known.get((channel, address), frozenset()) | {cause}
