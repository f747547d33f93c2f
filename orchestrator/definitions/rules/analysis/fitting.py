"""Whether a value, or a value of a type, can be what the tracking plan declares."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from orchestrator.core.expression.types import STRING, Enum, ListOf, Record, Scalar, Type
from orchestrator.definitions.compiler.names import Names
from orchestrator.definitions.compiler.template_text import Hole, Miswritten, cut

_NUMBERS = frozenset({"integer", "number"})
_MOMENTS = frozenset({"date", "datetime"})


def accepts(declared: Type, value: Any) -> bool:
    """Whether `value` (a literal, or a Type) may stand where `declared` is expected. None fits everywhere; in doubt
    it fits."""
    if isinstance(value, (Scalar, Enum, ListOf, Record)):
        return _takes(declared, value)
    if value is None:
        return True
    match declared:
        case Enum(values=values):
            return isinstance(value, str) and value in values
        case ListOf(item=item):
            return isinstance(value, list) and all(accepts(item, part) for part in value)
        case Record(fields=fields):
            known = fields or {}
            return isinstance(value, dict) and all(accepts(known[key], value[key]) for key in known if key in value)
        case Scalar(kind=kind):
            return _is_a(kind, value)


def _is_a(kind: str, value: Any) -> bool:
    match kind:
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case "date" | "datetime":
            return isinstance(value, str) and _reads_as_moment(value)
        case _:
            return True


def _reads_as_moment(text: str) -> bool:
    try:
        date.fromisoformat(text) if len(text) == len("2026-12-31") else datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _takes(declared: Type, kind: Type) -> bool:
    """Whether a value of type `kind` may be what is declared."""
    if isinstance(kind, Scalar) and kind.kind in ("unknown", "none"):
        return True
    match declared, kind:
        case Scalar(kind="unknown"), _:
            return True
        case Enum(values=values), Enum(values=others):
            return bool(set(values) & set(others))
        case Enum() | Scalar(kind="string" | "date" | "datetime"), Scalar(kind="string"):
            return True
        case Scalar(kind="string"), Enum() | Scalar(kind="date" | "datetime"):
            return True
        case Scalar(kind=one), Scalar(kind=other):
            return one == other or {one, other} <= _NUMBERS or {one, other} <= _MOMENTS
        case ListOf(item=one), ListOf(item=other):
            return _takes(one, other)
        case Record(), Record():
            return True
        case _:
            return False


def moment(kind: Type) -> bool:
    """Whether a value of this type is, or may be, a date."""
    return isinstance(kind, Scalar) and kind.kind in (*_MOMENTS, "unknown")


def type_of_template(value: Any, names: Names) -> Type | None:
    """The type of a template field's value; None for a literal, which is its own value."""
    if not isinstance(value, str):
        return None
    try:
        pieces = cut(value)
    except Miswritten:
        return Scalar("unknown")
    if not any(isinstance(piece, Hole) for piece in pieces):
        return None
    if len(pieces) == 1 and isinstance(pieces[0], Hole):
        return names.read(pieces[0].source).kind
    return STRING
