"""The same processes over RabbitMQ: `make test-rabbitmq`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kombu import Connection

from orchestrator.wiring.broker import LANES, broker_fault, waiting_in
from tests.servers.rabbitmq import RabbitServer
from tests.tasks.installation import Installation, eventually

pytestmark = pytest.mark.slow


@pytest.fixture
def rabbit() -> Iterator[RabbitServer]:
    server = RabbitServer()
    try:
        yield server.start()
    finally:
        server.remove()


def names(prefix: str) -> list[str]:
    return [f"{prefix}{number}" for number in range(5)]


def test_a_campaign_survives_a_purge_and_a_restart(tmp_path: Path, rabbit: RabbitServer) -> None:
    assert broker_fault(rabbit.url) is None
    with Installation(tmp_path, rabbit.url) as installation:
        for words in (["worker", "--concurrency", "2"], ["serve"], ["beat"], ["beat"]):
            installation.start(*words)
        installation.ready()
        for customer in names("a"):
            installation.order(customer)
        with Connection(rabbit.url) as connection:
            for lane in LANES:
                connection.default_channel.queue_purge(lane)
        installation.expect(*names("a"))
        assert set(waiting_in(rabbit.url)) == set(LANES) and max(waiting_in(rabbit.url).values()) < 150

        rabbit.stop()
        for customer in names("b"):
            installation.order(customer)
        assert broker_fault(rabbit.url) is not None
        rabbit.start()
        installation.expect(*names("a"), *names("b"))


def test_nudges_that_nobody_takes_do_not_pile_up(tmp_path: Path, rabbit: RabbitServer) -> None:
    with Installation(tmp_path, rabbit.url) as installation:
        installation.celery("beat", "--loglevel", "WARNING")
        eventually(lambda: min(waiting_in(rabbit.url).values()) >= 3, installation.told)
        with Connection(rabbit.url) as connection:
            found = connection.default_channel.queue_declare("turn", passive=True)
            assert found.message_count < 20
