"""What the HTTP API keeps and lists, in both databases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from orchestrator.stores import api_rows
from orchestrator.stores.database_lists import DatabaseLists
from orchestrator.stores.protocol_api import Begun, Given, Key


class DatabaseApi(DatabaseLists):
    """The part of the store that knows keys and answers."""

    def keep_key(self, key: Key) -> None:
        """Write a key."""
        with self.db.write() as c:
            api_rows.keep_key(self.run_on(c), key)

    def all_keys(self) -> Sequence[Key]:
        """All of them."""
        with self.db.read() as c:
            return api_rows.keys(self.run_on(c))

    def touch_keys(self, used: Mapping[str, datetime]) -> None:
        """Note when keys were used."""
        with self.db.write() as c:
            api_rows.touch_keys(self.run_on(c), used)

    def begin_write(self, caller: str, key: str, fingerprint: str, real_at: datetime) -> Begun:
        """Begin a write, unless it is known."""
        with self.db.write() as c:
            return api_rows.begin_write(self.run_on(c), self.db.sealer, caller, key, fingerprint, real_at)

    def end_write(self, caller: str, key: str, given: Given | None) -> None:
        """Keep what was answered."""
        with self.db.write() as c:
            api_rows.end_write(self.run_on(c), self.db.sealer, caller, key, given)
