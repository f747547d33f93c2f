"""`sweep_once`: what time alone brings for many customers at once: the occurrences of schedules and campaigns."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Iterator

from orchestrator.core.index import Way
from orchestrator.core.program import OnceAt, OnSchedule
from orchestrator.core.time.cron import Occurrence
from orchestrator.core.time.zones import to_utc, zone_or_none
from orchestrator.stores.protocol import Store


def sweep_once(store: Store, now: datetime) -> int:
    """Fan out every occurrence that is due and was not fanned out yet. Returns how many customers it reached.

    An outage is no miss: occurrences of the time in which the engine was down are fanned out, each once.
    """
    reached = 0
    for way, zone, mark, since in _ways(store):
        last = since
        for occurrence in _between(way, zone, since, now):
            segment = way.trigger.segment if isinstance(way.trigger, (OnSchedule, OnceAt)) else None
            everywhere = getattr(way.trigger, "zone", None) is not None
            name = occurrence.local.strftime("%Y-%m-%dT%H:%M")
            reached += store.fan_out(
                way.journey.id, way.number, name, None if everywhere else zone, segment, occurrence.at
            )
            last = occurrence.at
        store.mark(mark, max(last, now))
    return reached


def start_schedules(store: Store, now: datetime) -> None:
    """Schedules count from their deploy: nothing before it is an occurrence."""
    for _, _, mark, _ in _ways(store, now):
        if store.mark(mark) is None:
            store.mark(mark, now)


def next_sweep_at(store: Store) -> datetime | None:
    """When the next occurrence is due; None: there are no schedules, or nobody to enter."""
    instants = []
    for way, zone, _, since in _ways(store):
        found = _next(way, zone, since)
        if found is not None:
            instants.append(found.at)
    return min(instants, default=None)


def _ways(store: Store, default: datetime | None = None) -> Iterator[tuple[Way, str, str, datetime]]:
    """Every (trigger, zone) with the name of its mark and the instant up to which it was fanned out."""
    schedules = store.index.schedules
    if not schedules:
        return
    customer_zones = store.zones()
    for way in schedules:
        own = getattr(way.trigger, "zone", None)
        base = f"schedule:{way.journey.id}:{way.number}"
        started = store.mark(base) or default
        if started is None:
            continue
        if default is not None and store.mark(base) is None:
            store.mark(base, default)
        for zone in [own.key] if own is not None else customer_zones:
            mark = f"{base}:{zone}"
            yield way, zone, mark, store.mark(mark) or started - timedelta(microseconds=1)


def _next(way: Way, zone_name: str, since: datetime) -> Occurrence | None:
    zone = zone_or_none(zone_name)
    assert zone is not None
    if isinstance(way.trigger, OnSchedule):
        return way.trigger.cron.next_after(since, zone)
    assert isinstance(way.trigger, OnceAt)
    at = to_utc(way.trigger.local, zone)
    return Occurrence(way.trigger.local, at) if at > since else None


def _between(way: Way, zone: str, since: datetime, now: datetime) -> Iterator[Occurrence]:
    at = since
    while (found := _next(way, zone, at)) is not None and found.at <= now:
        yield found
        at = found.at


