"""Kafka: librdkafka's own cluster of imitated brokers speaks the real protocol; members come, go and are killed."""

from __future__ import annotations

import importlib.util
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from orchestrator.core.inbox import Occurred
from orchestrator.sources.places import stream_at
from orchestrator.sources.protocol import StreamGone
from tests.in_full import IN_FULL, long_form
from tests.sources.test_consumer import (
    Consume,
    bodies_in,
    consumer_of,
    deployed,
    eventually,
    numbers,
    project_in,
    taken,
    track,
)

FAST = "session.timeout.ms=6000&heartbeat.interval.ms=300&group=g"
COUNT = 3_000 if IN_FULL else 600


@pytest.fixture
def kafka(require_service: Callable[[str, str], NoReturn]) -> Iterator[tuple[str, Any]]:
    """The address of the brokers, and a producer."""
    if importlib.util.find_spec("confluent_kafka") is None:
        require_service("confluent-kafka", "it is in the extra 'kafka'")
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 1, "linger.ms": 5})
    [broker] = producer.list_topics(timeout=10).brokers.values()
    yield f"{broker.host}:{broker.port}", producer
    producer.flush(5)


def fill(producer: Any, first: int, count: int, value: Callable[[int], bytes] = track) -> None:
    for n in range(first, first + count):
        producer.produce("events", value(n), key=str(n % 7))
        producer.poll(0)
    assert producer.flush(10) == 0


def test_a_topic_is_read_to_its_end_and_marked(kafka: tuple[str, Any]) -> None:
    servers, producer = kafka
    fill(producer, 0, 50)
    producer.produce("events", b"no json", headers={"x": b"\xff"})
    cloud = {"ce_specversion": "1.0", "ce_id": "c1", "ce_source": "/x", "ce_type": "go", "ce_subject": "u9"}
    producer.produce("events", b'{"n": 99}', headers=cloud)
    producer.flush(10)
    store = deployed()
    stream = stream_at(f"kafka://{servers}/events?{FAST}")
    consumer = consumer_of(store, stream, 20)
    eventually(lambda: consumer.consume_once(0.2).records >= 0 and len(numbers(store)) == 51)
    assert numbers(store) == [*range(50), 99]
    assert [one.source for one in store.refused(9)] == ["stream/events"]
    assert stream.lag() == 0
    stream.close()
    again = stream_at(f"kafka://{servers}/events?{FAST}")
    fill(producer, 100, 5)
    later = consumer_of(store, again, 20)
    eventually(lambda: later.consume_once(0.2).records >= 0 and len(numbers(store)) == 56)
    assert store.counted()["stream:events:records"] == 57
    again.close()


@long_form
def test_what_was_taken_and_not_marked_is_known(kafka: tuple[str, Any]) -> None:
    servers, producer = kafka
    fill(producer, 0, 30)
    store = deployed()

    stream: Any = stream_at(f"kafka://{servers}/events?{FAST}")
    marks, stream.commit = stream.commit, _gone
    consumer = consumer_of(store, stream, 50)

    def once() -> bool:
        try:
            consumer.consume_once(0.2)
        except StreamGone:
            return True
        return False

    eventually(once)
    stream.close()
    assert marks is not None
    again = stream_at(f"kafka://{servers}/events?{FAST}")
    later = consumer_of(store, again, 50)
    counts = []

    def known() -> bool:
        counts.append(later.consume_once(0.2))
        return sum(one.records for one in counts) == 30

    eventually(known)
    assert sum(one.accepted for one in counts) + len(numbers(store)) >= 30
    assert numbers(store) == list(range(30)) and sum(one.duplicates for one in counts) > 0
    again.close()


def _gone(_: Any) -> None:
    raise StreamGone("the commit's answer was lost")


@long_form
def test_members_share_and_a_rebalance_loses_nothing(kafka: tuple[str, Any]) -> None:
    servers, producer = kafka
    fill(producer, 0, COUNT // 2)
    store, lock, stop = deployed(), threading.Lock(), threading.Event()

    class OneAtATime:
        """A store in memory is for one thread."""

        def __getattr__(self, name: str) -> Any:
            found = getattr(store, name)
            if not callable(found):
                return found

            def call(*words: Any, **more: Any) -> Any:
                with lock:
                    return found(*words, **more)

            return call

    def member() -> threading.Thread:
        stream = stream_at(f"kafka://{servers}/events?{FAST}")
        consumer = consumer_of(OneAtATime(), stream, 20)

        def run() -> None:
            consumer.run(stop)
            stream.close()

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def count() -> int:
        with lock:
            return sum(isinstance(body, Occurred) for body in taken(store))

    members = [member()]
    eventually(lambda: count() > 0)
    members.append(member())
    fill(producer, COUNT // 2, COUNT - COUNT // 2)
    eventually(lambda: count() == COUNT, 120)
    stop.set()
    for thread in members:
        thread.join(20)
    assert numbers(store) == list(range(COUNT))


def test_kill_9_of_a_member_loses_and_doubles_nothing(kafka: tuple[str, Any], tmp_path: Path) -> None:
    servers, producer = kafka
    fill(producer, 0, COUNT)
    store = project_in(tmp_path)

    def count() -> int:
        with store.db.read() as c:
            return int(c.execute("SELECT count(*) FROM inbox").fetchone()[0])

    url = f"kafka://{servers}/events?{FAST}"
    first = Consume(tmp_path, url)
    eventually(lambda: count() > 0 or first.process.poll() is not None)
    status, said = first.end(signal.SIGKILL)
    assert status == -signal.SIGKILL, said
    second = Consume(tmp_path, url)
    eventually(lambda: count() >= COUNT, 90)
    status, said = second.end()
    assert status == 0, said
    assert sorted(body.event.properties["n"] for body in bodies_in(store)) == list(range(COUNT))
    store.close()


class Faulty:
    """What librdkafka gives in one call: messages, and errors among them."""

    def __init__(self, error: int | None = None, offset: int = 0) -> None:
        self._error, self._offset = error, offset

    def error(self) -> Any:
        from confluent_kafka import KafkaError

        return None if self._error is None else KafkaError(self._error)

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self._offset

    def timestamp(self) -> tuple[int, int]:
        return 0, -1

    def headers(self) -> None:
        return None

    def value(self) -> bytes:
        return b"{}"


def test_messages_behind_an_error_are_not_lost(kafka: tuple[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """They count as read: whoever left them out would commit past them."""
    from confluent_kafka import KafkaError

    stream: Any = stream_at(f"kafka://{kafka[0]}/events?{FAST}")
    gone, end = KafkaError._MAX_POLL_EXCEEDED, KafkaError._PARTITION_EOF
    calls = [
        [Faulty(None, 0), Faulty(gone), Faulty(None, 1), Faulty(end), Faulty(None, 2)],
        [Faulty(gone)],
        [Faulty(end)],
    ]

    class Given:
        def consume(self, *_: Any) -> list[Faulty]:
            return calls.pop(0)

    monkeypatch.setattr(stream, "_consumer", Given())
    assert [record.mark for record in stream.read(9, 0.1)] == [(0, 0), (0, 1), (0, 2)]
    with pytest.raises(StreamGone):
        stream.read(9, 0.1)
    assert stream.read(9, 0.1) == []
