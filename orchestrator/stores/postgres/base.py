"""What the parts of the PostgreSQL store share: the database, the live definitions, and the pinned versions."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.core.index import Index
from orchestrator.core.program import Journey
from orchestrator.core.transition import Transition
from orchestrator.errors import UsageError
from orchestrator.stores.postgres.database import Database


class PostgresBase:
    """State of one process; everything that outlives it is in the database."""

    def __init__(self, db: Database, salt: str, forced: Mapping[str, str | bool] | None, drains: bool) -> None:
        self.db = db
        self.salt = salt
        self._forced = dict(forced or {})
        self._live: Index | None = None
        self._versions: dict[tuple[str, str], Journey] = {}
        self._drained: list[Transition] | None = [] if drains else None

    @property
    def index(self) -> Index:
        """The definitions last deployed."""
        if self._live is None:
            raise UsageError("nothing is deployed in this store yet; deploy a project first", "nothing_deployed")
        return self._live
