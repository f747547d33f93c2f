"""Rows of a table of customers that needs no mapping: known columns are the profile, all others are attributes.

`id` (or `customer`) is needed. `tags` is a list, or words with commas between them; `consents` an object as in a
scenario, or columns such as `consents.promotions.email`. Cells of a CSV file are text: an attribute that schema.yaml
declares is read as its type. Empty cells are not given.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from orchestrator.core.consent import choices_in
from orchestrator.core.project import Attribute
from orchestrator.definitions.mapping_rows import Instants, RowUnusable, identifier, jsonable
from orchestrator.definitions.scenario_items import CustomerSpec
from orchestrator.definitions.table_readers import HIDDEN_COLUMN, ROW_NUMBER, Row

IDS: Final = ("id", "customer")
_TEXTS: Final = ("email", "phone", "timezone", "locale", "country", "currency", "stage")
_CONSENTS: Final = "consents."
_TRUE: Final = frozenset({"true", "yes", "1"})
_FALSE: Final = frozenset({"false", "no", "0"})


class CustomerRows:
    """Maps row after row. `all_text`: every value is text, as in CSV."""

    def __init__(self, attributes: Mapping[str, Attribute], zone: ZoneInfo, *, all_text: bool) -> None:
        self._attributes = attributes
        self._instants = Instants(zone)
        self._all_text = all_text

    def map(self, row: Row) -> tuple[str, dict[str, Any]]:
        """The customer's id and traits. Raises RowUnusable."""
        found = next((row[name] for name in IDS if row.get(name) not in (None, "")), None)
        customer = identifier(found, "`id`")
        traits: dict[str, Any] = {}
        consents: dict[str, dict[str, Any]] = {}
        for column, value in row.items():
            if column == ROW_NUMBER or column in IDS or value in (None, ""):
                continue
            name = ROW_NUMBER if column == HIDDEN_COLUMN else column
            if name.startswith(_CONSENTS):
                _put_consent(consents, name, value)
            elif name == "consents":
                _put_consents(consents, object_in(value, "consents"))
            elif name == "attributes" and name not in self._attributes:
                for inner, known in object_in(value, "attributes").items():
                    if known is not None:
                        traits[str(inner)] = jsonable(known)
            elif name == "tags":
                traits["tags"] = _tags(value)
            elif name == "created_at":
                traits["created_at"] = self._instants.read(value, "`created_at`")
            elif name in _TEXTS:
                traits[name] = identifier(value, f"`{name}`")
            else:
                traits[name] = self._attribute(name, value)
        if consents:
            traits["consents"] = consents
        return customer, traits

    def _attribute(self, name: str, value: Any) -> Any:
        declared = self._attributes.get(name)
        if not self._all_text or declared is None:
            return jsonable(value)
        return typed(name, str(value).strip(), declared.type)


def typed(name: str, text: str, kind: str) -> Any:
    """A cell's text as a declared type. Raises RowUnusable with what was expected."""
    try:
        match kind:
            case "integer":
                return int(text)
            case "number":
                return float(text)
            case "boolean":
                if text.lower() in _TRUE | _FALSE:
                    return text.lower() in _TRUE
                raise ValueError
            case _:
                return text
    except ValueError:
        raise RowUnusable(f"`{name}` is '{text[:40]}'; schema.yaml says {kind}") from None


def traits_of_spec(spec: CustomerSpec, now: datetime | None = None) -> dict[str, Any]:
    """What a mapping's profile says of a customer, as traits. `now`: when created, where nothing else says so."""
    traits: dict[str, Any] = dict(spec.attributes)
    for name in _TEXTS:
        value = getattr(spec, name)
        if value is not None:
            traits[name] = value
    if now is not None or spec.created_at is not None:
        traits["created_at"] = spec.created_at or now
    if spec.tags:
        traits["tags"] = list(spec.tags)
    if spec.consents:
        traits["consents"] = {topic: dict(channels) for topic, channels in spec.consents.items()}
    return traits


def object_in(value: object, name: str) -> dict[str, Any]:
    """A cell that holds an object: JSON where cells are text. Raises RowUnusable."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise RowUnusable(f"`{name}` is no JSON object") from None
    if not isinstance(value, dict):
        such = " such as {promotions: {email: in}}" if name == "consents" else ""
        raise RowUnusable(f"`{name}` is no object{such}")
    return value


def _tags(value: object) -> list[str]:
    if isinstance(value, str) and value.startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise RowUnusable("`tags` is no list") from None
    words = value.replace(";", ",").split(",") if isinstance(value, str) else value
    if not isinstance(words, list):
        raise RowUnusable("`tags` is no list")
    return [identifier(word.strip() if isinstance(word, str) else word, "a tag") for word in words if word]


def _put_consents(consents: dict[str, dict[str, Any]], value: object) -> None:
    if not isinstance(value, dict):
        raise RowUnusable("`consents` is no object such as {promotions: {email: in}}")
    for topic, channels in value.items():
        if not isinstance(channels, dict):
            raise RowUnusable("`consents` is no object such as {promotions: {email: in}}")
        for channel, state in channels.items():
            _put_consent(consents, f"{_CONSENTS}{topic}.{channel}", state)


def _put_consent(consents: dict[str, dict[str, Any]], name: str, state: object) -> None:
    topic, _, channel = name.removeprefix(_CONSENTS).rpartition(".")
    if not topic or not channel:
        raise RowUnusable(f"the column `{name}` is no consent; call it consents.TOPIC.CHANNEL")
    if not isinstance(state, dict) and state not in ("in", "out"):
        raise RowUnusable(f"`{name}` is '{str(state)[:40]}'; expected in or out")
    try:
        list(choices_in({"consents": {topic: {channel: state}}}, silent=True))
    except ValueError as error:
        raise RowUnusable(f"`consents` {error}") from None
    consents.setdefault(topic, {})[channel] = state
