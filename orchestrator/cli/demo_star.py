"""Finds the customer of a run whose story tells most: several journeys, a coupon, an answer, waiting and leaving."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

SURVEYS: Final = frozenset({"ask", "survey_1"})
"""Steps of the shipped journeys that ask something."""
LONGEST: Final = 34
"""Lines of a story that is still read."""
FEATURES: Final[Mapping[str, int]] = {
    "coupon": 4,
    "redeemed": 3,
    "exited": 3,
    "completed": 2,
    "task": 4,
    "goal": 2,
    "suppressed": 1,
    "fetched": 1,
    "answered": 6,
}
"""What each is worth, once."""


class Star:
    """Hand each line of the journal to `look_at`; `customer` is the best so far of all."""

    def __init__(self) -> None:
        self._seen: dict[str, set[str]] = {}
        self._journeys: dict[str, set[str]] = {}
        self._lines: dict[str, int] = {}

    def look_at(self, line: Mapping[str, Any]) -> None:
        """One line."""
        customer, kind = line["customer"], line["type"]
        if kind == "refused":
            return
        self._lines[customer] = self._lines.get(customer, 0) + 1
        if kind == "entered":
            self._journeys.setdefault(customer, set()).add(line["journey"])
        elif kind == "branched" and line["branch"] == "then" and line["step"] in SURVEYS:
            self._seen.setdefault(customer, set()).add("answered")
        elif kind in FEATURES:
            self._seen.setdefault(customer, set()).add(kind)

    @property
    def customer(self) -> str | None:
        """The one to tell about; None: nothing happened."""
        return max(sorted(self._lines), key=self._worth, default=None)

    def _worth(self, customer: str) -> int:
        journeys = min(len(self._journeys.get(customer, ())), 4)
        features = sum(FEATURES[name] for name in self._seen.get(customer, ()))
        too_long = max(0, self._lines[customer] - LONGEST)
        return 3 * journeys + features - 2 * too_long
