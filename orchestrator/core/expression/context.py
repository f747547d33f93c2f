"""What the parts of the compiler share while they turn a tree into closures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from zoneinfo import ZoneInfo

from orchestrator.core.expression.builtin_events import EVENTS
from orchestrator.core.expression.moments import as_day, as_instant
from orchestrator.core.expression.nodes import Node
from orchestrator.core.expression.scope import Evaluator, Scope, Value
from orchestrator.core.expression.types import DATE, DATETIME, Type, Types
from orchestrator.records import dataclass


@dataclass(frozen=True, slots=True)
class Context:
    """`kinds` holds the static type of every node by id(node), where types are known. `quiet`: `now` is compared
    steadily, so it notes nothing itself. `hoisting`: inside `where=`, where variables are evaluated once."""

    compile_with: Callable[[Node, Context], Evaluator]
    variables: Mapping[str, Evaluator]
    types: Types | None
    kinds: Mapping[int, Type]
    quiet: bool = False
    hoisting: bool = False

    def compile(self, node: Node) -> Evaluator:
        """The evaluator of a node below; `now` in it is noted as usual."""
        return self.compile_with(node, replace(self, quiet=False) if self.quiet else self)

    def compile_quietly(self, node: Node) -> Evaluator:
        """The evaluator of a node that moves steadily with `now` and is noted by the comparison around it."""
        return self.compile_with(node, self if self.quiet else replace(self, quiet=True))

    def inside_where(self) -> Context:
        """The context of a `where=`."""
        return replace(self, hoisting=True, quiet=False)

    def type_of(self, node: Node) -> Type | None:
        """The static type of a node, where it is known."""
        return self.kinds.get(id(node))

    def property_type(self, event: str, prop: str) -> Type | None:
        """The declared type of an event's property, where it is known."""
        if self.types is None:
            return None
        fields = self.types.events.get(event) or EVENTS.get(event)
        return None if fields is None else fields.get(prop)


def conversion(declared: Type | None) -> Callable[[Value, ZoneInfo, int], Value] | None:
    """What turns the text of a property declared as date or datetime into what it means; None for other types."""
    if declared == DATE:
        return as_day
    return as_instant if declared == DATETIME else None


def reading(evaluate: Evaluator, declared: Type | None, offset: int) -> Evaluator:
    """The evaluator of a property as its declared type has it, read when it is accessed, so that the order is right.

    It raises EvaluationError where a text cannot be read.
    """
    convert = conversion(declared)
    if convert is None:
        return evaluate

    def converted(scope: Scope) -> Value:
        value = evaluate(scope)
        return None if value is None else convert(value, scope.zone, offset)

    return converted
