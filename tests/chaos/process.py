"""`orchestrator up` on the shop, as a process of its own that can be killed, frozen and starved, and what it leaves."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.error import URLError
from urllib.request import urlopen

from tests.chaos.launch import NEVER, Blow

ROOT: Final = Path(__file__).resolve().parents[2]
READY_WITHIN: Final = 30.0
DRAINED_WITHIN: Final = 180.0
UNFINISHED: Final = ("inbox", "outbox", "enrollments where status not in ('completed', 'exited')")


class Place(NamedTuple):
    """Where a shop is, and what it runs with. `mail_timeout`: seconds for one message."""

    shop: Path
    database: Path
    port: int
    mail_port: int
    mail_timeout: int = 30

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What the database says, beside whoever writes it."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as c:
            return c.execute(sql).fetchall()

    def unfinished(self) -> dict[str, int]:
        """What still waits: inbox items, messages on their way, running enrollments."""
        return {of: self.rows(f"select count(*) from {of}")[0][0] for of in UNFINISHED}


class UpProcess:
    """One process; started at once. `blow`: what befalls it, see tests.chaos.launch."""

    def __init__(self, place: Place, blow: Blow = NEVER) -> None:
        self.place = place
        self.log = place.database.with_suffix(".log")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ORCHESTRATOR_")}
        environment |= {
            "ORCHESTRATOR_DATABASE_URL": f"sqlite:///{place.database}",
            "ORCHESTRATOR_SMTP_URL": f"smtp://127.0.0.1:{place.mail_port}?timeout={place.mail_timeout}",
            "ORCHESTRATOR_SECRET_KEY": "a secret that is long enough for tests of chaos",
        }
        words = [sys.executable, "-m", "tests.chaos.launch", *blow.words]
        words += ["--project", str(place.shop), "up", "--port", str(place.port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(words, cwd=ROOT, env=environment, stdout=log, stderr=log)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def dead(self) -> bool:
        return self.process.poll() is not None

    def wait_ready(self) -> None:
        """Until it answers, or is dead already, as it may be."""
        end = time.monotonic() + READY_WITHIN
        while time.monotonic() < end:
            if self.dead:
                return
            try:
                with urlopen(f"http://127.0.0.1:{self.place.port}/healthz", timeout=1):
                    return
            except (URLError, OSError):
                time.sleep(0.05)
        self.kill()
        raise SystemExit("the process did not come up")

    def wait_stopped(self, within: float = 60.0) -> None:
        """Until it is frozen."""
        self.eventually(
            lambda: os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOWAIT | os.WNOHANG) is not None, within
        )

    def wait_drained(self, within: float = DRAINED_WITHIN) -> None:
        """Until nothing waits any more."""
        end = time.monotonic() + within
        left: dict[str, int] = {}
        while time.monotonic() < end:
            if self.dead:
                raise SystemExit(f"the process died by itself:\n{self.said}")
            left = self.place.unfinished()
            if not any(left.values()):
                return
            time.sleep(0.5)
        self.kill()
        raise SystemExit(f"still waiting after {within:.0f} s: {left}\n{self.said}")

    def eventually(self, true: Callable[[], bool], within: float = 60.0) -> None:
        """Until something is so; fails with the log, at once when the process is dead."""
        end = time.monotonic() + within
        while not true():
            assert time.monotonic() < end and not self.dead, self.said
            time.sleep(0.05)

    def end(self) -> None:
        """A graceful stop."""
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(30) != 0:
            raise SystemExit(f"a graceful stop ended with {self.process.returncode}:\n{self.said}")

    def kill(self) -> None:
        """The end, in whatever state it is."""
        self.process.kill()
        self.process.wait()

    @property
    def said(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-4_000:]
