"""Applies a mapping to one row: the customer, the events, and the profile where it is asked for.

A row is used as a whole or not at all: where one value has no meaning, RowUnusable says which, and none of the row's
events is kept.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from orchestrator.core.expression.scope import Evaluator, NoFacts, Scope, Value
from orchestrator.core.expression.values import truth
from orchestrator.core.time.iso import format_instant, read_date
from orchestrator.core.time.zones import to_utc
from orchestrator.definitions.mapping import EventPlan, ProfilePlan, TableMapping
from orchestrator.definitions.mapping_expressions import ROW
from orchestrator.definitions.scenario_items import CustomerSpec
from orchestrator.errors import BadDate, EvaluationError

NOON = time(12)
LONGEST_ID = 500
MOST_REMEMBERED = 1 << 16
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class RowUnusable(ValueError):
    """Why a row gives no events."""


class MappedEvent(NamedTuple):
    """One event of a row; `values` belong to `plan.names`. `id` None: it is to be made from table, row and place."""

    at: datetime
    plan: EventPlan
    values: tuple[Any, ...]
    id: str | None


class RowMapper:
    """Maps row after row with one scope and one memory of instants and texts; not for two threads at once."""

    def __init__(self, mapping: TableMapping) -> None:
        self._mapping = mapping
        # The clock stands still at an instant that no expression can read: lint refuses now and today in mappings.
        self._scope = Scope({}, now=_EPOCH, zone=mapping.zone, facts=NoFacts())
        self.instants = Instants(mapping.zone)
        self._texts: dict[str, str] = {}

    def map(self, row: dict[str, Any]) -> tuple[str, list[MappedEvent]]:
        """The customer's id and the events of `row`, in the order of the mapping. Raises RowUnusable."""
        scope = self._scope
        scope.results = {ROW: row}
        try:
            customer = self._shared(identifier(self._mapping.customer(scope), "the customer"))
            events = [
                self._event(plan) for plan in self._mapping.events if plan.when is None or truth(plan.when(scope))
            ]
        except EvaluationError as error:
            raise RowUnusable(f"{error} (in: {error.source})") from None
        return customer, events

    def profile(self, customer: str, created_at: datetime) -> CustomerSpec | None:
        """The profile that the row mapped last gives its customer; None where the mapping has none.

        Raises RowUnusable.
        """
        plan = self._mapping.profile
        if plan is None:
            return None
        try:
            return self._profile(plan, customer, created_at)
        except EvaluationError as error:
            raise RowUnusable(f"{error} (in: {error.source})") from None

    def _event(self, plan: EventPlan) -> MappedEvent:
        scope = self._scope
        at = self.instants.read(plan.at(scope), f"`at` of {plan.name}")
        values = tuple([self._property(evaluate(scope)) for evaluate in plan.values])
        message_id = None
        if plan.id is not None and (given := plan.id(scope)) not in (None, ""):
            message_id = identifier(given, f"the id of {plan.name}")
        return MappedEvent(at, plan, values, message_id)

    def _profile(self, plan: ProfilePlan, customer: str, created_at: datetime) -> CustomerSpec:
        scope = self._scope
        texts = {name: _text(evaluate(scope), name) for name, evaluate in plan.texts}
        if plan.created_at is not None:
            created_at = min(created_at, self.instants.read(plan.created_at(scope), "created_at"))
        return CustomerSpec(
            id=customer,
            created_at=created_at,
            attributes={name: self._property(evaluate(scope)) for name, evaluate in plan.attributes},
            tags=_tags(plan.tags(scope)) if plan.tags is not None else (),
            consents=plan.consents,
            **texts,
        )

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
    return identifier(value, f"`{what}`")


def _tags(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise RowUnusable("`tags` is no list")
    return tuple(identifier(tag, "a tag") for tag in value if tag not in (None, ""))
