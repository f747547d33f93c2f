"""What the processes of an installation count together: each adds what it did to the database's figures now and then.

So a figure is right whichever process is asked, survives restarts, and costs one short transaction in some seconds. A
process that is killed takes the last few seconds of its own counts along: nobody decides by them.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from typing import Final

from orchestrator.core.changes import Changes
from orchestrator.runtime.lateness import Lateness, Seen
from orchestrator.stores.protocol import Store, StoreBusy

BATCHES: Final = (1, 10, 50, 100, 250, 500, 1_000)
"""Upper bounds of the sizes of turns, in customers; one more bucket stands for all that is larger."""
FLUSH_EVERY: Final = 5.0
"""Real seconds between two additions to the database."""


class Figures:
    """The counts of one process that are not in the database yet. Safe for several threads."""

    def __init__(self, lateness: Lateness) -> None:
        self._lateness = lateness
        self._told = lateness.seen()
        self._waiting: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, changed: Mapping[str, int]) -> None:
        """Count. Parts of a name stand between colons: `sends:email:accepted`."""
        with self._lock:
            self._waiting.update(changed)

    def decided(self, changes: Changes) -> None:
        """A turn was saved."""
        size, counted = len(changes.customers), Counter[str]()
        bucket = next((place for place, bound in enumerate(BATCHES) if size <= bound), len(BATCHES))
        for change in changes.customers:
            for line in change.transitions:
                if line.type == "suppressed":
                    counted[f"suppressed:{line.data['reason']}"] += 1
        counted.update({"turns": 1, "decisions": size, f"batch:{bucket}": 1})
        self.add(counted)

    def flush(self, store: Store) -> bool:
        """Add what was counted to the database. False: it is busy, and the counts wait."""
        with self._lock:
            seen, waiting = self._lateness.seen(), self._waiting
            changed = {**waiting, **_difference(self._told, seen)}
            if not changed:
                return True
            self._told, told, self._waiting = seen, self._told, Counter()
        try:
            store.count(changed)
        except StoreBusy:
            with self._lock:
                self._told = told
                self._waiting.update(waiting)
            return False
        return True


class FigureKeeper:
    """A thread that flushes the figures of a process whose passes come when they are called."""

    def __init__(self, figures: Figures, store: Store) -> None:
        self._figures = figures
        self._store = store
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="figures", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after a last flush."""
        self._stop.set()
        self._thread.join(FLUSH_EVERY)

    def _run(self) -> None:
        while not self._stop.wait(FLUSH_EVERY):
            self._figures.flush(self._store)
        self._figures.flush(self._store)


def _difference(before: Seen, now: Seen) -> dict[str, int]:
    """What the histogram of lateness counted since."""
    counts = {f"late:{n}": new - old for n, (old, new) in enumerate(zip(before.counts, now.counts)) if new != old}
    return {**counts, "late_us": round((now.seconds - before.seconds) * 1e6)} if counts else {}
