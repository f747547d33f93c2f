"""The `catalog` trigger: a row changed, and it reached a customer whom it concerns (from a fan-out)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.core.entering import Attempt, try_to_enter
from orchestrator.core.inbox import CatalogChanged
from orchestrator.core.program import OnCatalog

if TYPE_CHECKING:
    from orchestrator.core.turn import CustomerTurn


def fire_catalog(turn: CustomerTurn, item: CatalogChanged) -> None:
    """Try to enter, once for each change. The default key is the item's own."""
    for way in turn.index.by_catalog.get(item.catalog, ()):
        if way.journey.id == item.journey and way.number == item.trigger and isinstance(way.trigger, OnCatalog):
            key = str(item.values.get("key", ""))
            attempt = Attempt("catalog", item.values, turn.t, f"catalog:{item.change}", None, key)
            try_to_enter(turn, way.journey, [way.trigger], attempt)
