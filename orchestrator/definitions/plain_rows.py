"""Rows of a table that needs no mapping: columns `at`, `customer` and `event`, maybe `id`; the others are properties.

The properties may stand as one object, `properties` (as JSON where cells are text).
Cells of a CSV file that are empty are not given.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from orchestrator.definitions.mapping_rows import Instants, MappedEvent, RowUnusable, Shape, identifier, jsonable
from orchestrator.definitions.scenario_items import CustomerSpec
from orchestrator.definitions.table_readers import HIDDEN_COLUMN, ROW_NUMBER, Row

NEEDED = ("at", "customer", "event")
_OWN = frozenset({*NEEDED, "id", "properties", ROW_NUMBER})


class PlainRows:
    """Maps row after row, as RowMapper does; customers are created with nothing but their id."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.shapes: list[Shape] = []
        self._places: dict[tuple[str, tuple[str, ...]], int] = {}
        self._instants = Instants(zone)
        self._texts: dict[str, str] = {}

    def map(self, row: Row) -> tuple[str, list[MappedEvent]]:
        """The customer's id and the one event of `row`. Raises RowUnusable."""
        for name in NEEDED:
            if name not in row:
                raise RowUnusable(f"it has no `{name}`")
        customer = self._shared(identifier(row["customer"], "`customer`"))
        name = self._shared(identifier(row["event"], "`event`"))
        at = self._instants.read(row["at"], "`at`")
        properties = self._properties(row)
        given = row.get("id")
        message_id = None if given in (None, "") else identifier(given, "`id`")
        shape = self._shape(name, tuple(properties))
        return customer, [MappedEvent(at, shape, tuple(properties.values()), message_id)]

    def profile(self, row: Row) -> tuple[Any, ...]:
        """Nothing: such a table knows no profiles."""
        return ()

    def customer_spec(self, customer: str, first_at: datetime, values: tuple[Any, ...]) -> CustomerSpec:
        """The customer to create before the event at `first_at`."""
        return CustomerSpec(id=customer, created_at=first_at)

    def _properties(self, row: Row) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in row.items():
            if key not in _OWN and value != "":
                found["n" if key == HIDDEN_COLUMN else key] = self._value(value)
        inner = row.get("properties")
        if isinstance(inner, str) and inner.startswith("{"):
            try:
                inner = json.loads(inner)
            except (ValueError, RecursionError):
                raise RowUnusable("`properties` is no JSON object") from None
        if isinstance(inner, dict):
            found.update((key, self._value(value)) for key, value in inner.items())
        elif inner not in (None, ""):
            raise RowUnusable("`properties` is no object")
        return found

    def _value(self, value: Any) -> Any:
        return self._shared(value) if type(value) is str else jsonable(value)

    def _shape(self, name: str, names: tuple[str, ...]) -> int:
        known = self._places.get((name, names))
        if known is None:
            known = self._places[name, names] = len(self.shapes)
            self.shapes.append(Shape(name, names, 0))
        return known

    def _shared(self, text: str) -> str:
        if len(text) > 64:
            return text
        if len(self._texts) > 1 << 16:
            self._texts.clear()
        return self._texts.setdefault(text, text)
