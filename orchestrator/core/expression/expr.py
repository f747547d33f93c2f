"""An expression ready for use: its source, its tree, its evaluator, and the facts it will ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field

from orchestrator.core.expression.evaluate import NO_VARS, compile_node
from orchestrator.core.expression.inlining import inlined
from orchestrator.core.expression.leaves import leaves_of
from orchestrator.core.expression.needs import Needs, needs
from orchestrator.core.expression.nodes import Name, Node, walk
from orchestrator.core.expression.reserved import NAMES
from orchestrator.core.expression.scope import Evaluator, Scope, Value
from orchestrator.core.expression.steady import Steadiness, fades, moves_steadily, set_steadiness
from orchestrator.core.expression.text import text_of
from orchestrator.core.expression.types import Types
from orchestrator.errors import DecisionError, EvaluationError
from orchestrator.records import dataclass

MOST_WORK = 20_000
"""Nodes that one expression may come to when each variable in it is written out."""


class TooMuchWork(ValueError):
    """Variables that use variables that use variables: written out, the expression is beyond all bounds."""


Leaves = Callable[[], tuple[tuple[str, Evaluator], ...]]
"""Canonical texts and evaluators of the parts that an expression's value rests on."""


@dataclass(frozen=True, slots=True)
class Expr:
    """Made by `orchestrator.definitions.expressions.build_expr`, or by `compiled` from a tree.

    `evaluate` raises EvaluationError with source and offset; NotLoaded and FactUnavailable come from the facts.
    Two are equal when their trees are.
    """

    source: str
    node: Node
    evaluate: Evaluator = field(compare=False, repr=False)
    needs: Needs = field(compare=False, repr=False)
    """Those of the variables it uses included."""
    leaves: Leaves = field(compare=False, repr=False)
    """What `explain` shows."""
    work: int = field(compare=False, repr=False, default=1)
    """Its nodes, and those of the variables it uses."""
    types: Types | None = field(compare=False, repr=False, default=None)
    """What it was compiled with, for who compiles the tree once more, into another language."""

    def truth(self, scope: Scope) -> bool:
        """The value as a condition: none is false. Raises EvaluationError, which is neither true nor false."""
        return bool(self.evaluate(scope))

    def explain(self, scope: Scope) -> dict[str, Value]:
        """The values that the decision was taken on, by canonical text: `{"customer.tier": "gold"}`.

        What cannot be evaluated is shown as text. Changes nothing of the scope, notes no instants.
        """
        shown: dict[str, Value] = {}
        tracking, scope.tracking = scope.tracking, False
        try:
            for text, evaluate in self.leaves():
                try:
                    shown[text] = evaluate(scope)
                except DecisionError as error:
                    shown[text] = f"error: {error}"
        finally:
            scope.tracking = tracking
        return shown


def compiled(
    source: str,
    node: Node,
    *,
    types: Types | None = None,
    vars: Mapping[str, Expr | Evaluator] = NO_VARS,
    asks: Needs | None = None,
) -> Expr:
    """An expression from its tree. `vars` are the variables it may use: expressions, or bare evaluators, of which
    neither needs nor work are known. `asks` are the tree's own needs, where they are known. Raises TooMuchWork.

    The tree is compiled when it is first evaluated: most of what lint reads never is.
    """
    evaluators: dict[str, Evaluator] = {
        name: var.evaluate if isinstance(var, Expr) else var for name, var in vars.items()
    }
    if types is not None and types.formulas and (whole := inlined(node, types.formulas)) is not node:
        node, asks = whole, None
    asked, work = needs(node) if asks is None else asks, 0
    for part in walk(node):
        work += 1
        var = vars.get(part.name) if isinstance(part, Name) and part.name not in NAMES else None
        if isinstance(var, Expr):
            asked, work = asked | var.needs, work + var.work
    if work > MOST_WORK:
        raise TooMuchWork(f"with its variables written out, the expression has {work} parts, more than {MOST_WORK}")
    evaluate = _located(lambda: compile_node(node, vars=evaluators, types=types), source)
    if moves_steadily(node, evaluators):
        quiet = _located(lambda: compile_node(node, vars=evaluators, types=types, quiet=True), source)
        set_steadiness(evaluate, Steadiness(True, quiet, fades(node, evaluators)))
    return Expr(source, node, evaluate, asked, _leaves(source, node, evaluators, types), work, types)


def _located(compile_it: Callable[[], Evaluator], source: str) -> Evaluator:
    """Compiles when it is first called. Errors carry the source that their offset points into; those of a variable,
    the variable's own."""
    evaluate: Evaluator | None = None

    def located(scope: Scope) -> Value:
        nonlocal evaluate
        try:
            if evaluate is None:
                evaluate = compile_it()
            return evaluate(scope)
        except EvaluationError as error:
            if not error.source:
                error.source = source
            raise
        except RecursionError:
            raise EvaluationError("the data is nested too deeply", source) from None

    return located


def _leaves(source: str, node: Node, evaluators: Mapping[str, Evaluator], types: Types | None) -> Leaves:
    """Makes the leaves when they are first asked for."""
    found: tuple[tuple[str, Evaluator], ...] | None = None

    def located(leaf: Node) -> Evaluator:
        return _located(lambda: compile_node(leaf, vars=evaluators, types=types), source)

    def leaves() -> tuple[tuple[str, Evaluator], ...]:
        nonlocal found
        if found is None:
            found = tuple({text_of(leaf): located(leaf) for leaf in leaves_of(node)}.items())
        return found

    return leaves
