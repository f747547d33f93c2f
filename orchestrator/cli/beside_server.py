"""A run in a thread of its own while the server answers in the main one: a replay, a demonstration."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from orchestrator.cli.terminal import Terminal

if TYPE_CHECKING:
    from orchestrator.wiring.engine import Running

JOIN_FOR: Final = 8.0
"""Seconds for what is under way when it is told to stop."""


class BesideServer:
    """Plays, then either starts the lanes and lets the server go on, or ends it.

    `error`: what ended it instead; `told`: whether it came to its end; `stopping`: set by whoever breaks it off. A
    subclass says what it is (`play`), and what it raises when it was broken off (`broken_off`) means to people.
    """

    broken_off: type[Exception]
    """What `play` raises after `stopping` was set."""
    broken_off_means: str
    goes_on: str
    """What people hear when the server goes on afterwards."""

    def __init__(self, name: str, terminal: Terminal, running: Running, end: Callable[[], None]) -> None:
        self.running = running
        self.end = end
        self.error: BaseException | None = None
        self.told = False
        self.stopping = threading.Event()
        self._terminal = terminal
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the step under way."""
        self.stopping.set()

    def join(self) -> bool:
        """Wait for the end, for a while. Whether it came."""
        self._thread.join(JOIN_FOR)
        return not self._thread.is_alive()

    def play(self) -> None:
        """All of it. Raises `broken_off` when it was told to stop."""
        raise NotImplementedError

    def stays(self) -> bool:
        """Whether the server goes on afterwards."""
        raise NotImplementedError

    def _run(self) -> None:
        try:
            self.play()
            self.told = True
        except self.broken_off:
            self._terminal.note(self.broken_off_means)
        except Exception as error:
            self.error = error
        if self.told and self.stays():
            self.running.loop.start()
            self._terminal.say(self.goes_on)
            self._terminal.flush()
        else:
            self.end()
