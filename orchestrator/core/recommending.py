"""Which rows of a catalog may interest a customer: looked at and not bought since, bought by others together with what
this one bought or looked at, else what is popular. Nothing that is sold out, deleted, or bought already."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import Any, Final

from orchestrator.core.catalogs import Interest, RowCatalog, is_in_stock, values_at
from orchestrator.core.expression.scope import PastEvent
from orchestrator.core.view import CatalogRows

MOST: Final = 12
_ANCHORS: Final = 5
"""Items of the customer's own, whose companions are looked for."""
_EVENTS: Final = 200
"""Of a kind, the latest ones are looked at."""

Past = Callable[[str], Sequence[PastEvent]]


def recommended(rule: RowCatalog, rows: CatalogRows, past: Past, t: datetime) -> list[dict[str, Any]]:
    """At most MOST rows, the best first."""
    bought = _last(rule.bought, past, t)
    viewed = _last(rule.viewed, past, t)
    wanted = [key for key, at in viewed.items() if key not in bought or bought[key] < at]
    found: dict[str, dict[str, Any]] = {}
    for key in chain(wanted, _others(rule, rows, [*wanted, *bought])):
        if key in found or (key in bought and key not in wanted):
            continue
        row = rows.get(key)
        if row is not None and is_in_stock(row.get(rule.stock)) is not False:
            found[key] = row
            if len(found) == MOST:
                break
    return list(found.values())


def _others(rule: RowCatalog, rows: CatalogRows, anchors: Sequence[str]) -> Iterator[str]:
    for key in anchors[:_ANCHORS]:
        yield from rows.links("bought", key)
    yield from rows.links("popular", "")


def _last(interest: Interest | None, past: Past, t: datetime) -> dict[str, datetime]:
    """When the customer did it last with each item, the latest item first."""
    found: dict[str, datetime] = {}
    if interest is not None:
        for event in reversed(past(interest.event)[-_EVENTS:]):
            if t - interest.within < event.at <= t:
                for key in values_at(event.properties, interest.property):
                    found.setdefault(key, event.at)
    return found
