"""The contract of what channels share: buckets of tokens and circuits, in real time."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from orchestrator.core.circuit import CLOSED, CircuitRecord, failed, probed, worked
from orchestrator.stores.protocol import Store

REAL = datetime(2030, 1, 1, tzinfo=UTC)


def after(seconds: float) -> datetime:
    """A real instant."""
    return REAL + timedelta(seconds=seconds)


class ChannelContract:
    """Tests of `take_quota`, `circuits` and `change_circuit`."""

    def test_a_new_bucket_is_full_and_fills_at_its_rate(self, store: Store) -> None:
        assert store.take_quota("email", 10.0, 10.0, 4, REAL) == (4, 6)
        assert store.take_quota("email", 10.0, 10.0, 9, REAL) == (6, 0)
        assert store.take_quota("email", 10.0, 10.0, 9, after(0.25)) == (2, 0)
        assert store.take_quota("email", 10.0, 10.0, 0, after(0.35)) == (0, 1)
        assert store.take_quota("email", 10.0, 10.0, 99, after(60)) == (10, 0)

    def test_buckets_have_names(self, store: Store) -> None:
        assert store.take_quota("email", 1.0, 1.0, 5, REAL).granted == 1
        assert store.take_quota("sms", 1.0, 1.0, 5, REAL).granted == 1

    def test_a_clock_that_went_back_gives_nothing_and_nothing_twice(self, store: Store) -> None:
        assert store.take_quota("email", 10.0, 10.0, 10, after(100)).granted == 10
        assert store.take_quota("email", 10.0, 10.0, 10, after(40)).granted == 0
        assert store.take_quota("email", 10.0, 10.0, 10, after(99)).granted == 0
        assert store.take_quota("email", 10.0, 10.0, 10, after(100.5)).granted == 5

    def test_a_slow_channel_gets_one_at_a_time(self, store: Store) -> None:
        assert store.take_quota("push", 0.1, 0.1, 3, REAL).granted == 1
        assert store.take_quota("push", 0.1, 0.1, 3, after(9)).granted == 0
        assert store.take_quota("push", 0.1, 0.1, 3, after(10)).granted == 1

    def test_no_more_than_the_rate_and_its_burst_is_ever_given(self, store: Store) -> None:
        drawn, now, gone = random.Random(4), 0.0, 0
        for _ in range(60):
            now += drawn.random() / 3
            gone += store.take_quota("email", 30.0, 20.0, drawn.randint(0, 25), after(now)).granted
            assert gone <= 20 + 30 * now + 1e-6
        assert gone >= 20 + 30 * now - 25

    def test_circuits_are_kept_until_they_are_as_new(self, store: Store) -> None:
        assert dict(store.circuits()) == {}
        at = REAL.timestamp()
        opened = store.change_circuit("email", lambda record: failed(record, "535 revoked", 3, at, "a"))
        assert opened == CircuitRecord(3, 15.0, at + 15.0, None, "535 revoked")
        assert store.circuits()["email"] == opened
        probing = store.change_circuit("email", lambda record: probed(record, at + 15, "a"))
        assert (probing.prober, probing.probe_at) == ("a", at + 30)
        assert store.change_circuit("email", lambda record: probed(record, at + 16, "b")) == probing
        again = store.change_circuit("email", lambda record: failed(record, "down", 1, at + 17, "a"))
        assert (again.rest, again.probe_at, again.prober) == (30.0, at + 47, None)
        assert store.change_circuit("email", worked) == CLOSED
        assert dict(store.circuits()) == {}

    def test_a_few_failures_are_kept_too(self, store: Store) -> None:
        store.change_circuit("sms", lambda record: failed(record, "busy", 1, 0.5, "a"))
        store.change_circuit("sms", lambda record: failed(record, "busy", 1, 0.5, "b"))
        assert store.circuits()["sms"] == CircuitRecord(2, 0.0, None, None, "busy")
