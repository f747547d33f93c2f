"""The sealer of a database: the installation's data keys with the database's own look-up key, which is made once and
kept in `meta`, sealed. One text of SQL for both databases, as in orchestrator.stores.erasing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from orchestrator.core.data_keys import DataKeys
from orchestrator.stores.erasures import Run
from orchestrator.stores.sealing import LOOKUP, ROTATED, Sealer, ring_of

_GET: Final = "SELECT value FROM meta WHERE name = ?"
_KEEP: Final = "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING"
_NEW: Final = """
INSERT INTO meta (name, value) SELECT ?, ? WHERE NOT EXISTS (SELECT 1 FROM customers) ON CONFLICT (name) DO NOTHING
"""
"""In a database that holds nobody yet, nothing is left to rotate."""


def sealer_in(db: Any, run_on: Callable[[Any], Run], keys: DataKeys | None) -> Sealer:
    """The sealer of a database of ours, by `db.read()` and `db.write()`. Of several processes that are the first, all
    take the look-up key of one. Raises UsageError where the keys do not fit the database."""

    def kept() -> str | None:
        with db.read() as c:
            found = run_on(c)(_GET, LOOKUP).fetchone()
        return None if found is None else str(found[0])

    def keep(sealed: str) -> str:
        with db.write() as c:
            run_on(c)(_KEEP, LOOKUP, sealed)
            run_on(c)(_NEW, ROTATED, keys.sealing if keys is not None else None)
        standing = kept()
        assert standing is not None
        return standing

    return ring_of(keys, kept(), keep)
