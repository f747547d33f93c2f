"""Reads scenario files (docs/interfaces.md, "Scenario files") into Scenario values.

Every mistake is found in one go: the shape by the models, then, item by item, what needs more than one key (an `until`
before the start, an item of two kinds). A scenario is given back only where there is no error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from orchestrator.core.expression.nearest import did_you_mean
from orchestrator.core.time.zones import zone_names, zone_or_none
from orchestrator.definitions.scenario_findings import Findings, Where
from orchestrator.definitions.scenario_item_models import ItemBase, ItemModel
from orchestrator.definitions.scenario_items import CustomerSpec, FetchAnswer, PastSpec, Scenario, TimelineItem
from orchestrator.definitions.scenario_kinds import When
from orchestrator.definitions.scenario_models import CustomerModel, PastModel, ScenarioModel, plain_consents
from orchestrator.definitions.scenario_timeline import ItemReader, Place
from orchestrator.definitions.scenario_verbatim import RUN_PATTERNS, with_source_text
from orchestrator.definitions.source import Document
from orchestrator.errors import Problem

_Model = TypeVar("_Model")


def load_scenario(document: Document, base_dir: Path) -> tuple[Scenario | None, tuple[Problem, ...]]:
    """The scenario in `document`, and every problem. None where a problem is an error.

    `base_dir` is the folder of the file: `deploy` paths are relative to it.
    """
    if not document.ok:
        return None, document.problems
    document = with_source_text(document, RUN_PATTERNS)
    findings = Findings(document)
    findings.shape(ScenarioModel)
    scenario = RunReader(findings, (), base_dir).read()
    return (None if findings.failed else scenario), findings.ordered


@dataclass
class RunReader:
    """Reads what scenarios and journey tests share, below `where`. Values of the wrong shape, which the models have
    reported, are passed over here, so that they hide no mistake in their neighbours.

    `customer` is the tests' shorthand for the only customer; `lists` are the keys that hold timeline items.
    """

    findings: Findings
    where: Where
    base_dir: Path
    customer: CustomerSpec | None = None
    lists: tuple[str, ...] = ("timeline",)
    start: datetime | None = field(init=False, default=None)

    def read(self) -> Scenario | None:
        """The scenario; None where it has no usable start."""
        self.start = self._instant("start")
        until = self._until()
        seed = self._mapping(self.where).get("seed")
        customers = self._customers()
        history = tuple(sorted(self._history(), key=lambda past: (past.at, past.order)))
        timeline = tuple(sorted(self._timeline(until), key=lambda item: (item.at, item.order)))
        force, fetch = self._force(), self._fetch()
        if self.start is None:
            return None
        return Scenario(
            start=self.start,
            until=until,
            seed=str(seed) if isinstance(seed, int) else None,
            customers=customers,
            history=history,
            timeline=timeline,
            force=force,
            fetch=fetch,
            base_dir=self.base_dir,
        )

    def _until(self) -> datetime | None:
        until = self._instant("until")
        if until is not None and self.start is not None and until < self.start:
            message = "the scenario ends before it starts"
            hint = "give a later instant, or an offset such as +30d"
            self.findings.error((*self.where, "until"), "until_before_start", message, hint)
        return until

    def _instant(self, key: str) -> datetime | None:
        """The instant below `key`, passing over one that the models have refused."""
        text = self._mapping(self.where).get(key)
        try:
            text = _WHEN.validate_python(text)
        except ValidationError:
            return None
        return self.findings.instant(text, (*self.where, key), self.start)

    def _customers(self) -> tuple[CustomerSpec, ...]:
        specs = [self.customer] if self.customer is not None else []
        seen = {spec.id for spec in specs}
        for where, model in self.models("customers", _CUSTOMER):
            spec = self.customer_spec(model, where)
            if spec.id in seen:
                message = f"two customers have the id '{spec.id}'"
                self.findings.error((*where, "id"), "customer_twice", message, "give one of them another id")
            seen.add(spec.id)
            specs.append(spec)
        return tuple(specs)

    def customer_spec(self, model: CustomerModel, where: Where) -> CustomerSpec:
        """The customer, with a warning for a time zone that does not exist (which counts as missing)."""
        if model.timezone is not None and zone_or_none(model.timezone) is None:
            message = f"'{model.timezone}' is no time zone, so that it counts as missing"
            hint = did_you_mean(model.timezone, zone_names())
            self.findings.warning((*where, "timezone"), "unknown_zone", message, hint)
        created = model.created_at
        created_at = self.findings.instant(created, (*where, "created_at"), self.start) if created else None
        if created_at is not None and self.start is not None and created_at > self.start:
            message = "the customer is there at the start, and would be created later"
            hint = "give an earlier instant, or let an event create the customer"
            self.findings.error((*where, "created_at"), "created_after_start", message, hint)
        return CustomerSpec(
            id=model.id,
            email=model.email,
            phone=model.phone,
            timezone=model.timezone,
            locale=model.locale,
            country=model.country,
            currency=model.currency,
            attributes=model.attributes,
            stage=model.stage,
            consents=plain_consents(model.consents),
            tags=tuple(model.tags),
            created_at=created_at,
            line=self.findings.line(where),
        )

    def _history(self) -> Iterator[PastSpec]:
        for order, (where, model) in enumerate(self.models("history", _PAST)):
            at = self.findings.instant(model.at, (*where, "at"), self.start)
            customer = model.customer or (self.customer.id if self.customer else None)
            if customer is None:
                hint = "add customer: and an id"
                self.findings.error(where, "customer_missing", "a past event needs a customer", hint)
            if at is None or customer is None:
                continue
            if self.start is not None and at > self.start:
                message = "history lies before the start, and this is later"
                hint = f"write a minus, such as -40d, or move it below {self.lists[-1]}"
                self.findings.error((*where, "at"), "history_after_start", message, hint)
            line = self.findings.line(where)
            yield PastSpec(at, customer, model.event, model.properties, model.id, order, line)

    def _timeline(self, until: datetime | None) -> Iterator[TimelineItem]:
        reader = ItemReader(self.findings, self.base_dir, self.customer.id if self.customer else None)
        order = 0
        for name in self.lists:
            for where, model in self.models(name, _ITEM):
                at = self.findings.instant(model.at, (*where, "at"), self.start)
                # Read even where the instant is missing, so that its other mistakes are reported too.
                place = Place(at=at or _ANY, order=order, line=self.findings.line(where))
                item = reader.read(model, where, place)
                order += 1
                if at is None:
                    continue
                self._check_span(at, until, (*where, "at"))
                if item is not None:
                    yield item

    def _check_span(self, at: datetime, until: datetime | None, where: Where) -> None:
        if self.start is not None and at < self.start:
            message = "the clock begins at the start, and this is earlier"
            hint = "give a later instant, or put what is past below history"
            self.findings.error(where, "before_start", message, hint)
        elif until is not None and at > until:
            message = "this lies after until, and will not happen"
            self.findings.warning(where, "after_until", message, "move one of them")

    def _force(self) -> Mapping[str, str | bool]:
        force = self._mapping((*self.where, "force"))
        for name, value in force.items():
            where = (*self.where, "force", name)
            if name == "holdout" and isinstance(value, str):
                self.findings.error(where, "bad_force", f"the holdout is true or false, not '{value}'", "write false")
            elif name != "holdout" and isinstance(value, bool):
                message = f"the split '{name}' is forced to a variant"
                self.findings.error(where, "bad_force", message, "write the variant's name, or control")
        return {name: value for name, value in force.items() if isinstance(value, (str, bool))}

    def _fetch(self) -> Mapping[str, FetchAnswer]:
        answers = {}
        for name, value in self._mapping((*self.where, "fetch")).items():
            if value == "error":
                answers[name] = FetchAnswer("error")
            elif value == "timeout":
                answers[name] = FetchAnswer("timeout")
            else:
                answers[name] = FetchAnswer("value", value)
        return answers

    def models(self, name: str, shape: TypeAdapter[_Model]) -> Iterator[tuple[Where, _Model]]:
        """The members of the list `name` that have the right shape, with their places."""
        raw = self._mapping(self.where).get(name)
        for index, item in enumerate(raw if isinstance(raw, list) else ()):
            try:
                model = shape.validate_python(item)
            except ValidationError:
                continue
            yield (*self.where, name, index), model

    def _mapping(self, where: Where) -> dict[str, Any]:
        value: Any = self.findings.document.data
        for key in where:
            if isinstance(value, dict):
                value = value.get(key)
            else:
                value = value[key] if isinstance(value, list) and isinstance(key, int) else None
        return value if isinstance(value, dict) else {}


_ANY = datetime.min.replace(tzinfo=UTC)
_WHEN: TypeAdapter[str] = TypeAdapter(When)
_CUSTOMER = TypeAdapter(CustomerModel)
_PAST = TypeAdapter(PastModel)
_ITEM: TypeAdapter[ItemBase] = TypeAdapter(ItemModel)
