"""The counts of an installation: made anew where they are cheap, and given again where they took long."""

from __future__ import annotations

from orchestrator.http.api.overviews import LONGEST, Overviews
from orchestrator.stores.memory import MemoryStore
from orchestrator.stores.protocol import Overview
from tests.stores.driving import START, index_of


def test_counts_that_took_long_are_given_again_for_many_times_as_long() -> None:
    clock, calls, took = [0.0], [0], [0.01]
    store = MemoryStore()
    store.deploy(index_of(), START)

    def count() -> Overview:
        calls[0] += 1
        clock[0] += took[0]
        return store.overview()

    counts = Overviews(count, lambda: clock[0])
    for _ in range(3):
        counts.now()
    assert calls[0] == 3, "cheap ones are made anew"
    took[0] = 3.0
    for _ in range(3):
        counts.now()
        clock[0] += 25
    assert calls[0] == 4
    clock[0] += 25
    counts.now()
    assert calls[0] == 5
    took[0] = 1_000
    clock[0] += LONGEST
    counts.now()
    clock[0] += LONGEST - 1
    counts.now()
    assert calls[0] == 6
