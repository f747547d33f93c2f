"""Applies a mapping to one row: the customer, the events, and the profile where it is asked for.

A row is used as a whole or not at all: where one value has no meaning, RowUnusable says which, and none of the row's
events is kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from orchestrator.core.expression.scope import NoFacts, Scope, Value
from orchestrator.core.expression.values import truth
from orchestrator.core.time.iso import format_instant, read_date
from orchestrator.core.time.zones import to_utc
from orchestrator.definitions.mapping import EventPlan, ProfilePlan, TableMapping
from orchestrator.definitions.mapping_expressions import Field, by_texts, constant, row_results
from orchestrator.definitions.scenario_items import CustomerSpec
from orchestrator.definitions.table_readers import Row
from orchestrator.errors import BadDate, EvaluationError

NOON = time(12)
LONGEST_ID = 500
MOST_REMEMBERED = 1 << 16
"""Texts and instants that are shared."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class RowUnusable(ValueError):
    """Why a row gives no events."""


class Shape(NamedTuple):
    """What many events have in common: their name, the names of their properties, their place in the mapping."""

    name: str
    names: tuple[str, ...]
    place: int


class MappedEvent(NamedTuple):
    """One event of a row. `shape` is an index into the mapper's shapes, to which `values` belong.

    `id` None: it is to be made from table, row and place.
    """

    at: datetime
    shape: int
    values: tuple[Any, ...]
    id: str | None


_mapped: Callable[[tuple[Any, ...]], MappedEvent] = partial(tuple.__new__, MappedEvent)
"""From all fields in their order, without the calls that naming the class takes."""

Reading = Callable[[Row], Any]
"""What one field of the mapping gives for a row. Raises RowUnusable or EvaluationError."""


class RowMapper:
    """Maps row after row with one scope and one memory of instants and texts; not for two threads at once.

    `all_text`: every value of every row is text, as in CSV. Tables repeat themselves, so what a field made of the same
    texts is then remembered and not evaluated again.
    """

    def __init__(self, mapping: TableMapping, *, all_text: bool = False) -> None:
        self._mapping = mapping
        self._all_text = all_text
        self.shapes = [Shape(plan.name, plan.names, plan.place) for plan in mapping.events]
        # The clock stands still at an instant that no expression can read: lint refuses now and today in mappings.
        self._scope = Scope({}, now=_EPOCH, zone=mapping.zone, facts=NoFacts())
        self._instants = Instants(mapping.zone)
        self._texts: dict[str, str] = {}
        self._customer = self._reading(mapping.customer, lambda value: self._shared(identifier(value, "the customer")))
        self._events = [self._event_reading(plan) for plan in mapping.events]
        self._profile = self._profile_readings(mapping.profile) if mapping.profile is not None else []
        self._profile_names: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
        if mapping.profile is not None:
            profile = mapping.profile
            self._profile_names = tuple([n for n, _ in profile.texts]), tuple([n for n, _ in profile.attributes])

    def map(self, row: Row) -> tuple[str, list[MappedEvent]]:
        """The customer's id and the events of `row`, in the order of the mapping. Raises RowUnusable."""
        self._scope.results = row_results(row, all_text=self._all_text)
        try:
            customer: str = self._customer(row)
            events = []
            for place, (when, at, read_id, values) in enumerate(self._events):
                if when is None or when(row):
                    instant = at(row)
                    made = tuple([read(row) for read in values])
                    events.append(_mapped((instant, place, made, None if read_id is None else read_id(row))))
        except EvaluationError as error:
            raise RowUnusable(f"{error} (in: {error.source})") from None
        return customer, events

    def profile(self, row: Row) -> tuple[Any, ...]:
        """The values of the profile that `row`, which was mapped last, gives: what `customer_spec` takes.

        (created_at, tags, texts..., attributes...): one flat tuple, of which a table keeps one for each customer.
        Raises RowUnusable.
        """
        try:
            return tuple([read(row) for read in self._profile])
        except EvaluationError as error:
            raise RowUnusable(f"{error} (in: {error.source})") from None

    def customer_spec(self, customer: str, first_at: datetime, values: tuple[Any, ...]) -> CustomerSpec:
        """The customer to create before the event at `first_at`, from what `profile` gave."""
        plan = self._mapping.profile
        if plan is None:
            return CustomerSpec(id=customer, created_at=first_at)
        texts, attributes = self._profile_names
        return CustomerSpec(
            id=customer,
            created_at=values[0] or first_at,
            attributes=dict(zip(attributes, values[2 + len(texts) :])),
            tags=values[1],
            consents=plan.consents,
            **dict(zip(texts, values[2:])),
        )

    def _event_reading(self, plan: EventPlan) -> tuple[Reading | None, Reading, Reading | None, list[Reading]]:
        """(when, at, id, properties) of one event."""
        instants, name = self._instants, plan.name
        return (
            None if plan.when is None else self._reading(plan.when, truth),
            self._reading(plan.at, lambda value: instants.read(value, f"`at` of {name}")),
            None if plan.id is None else self._reading(plan.id, lambda value: _text(value, f"the id of {name}")),
            [self._reading(field, self._property) for field in plan.values],
        )

    def _profile_readings(self, plan: ProfilePlan) -> list[Reading]:
        instants = self._instants
        created_at = plan.created_at or constant(None)
        return [
            self._reading(created_at, lambda value: None if value is None else instants.read(value, "`created_at`")),
            self._reading(plan.tags or constant(None), _tags),
            *(self._reading(field, partial(_text, what=f"`{name}`")) for name, field in plan.texts),
            *(self._reading(field, self._property) for _, field in plan.attributes),
        ]

    def _reading(self, field: Field, finish: Callable[[Any], Any]) -> Reading:
        """The field's value after `finish`, remembered by the texts that it comes from where that can be done."""
        scope, evaluate = self._scope, field.evaluate
        return by_texts(field.columns if self._all_text else None, lambda row: finish(evaluate(scope)))

    def _property(self, value: Value) -> Any:
        kind = type(value)
        if kind is str:
            return self._shared(value)  # type: ignore[arg-type]  # its type was just looked at
        if kind is int or value is None or kind is bool:
            return value
        plain = jsonable(value)
        return self._shared(plain) if type(plain) is str else plain

    def _shared(self, text: str) -> str:
        """The same text as the last equal one: tables repeat themselves, and memory need not."""
        known = self._texts.get(text)
        if known is None:
            if len(self._texts) >= MOST_REMEMBERED:
                self._texts.clear()
            known = self._texts[text] = text
        return known


class Instants:
    """Reads what tables hold as instants: dates are 12:00 in `zone`, times without a zone are local there."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._known: dict[date | str, datetime] = {}

    def read(self, value: object, what: str) -> datetime:
        """The instant in UTC. Raises RowUnusable, which calls the value `what`."""
        if not isinstance(value, (str, date)):
            found = "none" if value is None else type(value).__name__
            raise RowUnusable(f"{what} is {found}, not a date; convert it with date()")
        known = self._known.get(value)
        if known is None:
            try:
                known = self._instant(value)
            except (ValueError, BadDate, OverflowError) as error:
                raise RowUnusable(f"{what}: {error}") from None
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            self._known[value] = known
        return known

    def _instant(self, value: str | date) -> datetime:
        moment = read_date(value) if isinstance(value, str) else value
        if not isinstance(moment, datetime):
            return to_utc(datetime.combine(moment, NOON), self._zone)
        return to_utc(moment, self._zone) if moment.tzinfo is None else moment.astimezone(UTC)


def identifier(value: object, what: str) -> str:
    """An id as text: whole numbers are taken as their digits. Raises RowUnusable, which calls the value `what`."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1 << 53:
        value = int(value)
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str):
        raise RowUnusable(f"{what} is {'none' if value is None else type(value).__name__}, not text")
    if not text or text.isspace():
        raise RowUnusable(f"{what} is empty")
    if len(text) > LONGEST_ID:
        raise RowUnusable(f"{what} is longer than {LONGEST_ID} characters")
    return text


def jsonable(value: object) -> Any:
    """A value as events carry it: dates and instants as ISO 8601, spans in seconds. Raises RowUnusable."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            if not math.isfinite(value):
                raise RowUnusable("a property is no finite number")
            return value
        case datetime():
            return format_instant(value)
        case date():
            return value.isoformat()
        case timedelta():
            return f"{int(value.total_seconds())}s"
        case list():
            return [jsonable(item) for item in value]
        case dict():
            return {key: jsonable(item) for key, item in value.items()}
        case _:
            raise RowUnusable(f"a property is a {type(value).__name__}, which no event can carry")


def _text(value: object, what: str) -> str | None:
    if value is None or value == "":
        return None
    return identifier(value, what)


def _tags(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise RowUnusable("`tags` is no list")
    return tuple(identifier(tag, "a tag") for tag in value if tag not in (None, ""))
