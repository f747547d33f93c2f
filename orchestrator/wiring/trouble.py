"""What is out of order in a running engine, written down so that another process (`doctor`) can tell.

A named instant says since when a channel's circuit is not closed, or a lane fails; why stands in the engine's log and
on its status page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from orchestrator.stores.protocol import Store
from orchestrator.wiring.outside import CHANNELS

FINE: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""The instant that stands for no trouble: marks are never taken away."""


TROUBLES: Final = (
    *(f"channel {name}" for name in CHANNELS),
    "lane decide",
    "lane deliver",
    "lane requests",
    "lane webhooks",
)
"""What can be out of order in an engine."""


class TroubleBoard:
    """Keeps the marks of one engine; `names` are all things that can be out of order, such as `channel email`."""

    def __init__(self, store: Store, names: Iterable[str]) -> None:
        self._store = store
        self._known = {name: store.mark(_mark(name)) not in (None, FINE) for name in names}

    def once(self, wrong: Callable[[], frozenset[str]], real_at: datetime) -> None:
        """Write down what has changed. Raises StoreBusy."""
        now = wrong()
        for name, was in self._known.items():
            if was != (name in now):
                self._store.mark(_mark(name), FINE if was else real_at)
                self._known[name] = not was


def told_trouble(store: Store, names: Iterable[str]) -> Mapping[str, datetime]:
    """What the engine wrote down as out of order, with the real instant since when."""
    found = {name: store.mark(_mark(name)) for name in names}
    return {name: at for name, at in found.items() if at is not None and at != FINE}


def _mark(name: str) -> str:
    return f"trouble:{name}"
