"""The type checker: what lint can say about an expression before there is any data.

It knows the tracking plan (types.Types) and complains where an expression cannot mean anything: unknown names, with
the nearest known one, and values that cannot meet. An open object or an unknown type never gives rise to a complaint;
that a value may be none is no complaint either, for the language says what happens then.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from orchestrator.core.expression import check_calls, check_filters
from orchestrator.core.expression.check_operators import check_arithmetic, check_pair, check_sign
from orchestrator.core.expression.finding import Desk, Finding
from orchestrator.core.expression.nearest import did_you_mean, known_words
from orchestrator.core.expression.nodes import (
    And,
    Arithmetic,
    Attribute,
    Call,
    CatalogRow,
    Compare,
    Conditional,
    DictNode,
    Fact,
    Filter,
    History,
    IsNone,
    Item,
    ListNode,
    Literal,
    Name,
    Node,
    Not,
    Or,
    Sign,
)
from orchestrator.core.expression.reserved import LOOP, NAMES, customer_type, entry_type, event_type, past_event_type
from orchestrator.core.expression.types import (
    BOOLEAN,
    DATE,
    DATETIME,
    INTEGER,
    NONE,
    NUMBER,
    STRING,
    UNKNOWN,
    Enum,
    ListOf,
    Record,
    Scalar,
    Type,
    Types,
    either,
    type_name,
)

_FOREIGN_NAMES = {
    "null": "write none",
    "nil": "write none",
    "undefined": "write none",
    "user": "the person is 'customer'",
    "profile": "the person is 'customer'",
    "contact": "the person is 'customer'",
    "trigger": "the event that let in is 'entry'",
    "yes": "write true",
    "no": "write false",
}


def check(node: Node, types: Types) -> tuple[Type, list[Finding]]:
    """The type of an expression, and all that is wrong with it, by position."""
    checker = Checker(types)
    kind = checker.infer(node)
    return kind, sorted(checker.findings, key=lambda finding: finding.offset)


def kinds_of(node: Node, types: Types) -> Mapping[int, Type]:
    """The type of every node of the tree, by `id(node)`: for the compiler, which keeps the tree alive meanwhile."""
    checker = Checker(types)
    checker.infer(node)
    return checker.kinds


class Checker(Desk):
    """One pass over one tree."""

    def __init__(self, types: Types) -> None:
        super().__init__(types)
        self.it: Type | None = None

    def infer(self, node: Node) -> Type:
        """The type of a node; what is wrong with it goes to `findings`."""
        kind = self._infer(node)
        self.kinds[id(node)] = kind
        return kind

    def infer_where(self, where: Node, event: str) -> None:
        """Looks into a `where=`, in which `it` is a past event."""
        outer, self.it = self.it, past_event_type(event, self.types)
        self.infer(where)
        self.it = outer

    def _infer(self, node: Node) -> Type:
        match node:
            case Literal(value=value):
                return _literal_type(value)
            case ListNode(items=items):
                return ListOf(either(self.infer(item) for item in items))
            case DictNode(items=pairs):
                return Record({key: self.infer(item) for key, item in pairs})
            case Name():
                return self._name(node)
            case Attribute(target=target, name=name):
                return self._property(self.infer(target), name, node.offset, target)
            case Item(target=target, key=key):
                return self._item(node, self.infer(target), self.infer(key))
            case Sign(operand=operand):
                return check_sign(self, node, self.infer(operand))
            case Arithmetic():
                return check_arithmetic(self, node)
            case Compare(first=first, rest=rest):
                left = first
                self.infer(left)
                for operator, right in rest:
                    self.infer(right)
                    check_pair(self, left, operator, right)
                    left = right
                return BOOLEAN
            case Not(operand=operand) | IsNone(operand=operand):
                self.infer(operand)
                return BOOLEAN
            case And(operands=operands) | Or(operands=operands):
                return either(self.infer(operand) for operand in operands)
            case Conditional(test=test, then=then, otherwise=otherwise):
                self.infer(test)
                return either((self.infer(then), self.infer(otherwise)))
            case History():
                return check_calls.check_history(self, node, self.infer_where)
            case Fact():
                return check_calls.check_fact(self, node)
            case CatalogRow():
                return check_calls.check_catalog(self, node)
            case Call():
                return check_calls.check_call(self, node)
            case Filter():
                return check_filters.check_filter(self, node)
            case _:
                assert_never(node)

    def _name(self, node: Name) -> Type:
        match node.name:
            case "customer":
                return customer_type(self.types)
            case "event" | "entry" | "it" as name:
                found = {
                    "event": event_type(self.types.event),
                    "entry": entry_type(self.types.entry),
                    "it": self.it,
                }[name]
                return self._missing(node) if found is None else found
            case "loop":
                return LOOP
            case "now":
                return DATETIME
            case "today":
                return DATE
        found = self.types.vars.get(node.name)
        if found is None:
            found = self.types.results.get(node.name)
        return self._unknown_name(node) if found is None else found

    def _missing(self, node: Name) -> Type:
        message, hint = {
            "event": ("there is no 'event' here", "'event' is the event being looked at; what let in is 'entry'"),
            "entry": ("there is no 'entry' here", "'entry' is known inside a journey only"),
            "it": (
                "there is no 'it' here",
                "'it' is the past event inside where=, as in count('e', where=it.total > 9)",
            ),
        }[node.name]
        self.complain(node.offset, len(node.name), "unknown_name", message, hint)
        return UNKNOWN

    def _unknown_name(self, node: Name) -> Type:
        name = node.name
        hint = _FOREIGN_NAMES.get(name)
        if hint is None:
            if name in self.types.customer:
                hint = f"did you mean customer.{name}?"
            elif isinstance(self.types.entry, Record) and name in (self.types.entry.fields or {}):
                hint = f"did you mean entry.{name}?"
            elif isinstance(self.types.event, Record) and name in (self.types.event.fields or {}):
                hint = f"did you mean event.{name}?"
            else:
                known = {*NAMES, *self.types.vars, *self.types.results} - ({"it"} if self.it is None else set())
                hint = did_you_mean(name, known) or f"known here: {known_words(known)}; a text stands in quotes"
        self.complain(node.offset, len(name), "unknown_name", f"'{name}' is not known here", hint)
        return UNKNOWN

    def _property(self, target: Type, name: str, offset: int, source: Node) -> Type:
        match target:
            case Record(fields=None) | Scalar(kind="unknown" | "none"):
                return UNKNOWN
            case Record(fields=fields, open=is_open) if fields is not None:
                if name in fields:
                    return fields[name]
                if not is_open:
                    self._unknown_property(fields, name, offset, source)
                return UNKNOWN
        hint = "a list is asked by a filter, as in x | first" if isinstance(target, ListOf) else None
        self.complain(
            offset,
            len(name),
            "unknown_property",
            f"{type_name(target)} has no property '{name}'; only objects have",
            hint,
        )
        return UNKNOWN

    def _unknown_property(self, fields: Mapping[str, Type], name: str, offset: int, source: Node) -> None:
        of_customer = isinstance(source, Name) and source.name == "customer"
        if isinstance(source, Attribute) and source.name == "attributes":
            of_customer = isinstance(source.target, Name) and source.target.name == "customer"
        hint = did_you_mean(name, fields)
        if of_customer:
            way_out = hint or "declare it under 'customer' in schema.yaml"
            self.complain(offset, len(name), "unknown_attribute", f"no attribute '{name}' is declared", way_out)
            return
        if isinstance(source, Attribute) and source.name == "score" and source.target == Name("customer"):
            way_out = hint or "declare it under `scores` in journeys/project.yaml"
            self.complain(offset, len(name), "unknown_score", f"there is no score '{name}'", way_out)
            return
        where = f" of '{source.name}'" if isinstance(source, Name) else ""
        way_out = hint or f"known: {known_words(fields)}; or declare it in schema.yaml"
        self.complain(offset, len(name), "unknown_property", f"no property '{name}'{where} is declared", way_out)

    def _item(self, node: Item, target: Type, key: Type) -> Type:
        if isinstance(node.key, Literal) and isinstance(node.key.value, str) and not isinstance(target, ListOf):
            return self._property(target, node.key.value, node.key.offset, node.target)
        match target:
            case ListOf(item=item):
                if not (isinstance(key, Scalar) and key.kind in ("integer", "number", "unknown", "none")):
                    self.clash(node.key, f"a list is asked by a whole number, not by {type_name(key)}")
                return item
            case Record() | Scalar(kind="unknown" | "none"):
                return UNKNOWN
        self.clash(node.target, f"{type_name(target)} has no items; only lists and objects have")
        return UNKNOWN


def _literal_type(value: bool | int | float | str | None) -> Type:
    match value:
        case None:
            return NONE
        case bool():
            return BOOLEAN
        case int():
            return INTEGER
        case float():
            return NUMBER
        case str():
            return STRING
        case _:
            assert_never(value)


__all__ = ["Checker", "Enum", "Finding", "check", "kinds_of"]
