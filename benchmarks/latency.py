"""From an event's arrival to its message in the hands of the mail server, on an idle installation of processes.

`python -m benchmarks.latency [COUNT] [--database URL]`: one API process, one worker (two children), one beat, a real
Redis, and a mail server in this process; an event every 150 ms or so. Prints one JSON line: milliseconds by percentile.
The clock starts before the client's request, and stops when the mail server has the whole message.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from tests.chaos.mailbox import Mailbox, mail_server
from tests.servers.redis import new_redis
from tests.tasks.installation import Installation

EVERY = (0.1, 0.2)
"""Seconds between two events, drawn between these: not in step with the beat."""
COUNT = 200


def measure(count: int, database: str | None) -> dict[str, float]:
    """Milliseconds by percentile."""
    redis = new_redis().start()
    try:
        with TemporaryDirectory(prefix="latency-") as folder, mail_server() as (mailbox, port):
            more = {"ORCHESTRATOR_SMTP_URL": f"smtp://127.0.0.1:{port}"}
            with Installation(Path(folder), redis.url, database=database, **more) as installation:
                for words in (("serve",), ("worker", "--concurrency", "2"), ("beat",)):
                    installation.start(*words)
                installation.ready()
                return _percentiles(_send(installation, mailbox, count))
    finally:
        redis.remove()


def _send(installation: Installation, mailbox: Mailbox, count: int) -> list[float]:
    random = Random(1)
    _await(installation, mailbox, [f"warm{number}" for number in range(20)])
    began: dict[str, float] = {}
    for number in range(count):
        began[f"c{number}@example.com"] = time.time()
        installation.order(f"c{number}")
        time.sleep(random.uniform(*EVERY))
    _await(installation, mailbox, [])
    until = time.monotonic() + 30
    while len(_firsts(mailbox)) < count + 20 and time.monotonic() < until:
        time.sleep(0.1)
    firsts = _firsts(mailbox)
    return sorted((firsts[to] - at) * 1_000 for to, at in began.items())


def _firsts(mailbox: Mailbox) -> dict[str, float]:
    return {mail.to: mail.at for mail in mailbox.accepted if mail.subject == "first"}


def _await(installation: Installation, mailbox: Mailbox, customers: list[str]) -> None:
    for customer in customers:
        installation.order(customer)
        time.sleep(0.05)
    until = time.monotonic() + 30
    while any(f"{customer}@example.com" not in _firsts(mailbox) for customer in customers):
        if time.monotonic() > until:
            raise SystemExit(f"no mails came:\n{installation.told()}")
        time.sleep(0.05)


def _percentiles(found: list[float]) -> dict[str, float]:
    at = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
    return {name: round(found[min(len(found) - 1, int(share * len(found)))], 1) for name, share in at.items()}


def main() -> int:
    """Print the line; exit 1 when a promise is not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=COUNT)
    parser.add_argument("--database")
    args = parser.parse_args()
    found = measure(args.count, args.database)
    print(json.dumps(found))
    return 0 if found["p50"] < 100 and found["p99"] < 400 else 1


if __name__ == "__main__":
    sys.exit(main())
