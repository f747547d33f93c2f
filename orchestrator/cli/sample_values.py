"""Values to preview a message with, made from the tracking plan: of the right types, and like what people have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, assert_never

from orchestrator.core.expression.scope import PastEvent
from orchestrator.core.expression.types import Enum, ListOf, Record, Scalar, Type, Types
from orchestrator.core.project import Project

SAMPLE_CUSTOMER_ID = "sample"
DEEPEST = 6

_TEXTS = {
    "first_name": "Ana",
    "given_name": "Ana",
    "last_name": "Silva",
    "family_name": "Silva",
    "full_name": "Ana Silva",
    "email": "ana@example.com",
    "phone": "+351912345678",
    "city": "Lisbon",
    "country": "PT",
    "code": "SAMPLE4U",
    "locale": "en",
    "timezone": "Europe/Lisbon",
    "url": "https://example.com/",
    "link": "https://example.com/",
}
_NUMBERS = {"score": 9, "adults": 2, "children": 1, "babies": 0, "quantity": 1, "total": 120, "price": 60}


class Samples:
    """Makes sample values for one project. `now` is the preview's present instant."""

    def __init__(self, project: Project, now: datetime) -> None:
        self._project = project
        self._now = now

    def customer(self, types: Types) -> dict[str, Any]:
        """A customer with every declared attribute, as a customer file would give it."""
        attributes = {name: self.value(name, kind) for name, kind in types.customer.items()}
        for name, attribute in self._project.attributes.items():
            if attribute.default is not None:
                attributes[name] = attribute.default
        return {"id": SAMPLE_CUSTOMER_ID, "email": _TEXTS["email"], "phone": _TEXTS["phone"], "attributes": attributes}

    def entry(self, kind: Type | None) -> dict[str, Any]:
        """What an enrollment would have entered with."""
        made = self.value("entry", kind) if isinstance(kind, Record) else None
        return made if isinstance(made, dict) else {}

    def results(self, types: Types) -> dict[str, Any]:
        """What earlier steps, variables and the step's `with` would have given."""
        return {name: self.value(name, kind) for name, kind in {**types.vars, **types.results}.items()}

    def value(self, name: str, kind: Type, depth: int = 0) -> Any:
        """A value of a type, chosen by its name where that says something."""
        match kind:
            case Enum():
                return kind.values[0] if kind.values else None
            case ListOf():
                return [self.value(name, kind.item, depth + 1)] if depth < DEEPEST else []
            case Record():
                fields = kind.fields if kind.fields is not None and depth < DEEPEST else {}
                return {key: self.value(key, of, depth + 1) for key, of in fields.items()}
            case Scalar():
                return self._scalar(name, kind)
            case _:
                assert_never(kind)

    def _scalar(self, name: str, kind: Scalar) -> Any:
        match kind.kind:
            case "string" | "unknown":
                return self._text(name)
            case "integer" | "number":
                return _NUMBERS.get(name, 3 if kind.kind == "integer" else 42)
            case "boolean":
                return True
            case "date":
                return self._day(name).isoformat()
            case "datetime":
                return self._now + timedelta(days=14)
            case "duration":
                return timedelta(days=1)
            case "none":
                return None
            case other:
                assert_never(other)

    def _day(self, name: str) -> date:
        later = any(word in name for word in ("out", "depart", "end", "until", "expire"))
        return (self._now + timedelta(days=17 if later else 14)).date()

    def _text(self, name: str) -> str:
        if name in _TEXTS:
            return _TEXTS[name]
        if name == "currency":
            return self._project.currency or "EUR"
        of = name.removesuffix("_id")
        for catalog in (of + "s", of, of + "es"):
            if rows := self._project.catalogs.get(catalog):
                return next(iter(rows))
        for rows in self._project.catalogs.values():
            if told := next((row[name] for row in rows.values() if isinstance(row.get(name), str)), None):
                return str(told)
        return f"{name[0].upper()}-1042" if name.endswith("_id") or name == "sku" else name.replace("_", " ")


class SampleFacts:
    """The facts of a preview: each declared event happened once, yesterday; catalogs are the project's own."""

    def __init__(self, project: Project, types: Types, samples: Samples, now: datetime) -> None:
        self._project = project
        self._types = types
        self._samples = samples
        self._yesterday = now - timedelta(days=1)

    @property
    def history_for(self) -> timedelta:
        """How far back windows reach."""
        return self._project.settings.history

    @property
    def entry_at(self) -> datetime | None:
        """Yesterday."""
        return self._yesterday

    def events(self, name: str) -> Sequence[PastEvent]:
        """One of each."""
        properties = self._types.events.get(name)
        if properties is None:
            return ()
        values = {key: self._samples.value(key, kind) for key, kind in properties.items()}
        return (PastEvent(self._yesterday, name, values, f"sample-{name}"),)

    def entered(self, journey: str) -> Sequence[datetime]:
        """Yesterday."""
        return (self._yesterday,)

    def in_journey(self, journey: str) -> bool:
        """Yes: a message is on its way."""
        return True

    def received(self, name: str) -> Sequence[datetime]:
        """Nothing yet."""
        return ()

    def opened(self, step: str) -> bool:
        """Nothing yet."""
        return False

    def clicked(self, step: str) -> bool:
        """Nothing yet."""
        return False

    def redeemed(self, offer: str) -> bool:
        """Nothing yet."""
        return False

    def visits(self, step: str) -> int:
        """Once."""
        return 1

    def in_segment(self, name: str) -> bool:
        """In none."""
        return False

    def consented(self, topic: str, channel: str) -> bool:
        """To everything."""
        return True

    def reachable(self, channel: str) -> bool:
        """Everywhere."""
        return True

    def catalog(self, name: str, key: str) -> dict[str, Any] | None:
        """The project's own row."""
        row: Mapping[str, object] | None = self._project.catalogs.get(name, {}).get(key)
        return dict(row) if row is not None else None

    def recommended(self, name: str) -> list[dict[str, Any]]:
        """The first rows of the file."""
        return [dict(row) for row in list(self._project.catalogs.get(name, {}).values())[:4]]
