"""Streams: what is read is taken once, whatever dies in between, and poison is kept and passed over."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from orchestrator.core.inbox import Identified, Occurred
from orchestrator.definitions.mapping import load_mapping
from orchestrator.definitions.yaml_loader import load_document
from orchestrator.errors import UsageError
from orchestrator.http.segment_documents import items_of
from orchestrator.runtime.violations import ViolationBook
from orchestrator.sources.consumer import Consumed, Consumer
from orchestrator.sources.places import stream_at
from orchestrator.sources.protocol import Record, StreamGone
from orchestrator.sources.reading import Reader
from orchestrator.sources.redis_streams import RedisStream
from orchestrator.stores.memory import MemoryStore
from orchestrator.stores.protocol import StoreBusy
from orchestrator.stores.records import body_of
from orchestrator.stores.sealing import PLAIN
from orchestrator.stores.sqlite.store import open_store
from tests.servers.redis import clean_redis
from tests.stores.driving import START, index_of

ROOT = Path(__file__).resolve().parents[2]


def track(n: int, **more: Any) -> bytes:
    return json.dumps({"type": "track", "event": "go", "userId": f"u{n % 7}", "properties": {"n": n}, **more}).encode()


class Listed:
    """A stream that is a list; `again` and `commit` do what a broker's would."""

    name = "listed"

    def __init__(self, values: Sequence[bytes], **headers: str) -> None:
        self.records = [Record(f"l/{n}", value, None, n, dict(headers)) for n, value in enumerate(values)]
        self.at = self.committed = 0
        self.gone = False

    def read(self, limit: int, within: float) -> Sequence[Record]:
        if self.gone:
            raise StreamGone("away")
        found = self.records[self.at : self.at + limit]
        self.at += len(found)
        return found

    def commit(self, records: Sequence[Record]) -> None:
        self.committed = max(record.mark for record in records) + 1

    def again(self, records: Sequence[Record]) -> None:
        self.at = min(record.mark for record in records)

    def lag(self) -> int:
        return len(self.records) - self.committed

    def close(self) -> None:
        pass


def deployed(store: Any = None) -> Any:
    store = store if store is not None else MemoryStore()
    store.deploy(index_of({}), START)
    return store


def consumer_of(store: Any, stream: Any, batch: int = 3, reader: Reader | None = None) -> Consumer:
    return Consumer(
        store, stream, reader or Reader(items_of), journey_now=lambda: START, real_now=lambda: START,
        count=store.count, nudge=lambda shards: None, violations=ViolationBook(store, store.count), batch=batch,
    )  # fmt: skip


def taken(store: Any) -> list[Any]:
    views = store.load(START + timedelta(days=999), 999).customers
    found = [item.body for view in views for item in view.inbox]
    store.abandon()
    return found


def numbers(store: Any) -> list[int]:
    return sorted(body.event.properties["n"] for body in taken(store) if isinstance(body, Occurred))


def test_segments_shape_and_cloudevents() -> None:
    batch = {"batch": [{"type": "identify", "userId": "u1", "traits": {"tier": "gold"}}, json.loads(track(1))]}
    cloud = {"specversion": "1.0", "id": "1", "source": "/x", "type": "go", "subject": "u1", "data": {"n": 2}}
    store = deployed()
    consumer = consumer_of(store, Listed([json.dumps(batch).encode(), json.dumps(cloud).encode(), track(3)]), 99)
    assert consumer.consume_once().accepted == 4
    assert numbers(store) == [1, 2, 3]
    assert [dict(body.traits) for body in taken(store) if isinstance(body, Identified)] == [{"tier": "gold"}]
    binary = Listed([b'{"n": 4}'], ce_specversion="1.0", ce_id="2", ce_source="/x", ce_type="go", ce_subject="u1")
    assert consumer_of(store, binary).consume_once().accepted == 1
    assert numbers(store) == [1, 2, 3, 4]


def test_another_shape_by_a_mapping() -> None:
    text = "customer: row.who\nevents:\n  - {event: go, at: row.when, properties: {n: row.k * 2}, when: row.k > 0}\n"
    mapping, problems = load_mapping(load_document("m.yaml", text), UTC)  # type: ignore[arg-type]
    assert mapping is not None, problems
    rows: list[Any] = [
        {"who": "a", "when": "2026-03-01T10:00:00Z", "k": 2},
        {"who": "a", "when": "2026-03-01T10:00:00Z", "k": 0},
    ]
    rows += [{"who": "a"}, [], {"who": "", "when": "2026-03-01T10:00:00Z", "k": 2}]
    store = deployed()
    consumer = consumer_of(
        store, Listed([json.dumps(row).encode() for row in rows]), 99, Reader(items_of, mapping, "crm:")
    )
    assert consumer.consume_once()[:4] == (5, 1, 0, 2)
    [body] = taken(store)
    assert body.event.properties == {"n": 4} and body.event.at == datetime(2026, 3, 1, 10, tzinfo=UTC)


def test_poison_is_kept_and_passed_over() -> None:
    bad = [b"\xff", b"{", b"[1]", b'{"type":"track"}', b"NaN", b"", b'{"type":"track","event":"go","userId":"\\u0000"}',
           b"[" * 100_000, b'{"n":1e999}', b"x" * (1 << 21)]  # fmt: skip
    store, stream = deployed(), Listed([track(1), *bad, track(2)])
    done = consumer_of(store, stream, 99).consume_once()
    assert (done.records, done.accepted, done.poison) == (12, 2, len(bad))
    assert stream.committed == 12 and numbers(store) == [1, 2]
    kept = store.refused(99)
    assert len(kept) == len(bad) and {one.source for one in kept} == {"stream/listed"}
    assert store.counted()["stream:listed:poison"] == len(bad)


def test_a_record_that_breaks_the_transaction_stops_nobody_else() -> None:
    class Picky(MemoryStore):
        def ingest(self, arrivals: Any, *more: Any) -> Any:
            if any(isinstance(a.body, Occurred) and a.body.event.properties.get("n") == 3 for a in arrivals):
                raise RuntimeError("cannot be stored")
            return super().ingest(arrivals, *more)

    store, stream = deployed(Picky()), Listed([track(n) for n in range(8)])
    done = consumer_of(store, stream, 99).consume_once()
    assert (done.accepted, done.poison, stream.committed) == (7, 1, 8)
    assert numbers(store) == [0, 1, 2, 4, 5, 6, 7]


def test_where_nothing_can_be_stored_nothing_is_passed_over() -> None:
    class Broken(MemoryStore):
        def ingest(self, arrivals: Any, *more: Any) -> Any:
            raise TypeError("our mistake")

    stream = Listed([track(n) for n in range(9)])
    consumer = consumer_of(deployed(Broken()), stream)
    with pytest.raises(RuntimeError, match="whole batch"):
        consumer.consume_once()
    assert (stream.at, stream.committed) == (0, 0)


def test_a_busy_database_takes_them_later() -> None:
    class Busy(MemoryStore):
        left = 2

        def ingest(self, arrivals: Any, *more: Any) -> Any:
            if self.left:
                self.left -= 1
                raise StoreBusy("just now")
            return super().ingest(arrivals, *more)

    store, stream = deployed(Busy()), Listed([track(n) for n in range(5)])
    consumer = consumer_of(store, stream, 2)
    for _ in range(2):
        with pytest.raises(StoreBusy):
            consumer.consume_once()
        assert stream.committed == 0
    while consumer.consume_once().records:
        pass
    assert numbers(store) == [0, 1, 2, 3, 4] and consumer.consume_once() == Consumed()


def test_read_again_without_ids_of_their_own_is_one_effect() -> None:
    store, stream = deployed(), Listed([track(n) for n in range(4)])
    consumer = consumer_of(store, stream, 4)
    consumer.consume_once()
    stream.at = 0
    assert consumer.consume_once()[:4] == (4, 0, 4, 0)


def test_the_clock_is_corrected_by_when_it_was_written() -> None:
    said = {"timestamp": "2026-03-01T09:00:00Z", "sentAt": "2026-03-01T10:00:00Z"}
    written = START - timedelta(days=1)
    stream = Listed([track(1, **said)])
    stream.records[0] = stream.records[0]._replace(at=written)
    store = deployed()
    consumer_of(store, stream).consume_once()
    [body] = taken(store)
    assert body.event.at == written - timedelta(hours=1)


class Strange(Reader):
    """A reader with a mistake of ours in it."""

    def read(self, record: Record, *rest: Any, **more: Any) -> Any:
        if record.mark in (1, 2):
            raise ZeroDivisionError("what nobody thought of")
        return super().read(record, *rest, **more)


def test_a_record_that_breaks_its_reading_stops_nobody_else() -> None:
    store = deployed()
    stream = Listed([track(n) for n in range(5)])
    consumer = consumer_of(store, stream, 10, Strange(items_of))
    assert consumer.consume_once().poison == 2
    assert numbers(store) == [0, 3, 4] and stream.committed == 5
    assert all("exception" in one.reason for one in store.refused(9))


def test_values_that_no_database_keeps(tmp_path: Path) -> None:
    values = [
        b'{"type":"alias","userId":"\\ud800","previousId":"v"}',
        b'{"type":"identify","userId":"u","anonymousId":"\\u0000"}',
        b'{"type":"track","event":"go","userId":"u","timestamp":1' + b"0" * 400 + b"}",
        b'{"type":"track","event":"go","userId":"u","sentAt":1' + b"0" * 400 + b"}",
        b'{"specversion":"1.0","id":"' + b"\\ud800" * 600 + b'","source":"s","type":"t","subject":"u"}',
    ]
    store = deployed(open_store(tmp_path / "a.db", durable=False))
    stream = Listed([*values, track(7)])
    consumer = consumer_of(store, stream, 10)
    done = consumer.consume_once()
    assert (done.accepted, done.poison, stream.committed) == (4, 2, 6)
    consumer._violations.close()
    store.close()


def test_it_runs_until_it_is_told_to_stop() -> None:
    store, stream, stop = deployed(), Listed([track(n) for n in range(20)]), threading.Event()
    stream.gone = True
    consumer = consumer_of(store, stream, 3)
    thread = threading.Thread(target=consumer.run, args=(stop,))
    thread.start()
    time.sleep(0.05)
    stream.gone = False
    until = time.monotonic() + 10
    while stream.committed < 20 and time.monotonic() < until:
        time.sleep(0.01)
    stop.set()
    thread.join(5)
    assert not thread.is_alive() and numbers(store) == list(range(20))


@pytest.mark.parametrize(
    "url",
    ["http://x", "kafka://host", "kafka:///t", "kafka://h/t?x=1", "redis://h/k", "redis://h/0/k?x=1", "redis://h/0/"],
)
def test_urls_that_cannot_be_used(url: str) -> None:
    with pytest.raises(UsageError):
        stream_at(url)


# --- Redis ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def redis() -> Iterator[tuple[str, Redis]]:
    with clean_redis() as server, Redis.from_url(server.url) as client:
        yield server.url, client


def test_a_redis_stream(redis: tuple[str, Redis]) -> None:
    url, client = redis
    for n in range(25):
        client.xadd("events", {"data": track(n)})
    client.xadd("events", {"type": "track", "event": "go", "userId": "u9"})
    store = deployed()
    stream = stream_at(f"{url}/events?group=g&consumer=a")
    consumer = consumer_of(store, stream, 10)
    assert stream.lag() in (None, 26)
    done = [consumer.consume_once(0.05) for _ in range(4)]
    assert [one.accepted for one in done] == [10, 10, 6, 0]
    assert stream.lag() == 0 and client.xpending("events", "g")["pending"] == 0
    stream.close()
    assert client.xinfo_consumers("events", "g") == []


def test_what_a_dead_reader_of_redis_left_is_taken_over(redis: tuple[str, Redis]) -> None:
    url, client = redis
    for n in range(10):
        client.xadd("events", {"data": track(n)})
    dead = RedisStream(url, "events", "g", "dead")
    assert len(dead.read(6, 0.05)) == 6
    store = deployed()
    alive = RedisStream(url, "events", "g", "alive", idle_ms=50)
    consumer = consumer_of(store, alive, 100)
    time.sleep(0.1)
    assert sum(consumer.consume_once(0.05).accepted for _ in range(3)) == 10
    back = RedisStream(url, "events", "g", "dead")
    assert list(back.read(6, 0.01)) == []
    for stream in (dead, alive, back):
        stream.close()


def test_a_reader_of_redis_that_comes_back_begins_with_its_own(redis: tuple[str, Redis]) -> None:
    url, client = redis
    for n in range(5):
        client.xadd("events", {"data": track(n)})
    first = RedisStream(url, "events", "g", "a")
    read = first.read(3, 0.05)
    again = RedisStream(url, "events", "g", "a")
    assert [record.id for record in again.read(9, 0.05)] == [record.id for record in read]
    first.close()


class Consume:
    """`orchestrator consume` as a process."""

    def __init__(self, folder: Path, url: str, broker: str | None = None) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ORCHESTRATOR_")}
        environment |= {"PYTHONPATH": str(ROOT), "ORCHESTRATOR_DATABASE_URL": f"sqlite:///{folder / 'a.db'}"}
        environment |= {"ORCHESTRATOR_BROKER_URL": broker} if broker is not None else {}
        words = [
            sys.executable,
            "-m",
            "orchestrator.cli.main",
            "--project",
            str(folder),
            "consume",
            url,
            "--batch",
            "20",
        ]
        self.process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        self.process.send_signal(number)
        said, _ = self.process.communicate(timeout=30)
        return self.process.returncode, said.decode()


def project_in(folder: Path) -> Any:
    from orchestrator.definitions.load import load_project
    from orchestrator.runtime.deployment import deploy, snapshot_of

    (folder / "journeys").mkdir()
    (folder / "journeys" / "project.yaml").write_text("topics: {care: {class: service}}\n")
    store = open_store(folder / "a.db", durable=False)
    deploy(store, load_project(folder).require_valid(), START, snapshot_of(folder), START)
    return store


def eventually(true: Callable[[], bool], within: float = 30.0) -> None:
    until = time.monotonic() + within
    while not true():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_kill_9_of_the_command_loses_and_doubles_nothing(tmp_path: Path, redis: tuple[str, Redis]) -> None:
    url, client = redis
    store = project_in(tmp_path)

    def count() -> int:
        with store.db.read() as c:
            return int(c.execute("SELECT count(*) FROM inbox").fetchone()[0])

    for n in range(900):
        client.xadd("events", {"data": track(n)})
    place = f"{url}/events?group=g&idle_ms=200"
    first = Consume(tmp_path, place)
    eventually(lambda: count() > 0 or first.process.poll() is not None)
    status, said = first.end(signal.SIGKILL)
    assert status == -signal.SIGKILL, said
    second = Consume(tmp_path, place, broker=url)
    eventually(lambda: count() == 900 and client.xpending("events", "g")["pending"] == 0)
    status, said = second.end()
    assert status == 0 and "stopped" in said
    assert client.llen("orch:turn")  # workers were told at once, and not by the next beat
    found = [body.event.properties["n"] for body in bodies_in(store)]
    assert sorted(found) == list(range(900))
    assert store.counted()["stream:events:accepted"] > 0 and store.counted().get("stream:events:lag", 0) == 0
    store.close()


def bodies_in(store: Any) -> list[Any]:
    with store.db.read() as c:
        return [body_of(PLAIN, 0, text) for (text,) in c.execute("SELECT body FROM inbox")]
