"""The SQLite store: one file, for an installation in one process."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from orchestrator.core.data_keys import DataKeys
from orchestrator.stores.database_api import DatabaseApi
from orchestrator.stores.database_audit import DatabaseAudit
from orchestrator.stores.database_sources import DatabaseSources
from orchestrator.stores.look_up_keys import sealer_in
from orchestrator.stores.sqlite.addressees import SqliteAddressees
from orchestrator.stores.sqlite.base import run_on
from orchestrator.stores.sqlite.channels import SqliteChannels
from orchestrator.stores.sqlite.database import Database
from orchestrator.stores.sqlite.dead_letters import SqliteDeadLetters
from orchestrator.stores.sqlite.deployments import SqliteDeployments
from orchestrator.stores.sqlite.erasing import SqliteErasing
from orchestrator.stores.sqlite.exports import SqliteExports
from orchestrator.stores.sqlite.figures import SqliteFigures
from orchestrator.stores.sqlite.identity import SqliteIdentity
from orchestrator.stores.sqlite.offers import SqliteOffers
from orchestrator.stores.sqlite.operations import SqliteOperations
from orchestrator.stores.sqlite.outbox import SqliteOutbox
from orchestrator.stores.sqlite.profiles import SqliteProfiles
from orchestrator.stores.sqlite.reading import SqliteReading
from orchestrator.stores.sqlite.requests import SqliteRequests
from orchestrator.stores.sqlite.retention import SqliteRetention
from orchestrator.stores.sqlite.rights import SqliteRights
from orchestrator.stores.sqlite.segments import SqliteSegments
from orchestrator.stores.sqlite.sends import SqliteSends
from orchestrator.stores.sqlite.suppressions import SqliteSuppressions

_SALT: Final = "SELECT value FROM meta WHERE name = 'salt'"
_KEEP_SALT: Final = "INSERT INTO meta (name, value) VALUES ('salt', ?) ON CONFLICT (name) DO NOTHING"
"""Of two processes that begin a file together the first one draws."""


class SqliteStore(
    SqliteOffers,
    SqliteExports,
    SqliteIdentity,
    SqliteOutbox,
    SqliteChannels,
    SqliteDeadLetters,
    SqliteRequests,
    SqliteOperations,
    SqliteReading,
    SqliteSends,
    SqliteFigures,
    SqliteRights,
    SqliteErasing,
    SqliteAddressees,
    DatabaseApi,
    DatabaseAudit,
    SqliteSuppressions,
    DatabaseSources,
    SqliteProfiles,
    SqliteRetention,
    SqliteSegments,
    SqliteDeployments,
):
    """See orchestrator.stores.protocol.Store. Made by `open_store`."""

    def close(self) -> None:
        """Give back the file. A turn that is not over is undone."""
        self._end(commit=True)
        self.db.close()


def open_store(
    path: Path,
    *,
    salt: str | None = None,
    forced: Mapping[str, str | bool] | None = None,
    durable: bool = True,
    drains: bool = False,
    keys: DataKeys | None = None,
) -> SqliteStore:
    """The store in a file; one that is not there, or empty, gets its tables. Raises UsageError for one of a newer
    version, StoreBusy for one that somebody else holds.

    `salt`: that of a new file (None: one is drawn), or in force instead of the file's own, for simulations. `durable`
    False: what was committed may be lost with the power. `drains`: transitions are kept for `drain_journal`. `keys`:
    what personal data is sealed with; None: it stands as it is. Raises UsageError for keys that are not the database's.
    """
    from orchestrator.stores.migrate import upgrade

    upgrade(path)
    db = Database(path, durable)
    try:
        with db.read() as c:  # who only looks is not stopped by whoever writes
            found = c.execute(_SALT).fetchone()
        if found is None:
            with db.write() as c:
                c.execute(_KEEP_SALT, (salt if salt is not None else secrets.token_hex(8),))
                found = c.execute(_SALT).fetchone()
        db.seal_with(sealer_in(db, run_on, keys))
    except BaseException:
        db.close()
        raise
    return SqliteStore(db, salt if salt is not None else str(found[0]), forced, drains)
