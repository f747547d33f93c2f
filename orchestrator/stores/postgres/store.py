"""The PostgreSQL store: one database for an installation of many processes."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

import psycopg

from orchestrator.core.data_keys import DataKeys
from orchestrator.stores.database_api import DatabaseApi
from orchestrator.stores.database_audit import DatabaseAudit
from orchestrator.stores.database_sources import DatabaseSources
from orchestrator.stores.look_up_keys import sealer_in
from orchestrator.stores.migrate import HEAD
from orchestrator.stores.postgres.addressees import PostgresAddressees
from orchestrator.stores.postgres.base import run_on
from orchestrator.stores.postgres.channels import PostgresChannels
from orchestrator.stores.postgres.database import Database
from orchestrator.stores.postgres.dead_letters import PostgresDeadLetters
from orchestrator.stores.postgres.deployments import PostgresDeployments
from orchestrator.stores.postgres.erasing import PostgresErasing
from orchestrator.stores.postgres.exports import PostgresExports
from orchestrator.stores.postgres.figures import PostgresFigures
from orchestrator.stores.postgres.identity import PostgresIdentity
from orchestrator.stores.postgres.offers import PostgresOffers
from orchestrator.stores.postgres.operations import PostgresOperations
from orchestrator.stores.postgres.outbox import PostgresOutbox
from orchestrator.stores.postgres.profiles import PostgresProfiles
from orchestrator.stores.postgres.reading import PostgresReading
from orchestrator.stores.postgres.requests import PostgresRequests
from orchestrator.stores.postgres.retention import PostgresRetention
from orchestrator.stores.postgres.rights import PostgresRights
from orchestrator.stores.postgres.segments import PostgresSegments
from orchestrator.stores.postgres.sends import PostgresSends
from orchestrator.stores.postgres.suppressions import PostgresSuppressions
from orchestrator.stores.protocol import StoreBusy
from orchestrator.stores.sealing import PLAIN
from orchestrator.stores.shards import SHARDS

_SALT: Final = "SELECT value FROM meta WHERE name = 'salt'"
_DRAWN: Final = "INSERT INTO meta (name, value) VALUES ('salt', %s) ON CONFLICT (name) DO NOTHING"
_SHARDS: Final = "INSERT INTO shards (id) SELECT * FROM generate_series(0, %s) ON CONFLICT (id) DO NOTHING"


class PostgresStore(
    PostgresOffers,
    PostgresExports,
    PostgresIdentity,
    PostgresOutbox,
    PostgresChannels,
    PostgresDeadLetters,
    PostgresRequests,
    PostgresOperations,
    PostgresReading,
    PostgresSends,
    PostgresFigures,
    PostgresRights,
    PostgresErasing,
    PostgresAddressees,
    DatabaseApi,
    DatabaseAudit,
    PostgresSuppressions,
    DatabaseSources,
    PostgresProfiles,
    PostgresRetention,
    PostgresSegments,
    PostgresDeployments,
):
    """See orchestrator.stores.protocol.Store. Made by `open_store`."""

    def real_now(self) -> datetime:
        """The database's clock, which all processes share: asked once a pass, for leases, limits and lateness."""
        with self.db.read() as c:
            found = c.execute("SELECT clock_timestamp()").fetchone()
        assert found is not None
        return found[0].astimezone(UTC)  # type: ignore[no-any-return]

    def close(self) -> None:
        """Give back the connections. A turn that is not over is undone."""
        try:
            with suppress(StoreBusy):
                self._end(commit=True)
        finally:
            self.db.close()


def open_store(
    url: str,
    *,
    salt: str | None = None,
    forced: Mapping[str, str | bool] | None = None,
    durable: bool = True,
    drains: bool = False,
    keys: DataKeys | None = None,
) -> PostgresStore:
    """The store in a database, which gets its tables where it has none. Raises UsageError for one of a newer version,
    StoreBusy for one that cannot be reached.

    `salt`: that of a new database (None: one is drawn), or in force instead of the database's own, for simulations.
    `durable` False: what was committed may be lost with the server's power, and turns take customers exactly as memory
    does. `drains`: transitions are kept for `drain_journal`. `keys`: what personal data is sealed with; None: it stands
    as it is. Raises UsageError for keys that are not the database's.
    """
    db = Database(url, durable)
    try:
        if not _has_tables(db):
            from orchestrator.stores.migrate import upgrade

            upgrade(url)
        with db.write() as c:
            found = c.execute(_SALT).fetchone()
            if found is None:
                c.execute(_DRAWN, (salt if salt is not None else secrets.token_hex(8),))
                c.execute(_SHARDS, (SHARDS - 1,))
        with db.read() as c:
            found = c.execute(_SALT).fetchone()
            assert found is not None
        sealer = sealer_in(db, run_on, keys)
        if sealer is not PLAIN:
            db.seal_with(sealer)
    except BaseException:
        db.close()
        raise
    return PostgresStore(db, salt if salt is not None else str(found[0]), forced, drains)


def _has_tables(db: Database) -> bool:
    """Whether a database says that it has this version's tables: asked at every start, on a connection that is kept."""
    with db.read() as c:
        try:
            found = c.execute("SELECT version_num FROM alembic_version").fetchone()
        except psycopg.errors.UndefinedTable:
            return False
    if found is not None and found[0] == HEAD:
        return True
    from orchestrator.stores.migrate import pending

    return not pending(db.url, "before")  # what is left may run once no older process is
