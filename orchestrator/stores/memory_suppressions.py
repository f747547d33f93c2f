"""The memory store's suppression list with its hashed entries, and the soft bounces of addresses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from orchestrator.core.suppression import HASHED, Softness, hashed_entry, softened
from orchestrator.stores.protocol import Suppressed

Place = tuple[str, str]


class SuppressionDict(dict[Place, frozenset[str]]):
    """Causes by (channel, normalised address); an address is found by its hashed entry, too."""

    def __init__(self, salt: str) -> None:
        super().__init__()
        self._salt = salt
        self._any_hashed = False

    def __setitem__(self, place: Place, causes: frozenset[str]) -> None:
        self._any_hashed = self._any_hashed or place[0].startswith(HASHED)
        super().__setitem__(place, causes)

    def __getitem__(self, place: Place) -> frozenset[str]:
        causes: frozenset[str] | None = self.get(place)
        if not causes:
            raise KeyError(place)
        return causes

    def plain(self, place: Place) -> frozenset[str]:
        """The causes of exactly this entry."""
        return super().get(place, frozenset())

    def get(self, place: Any, default: Any = None) -> Any:
        """The causes of an address, or the default."""
        causes = super().get(place)
        if self._any_hashed:
            hidden = super().get(hashed_entry(self._salt, *place))
            if hidden:
                return hidden | (causes or frozenset())
        return default if causes is None else causes


class MemorySuppressions:
    """A part of the memory store, which has the list."""

    _suppressions: SuppressionDict
    _since: dict[tuple[str, str, str], datetime]

    def __init__(self) -> None:
        super().__init__()
        self._soft: dict[str, Softness] = {}
        self._since = {}

    def suppressed(self, after: tuple[str, str, str], limit: int) -> Sequence[Suppressed]:
        """The list as it is kept."""
        found = sorted((*place, cause) for place in self._suppressions for cause in self._suppressions.plain(place))
        return [Suppressed(*entry, self._since[entry]) for entry in found if entry > after][:limit]

    def soften(self, name: str, at: datetime, half_life: timedelta, alive_at: datetime | None = None) -> float:
        """One soft bounce more."""
        self._soft[name] = softened(self._soft.get(name), at, half_life, alive_at)
        return self._soft[name].score

    def unsoften(self, name: str) -> None:
        """Forget them."""
        self._soft.pop(name, None)
