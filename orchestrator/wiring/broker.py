"""The broker: what each kind needs, and whether it answers. It carries nudges; the database holds all the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from kombu.connection import Connection
from kombu.entity import Exchange, Queue

from orchestrator.errors import UsageError
from orchestrator.settings import Settings, without_password

LANES: Final = ("turn", "transactional", "service", "promotional", "requests", "webhooks", "housekeeping")
"""Queues: a worker takes from all of them, or from those that it is told."""
EXPIRES: Final = 30.0
"""Seconds after which a nudge that nobody took is stale: the beat has said the same since."""
MOST_WAITING: Final = 100
"""Nudges of one lane that may wait in the broker: one more would tell nothing new."""
ANSWERS_WITHIN: Final = 2.0
"""Seconds after which a broker that does not answer counts as down, for those who only send."""
KEY_PREFIX: Final = "orch:"
_EXCHANGE: Final = "orchestrator"
_QUORUM: Final = {
    "x-queue-type": "quorum",
    "x-message-ttl": int(EXPIRES * 1_000),
    "x-max-length": 10 * MOST_WAITING,
}
"""RabbitMQ throws stale nudges away by itself."""


def is_amqp(url: str) -> bool:
    """Whether a broker is RabbitMQ, which has exchanges and queues of its own."""
    return url.startswith(("amqp", "pyamqp"))


def queues_of(url: str) -> list[Queue]:
    """One queue for each lane.

    RabbitMQ: quorum queues behind a topic exchange. Elsewhere nudges go to a queue by its name, without an exchange:
    Redis keeps the bindings of an exchange as keys, and who flushed it would have lost every nudge until a restart.
    """
    if is_amqp(url):
        exchange = Exchange(_EXCHANGE, type="topic", durable=True)  # type: ignore[no-untyped-call]
        return [_queue(name, exchange, queue_arguments=dict(_QUORUM)) for name in LANES]
    return [_queue(name, Exchange("")) for name in LANES]  # type: ignore[no-untyped-call]


def _queue(name: str, exchange: Exchange, **options: Any) -> Queue:
    return Queue(name, exchange, routing_key=name, **options)  # type: ignore[no-untyped-call]


def transport_options(url: str) -> dict[str, Any]:
    """What each kind of broker needs. Redis gives a dead worker's nudges back after the time-out, looked at often."""
    if url.startswith("memory"):
        return {"polling_interval": 0.01}
    if url.startswith("redis"):
        return {
            "visibility_timeout": 300,  # longer than any task
            "unacked_restore_interval": 2,
            "unacked_restore_throttle": 1,
            "global_keyprefix": KEY_PREFIX,
            "socket_connect_timeout": ANSWERS_WITHIN,
            "socket_keepalive": True,
            "health_check_interval": 10,
        }
    return {}


def sending_options(url: str) -> dict[str, Any]:
    """The same for connections that only send: none of them waits for a broker that is silent."""
    options = transport_options(url)
    if url.startswith("redis"):
        options["socket_timeout"] = ANSWERS_WITHIN
    elif is_amqp(url):
        options |= {"read_timeout": ANSWERS_WITHIN, "write_timeout": ANSWERS_WITHIN}
    return options


def needed_broker(settings: Settings) -> str:
    """The broker's URL. Raises UsageError where none is configured: processes need one that they share."""
    if settings.broker_url is None:
        raise UsageError(
            "no broker is configured, and several processes need one; set ORCHESTRATOR_BROKER_URL or give --broker, "
            "such as redis://localhost:6379/0. Without one, `orchestrator up` runs everything in one process",
            "no_broker",
        )
    return settings.broker_url


def broker_fault(url: str) -> str | None:
    """Why a broker cannot be reached; None: it answers."""
    try:
        with _connection(url) as connection:
            if url.startswith("redis"):
                connection.default_channel.client.ping()
    except Exception as error:
        return f"{without_password(url)} does not answer ({type(error).__name__}: {error})"
    return None


def waiting_in(url: str) -> Mapping[str, int]:
    """How many nudges wait in each lane's queue. Raises whatever the broker's client raises."""
    with _connection(url) as connection:
        return {queue.name: waiting(connection.default_channel, queue) for queue in queues_of(url)}


@contextmanager
def _connection(url: str) -> Iterator[Any]:
    options = sending_options(url)
    with Connection(url, transport_options=options, connect_timeout=ANSWERS_WITHIN) as connection:  # type: ignore[no-untyped-call]
        connection.ensure_connection(max_retries=1, timeout=ANSWERS_WITHIN)
        yield connection


def waiting(channel: Any, queue: Queue) -> int:
    """How many nudges wait in a queue, which is made where it is not there."""
    if queue.exchange.type == "topic":  # RabbitMQ, which closes the channel of who asks for a queue that is not there
        bound: Any = queue(channel)
        bound.declare()
        return int(channel.queue_declare(queue=queue.name, passive=True).message_count)
    return int(channel.queue_declare(queue=queue.name).message_count)
