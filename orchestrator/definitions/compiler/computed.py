"""Computed attributes of schema.yaml: what events add up to, and formulas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, cast

from orchestrator.core.accumulators import Accumulator, Kind, mark_of
from orchestrator.core.expression.inlining import inlined
from orchestrator.core.expression.needs import NOTHING
from orchestrator.core.expression.nodes import Node
from orchestrator.core.expression.reserved import properties_of
from orchestrator.core.expression.types import ListOf, Record, Scalar, Type, Types, type_name
from orchestrator.definitions.compiler.fields import Fields, Wanted
from orchestrator.definitions.compiler.names import Names, needs_of, tree_or_none
from orchestrator.definitions.compiler.segments import in_cycles, in_order
from orchestrator.definitions.compiler.types import event_record
from orchestrator.definitions.models.computed import ComputedModel
from orchestrator.definitions.models.schema import AttributeSpec, SchemaModel
from orchestrator.definitions.source import Path

_FITTING: Final[Mapping[str, frozenset[str]]] = {
    "count": frozenset({"integer", "number"}),
    "sum": frozenset({"integer", "number"}),
    "most": frozenset({"string"}),
    "instant": frozenset({"date", "datetime"}),
    "min": frozenset({"integer", "number", "string", "date", "datetime"}),
    "max": frozenset({"integer", "number", "string", "date", "datetime"}),
    "first": frozenset({"integer", "number", "string", "boolean", "date", "datetime"}),
    "last": frozenset({"integer", "number", "string", "boolean", "date", "datetime"}),
}
"""The types that an attribute of each kind may have."""
_WANTED: Final[Mapping[str, Wanted]] = {
    "integer": Wanted("a whole number, such as days_since(...)", frozenset({"integer", "number"})),
    "number": Wanted("a number", frozenset({"integer", "number"})),
    "string": Wanted("a text", frozenset({"string"})),
    "boolean": Wanted("true or false", frozenset({"boolean"})),
    "date": Wanted("a date", frozenset({"date", "datetime", "string"})),
    "datetime": Wanted("a date with a time", frozenset({"date", "datetime", "string"})),
}


def formula_trees(schema: SchemaModel) -> dict[str, Node]:
    """Every formula that can be read, with those that it uses written out. Those that depend on themselves are left
    out."""
    asked = _asked(schema)
    circular = in_cycles(asked)
    trees: dict[str, Node] = {}
    for name in in_order(asked):
        tree = tree_or_none(schema.customer[name].formula or "")
        if tree is not None and name not in circular:
            trees[name] = inlined(tree, trees)
    return trees


def _asked(schema: SchemaModel) -> dict[str, list[str]]:
    """By formula, the other formulas that it asks for."""
    formulas = {name: spec.formula for name, spec in schema.customer.items() if spec.formula is not None}
    return {name: sorted(needs_of(text).customer & formulas.keys()) for name, text in formulas.items()}


def compile_computed(schema: SchemaModel, fields: Fields, names: Names) -> dict[str, Accumulator]:
    """The attributes that events add up to; what is wrong with these and with formulas goes to `fields`."""
    found: dict[str, Accumulator] = {}
    circular = in_cycles(_asked(schema))
    for name, spec in schema.customer.items():
        path: Path = ("customer", name)
        if name in circular:
            message = f"the formula of '{name}' depends on itself"
            fields.complain((*path, "formula"), "formula_cycle", message, "take one of them out of the other's formula")
        elif spec.formula is not None:
            fields.expression(spec.formula, (*path, "formula"), names, _WANTED.get(spec.type))
        if spec.computed is not None:
            found[name] = _accumulator(name, spec, spec.computed, (*path, "computed"), fields, names)
    return found


def _accumulator(
    name: str, spec: AttributeSpec, model: ComputedModel, path: Path, fields: Fields, names: Names
) -> Accumulator:
    kind, event = model.kind, model.event
    steps = tuple(model.property_.split(".")) if model.property_ is not None else ()
    fitting = _FITTING["instant" if not steps and kind != "count" else kind]
    if spec.type not in fitting:
        message = f"`{kind}` gives no {spec.type}"
        hint = f"declare it with `type: {sorted(fitting)[0]}`"
        fields.complain(("customer", name, "type"), "type_clash", message, hint)
    types = names.types
    if properties_of(event, types) is None and "unknown_event" not in names.hushed:
        message = f"no event '{event}' is declared"
        fields.complain((*path, kind), "unknown_event", message, "declare it under `events`", severity="warning")
    if steps:
        check_property(steps, event_record(event, types), (*path, "property"), fields)
    where = fields.optional(model.where, (*path, "where"), names.seeing_event(event_record(event, types)))
    if where is not None and replace(where.needs, event=frozenset()) != NOTHING:
        message = "the condition of a computed attribute reads the event alone: it counts once, and for good"
        hint = "write it as `event.name == ...`; a `formula` may read more"
        fields.complain((*path, "where"), "bad_value", message, hint)
    mark = mark_of(kind, event, steps, model.where or "")
    return Accumulator(name, cast("Kind", kind), event, steps, where, mark)


def check_property(steps: tuple[str, ...], record: Type, path: Path, fields: Fields) -> None:
    """A property that nobody declared is a slip of the pen."""
    kind = record
    for step in steps:
        while isinstance(kind, ListOf):
            kind = kind.item
        match kind:
            case Record(fields=None) | Scalar(kind="unknown"):
                return
            case Record(fields=known, open=is_open) if known is not None:
                if step not in known:
                    if not is_open:
                        message = f"no property '{step}' is declared"
                        fields.complain(path, "unknown_property", message, "declare it under `events`")
                    return
                kind = known[step]
            case _:
                message = f"{type_name(kind)} has no property '{step}'"
                fields.complain(path, "unknown_property", message)
                return


def with_formulas(types: Types, schema: SchemaModel) -> Types:
    """The types that know what formulas stand for."""
    formulas = formula_trees(schema)
    return replace(types, formulas=formulas) if formulas else types
