"""What a change of a catalog's row means for the triggers that are live: what each of them tells, and whom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from orchestrator.core.catalogs import Interest, Row, Viewed, is_change, value_text
from orchestrator.core.inbox import CatalogChanged
from orchestrator.core.index import Index
from orchestrator.core.program import OnCatalog
from orchestrator.core.time.iso import format_instant


class Asked(NamedTuple):
    """Whom a change concerns: customers of whom this is known, not older than `since`."""

    viewed: Viewed
    since: datetime


class Wave(NamedTuple):
    """A change on its way by one trigger: what everyone gets whom any of `asked` finds."""

    at: datetime
    asked: Sequence[Asked]
    body: CatalogChanged


def waves_of(
    index: Index, catalog: str, key: str, before: Row | None, after: Row | None, at: datetime
) -> Iterator[Wave]:
    """What the triggers of the live journeys make of a row that changed, told at `at`."""
    rule = index.project.row_catalogs.get(catalog)
    if rule is None or before == after:
        return
    for way in index.by_catalog.get(catalog, ()):
        trigger = way.trigger
        assert isinstance(trigger, OnCatalog)
        kinds = (k for k in trigger.kinds if is_change(k, rule, before, after, trigger.by, trigger.fields))
        kind = next(kinds, None)
        if kind is None:
            continue
        who = trigger.who or ((rule.viewed,) if rule.viewed is not None else ())
        known = [i for i in who if i.property in index.interests.get(i.event, ())]
        asked = [one for interest in known for one in _asked(interest, key, before, after, at)]
        if asked:
            values = {
                "catalog": catalog,
                "key": key,
                "change": kind,
                "before": None if before is None else dict(before),
                "after": None if after is None else dict(after),
            }
            change = f"{catalog}:{key}:{format_instant(at)}"
            yield Wave(at, asked, CatalogChanged(way.journey.id, way.number, catalog, change, values))


def _asked(interest: Interest, key: str, before: Row | None, after: Row | None, at: datetime) -> Iterator[Asked]:
    row = after if after is not None else before
    value = key if interest.field is None else value_text(row.get(interest.field)) if row is not None else None
    if value is not None:
        yield Asked(Viewed(interest.event, interest.property, value), at - interest.within)


def listens(index: Index, catalog: str) -> timedelta | None:
    """How long after a change of a catalog triggers hear of it; None: none does."""
    rule = index.project.row_catalogs.get(catalog)
    return rule.fold if rule is not None and catalog in index.by_catalog else None
