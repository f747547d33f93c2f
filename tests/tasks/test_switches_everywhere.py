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

from tests.servers.postgres import clean_database
from tests.servers.redis import clean_redis
from tests.tasks.installation import FILES, Installation, eventually

pytestmark = pytest.mark.slow
WITHIN: Final = 5.0
"""Real seconds after the command has returned."""
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


@pytest.fixture(params=["up", "postgres"])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    """One process on a file, or serve, a worker and a beat on PostgreSQL."""
    if request.param == "up":
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


def test_switches_of_another_process_bind_within_five_seconds(installation: Installation) -> None:
    """While orders keep coming, mails stop and go on again."""
    stream = Stream(installation)
    stream.start()
    try:
        eventually(lambda: sent(installation) > 3, installation.told)
        for off, on in (
            (("pause", "hello"), ("resume", "hello")),
            (("kill", "--channel", "email"), ("lift", "--channel", "email")),
            (("kill", "--all"), ("lift", "--all")),
            (("stop", "hello", "--yes"), ("resume", "hello")),
        ):
            command(installation, *off)
            time.sleep(WITHIN)
            before = sent(installation)
            stream.wait_for_more(10)
            assert sent(installation) == before, f"{off}\n{installation.told()}"
            command(installation, *on)
            until = time.monotonic() + WITHIN
            while sent(installation) == before and time.monotonic() < until:
                time.sleep(0.05)
            assert sent(installation) > before, f"{on}\n{installation.told()}"
    finally:
        stream.stop()
