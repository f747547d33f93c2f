"""`alert_once`: people are told of each trouble once, and once that it is over, whoever of many processes looks.

An incident is a few named instants in the database: since when it is open, when it was last seen, and by which way it
was told. A process that is about to tell somebody takes the incident's only token of a minute first, so that no other
tells it, too; one that failed is tried again with the next. Killed in between, it may be told twice, with the same id.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Protocol

from orchestrator.core.circuit import CircuitState
from orchestrator.runtime.alarms import FINE, Trouble, find_troubles
from orchestrator.stores.protocol import Store

GONE_AFTER: Final = timedelta(minutes=1)
"""How long a trouble must not be seen before it is over: one that flickers is one incident."""
SEEN_EVERY: Final = timedelta(seconds=20)
TRIED_EVERY: Final = 60.0
"""Seconds between two tries to tell one incident by one way."""
MOST_AN_HOUR: Final = 30
"""Alerts of an installation in the long run, and how many may come at once: what is beyond waits."""
AT_ONCE: Final = 10
_OPENED: Final = "alert:opened:"
_SEEN: Final = "alert:seen:"
_TOLD: Final = "alert:told:"

log = logging.getLogger(__name__)


class Alert(NamedTuple):
    """What people are told. `id` is the same on every try; `since` real time; `ended_at` None: it goes on."""

    id: str
    trouble: Trouble
    since: datetime
    ended_at: datetime | None = None

    @property
    def headline(self) -> str:
        """In one line."""
        return self.trouble.what if self.ended_at is None else f"over: {self.trouble.name.replace(':', ' of ', 1)}"

    @property
    def text(self) -> str:
        """For people: what happened, where to look, what to do next."""
        since = f"{self.since:%Y-%m-%d %H:%M:%S} UTC"
        if self.ended_at is not None:
            return f"{self.trouble.what}\n\nIt began {since} and was last seen {self.ended_at:%Y-%m-%d %H:%M:%S} UTC.\n"
        what = f"{self.trouble.what[:1].upper()}{self.trouble.what[1:]}."
        return f"{what}\n\nSince: {since}\nLook at: {self.trouble.where}\nDo: {self.trouble.then}\n"


class Way(Protocol):
    """How people are told: a mail address, or a webhook."""

    @property
    def name(self) -> str:
        """Tells it from the others."""

    def tell(self, alert: Alert) -> str | None:
        """Hand it over. None: it was taken, or refused for good; else why it is to be tried again. Never raises."""


class AlertCounts(NamedTuple):
    """What one look did."""

    open: int = 0
    told: int = 0
    failed: int = 0


def alert_once(
    store: Store,
    ways: Sequence[Way],
    circuits: Mapping[str, CircuitState],
    now: datetime,
    real_at: datetime,
    virtual: bool = False,
) -> AlertCounts:
    """Look for troubles, tell people of each, and when it is over. `now` is journey time. Raises StoreBusy."""
    troubles = find_troubles(store, circuits, now, real_at, virtual)
    opened, seen = _marks(store, _OPENED), _marks(store, _SEEN)
    told = failed = 0
    for name in sorted({*troubles, *opened}):
        trouble, since = troubles.get(name), opened.get(name)
        if trouble is not None:
            if since is None:
                since = store.mark(f"{_OPENED}{name}", real_at) or real_at
                log.warning("alert: %s; look at: %s; do: %s", trouble.what, trouble.where, trouble.then)
            if name not in seen or real_at - seen[name] >= SEEN_EVERY:
                store.mark(f"{_SEEN}{name}", real_at)
        elif since is not None and real_at - seen.get(name, since) < GONE_AFTER:
            continue
        assert since is not None
        alert = _alert(name, trouble, since, seen.get(name, since))
        done, tried = _tell_all(store, ways, alert, real_at)
        told, failed = told + done, failed + tried
        if trouble is None and not tried:
            store.mark(f"{_OPENED}{name}", FINE)
            log.warning("alert: over: %s", name)
    return AlertCounts(len(troubles), told, failed)


def open_incidents(store: Store) -> Mapping[str, datetime]:
    """Names of what people were told of, or are about to be, with the real instant since when."""
    return _marks(store, _OPENED)


def _marks(store: Store, prefix: str) -> dict[str, datetime]:
    return {name.removeprefix(prefix): at for name, at in store.marks(prefix).items() if at != FINE}


def _alert(name: str, trouble: Trouble | None, since: datetime, last: datetime) -> Alert:
    id = f"{name}:{int(since.timestamp() * 1_000_000)}"
    if trouble is not None:
        return Alert(id, trouble, since)
    return Alert(f"{id}:over", Trouble(name, f"{name.replace(':', ' of ', 1)} is over", "", ""), since, last)


def _tell_all(store: Store, ways: Sequence[Way], alert: Alert, real_at: datetime) -> tuple[int, int]:
    """Tell it by every way by which it was not told yet. Returns how many took it, and how many have to be tried again.

    That it is over is told to those only who heard that it began.
    """
    done = left = 0
    marks = store.marks(_TOLD)
    for way in ways:
        place = f"{_TOLD}{way.name}:{alert.trouble.name}"
        known = marks.get(place)
        if alert.ended_at is None:
            if known is not None and known >= alert.since:
                continue
        elif known is None or known < alert.since or known == FINE:
            continue
        if not store.take_quota(f"alert:{way.name}:{alert.trouble.name}"[:200], 1 / TRIED_EVERY, 1, 1, real_at).granted:
            left += 1
            continue
        if not store.take_quota("alerts", MOST_AN_HOUR / 3600, AT_ONCE, 1, real_at).granted:
            left += 1
            continue
        refused = way.tell(alert)
        if refused is None:
            store.mark(place, max(real_at, alert.since) if alert.ended_at is None else FINE)
            done += 1
        else:
            log.warning(
                "the alert '%s' could not be told by %s, and is tried again: %s", alert.headline, way.name, refused
            )
            left += 1
    return done, left
