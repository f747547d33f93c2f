"""What a store keeps about sources: how often what they sent did not fit the tracking plan."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol


class ViolationCount(NamedTuple):
    """How often one property of one event of one source did not fit schema.yaml, in one way.

    `property` is '' where nobody declared the event. `examples`: a few values, as they may be shown (without personal
    ones), the latest of them.
    """

    source: str
    event: str
    property: str
    kind: str
    times: int
    first_at: datetime
    last_at: datetime
    examples: tuple[str, ...] = ()


class SourcesStore(Protocol):
    """See orchestrator.stores.protocol.Store."""

    def keep_violations(self, found: Sequence[ViolationCount]) -> None:
        """Add to what is counted; the first instant of each stands, and the latest examples. Of more than MOST_KEPT
        kinds those go that were not seen for the longest."""

    def violations(self, limit: int) -> Sequence[ViolationCount]:
        """What was counted, the most frequent first."""

    def clear_violations(self, event: str | None = None) -> int:
        """Forget what was counted (of an event). Returns how many kinds went."""


MOST_KEPT = 5_000
