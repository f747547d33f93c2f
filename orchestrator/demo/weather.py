"""The outside world of the demonstration: a weather service and a printer of cards that answer without a network."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from orchestrator.core.identity import stable_hash

SKIES = ("sun", "sun", "sun", "cloud", "rain")
"""The weather of a European summer, each as likely."""
PRINTED = 202


class OutsideWorld:
    """Answers `fetch` and `webhook`. The weather of a city on a day depends on the two only."""

    def __init__(self) -> None:
        self.day = ""
        self.calls = 0

    def call(self, request: Any) -> tuple[int | None, Any, str | None]:
        """(status, body, error), as a caller of channels/protocol.py."""
        self.calls += 1
        asked = urlsplit(request.url)
        if asked.hostname == "weather.example.com":
            hashed = stable_hash("weather", self.day, asked.query)
            return 200, {"kind": SKIES[hashed % len(SKIES)], "high": 17 + hashed // 7 % 14}, None
        if asked.hostname == "cards.example.com":
            return PRINTED, {"accepted": True}, None
        return None, None, f"the demonstration knows no {asked.hostname}"
