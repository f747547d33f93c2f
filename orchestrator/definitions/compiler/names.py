"""What an expression may name at one place of a file, and what became of the expressions read there."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import field, replace
from functools import lru_cache
from typing import NamedTuple

from orchestrator.core.expression.check import check
from orchestrator.core.expression.expr import Expr, TooMuchWork, compiled
from orchestrator.core.expression.finding import Finding
from orchestrator.core.expression.needs import NOTHING, Needs, needs
from orchestrator.core.expression.nodes import Node
from orchestrator.core.expression.types import UNKNOWN, Record, Type, Types
from orchestrator.definitions.expressions import ExpressionSyntax, parse
from orchestrator.records import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an expression came to: `expr` is None where it cannot be used; `findings` hold errors and warnings."""

    expr: Expr | None
    kind: Type
    findings: tuple[Finding, ...] = ()


class Readings:
    """What was read so far in a project. Journeys share most of their conditions: each is compiled once.

    An expression means the same at two places where all that it names there is of the same types; the types compared
    are those of `interned`, by identity.
    """

    __slots__ = ("_interned", "_outcomes")

    def __init__(self) -> None:
        self._interned: dict[str, Type] = {}
        self._outcomes: dict[Hashable, tuple[Outcome, Names]] = {}

    def interned(self, kind: Type) -> Type:
        """The one object that stands for all types equal to this one."""
        return self._interned.setdefault(repr(kind), kind)

    def recall(self, key: Hashable) -> Outcome | None:
        """What an expression came to at a like place."""
        found = self._outcomes.get(key)
        return None if found is None else found[0]

    def remember(self, key: Hashable, outcome: Outcome, names: Names) -> None:
        """Keep what an expression came to; `names` are kept with it, so that their identities stay theirs."""
        self._outcomes[key] = (outcome, names)


@dataclass(frozen=True, slots=True, eq=False)
class Names:
    """The types and variables in force at a place of a file."""

    types: Types
    vars: Mapping[str, Expr] = field(default_factory=dict)
    hushed: frozenset[str] = frozenset()
    """Codes of findings that say nothing, because the file that would know could not be read."""
    readings: Readings = field(default_factory=Readings, repr=False)
    _outcomes: dict[str, Outcome] = field(default_factory=dict, repr=False)
    _seeing: dict[Hashable, Names] = field(default_factory=dict, repr=False)

    def seeing_event(self, event: Type | None) -> Names:
        """The same place while an event with these properties is looked at."""
        key = _identity(event)
        names = self._seeing.get(key)
        if names is None:
            names = self._seeing[key] = self.with_types(replace(self.types, event=event))
        return names

    def with_types(self, types: Types) -> Names:
        """The same variables beside other types."""
        return Names(types, self.vars, self.hushed, self.readings)

    def with_vars(self, types: Types, variables: Mapping[str, Expr]) -> Names:
        """Other types and other variables."""
        return Names(types, variables, self.hushed, self.readings)

    def read(self, source: str) -> Outcome:
        """Parse, check and compile an expression. Never raises: what is wrong with it is among the findings."""
        outcome = self._outcomes.get(source)
        if outcome is None:
            outcome = self._outcomes[source] = self._read(source)
        return outcome

    def _read(self, source: str) -> Outcome:
        tree = _tree(source)
        if isinstance(tree, ExpressionSyntax):
            finding = Finding(tree.offset, 1, tree.code, tree.message, tree.hint)
            return Outcome(None, UNKNOWN, (finding,))
        key = (source, self.meaning(tree.asks))
        outcome = self.readings.recall(key)
        if outcome is None:
            outcome = self._compiled(source, tree)
            if not outcome.findings:  # hints differ from place to place
                self.readings.remember(key, outcome, self)
        return outcome

    def meaning(self, asks: Needs) -> Hashable:
        """Equal at two places where all that these needs name is of the same types, so that it means the same."""
        types = self.types
        return (
            _identity(types.event) if asks.event else None,
            _identity(types.entry) if asks.entry else None,
            types.steps is None or asks.steps <= types.steps,
            tuple(
                (id(self.vars.get(n)), id(types.vars.get(n)), id(types.results.get(n))) for n in sorted(asks.results)
            ),
        )

    def _compiled(self, source: str, tree: _Tree) -> Outcome:
        kind, found = check(tree.node, self.types)
        findings = [finding for finding in found if finding.code not in self.hushed]
        if any(finding.severity == "error" for finding in findings):
            return Outcome(None, kind, tuple(findings))
        try:
            expr = compiled(source, tree.node, types=self.types, vars=self.vars, asks=tree.asks)
        except TooMuchWork as error:
            finding = Finding(0, len(source), "expression_too_large", str(error), "simplify the variables")
            return Outcome(None, kind, (*findings, finding))
        return Outcome(expr, kind, tuple(findings))


def _identity(kind: Type | None) -> Hashable:
    """Equal for the same type; of an object the fields tell, which are the tracking plan's own."""
    return (id(kind.fields), kind.open) if isinstance(kind, Record) else id(kind)


class _Tree(NamedTuple):
    node: Node
    asks: Needs


@lru_cache(maxsize=8192)
def _tree(source: str) -> _Tree | ExpressionSyntax:
    """The tree of an expression, which depends on its text alone."""
    try:
        node = parse(source)
    except ExpressionSyntax as error:
        return error
    return _Tree(node, needs(node))


def tree_or_none(source: str) -> Node | None:
    """The tree of an expression; None where it cannot be read."""
    tree = _tree(source)
    return None if isinstance(tree, ExpressionSyntax) else tree.node


def needs_of(source: str) -> Needs:
    """What an expression asks for; nothing where it cannot be read."""
    tree = _tree(source)
    return NOTHING if isinstance(tree, ExpressionSyntax) else tree.asks


def names_asked(source: str) -> frozenset[str]:
    """The names of results and variables that an expression uses; none where it cannot be read."""
    return needs_of(source).results
