"""`sweep_once`: what time alone brings for many customers at once: the occurrences of schedules and campaigns."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from orchestrator.core.index import Way
from orchestrator.core.program import OnceAt, OnSchedule
from orchestrator.core.time.cron import Occurrence
from orchestrator.core.time.zones import to_utc, zone_or_none
from orchestrator.runtime.catalogs import spread_once
from orchestrator.runtime.classing import next_classing_at, rfm_once, start_classing
from orchestrator.runtime.groups import spread_groups_once
from orchestrator.stores.protocol import Store

SWEPT = "schedules"
"""The mark of the last sweep."""


def sweep_once(store: Store, now: datetime) -> int:
    """Fan out every occurrence that is due and was not fanned out yet. Returns how many customers it reached.

    An outage is no miss: occurrences of the time in which the engine was down are fanned out, each once.
    """
    reached = spread_once(store, now) + spread_groups_once(store, now) + rfm_once(store, now)
    for way, zone, since in _ways(store):
        for occurrence in _between(way, zone, since, now):
            segment = way.trigger.segment if isinstance(way.trigger, (OnSchedule, OnceAt)) else None
            everywhere = getattr(way.trigger, "zone", None) is not None
            name = occurrence.local.strftime("%Y-%m-%dT%H:%M")
            reached += store.fan_out(
                way.journey.id, way.number, name, None if everywhere else zone, segment, occurrence.at
            )
    for mark in [SWEPT, *map(_mark, store.index.schedules)]:
        known = store.mark(mark)
        if known is None or known < now:  # a clock that went back sweeps nothing twice
            store.mark(mark, now)
    return reached


def start_schedules(store: Store, now: datetime) -> None:
    """Schedules count from their deploy: nothing before it is an occurrence, nor is what came while they were away."""
    start_classing(store, now)
    swept = store.mark(SWEPT)
    for way in store.index.schedules:
        since = store.mark(_mark(way))
        if since is None or (swept is not None and since < swept):
            store.mark(_mark(way), now - timedelta(microseconds=1))


def next_sweep_at(store: Store) -> datetime | None:
    """When the next occurrence is due; None: there are no schedules, or nobody to enter."""
    told_at = store.next_catalog_at() if store.index.project.row_catalogs else None
    classing_at = next_classing_at(store) if store.index.project.rfm is not None else None
    instants = [at for at in (told_at, classing_at, store.next_group_at()) if at is not None]
    for way, zone, since in _ways(store):
        found = _next(way, zone, since)
        if found is not None:
            instants.append(found.at)
    return min(instants, default=None)


def _ways(store: Store) -> Iterator[tuple[Way, str, datetime]]:
    """Every (trigger, zone) and the instant up to which it was fanned out: one for all zones, so that a zone in which
    nobody was until now brings no occurrence of the past."""
    schedules = store.index.schedules
    if not schedules:
        return
    customer_zones = store.zones()
    for way in schedules:
        own = getattr(way.trigger, "zone", None)
        since = store.mark(_mark(way))
        if since is not None:
            for zone in [own.key] if own is not None else customer_zones:
                yield way, zone, since


def _mark(way: Way) -> str:
    return f"schedule:{way.journey.id}:{way.number}"


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
