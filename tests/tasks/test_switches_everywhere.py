"""`pause`, `resume`, `stop`, `kill` and `lift` of another process are effective within five seconds."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.in_full import IN_FULL
from tests.servers.postgres import clean_database
from tests.servers.redis import clean_redis
from tests.tasks.installation import FILES, Installation, eventually

pytestmark = pytest.mark.slow
WITHIN: Final = 5.0
"""Real seconds after the command has returned."""
QUIET_FOR: Final = 2.0
QUIET_ORDERS: Final = 10
"""Seconds and orders without a mail, after which no more will come: lanes look every second, and at once for orders."""
QUICK: Final = {
    "journeys/project.yaml": FILES["journeys/project.yaml"] + "settings: {smear: 0s}\n",
    "journeys/hello.yaml": ("journey: hello\ntopic: orders\nenter: {event: ordered}\nsteps:\n  - email: first\n"),
}


class Stream(threading.Thread):
    """One order after the other, each of another customer."""

    def __init__(self, installation: Installation) -> None:
        super().__init__(daemon=True)
        self._installation = installation
        self._over = threading.Event()
        self.count = 0

    def run(self) -> None:
        while not self._over.wait(0.1):
            self._installation.order(f"c{self.count}")
            self.count += 1

    def wait_for_more(self, orders: int) -> None:
        """Until so many more were taken."""
        goal = self.count + orders
        eventually(lambda: self.count > goal, self._installation.told)

    def stop(self) -> None:
        self._over.set()
        self.join(30)


Switch = tuple[tuple[str, ...], tuple[str, ...]]
"""Off and on again."""
SWITCHES: Final[tuple[Switch, ...]] = (
    (("pause", "hello"), ("resume", "hello")),
    (("kill", "--channel", "email"), ("lift", "--channel", "email")),
    (("kill", "--all"), ("lift", "--all")),
    (("stop", "hello", "--yes"), ("resume", "hello")),
)
BOTH: Final = {"up": SWITCHES, "postgres": SWITCHES}
SHORT: Final = {"up": SWITCHES[1::2], "postgres": SWITCHES[::2]}
"""Each switch in one of the two installations."""


@pytest.fixture(params=["up", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def switches(kind: str) -> tuple[Switch, ...]:
    return (BOTH if IN_FULL else SHORT)[kind]


@pytest.fixture
def installation(kind: str, tmp_path: Path) -> Iterator[Installation]:
    """One process on a file, or serve, a worker and a beat on PostgreSQL."""
    if kind == "up":
        with Installation(tmp_path, "memory://", files=QUICK) as made:
            made.start("up", "--port", str(made.port))
            made.ready()
            yield made
        return
    with (
        clean_redis() as redis,
        clean_database() as url,
        Installation(tmp_path, redis.url, database=url, files=QUICK) as made,
    ):
        for words in (("worker", "--concurrency", "1"), ("beat",), ("serve",)):
            made.start(*words)
        made.ready()
        yield made


def command(installation: Installation, *words: str) -> None:
    """One command of an operator, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator.cli.main", *words],
        cwd=installation.root,
        env={**os.environ, **installation.environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def sent(installation: Installation) -> int:
    return len(list((installation.root / ".orchestrator" / "outbox" / "email").glob("*.eml")))


def last_mail_after(installation: Installation, stream: Stream) -> float:
    """Seconds from now until the last mail: until none has come for a while in which there were orders enough."""
    began = last = time.monotonic()
    count, orders = sent(installation), stream.count
    while stream.count < orders + QUIET_ORDERS or time.monotonic() < last + QUIET_FOR:
        time.sleep(0.05)
        if (now_sent := sent(installation)) != count:
            count, orders, last = now_sent, stream.count, time.monotonic()
        assert time.monotonic() < began + 60, installation.told()
    return last - began


def test_switches_of_another_process_bind_within_five_seconds(
    installation: Installation, switches: tuple[Switch, ...]
) -> None:
    """While orders keep coming, mails stop and go on again."""
    stream = Stream(installation)
    stream.start()
    try:
        eventually(lambda: sent(installation) > 3, installation.told)
        for off, on in switches:
            command(installation, *off)
            assert last_mail_after(installation, stream) <= WITHIN, f"{off}\n{installation.told()}"
            before = sent(installation)
            command(installation, *on)
            until = time.monotonic() + WITHIN
            while sent(installation) == before and time.monotonic() < until:
                time.sleep(0.05)
            assert sent(installation) > before, f"{on}\n{installation.told()}"
    finally:
        stream.stop()
