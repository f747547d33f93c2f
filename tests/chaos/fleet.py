"""The processes of a production round, and a supervisor that starts again whoever is gone."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple
from urllib.error import URLError
from urllib.request import urlopen

from tests.chaos.nursery import Nursery, begun
from tests.chaos.striking import LEASE, STRUCK, Strike

FROZEN_FOR: Final = LEASE + 1.0
"""Seconds that a process stands still: longer than its leases."""
READY_WITHIN: Final = 60.0


class Role(NamedTuple):
    """One process of the fleet: the `number`th of its kind, `orchestrator WORDS`, with what awaits it."""

    kind: str
    number: int
    words: tuple[str, ...]
    strikes: tuple[Strike, ...] = ()


@dataclass
class Fleet:
    """All processes of one installation. `folder` holds their log and what struck them."""

    nursery: Nursery
    folder: Path
    environment: dict[str, str]
    running: dict[Role, int] = field(default_factory=dict)
    kept: str = ""
    """The whole log, after `keep`."""
    _kept_strikes: list[tuple[str, str, int]] = field(default_factory=list)
    _groups: set[int] = field(default_factory=set)
    _thaw: list[tuple[float, int, bool]] = field(default_factory=list)
    _heard: int = 0

    def start(self, role: Role) -> int:
        """Begin a process."""
        pid = self.nursery.begin(role.words, self.environment, self.folder, role.strikes)
        self._groups.add(pid)
        self.running[role] = pid
        return pid

    def run(self, *words: str, strikes: Iterable[Strike] = ()) -> int:
        """A command that ends by itself; it is not started again."""
        pid = self.nursery.begin(words, self.environment, self.folder, tuple(strikes))
        self._groups.add(pid)
        return pid

    def mend(self) -> None:
        """Wake who has slept long enough, and start again who is gone, as a supervisor does."""
        self._listen()
        now = time.monotonic()
        for at, pid, group in self._thaw:
            if at <= now:
                self._signal(pid, signal.SIGCONT, group)
        self._thaw = [each for each in self._thaw if each[0] > now]
        for role, pid in list(self.running.items()):
            if not begun(pid):
                self.start(role)

    def kill(self, role: Role, how: str) -> None:
        """SIGKILL for the process (`parent`), one of its children (`child`), or all of them (`group`)."""
        pid = self.running[role]
        children = children_of(pid)
        if how == "child" and children:
            self._signal(children[-1], signal.SIGKILL, False)
        else:
            self._signal(pid, signal.SIGKILL, how == "group")

    def freeze(self, role: Role) -> None:
        """SIGSTOP for all of its processes, until they have lost their leases."""
        pid = self.running[role]
        self._signal(pid, signal.SIGSTOP, True)
        self._thaw.append((time.monotonic() + FROZEN_FOR, pid, True))

    def stop_taking(self, role: Role) -> None:
        """SIGSTOP for its parent alone: its children end what they do, and get nothing new, until `go_on`."""
        self._signal(self.running[role], signal.SIGSTOP, False)

    def go_on(self, role: Role) -> None:
        """It takes what comes again."""
        self._signal(self.running[role], signal.SIGCONT, False)

    def struck(self) -> list[tuple[str, str]]:
        """What befell processes at named points: (how, point)."""
        return [(how, point) for how, point, _ in self._kept_strikes or self._strikes()]

    def wait_ready(self, port: int) -> None:
        """Until an API answers; it is started again when it dies before."""
        until = time.monotonic() + READY_WITHIN
        while True:
            try:
                with urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1):
                    return
            except (URLError, OSError):
                assert time.monotonic() < until, f"nobody answers on {port}:\n{self.said}"
                self.mend()
                time.sleep(0.05)

    def end(self) -> None:
        """SIGKILL for everybody."""
        for pid in self._groups:
            self._signal(pid, signal.SIGKILL, True)
        until = time.monotonic() + 10
        while time.monotonic() < until and any(begun(pid) for pid in self._groups):
            time.sleep(0.01)

    @property
    def frozen(self) -> bool:
        """Whether somebody stands still."""
        self._listen()
        return bool(self._thaw)

    def keep(self) -> None:
        """Read what the folder holds, before it goes."""
        log = self.folder / "log"
        self.kept = log.read_text(errors="replace") if log.exists() else ""
        self._kept_strikes = self._strikes()

    @property
    def said(self) -> str:
        """The end of their log."""
        log = self.folder / "log"
        return log.read_text(errors="replace")[-6_000:] if log.exists() else ""

    def _strikes(self) -> list[tuple[str, str, int]]:
        path = self.folder / STRUCK
        lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
        return [(how, point, int(pid)) for how, point, pid in lines]

    def _listen(self) -> None:
        """Who stopped at a named point is to be woken, too."""
        strikes = self._strikes()
        for how, _, pid in strikes[self._heard :]:
            if how == "stop":
                self._thaw.append((time.monotonic() + FROZEN_FOR, pid, False))
        self._heard = len(strikes)

    @staticmethod
    def _signal(pid: int, number: signal.Signals, group: bool) -> None:
        with suppress(ProcessLookupError):
            (os.killpg if group else os.kill)(pid, number)


def children_of(pid: int) -> list[int]:
    """Its children."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
