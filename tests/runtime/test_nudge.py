"""Nudges to other processes: coalesced, never waited for, sent later where the broker is away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from orchestrator.runtime import nudge
from orchestrator.runtime.nudge import MOST_SHARDS, NudgeSender, Shards


class Broker:
    """Takes nudges, unless it is down or hangs."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, Shards | None]] = []
        self.down = False
        self.free = threading.Event()
        self.free.set()

    def send(self, lane: str, shards: Shards | None) -> None:
        self.free.wait(30)
        if self.down:
            raise ConnectionError("nobody is there")
        self.taken.append((lane, shards))


def eventually(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not true():
        assert time.monotonic() < until
        time.sleep(0.005)


def test_thousands_of_nudges_are_a_few() -> None:
    broker = Broker()
    sender = NudgeSender(broker.send, every=0.05)
    began = time.monotonic()
    for _ in range(5_000):
        sender("turn")
        sender("promotional")
    sender.close(5)
    most = 2 * (2 + (time.monotonic() - began) / 0.05)
    assert {lane for lane, _ in broker.taken} == {"turn", "promotional"}
    assert len(broker.taken) <= most


def test_nobody_waits_for_a_broker_that_hangs() -> None:
    broker = Broker()
    broker.free.clear()
    sender = NudgeSender(broker.send)
    began = time.monotonic()
    for number in range(1_000):
        sender("turn", [number % 3])
    assert time.monotonic() - began < 1.0
    broker.free.set()
    sender.close(5)
    named = [shards for _, shards in broker.taken if shards is not None]
    assert frozenset().union(*named) == {0, 1, 2}


def test_shards_are_told_together_and_too_many_are_all() -> None:
    broker = Broker()
    broker.free.clear()
    sender = NudgeSender(broker.send)
    sender("turn", [1])
    eventually(lambda: not sender._waiting)  # it hangs in the first one
    sender("turn", [2, 3])
    sender("turn", [4])
    sender("requests", range(MOST_SHARDS + 1))
    sender("service", [1])
    sender("service")
    broker.free.set()
    sender.close(5)
    assert broker.taken[0] == ("turn", frozenset({1}))
    assert sorted(broker.taken[1:], key=str) == [("requests", None), ("service", None), ("turn", frozenset({2, 3, 4}))]


def test_what_could_not_be_sent_is_sent_later(monkeypatch: object) -> None:
    broker = Broker()
    broker.down = True
    sender = NudgeSender(broker.send)
    sender("turn", [7])
    eventually(lambda: sender.trouble is not None)
    assert sender.trouble == "ConnectionError: nobody is there"
    broker.down = False
    eventually(lambda: broker.taken == [("turn", frozenset({7}))])
    eventually(lambda: sender.trouble is None)
    sender.close()
    assert nudge.AFTER_FAILURE < 1, "the beat is not much later"


def test_a_closed_sender_sends_nothing_and_does_not_wait_for_ever() -> None:
    broker = Broker()
    broker.down = True
    sender = NudgeSender(broker.send)
    sender("turn")
    began = time.monotonic()
    sender.close(0.2)
    assert time.monotonic() - began < 5
    broker.down = False
    sender("turn")
    time.sleep(0.1)
    assert broker.taken == []
