"""The counts of a whole installation, for answers that show some of them.

Over millions of rows they take seconds: they are made by one thread at a time, and given again for many times as long
as they took. Where they are cheap they are made anew.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic
from typing import Final
from weakref import WeakKeyDictionary, ref

from orchestrator.stores.protocol import Overview, Store

CHEAP: Final = 0.25
"""Seconds; what took less is not kept."""
TIMES: Final = 20
LONGEST: Final = 120.0
"""Seconds for which counts are kept at most."""


class Overviews:
    """The counts of one store. Called from many threads."""

    def __init__(self, count: Callable[[], Overview], clock: Callable[[], float] = monotonic) -> None:
        self._count = count
        self._clock = clock
        self._lock = threading.Lock()
        self._known: Overview | None = None
        self._until = 0.0

    def now(self) -> Overview:
        """The counts, as of some time ago. Raises StoreBusy."""
        with self._lock:
            begun = self._clock()
            if self._known is not None and begun < self._until:
                return self._known
            known = self._count()
            took = self._clock() - begun
            self._known = known if took >= CHEAP else None
            self._until = begun + took + min(took * TIMES, LONGEST)
            return known


_ALL: Final[WeakKeyDictionary[Store, Overviews]] = WeakKeyDictionary()


def overview_of(store: Store) -> Overview:
    """The counts of a store. Raises StoreBusy."""
    found = _ALL.get(store)
    if found is None:
        found = _ALL.setdefault(store, Overviews(_counter(store)))
    return found.now()


def _counter(store: Store) -> Callable[[], Overview]:
    weak = ref(store)

    def count() -> Overview:
        alive = weak()
        assert alive is not None, "whoever asks has the store"
        return alive.overview()

    return count
