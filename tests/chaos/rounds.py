"""Rounds of death: `orchestrator up` is killed again and again while orders come in; then all books are compared.

`python -m tests.chaos.rounds 100` (`make chaos`) prints one line a round and the verdict; exit 1 when a promise broke.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from tests.chaos.checking import Verdict, check
from tests.chaos.feeding import Client
from tests.chaos.launch import POINTS
from tests.chaos.mailbox import free_port, mail_server
from tests.chaos.shop import OFFER_AFTER, write_shop

ROOT = Path(__file__).resolve().parents[2]
READY_WITHIN = 30.0
DRAINED_WITHIN = 180.0
RANDOM_SHARE = 0.5
"""Of the rounds, those in which death comes at a random moment, not at a named point."""


def run(rounds: int, seed: int, rate: float = 60.0, say: Any = print) -> Verdict:
    """Kill and restart `rounds` times; then let everything come to its end, and check."""
    random = Random(seed)
    with TemporaryDirectory(prefix="chaos-") as name, mail_server() as (mailbox, smtp_port):
        shop = write_shop(Path(name) / "shop")
        database = Path(name) / "chaos.db"
        port = free_port()
        client = Client(port, rate, seed)
        client.start()
        for number in range(rounds):
            point = "none" if random.random() < RANDOM_SHARE else random.choice(sorted(POINTS))
            count = random.randint(1, 12)
            process = _start(shop, database, port, smtp_port, point, count)
            _wait_ready(process, port)
            lived = _let_live(process, random.uniform(0.2, 3.0), killed_by_us=point == "none")
            say(f"round {number + 1}/{rounds}: {point:<14} after {lived:.1f} s, {len(client.placed)} orders are in")
        process = _start(shop, database, port, smtp_port, "none", 0)
        _wait_ready(process, port)
        client.stop()
        client.join(60)
        _wait_drained(database, process)
        process.send_signal(signal.SIGTERM)
        if process.wait(30) != 0:
            raise SystemExit(f"a graceful stop ended with {process.returncode}:\n{_log(database)}")
        return check(database, client.placed, client.cancelled, mailbox.accepted)


def _start(shop: Path, database: Path, port: int, smtp_port: int, point: str, count: int) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "ORCHESTRATOR_DATABASE_URL": f"sqlite:///{database}",
        "ORCHESTRATOR_SMTP_URL": f"smtp://127.0.0.1:{smtp_port}",
        "ORCHESTRATOR_SECRET_KEY": "a secret that is long enough for tests of chaos",
    }
    words = [sys.executable, "-m", "tests.chaos.launch", point, str(count)]
    words += ["--project", str(shop), "up", "--port", str(port)]
    with database.with_suffix(".log").open("ab") as log:
        return subprocess.Popen(words, cwd=ROOT, env=environment, stdout=log, stderr=log)


def _wait_ready(process: subprocess.Popen[bytes], port: int) -> None:
    """Until it answers, or is dead already, as it may be."""
    end = time.monotonic() + READY_WITHIN
    while time.monotonic() < end:
        if process.poll() is not None:
            return
        try:
            with urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1):
                return
        except (URLError, OSError):
            time.sleep(0.05)
    process.kill()
    raise SystemExit("the process did not come up")


def _let_live(process: subprocess.Popen[bytes], seconds: float, killed_by_us: bool) -> float:
    """Until it kills itself, or its time is over."""
    began = time.monotonic()
    try:
        process.wait(seconds if killed_by_us else seconds * 2)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    return time.monotonic() - began


def _wait_drained(database: Path, process: subprocess.Popen[bytes]) -> None:
    """Until nothing waits any more: no inbox item, no message on its way, no running enrollment."""
    import sqlite3
    from contextlib import closing

    end = time.monotonic() + DRAINED_WITHIN
    questions = ("inbox", "outbox", "enrollments where status not in ('completed', 'exited')")
    time.sleep(OFFER_AFTER)
    counts: list[int] = []
    while time.monotonic() < end:
        if process.poll() is not None:
            raise SystemExit(f"the process died by itself:\n{_log(database)}")
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as c:
            counts = [c.execute(f"select count(*) from {question}").fetchone()[0] for question in questions]
        if not any(counts):
            return
        time.sleep(0.5)
    process.kill()
    raise SystemExit(f"still waiting after {DRAINED_WITHIN:.0f} s: {dict(zip(questions, counts))}\n{_log(database)}")


def _log(database: Path) -> str:
    return database.with_suffix(".log").read_text(errors="replace")[-4_000:]


def told(verdict: Verdict) -> str:
    """The verdict in sentences."""
    lines = [
        f"{verdict.orders} orders, {verdict.accepted} mails taken by the server",
        f"{verdict.unknown} hand-overs of unknown outcome, as promised:",
        f"  {verdict.twice} mails came twice, {verdict.missing_unknown} did not come",
        *(f"BROKEN: {fault}" for fault in verdict.faults[:40]),
        f"{len(verdict.faults)} promises broken",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    found = run(int(sys.argv[1]) if len(sys.argv) > 1 else 100, int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    print(told(found))
    sys.exit(bool(found.faults))
