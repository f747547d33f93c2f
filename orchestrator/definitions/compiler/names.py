"""What an expression may name at one place of a file, and what became of the expressions read there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from orchestrator.core.expression.check import check
from orchestrator.core.expression.expr import Expr, TooMuchWork, compiled
from orchestrator.core.expression.finding import Finding
from orchestrator.core.expression.nodes import Node
from orchestrator.core.expression.types import UNKNOWN, Type, Types
from orchestrator.definitions.expressions import ExpressionSyntax, parse


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an expression came to: `expr` is None where it cannot be used; `findings` hold errors and warnings."""

    expr: Expr | None
    kind: Type
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Names:
    """The types and variables in force at a place. Outcomes are kept, so that what stands twice is read once."""

    types: Types
    vars: Mapping[str, Expr] = field(default_factory=dict)
    hushed: frozenset[str] = frozenset()
    """Codes of findings that say nothing, because the file that would know could not be read."""
    outcomes: dict[str, Outcome] = field(default_factory=dict, repr=False)

    def seeing_event(self, event: Type | None) -> Names:
        """The same place while an event with these properties is looked at."""
        return Names(replace(self.types, event=event), self.vars, self.hushed)

    def read(self, source: str) -> Outcome:
        """Parse, check and compile an expression. Never raises: what is wrong with it is among the findings."""
        outcome = self.outcomes.get(source)
        if outcome is None:
            outcome = self.outcomes[source] = self._read(source)
        return outcome

    def _read(self, source: str) -> Outcome:
        node = _tree(source)
        if isinstance(node, ExpressionSyntax):
            return Outcome(None, UNKNOWN, (_finding(node),))
        kind, found = check(node, self.types)
        findings = [finding for finding in found if finding.code not in self.hushed]
        if any(finding.severity == "error" for finding in findings):
            return Outcome(None, kind, tuple(findings))
        try:
            return Outcome(compiled(source, node, types=self.types, vars=self.vars), kind, tuple(findings))
        except TooMuchWork as error:
            finding = Finding(0, len(source), "expression_too_large", str(error), "simplify the variables")
            return Outcome(None, kind, (*findings, finding))


def tree_or_none(source: str) -> Node | None:
    """The tree of an expression; None where it cannot be read."""
    node = _tree(source)
    return None if isinstance(node, ExpressionSyntax) else node


def _finding(error: ExpressionSyntax) -> Finding:
    return Finding(error.offset, 1, error.code, error.message, error.hint)


@lru_cache(maxsize=8192)
def _tree(source: str) -> Node | ExpressionSyntax:
    """The tree of an expression: it depends on the text alone, and many journeys share their conditions."""
    try:
        return parse(source)
    except ExpressionSyntax as error:
        return error
