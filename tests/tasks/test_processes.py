"""Real worker processes over a real Redis: whatever becomes of the broker and of processes, everyone gets each mail
once."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from orchestrator.wiring.broker import KEY_PREFIX, LANES
from tests.servers.postgres import clean_database
from tests.servers.redis import RedisServer, clean_redis, new_redis
from tests.tasks.installation import Installation, deploy_from, eventually, free_port, write_project

pytestmark = pytest.mark.slow


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with clean_redis() as server:
        yield server


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """One that may be stopped."""
    server = new_redis().start()
    yield server
    server.remove()


@pytest.fixture
def postgres() -> Iterator[str]:
    with clean_database() as url:
        yield url


class SlowMail:
    """Takes every mail, after a while."""

    def __init__(self, taken: list[str], seconds: float) -> None:
        self._taken = taken
        self._seconds = seconds

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self._taken.append(envelope.rcpt_tos[0])
        await asyncio.sleep(self._seconds)
        return "250 2.0.0 taken"


@contextmanager
def slow_mail_server(seconds: float) -> Iterator[tuple[list[str], int]]:
    taken: list[str] = []
    controller = Controller(SlowMail(taken, seconds), hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        yield taken, controller.port
    finally:
        controller.stop()


def names(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


def children(process: subprocess.Popen[bytes]) -> list[int]:
    path = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(word) for word in path.read_text().split()] if path.exists() else []


def test_a_campaign_over_http_survives_a_flush_and_a_restart_of_redis(
    tmp_path: Path, own_redis: RedisServer, postgres: str
) -> None:
    with Installation(tmp_path, own_redis.url, database=postgres) as installation:
        worker = installation.start("worker", "--concurrency", "2")
        for words in (["serve"], ["beat"], ["beat"]):
            installation.start(*words)
        installation.ready()
        for customer in names("a", 5):
            installation.order(customer)
        own_redis.flush()
        for customer in names("b", 5):
            installation.order(customer)
        installation.expect(*names("a", 5), *names("b", 5))

        own_redis.stop(signal.SIGKILL)
        began = time.monotonic()
        for customer in names("c", 5):
            installation.order(customer)
        assert time.monotonic() - began < 5, "ingest does not wait for a broker that is down"
        eventually(lambda: "broker" in json.loads(installation.get("/readyz")[1]).get("degraded", {}))
        assert installation.get("/readyz")[0] == 200
        own_redis.start()
        installation.expect(*names("a", 5), *names("b", 5), *names("c", 5))
        eventually(lambda: json.loads(installation.get("/readyz")[1])["status"] == "ok", installation.told)

        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0, installation.told()
        assert sorted(path.name for path in tmp_path.iterdir() if "celery" in path.name) == [], "a beat has no file"


def test_every_nudge_ten_times_in_reverse(tmp_path: Path, redis: RedisServer) -> None:
    with Installation(tmp_path, redis.url) as installation:
        beat = installation.celery("beat", "--loglevel", "WARNING")
        with redis.client() as client:
            keys = [f"{KEY_PREFIX}{lane}" for lane in LANES]
            eventually(lambda: all(client.llen(key) >= 2 for key in keys), installation.told)
            beat.send_signal(signal.SIGTERM)
            beat.wait(30)
            for key in keys:
                found = client.lrange(key, 0, -1)
                client.delete(key)
                client.rpush(key, *[message for message in found for _ in range(10)])
            installation.ingest(*names("a", 10))
            worker = installation.celery("worker", "--concurrency", "2", "--loglevel", "WARNING")
            # Where the machine is slow to start a worker the wait of 2 s is over before it begins: then there are 20.
            eventually(lambda: len(installation.sent()) >= 10, installation.told)
            eventually(lambda: all(client.llen(key) == 0 for key in keys), installation.told)
        installation.start("beat")
        installation.expect(*names("a", 10))
        worker.send_signal(signal.SIGTERM)
        worker.wait(30)


def test_children_and_parents_may_die_at_any_time(tmp_path: Path, redis: RedisServer, postgres: str) -> None:
    with Installation(tmp_path, redis.url, database=postgres) as installation:
        worker = installation.start("worker", "--concurrency", "2")
        installation.start("beat")
        eventually(lambda: len(children(worker)) >= 2, installation.told)
        everyone: list[str] = []
        for round_ in range(2):
            more = names(f"r{round_}", 5)
            installation.ingest(*more)
            everyone += more
            eventually(lambda: installation.sent(), installation.told)
            os.kill(children(worker)[-1], signal.SIGKILL)
        installation.expect(*everyone)
        eventually(lambda: len(children(worker)) >= 2, installation.told)

        last = names("z", 5)
        installation.ingest(*last)
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
        installation.start("worker", "--lanes", "turn,transactional", "--concurrency", "1")
        installation.start("worker", "--lanes", "promotional,service,requests,housekeeping", "--concurrency", "1")
        installation.expect(*everyone, *last)


def test_a_soft_end_waits_for_what_is_under_way_and_gives_the_rest_back(tmp_path: Path, redis: RedisServer) -> None:
    """A mail server that takes its time: the worker that is told to stop hands the mail over and settles it."""
    with slow_mail_server(seconds=3.0) as (taken, port):
        more = {"ORCHESTRATOR_SMTP_URL": f"smtp://127.0.0.1:{port}"}
        with Installation(tmp_path, redis.url, **more) as installation, redis.client() as client:
            worker = installation.start("worker", "--concurrency", "1")
            beat = installation.start("beat")
            installation.ingest("ana")
            eventually(lambda: taken, installation.told)
            beat.send_signal(signal.SIGKILL)
            waits = [client.llen(f"{KEY_PREFIX}{lane}") for lane in LANES]
            began = time.monotonic()
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(30) == 0, installation.told()
            assert 1.0 < time.monotonic() - began < 9.0, "as long as the hand-over, and not until the time is over"
            assert installation.store.overview().messages["email", "sent"] == len(taken) == 1
            assert sum(client.llen(f"{KEY_PREFIX}{lane}") for lane in LANES) >= sum(waits) > 0


def test_what_is_deployed_is_adopted_within_a_second_or_so(tmp_path: Path, redis: RedisServer) -> None:
    with Installation(tmp_path, redis.url) as installation:
        installation.start("worker", "--concurrency", "1")
        installation.start("beat")
        installation.ingest("ana")
        eventually(lambda: installation.sent()["ana@example.com", "first"] == 1, installation.told)
        write_project(
            tmp_path,
            {
                "journeys/hello.yaml": (
                    "journey: hello\ntopic: orders\nenter: {event: ordered}\nsteps:\n  - email: new\n"
                ),
                "templates/email/new.txt": "---\nsubject: new\n---\nhello\n",
            },
        )
        deploy_from(tmp_path, installation.store)
        time.sleep(2.0)
        installation.ingest("ben")
        eventually(lambda: installation.sent()["ben@example.com", "new"] == 1, installation.told, 10)
        eventually(lambda: installation.sent()["ana@example.com", "offer"] == 1, installation.told)
        assert installation.store.overview().parked == []
