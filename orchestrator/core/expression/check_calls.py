"""Types of functions, and the names they speak of: events, segments, steps, catalogs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from orchestrator.core.expression.builtin_events import EVENTS
from orchestrator.core.expression.check_operators import family
from orchestrator.core.expression.date_formats import has_time, read_moment_by
from orchestrator.core.expression.finding import Desk, extent
from orchestrator.core.expression.nearest import did_you_mean, known_words
from orchestrator.core.expression.nodes import Call, CatalogRow, Fact, History, Literal, Node, Word
from orchestrator.core.expression.reserved import past_event_type, properties_of
from orchestrator.core.expression.types import (
    BOOLEAN,
    DATE,
    DATETIME,
    DURATION,
    INTEGER,
    NUMBER,
    UNKNOWN,
    Enum,
    ListOf,
    Record,
    Type,
    type_name,
)
from orchestrator.core.time.durations import parse_fixed
from orchestrator.core.time.iso import read_date


def check_history(desk: Desk, node: History, infer_where: Callable[[Node, str], None]) -> Type:
    """A question about past events."""
    name, types = node.event.text, desk.types
    desk.expect_word(node.event, frozenset({*types.events, *EVENTS}), "event", "schema.yaml")
    if node.since_entry and types.entry is None:
        desk.complain(
            node.offset, len(node.function), "unknown_name", "there is no entry here that 'since_entry' could mean"
        )
    if node.where is not None:
        infer_where(node.where, name)
    match node.function:
        case "did":
            return BOOLEAN
        case "count":
            return INTEGER
        case "first" | "last":
            return past_event_type(name, types)
        case "sum" | "avg" | "min" | "max" as function:
            assert node.prop is not None  # by its signature
            kind = _figure_type(desk, name, node.prop, function)
            return NUMBER if function == "avg" else kind


def _figure_type(desk: Desk, event: str, prop: Word, function: str) -> Type:
    properties = properties_of(event, desk.types)
    if properties is None:
        return UNKNOWN
    if prop.text not in properties:
        desk.complain(
            prop.offset,
            len(prop.text) + 2,
            "unknown_property",
            f"no property '{prop.text}' of '{event}' is declared",
            did_you_mean(prop.text, properties) or f"known: {known_words(properties)}; or declare it in schema.yaml",
        )
        return UNKNOWN
    kind = properties[prop.text]
    orders = function in ("min", "max") and family(kind) in ("string", "moment", "duration")
    if family(kind) not in ("number", "anything") and not orders:
        desk.complain(
            prop.offset,
            len(prop.text) + 2,
            "type_clash",
            f"'{function}' takes numbers, and '{prop.text}' is {type_name(kind)}",
        )
    return kind


def check_fact(desk: Desk, node: Fact) -> Type:
    """A question that a store answers: every name in it has to exist."""
    types, word = desk.types, node.words[0]
    match node.function:
        case "in_segment":
            desk.expect_word(word, types.segments, "segment", "segments.yaml")
        case "consented":
            desk.expect_word(word, types.topics, "topic", "project.yaml")
            desk.expect_word(node.words[1], types.channels, "channel", "project.yaml")
        case "reachable":
            desk.expect_word(word, types.channels, "channel", "project.yaml")
        case "received":
            known = None if types.templates is None or types.journeys is None else types.templates | types.journeys
            desk.expect_word(word, known, "template", "templates/")
        case "opened" | "clicked" | "visits":
            desk.expect_word(word, types.steps, "step", "this journey")
        case "recommended":
            desk.expect_word(word, frozenset(types.catalogs), "catalog", "journeys/catalogs/")
            columns = types.catalogs.get(word.text)
            return ListOf(UNKNOWN if columns is None else Record(columns))
        case "redeemed":
            desk.expect_word(word, types.offers, "offer", "offers.yaml")
        case "entered" | "in_journey":
            desk.expect_word(word, types.journeys, "journey", "journeys/")
    return INTEGER if node.function == "visits" else BOOLEAN


def check_catalog(desk: Desk, node: CatalogRow) -> Type:
    """A row of a catalog: its columns."""
    kind = desk.infer(node.key)
    if family(kind) not in ("string", "number", "moment", "anything"):
        desk.clash(node.key, f"the key of a catalog is a text or number, not {type_name(kind)}")
    name = node.catalog.text
    desk.expect_word(node.catalog, frozenset(desk.types.catalogs), "catalog", "journeys/catalogs/")
    columns = desk.types.catalogs.get(name)
    return UNKNOWN if columns is None else Record(columns)


_EXPECTED: Final[dict[str, tuple[frozenset[str], str, Type]]] = {
    "duration": (frozenset({"string", "duration"}), "a text such as '7d'", DURATION),
    "days": (frozenset({"number"}), "a number", DURATION),
    "hours": (frozenset({"number"}), "a number", DURATION),
    "date": (frozenset({"string", "moment"}), "a text or a date", UNKNOWN),
    "next_weekday": (frozenset({"string", "moment"}), "a date", DATE),
    "days_since": (frozenset({"string", "moment"}), "a date", INTEGER),
    "days_until": (frozenset({"string", "moment"}), "a date", INTEGER),
}


def check_call(desk: Desk, node: Call) -> Type:
    """A function of its arguments."""
    argument = node.args[0]
    assert argument is not None  # by every signature
    kind = desk.infer(argument)
    for extra in node.args[1:]:
        if extra is not None:
            desk.infer(extra)
    if node.function == "rank":
        if not isinstance(kind, Enum) and family(kind) != "none":
            offset, length = extent(argument)
            desk.complain(
                offset,
                length,
                "type_clash",
                f"'rank' takes a property declared with an enum, not {type_name(kind)}",
                "give it an 'enum' in schema.yaml: the rank is its place there",
            )
        return INTEGER
    families, expected, result = _EXPECTED[node.function]
    if family(kind) not in families | {"anything"} or (isinstance(kind, Enum) and node.function != "duration"):
        desk.clash(argument, f"'{node.function}' takes {expected}, not {type_name(kind)}")
        return result
    return _constants(desk, node, argument, kind, result)


def _constants(desk: Desk, node: Call, argument: Node, kind: Type, result: Type) -> Type:
    """Constant texts are read at once, so that lint shows what would fail later."""
    text = argument.value if isinstance(argument, Literal) and isinstance(argument.value, str) else None
    form = node.args[1] if node.function == "date" else None
    try:
        if form is not None:
            return _dated_by(text, form)
        if node.function == "date" and family(kind) == "moment":
            return kind
        if text is None:
            return result
        if node.function == "duration":
            parse_fixed(text, negative=True)
            return result
        moment = read_date(text)
    except ValueError as error:
        desk.clash(argument, str(error))
        return result
    if node.function == "date":
        return DATETIME if isinstance(moment, datetime) else DATE
    return result


def _dated_by(text: str | None, form: Node) -> Type:
    if not isinstance(form, Literal) or not isinstance(form.value, str):
        return UNKNOWN
    if text is not None:
        read_moment_by(text, form.value)
    return DATETIME if has_time(form.value) else DATE
