"""What the HTTP API keeps and lists, on PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from orchestrator.stores import api_rows
from orchestrator.stores.postgres.database import Database
from orchestrator.stores.postgres.erasing import run_on
from orchestrator.stores.postgres.lists import PostgresLists
from orchestrator.stores.protocol_api import KEPT_FOR, Begun, Given, Key

_NOW: Final = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"


class PostgresApi(PostgresLists):
    """The part of the store that knows keys and answers."""

    def keep_key(self, key: Key) -> None:
        """Write a key."""
        with self.db.write() as c:
            api_rows.keep_key(run_on(c), key)

    def all_keys(self) -> Sequence[Key]:
        """All of them."""
        with self.db.read() as c:
            return api_rows.keys(run_on(c))

    def touch_keys(self, used: Mapping[str, datetime]) -> None:
        """Note when keys were used."""
        with self.db.write() as c:
            api_rows.touch_keys(run_on(c), used)

    def begin_write(self, caller: str, key: str, fingerprint: str, real_at: datetime) -> Begun:
        """Begin a write, unless it is known."""
        with self.db.write() as c:
            return api_rows.begin_write(run_on(c), self.db.sealer, caller, key, fingerprint, real_at)

    def end_write(self, caller: str, key: str, given: Given | None) -> None:
        """Keep what was answered."""
        with self.db.write() as c:
            api_rows.end_write(run_on(c), self.db.sealer, caller, key, given)


def forget_answers(db: Database, limit: int) -> int:
    """They are kept in real time, which a run of retention does not know: the server's clock says it."""
    with db.read() as c:
        row = c.execute(_NOW).fetchone()
        assert row is not None
        before = row[0] - int(KEPT_FOR.total_seconds() * 1_000_000)
        if not api_rows.old(run_on(c), before):
            return 0
    with db.write() as c:
        return api_rows.swept(run_on(c), before, limit)
