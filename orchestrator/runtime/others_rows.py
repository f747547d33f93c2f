"""Rows of other systems' exports, as what they say of a person: who it is, where nothing may be sent, what was chosen,
and what happened. Where a system's words leave room, the reading is taken by which less is sent.

docs/moving-here.md tells the columns of each system.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from orchestrator.core.project import Attribute
from orchestrator.definitions.mapping_rows import Instants, RowUnusable, identifier, jsonable
from orchestrator.definitions.table_readers import HIDDEN_COLUMN, ROW_NUMBER, Row
from orchestrator.runtime.customer_table import typed

Given = Mapping[str, tuple[str, Any]]
"""A row by the letters and digits of its columns' names, in small: (column, value). Empty cells are not given."""


class Closed(NamedTuple):
    """An address that nothing may be sent to."""

    channel: str
    address: str
    cause: str


class Chosen(NamedTuple):
    """What a person chose. `at` None: nobody knows when."""

    channel: str
    state: str
    at: datetime | None
    proof: Mapping[str, Any]


class Happened(NamedTuple):
    """Something of the past."""

    name: str
    at: datetime
    properties: Mapping[str, Any]


class Said(NamedTuple):
    """What a row says."""

    customer: str
    traits: Mapping[str, Any]
    closed: tuple[Closed, ...]
    chosen: tuple[Chosen, ...]
    happened: tuple[Happened, ...]


class Reader:
    """What the readers of all systems share: names of columns, instants, attributes by their declared types.

    `told` hears of every column that became an attribute."""

    system: str
    IDS: tuple[str, ...]
    """Columns of the brand's own id, the best first; then the e-mail address and the phone number are taken."""
    EMAIL: tuple[str, ...]
    PHONE: tuple[str, ...]
    TRAITS: Mapping[str, tuple[str, ...]]
    """Fields of a profile, by their columns."""
    OWN: frozenset[str] = frozenset()
    """Columns that are read otherwise, or say nothing of a person."""

    def __init__(
        self, attributes: Mapping[str, Attribute], instants: Instants, told: Callable[[str, str], object]
    ) -> None:
        self._attributes = attributes
        self._instants = instants
        self._told = told
        self.ids: Callable[[str], str | None] = lambda address: None
        """Whom an address belongs to, by the brand's own id, as far as tables say."""
        self._known = self.OWN | {
            name for names in (self.IDS, self.EMAIL, self.PHONE, *self.TRAITS.values()) for name in names
        }

    def read(self, row: Row, file: str) -> Said:
        """What a row of a file says. Raises RowUnusable."""
        given = given_in(row)
        email, phone = text_of(given, self.EMAIL), text_of(given, self.PHONE)
        customer = self.own_id(given) or self._whose(email, phone)
        if not customer:
            raise RowUnusable("it has no id, no e-mail address and no phone number")
        closed = tuple(self.closed(given, email, phone, file))
        chosen = tuple(self.chosen(given, email, phone, file, {one.channel for one in closed}))
        return Said(
            identifier(customer, "the customer"), self._traits(given, email, phone), closed, chosen,
            tuple(self.happened(given, file)),
        )  # fmt: skip

    def closings(self, row: Row, file: str) -> tuple[Closed, ...]:
        """Addresses that nothing may be sent to, also of a row that says nothing else that could be used."""
        given = given_in(row)
        return tuple(self.closed(given, text_of(given, self.EMAIL), text_of(given, self.PHONE), file))

    def own_id(self, given: Given) -> str | None:
        """The brand's own id of whom the row is about, where it has one."""
        return text_of(given, self.IDS)

    def addresses(self, given: Given) -> list[str]:
        """The e-mail address and the phone number of a row, as they are compared."""
        return [text.lower() for columns in (self.EMAIL, self.PHONE) if (text := text_of(given, columns))]

    def _whose(self, *addresses: str | None) -> str | None:
        """A table that has no ids is about those whom other tables name by them; else the address is the id."""
        known = [address.lower() for address in addresses if address]
        return next((id for address in known if (id := self.ids(address))), None) or next(iter(known), None)

    def closed(self, given: Given, email: str | None, phone: str | None, file: str) -> Iterable[Closed]:
        """Addresses that nothing may be sent to."""
        raise NotImplementedError

    def chosen(
        self, given: Given, email: str | None, phone: str | None, file: str, closed: set[str]
    ) -> Iterable[Chosen]:
        """What was chosen on channels; of `closed` ones only that they are."""
        raise NotImplementedError

    def happened(self, given: Given, file: str) -> Iterable[Happened]:
        """What the row tells of the past."""
        return ()

    def _traits(self, given: Given, email: str | None, phone: str | None) -> dict[str, Any]:
        traits: dict[str, Any] = {}
        if email:
            traits["email"] = email
        if phone:
            traits["phone"] = phone
        for name, columns in self.TRAITS.items():
            value = next((given[column][1] for column in columns if column in given), None)
            if value is None:
                continue
            if name == "created_at":
                if (at := self.instant(value)) is not None:
                    traits[name] = at
            elif name == "tags":
                traits[name] = words_in(value)
            else:
                traits[name] = str(value).strip()
        for short, (column, value) in given.items():
            if short in self._known:
                continue
            for name, inner in self.attribute(short, column, value):
                self._told(column, name)
                traits[name] = self._typed(name, inner)
        return traits

    def attribute(self, short: str, column: str, value: Any) -> Iterable[tuple[str, Any]]:
        """The attributes that a column without a meaning of its own becomes."""
        return [(attribute_name(column), value)]

    def _typed(self, name: str, value: Any) -> Any:
        declared = self._attributes.get(name)
        if declared is None or not isinstance(value, str):
            return jsonable(value)
        return typed(name, value.strip(), declared.type)

    def instant(self, value: Any) -> datetime | None:
        """An instant as these systems write it; None for what is none."""
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return None
        try:
            return self._instants.read(value.strip() if isinstance(value, str) else value, "an instant")
        except RowUnusable:
            return None

    def first_instant(self, given: Given, *columns: str) -> datetime | None:
        """The first of these columns that holds an instant."""
        return next((at for name in columns if name in given and (at := self.instant(given[name][1]))), None)

    def proof(self, given: Given, **columns: str) -> dict[str, Any]:
        """What an export has to show for a choice, by name."""
        shown = {name: str(given[column][1]) for name, column in columns.items() if column in given}
        return {"system": self.system, **shown}


def given_in(row: Row) -> Given:
    """A row's cells that are not empty, by their columns' names."""
    found: dict[str, tuple[str, Any]] = {}
    for column, value in row.items():
        if column == ROW_NUMBER or value is None or (isinstance(value, str) and not value.strip()):
            continue
        name = "n" if column == HIDDEN_COLUMN else str(column)
        found.setdefault(short_name(name), (name, value))
    return found


def short_name(column: str) -> str:
    """A column's name by its letters and digits."""
    return re.sub(r"[^a-z0-9]", "", column.lower()) or column


def attribute_name(column: str) -> str:
    """The attribute that a column becomes: `Favourite Colour` is favourite_colour."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", column.strip().lstrip("$"))
    return re.sub(r"\W+", "_", spaced.lower()).strip("_")[:200] or "column"


def text_of(given: Given, columns: Iterable[str]) -> str | None:
    """The first of these columns that says anything."""
    return next((str(given[name][1]).strip() for name in columns if name in given), None)


def word_of(given: Given, *columns: str) -> str:
    """The same as one word in small letters, such as never_subscribed."""
    return re.sub(r"[^a-z0-9]+", "_", (text_of(given, columns) or "").lower()).strip("_")


def words_in(value: Any) -> list[str]:
    """A list, JSON, or texts with commas between them, of which some may stand in quotes."""
    if isinstance(value, str):
        if value.lstrip().startswith("["):
            try:
                value = json.loads(value)
            except ValueError:
                value = value.strip(" []")
        if isinstance(value, str):
            value = next(iter(csv.reader([value], skipinitialspace=True)), [])
    if not isinstance(value, list):
        return []
    return [str(word).strip() for word in value if str(word).strip()]


YES: Final = frozenset({"true", "yes", "y", "1", "t"})
