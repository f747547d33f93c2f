"""Types of filters: what each takes, and what comes out of it."""

from __future__ import annotations

from typing import Final

from orchestrator.core.expression.check_operators import family
from orchestrator.core.expression.date_formats import format_pieces
from orchestrator.core.expression.finding import Desk
from orchestrator.core.expression.nearest import did_you_mean, known_words
from orchestrator.core.expression.nodes import Filter, Literal, Node
from orchestrator.core.expression.types import (
    DATE,
    DATETIME,
    INTEGER,
    NUMBER,
    STRING,
    UNKNOWN,
    Enum,
    ListOf,
    Record,
    Type,
    either,
    type_name,
)

_TEXT: Final = (frozenset({"string"}), "a text")
_NUMBER: Final = (frozenset({"number"}), "a number")
_LIST: Final = (frozenset({"list"}), "a list")
_MOMENT: Final = (frozenset({"string", "moment"}), "a date")

_TAKES: Final[dict[str, tuple[frozenset[str], str]]] = {
    **dict.fromkeys(("lower", "upper", "trim", "replace", "truncate"), _TEXT),
    **dict.fromkeys(("round", "money"), _NUMBER),
    **dict.fromkeys(("min", "max", "sum", "sort", "unique", "join", "map", "selectattr", "rejectattr"), _LIST),
    **dict.fromkeys(("date", "datetime"), _MOMENT),
    **dict.fromkeys(("first", "last"), (frozenset({"list", "string"}), "a list or text")),
    "length": (frozenset({"list", "string", "object"}), "a list, text or object"),
    "abs": (frozenset({"number", "duration"}), "a number"),
}
_FORMATTED: Final = {"date": DATE, "datetime": DATETIME}


def check_filter(desk: Desk, node: Filter) -> Type:
    """The type that a filter gives; complains about a value that it has no meaning for."""
    kind = desk.infer(node.target)
    args = [UNKNOWN if arg is None else desk.infer(arg) for arg in node.args]
    takes = _TAKES.get(node.name)
    if takes is not None and family(kind) not in takes[0] | {"anything"}:
        desk.clash(node.target, f"'{node.name}' takes {takes[1]}, not {type_name(kind)}", _bridge(node.name, kind))
        return UNKNOWN
    match node.name:
        case "default":
            return either((kind, args[0]))
        case "length" | "int":
            return INTEGER
        case "float":
            return NUMBER
        case "lower" | "upper" | "trim" | "replace" | "truncate" | "string" | "join" | "money":
            if node.name == "join":
                _attribute_type(desk, kind, node.args[1])
            return STRING
        case "round":
            return INTEGER if node.args[0] is None else NUMBER
        case "abs":
            return kind
        case "date" | "datetime":
            return _formatted(desk, node)
    return _list_filter(desk, node, kind)


def _list_filter(desk: Desk, node: Filter, kind: Type) -> Type:
    item = kind.item if isinstance(kind, ListOf) else STRING if family(kind) == "string" else UNKNOWN
    match node.name:
        case "first" | "last":
            return item
        case "min" | "max":
            _attribute_type(desk, kind, node.args[0])
            return item
        case "sum":
            summed = _attribute_type(desk, kind, node.args[0])
            if family(summed) not in ("number", "duration", "anything"):
                desk.clash(node.target, f"'sum' adds up numbers, not {type_name(summed)}")
            return summed
        case "map":
            return ListOf(_attribute_type(desk, kind, node.args[0]))
        case "sort":
            _attribute_type(desk, kind, node.args[1])
            return kind
        case "unique" | "selectattr" | "rejectattr":
            _attribute_type(desk, kind, node.args[0])
            return kind
        case _:
            raise AssertionError(node.name)  # the parser knows no other


def _attribute_type(desk: Desk, kind: Type, attribute: Node | None) -> Type:
    """The type of what stands at `attribute='a.b'` of the items of a list; without it, of the items."""
    item = kind.item if isinstance(kind, ListOf) else UNKNOWN
    if attribute is None:
        return item
    if not isinstance(attribute, Literal) or not isinstance(attribute.value, str):
        return UNKNOWN
    for name in attribute.value.split("."):
        if not isinstance(item, Record) or item.fields is None:
            return UNKNOWN
        if name not in item.fields:
            if not item.open:
                hint = did_you_mean(name, item.fields) or f"known: {known_words(item.fields)}"
                message = f"no property '{name}' of the items is declared"
                desk.complain(attribute.offset, len(attribute.value) + 2, "unknown_property", message, hint)
            return UNKNOWN
        item = item.fields[name]
    return item


def _formatted(desk: Desk, node: Filter) -> Type:
    form = node.args[0]
    if form is None:
        return _FORMATTED[node.name]
    if isinstance(form, Literal) and isinstance(form.value, str):
        try:
            format_pieces(form.value)
        except ValueError as error:
            desk.clash(form, str(error))
    return STRING


def _bridge(name: str, kind: Type) -> str | None:
    if name in ("round", "money") and family(kind) == "string" and not isinstance(kind, Enum):
        return "a text becomes a number by | float"
    if _TAKES[name] is _TEXT:
        return "make it one by | string"
    return None
