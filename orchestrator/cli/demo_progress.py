"""How far the demonstration's season is: one line that changes on a terminal, a line a month in a pipe."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from time import monotonic

from orchestrator.cli.terminal import Terminal

BETWEEN = 0.2
"""Seconds between two drawings."""


class SeasonProgress:
    """`messages` tells how many there are so far."""

    def __init__(self, terminal: Terminal, messages: Callable[[], int]) -> None:
        self._terminal = terminal
        self._messages = messages
        self._began = self._drawn_at = monotonic()
        self._month = 0

    def begin(self, customers: int) -> None:
        """Before the first day."""
        self._write(f"bringing in {customers:,} customers and their past")
        self._began = monotonic()

    def move(self, at: datetime, events: int) -> None:
        """The clock stands at `at`."""
        now = monotonic()
        if self._terminal.shows_progress:
            if now - self._drawn_at < BETWEEN:
                return
        elif at.month == self._month:
            return
        self._drawn_at, self._month = now, at.month
        rate = (events + self._messages()) / max(now - self._began, 0.001)
        words = f"{events:>7,} events  {self._messages():>7,} messages  {rate:>6,.0f} a second"
        self._write(f"{at:%Y-%m-%d %H:%M}  {words}")

    def close(self) -> None:
        """The line is gone, and others may come."""
        if self._terminal.shows_progress:
            self._terminal.err.write("\r\x1b[K")
            self._terminal.err.flush()

    def _write(self, text: str) -> None:
        if self._terminal.shows_progress:
            self._terminal.err.write(f"\r\x1b[K{text}")
        else:
            self._terminal.note(text)
        self._terminal.err.flush()
