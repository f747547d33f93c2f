"""What did not fit the tracking plan, in memory."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.stores.naming import Named
from orchestrator.stores.protocol_sources import MOST_KEPT, ViolationCount


class MemorySources:
    """Counts by source, event, property and kind."""

    def __init__(self) -> None:
        super().__init__()
        self._violations: dict[tuple[str, str, str, str], ViolationCount] = {}

    def keep_violations(self, found: Sequence[ViolationCount]) -> None:
        """Add to what is counted."""
        for one in found:
            known = self._violations.get(one[:4])
            if known is not None:
                one = one._replace(
                    times=known.times + one.times,
                    first_at=known.first_at,
                    last_at=max(known.last_at, one.last_at),
                    examples=one.examples or known.examples,
                )
            self._violations[one[:4]] = one
        if len(self._violations) > MOST_KEPT:
            latest = sorted(self._violations.values(), key=lambda one: one[:4])
            latest.sort(key=lambda one: one.last_at, reverse=True)
            self._violations = {one[:4]: one for one in latest[:MOST_KEPT]}

    def violations(self, limit: int) -> Sequence[ViolationCount]:
        """What was counted."""
        return sorted(self._violations.values(), key=lambda one: (-one.times, one[:4]))[:limit]

    def clear_violations(self, event: str | None = None) -> int:
        """Forget it."""
        gone = [key for key in self._violations if event in (None, key[1])]
        for key in gone:
            del self._violations[key]
        return len(gone)

    def _forget_examples(self, named: Named) -> int:
        """Examples that name somebody go."""
        named_in = [key for key, one in self._violations.items() if any(map(named, one.examples))]
        for key in named_in:
            self._violations[key] = self._violations[key]._replace(examples=())
        return len(named_in)
