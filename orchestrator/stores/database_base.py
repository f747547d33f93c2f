"""What the stores in databases share: the definitions that are live, the pinned versions, and a way to run SQL that is
the same for both."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from orchestrator.core.index import Index
from orchestrator.core.program import Journey
from orchestrator.core.transition import Transition
from orchestrator.errors import UsageError
from orchestrator.stores.erasures import Run


class DatabaseBase:
    """State of one process; everything that outlives it is in the database."""

    row_lock: ClassVar[str] = ""
    """Behind a SELECT: holds its rows until the transaction ends, where there is more than one writer."""
    salt: str

    def __init__(self, db: Any, salt: str, forced: Mapping[str, str | bool] | None, drains: bool) -> None:
        self.db = db
        self.salt = salt
        self._forced = dict(forced or {})
        self._live: Index | None = None
        self._versions: dict[tuple[str, str], Journey] = {}
        self._drained: list[Transition] | None = [] if drains else None

    @staticmethod
    @abstractmethod
    def run_on(c: Any) -> Run:
        """What executes, on a connection, statements whose values stand as `?`."""

    @property
    def index(self) -> Index:
        """The definitions last deployed."""
        if self._live is None:
            raise UsageError("nothing is deployed in this store yet; deploy a project first", "nothing_deployed")
        return self._live
