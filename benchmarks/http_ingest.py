"""Events a second that one `orchestrator serve` process takes over HTTP: answered, and durable.

Batches of 100 `track` calls of known customers, each event with its own message id, from a client in a process of its
own over several connections that stay open. What counts is what the database holds afterwards, not what was answered.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import socket
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import psycopg

from benchmarks.machine import cpu_of, described, production_postgres
from benchmarks.production import Windowed
from benchmarks.workload import _traits as traits_of
from orchestrator.core.inbox import Identified
from orchestrator.definitions.load import load_project
from orchestrator.runtime.deployment import deploy, snapshot_of
from orchestrator.runtime.ingest import ingest_once
from orchestrator.runtime.turns import turn_once
from orchestrator.stores.postgres.store import open_store
from tests.servers.redis import new_redis

BATCH: Final = 100
CUSTOMERS: Final = 5_000
CONNECTIONS: Final = 4
_HEAD: Final = (
    "POST /v1/batch HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic a2V5Og==\r\n"
    "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n"
)


def requests_of(events: int, first: int = 0) -> list[bytes]:
    """Whole HTTP requests, so that the client costs little."""
    made = []
    for number in range(first, first + events, BATCH):
        batch = [
            {
                "type": "track",
                "event": "quote_requested",
                "userId": f"C{event % CUSTOMERS}",
                "messageId": f"m{event}",
                "properties": {"quote_id": f"Q{event}", "total": 120 + event % 50},
            }
            for event in range(number, number + BATCH)
        ]
        body = json.dumps({"batch": batch}).encode()
        made.append(_HEAD.format(len(body)).encode() + body)
    return made


def _client(port: int, requests: list[bytes], connections: int, answered: Any) -> None:
    """Send everything; reports the seconds that it took."""
    lock, left, failed = threading.Lock(), iter(requests), []
    took: list[float] = []

    def run() -> None:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            answers = connection.makefile("rb")
            while True:
                with lock:
                    request = next(left, None)
                if request is None:
                    return
                sent_at = time.perf_counter()
                connection.sendall(request)
                status, length = answers.readline(), 0
                while (line := answers.readline()) not in (b"\r\n", b""):
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                body = answers.read(length)
                took.append(time.perf_counter() - sent_at)
                if b" 200 " not in status:
                    failed.append((status + body).decode()[:300])

    threads = [threading.Thread(target=run) for _ in range(connections)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answered.put((time.monotonic() - began, failed[:1], latencies(took)))


def latencies(took: list[float]) -> dict[str, float]:
    """The 50th and the 99th of a hundred answers, in milliseconds after the request began to be sent."""
    ordered = sorted(took)
    return {f"p{n}_ms": round(ordered[min(len(ordered) - 1, len(ordered) * n // 100)] * 1e3, 1) for n in (50, 99)}


def measure(events: int, connections: int = CONNECTIONS) -> dict[str, Any]:
    """The figures of one run."""
    redis = new_redis().start()
    try:
        with production_postgres() as server, TemporaryDirectory(prefix="bench-") as name:
            folder = Path(name)
            server.execute("CREATE DATABASE bench")
            url = server.url("bench")
            store = open_store(url)
            installation = Windowed(folder, redis.url, database=url)
            installation.store = store
            installation.write(60)
            now = store.real_now()
            deploy(store, load_project(folder).require_valid(), now, snapshot_of(folder), now)
            ids = [f"C{number}" for number in range(CUSTOMERS)]
            ingest_once(store, [(id, Identified(traits_of(id), silent=True)) for id in ids], now)
            while turn_once(store, now).customers:
                pass
            serve = installation.start("serve")
            try:
                installation.ready()
                _sent(installation.port, requests_of(20 * BATCH, 10**9), connections)  # a warm process
                before, cpu, cpu_server = _kept(url), cpu_of([serve.pid]), cpu_of([server.pid])
                seconds, answers = _sent(installation.port, requests_of(events), connections)
                kept = _kept(url) - before
                cpu, cpu_server = cpu_of([serve.pid]) - cpu, cpu_of([server.pid]) - cpu_server
            finally:
                installation.__exit__()
            if kept != events:
                raise SystemExit(f"{events} events were answered, and {kept} are in the database")
            return {
                "events": events,
                "events_a_second": round(events / seconds),
                **answers,
                "cpu_us_serve": round(cpu / events * 1e6, 1),
                "cpu_us_postgres": round(cpu_server / events * 1e6, 1),
                "connections": connections,
            }
    finally:
        redis.remove()


def _sent(port: int, requests: list[bytes], connections: int) -> tuple[float, dict[str, float]]:
    """Seconds for all of them, and how long answers took."""
    context = multiprocessing.get_context("fork")
    answered = context.Queue()
    client = context.Process(target=_client, args=(port, requests, connections, answered))
    client.start()
    seconds, failed, answers = answered.get()
    client.join()
    if failed:
        raise SystemExit(f"refused: {failed[0]}")
    return float(seconds), answers


def _kept(url: str) -> int:
    """Events that would survive a power cut: those that another session sees."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM inbox").fetchone()
    assert row is not None
    return int(row[0])


def main() -> int:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    given = parser.parse_args()
    print(json.dumps({**measure(given.events, given.connections), **described()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
