"""What the HTTP API keeps, in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from orchestrator.stores.api_rows import GONE
from orchestrator.stores.memory_lists import MemoryLists
from orchestrator.stores.naming import Named
from orchestrator.stores.protocol_api import BEGUN_FOR, KEPT_FOR, Begun, Given, Key


class MemoryApi(MemoryLists):
    """Keys by id, and answers by caller and key."""

    def __init__(self) -> None:
        super().__init__()
        self._keys: dict[str, Key] = {}
        self._answers: dict[tuple[str, str], tuple[datetime, str, Given | None]] = {}

    def keep_key(self, key: Key) -> None:
        """Write a key."""
        known = self._keys.get(key.id)
        self._keys[key.id] = key if known is None else key._replace(used_at=known.used_at)

    def all_keys(self) -> Sequence[Key]:
        """All of them."""
        return sorted(self._keys.values(), key=lambda key: (key.created_at, key.id))

    def touch_keys(self, used: Mapping[str, datetime]) -> None:
        """Note when keys were used."""
        for id, at in used.items():
            known = self._keys.get(id)
            if known is not None and (known.used_at is None or known.used_at < at):
                self._keys[id] = known._replace(used_at=at)

    def begin_write(self, caller: str, key: str, fingerprint: str, real_at: datetime) -> Begun:
        """Begin a write, unless it is known."""
        for place in [place for place, known in self._answers.items() if known[0] < real_at - KEPT_FOR]:
            del self._answers[place]
        known = self._answers.get((caller, key))
        if known is None or (known[1:] == (fingerprint, None) and known[0] < real_at - BEGUN_FOR):
            self._answers[caller, key] = (real_at, fingerprint, None)
            return Begun(True, fingerprint)
        return Begun(False, known[1], known[2])

    def end_write(self, caller: str, key: str, given: Given | None) -> None:
        """Keep what was answered."""
        known = self._answers.pop((caller, key), None)
        if given is not None and known is not None:
            self._answers[caller, key] = (known[0], known[1], given)

    def _forget_answers(self, named: Named) -> int:
        """Answers that name somebody are given no more."""
        found = [place for place, known in self._answers.items() if known[2] is not None and named(known[2].body)]
        for place in found:
            at, fingerprint, _ = self._answers[place]
            self._answers[place] = (at, fingerprint, GONE._replace(fingerprint=fingerprint))
        return len(found)
