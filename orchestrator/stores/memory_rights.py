"""What the memory store knows of people's rights and of its own figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from orchestrator.stores.protocol import Right


class MemoryRights:
    """Opt-outs, their ends and suppressions in their order, and the figures that are counted."""

    def __init__(self) -> None:
        super().__init__()
        self._rights: list[Right] = []
        self._figures: Counter[str] = Counter()

    def _choose(
        self, customer: str, before: Mapping[tuple[str, str], str], after: Mapping[tuple[str, str], str], at: datetime
    ) -> None:
        """Write down opt-outs and their ends: a first "in" closes nothing, and is nobody's right."""
        for (topic, channel), choice in after.items():
            if (choice == "out") != (before.get((topic, channel)) == "out"):
                self._rights.append(Right(len(self._rights) + 1, at, f"opted_{choice}", customer, topic, channel))

    def _write_suppression(self, channel: str, address: str, cause: str, at: datetime) -> None:
        entry = {"channel": channel, "address": address, "cause": cause}
        self._rights.append(Right(len(self._rights) + 1, at, "suppressed", **entry))

    def rights(self, since: datetime | None, after: int, limit: int) -> Sequence[Right]:
        """What people asked not to have any more."""
        found = [right for right in self._rights if right.id > after and (since is None or right.at >= since)]
        return found[:limit]

    def count(self, changed: Mapping[str, int]) -> None:
        """Add to the figures."""
        self._figures.update(changed)

    def counted(self) -> Mapping[str, int]:
        """Where the figures stand."""
        return dict(self._figures)
