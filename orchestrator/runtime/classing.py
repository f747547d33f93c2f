"""`rfm_once`: classes by recency, frequency and value, worked out when they are due and told to those who changed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from orchestrator.core.inbox import Classed
from orchestrator.core.rfm import ATTRIBUTE, attribute_of
from orchestrator.stores.protocol import Arrival, Store

MARK: Final = "rfm"
"""The instant up to which it was looked for occurrences."""


def start_classing(store: Store, now: datetime) -> None:
    """The schedule counts from its deploy."""
    if store.index.project.rfm is not None and store.mark(MARK) is None:
        store.mark(MARK, now - timedelta(microseconds=1))


def next_classing_at(store: Store) -> datetime | None:
    """When classes are due next; None: never."""
    spec, since = store.index.project.rfm, store.mark(MARK)
    if spec is None or since is None:
        return None
    return spec.every.next_after(since, store.index.project.timezone).at


def rfm_once(store: Store, now: datetime) -> int:
    """Work out what is due, and tell those whose classes changed. Returns how many were told.

    Of several occurrences that an outage missed only the last is worked out. Each part is told by items that carry its
    occurrence as their id, and noted afterwards: broken off in between, the same customers are told the same again, and
    the store takes it once.
    """
    project = store.index.project
    spec, since = project.rfm, store.mark(MARK)
    if spec is None or since is None:
        return 0
    due = None
    while (found := spec.every.next_after(due.at if due is not None else since, project.timezone)).at <= now:
        due = found
    if due is not None:
        store.rfm_begin(due.local.strftime("%Y-%m-%dT%H:%M"), due.at, spec)
        store.mark(MARK, now)
    return tell_classes(store, now)


def tell_classes(store: Store, now: datetime) -> int:
    """Tell the customers of a run that is not done, part by part."""
    told = 0
    spec = store.index.project.rfm
    while spec is not None and (part := store.rfm_next(spec)) is not None:
        run, changes = part
        store.ingest(
            [
                Arrival(
                    change.customer,
                    now,
                    Classed(ATTRIBUTE, attribute_of(change.classes, run.classes) if change.classes else None),
                    f"rfm:{run.occurrence}:{change.customer}",
                )
                for change in changes
                if change.customer
            ]
        )
        store.rfm_done(run, changes)
        told += len(changes)
    return told
