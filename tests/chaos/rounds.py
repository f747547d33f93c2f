"""Rounds of death: `orchestrator up` is killed again and again while orders come in; then all books are compared.

`python -m tests.chaos.rounds 100` (`make chaos`) prints one line a round and the verdict; exit 1 when a promise broke.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from tests.chaos.checking import Verdict, check
from tests.chaos.feeding import Client
from tests.chaos.launch import NEVER, POINTS, Blow
from tests.chaos.mailbox import free_port, mail_server
from tests.chaos.process import Place, UpProcess
from tests.chaos.shop import OFFER_AFTER, write_shop

RANDOM_SHARE = 0.5
"""Of the rounds, those in which death comes at a random moment, not at a named point."""


def run(rounds: int, seed: int, rate: float = 60.0, say: Any = print) -> Verdict:
    """Kill and restart `rounds` times; then let everything come to its end, and check."""
    random = Random(seed)
    with TemporaryDirectory(prefix="chaos-") as name, mail_server() as (mailbox, smtp_port):
        shop = write_shop(Path(name) / "shop")
        place = Place(shop, Path(name) / "chaos.db", free_port(), smtp_port)
        client = Client(place.port, rate, seed)
        client.start()
        for number in range(rounds):
            by_chance = random.random() < RANDOM_SHARE
            point = "none" if by_chance else random.choice(sorted(POINTS))
            blow = Blow("kill", point, random.randint(1, 12))
            up = UpProcess(place, NEVER if by_chance else blow)
            up.wait_ready()
            if not client.is_alive():
                raise SystemExit("the client ended before its time: see what it raised")
            lived = _let_live(up.process, random.uniform(0.2, 3.0), by_chance)
            say(f"round {number + 1}/{rounds}: {point:<14} after {lived:.1f} s, {len(client.placed)} orders are in")
        up = UpProcess(place)
        up.wait_ready()
        client.stop()
        client.join(60)
        if client.is_alive() or client.failed:
            raise SystemExit("the client could not bring its last orders in")
        time.sleep(OFFER_AFTER)
        up.wait_drained()
        up.end()
        return check(place.database, client.placed, client.cancelled, mailbox.accepted)


def _let_live(process: subprocess.Popen[bytes], seconds: float, killed_by_us: bool) -> float:
    """Until it kills itself, or its time is over."""
    began = time.monotonic()
    try:
        process.wait(seconds if killed_by_us else seconds * 2)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    return time.monotonic() - began


def told(verdict: Verdict) -> str:
    """The verdict in sentences."""
    lines = [
        f"{verdict.orders} orders, {verdict.cancelled} of them cancelled in time, {verdict.accepted} mails taken",
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
