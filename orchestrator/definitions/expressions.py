"""From the text of an expression to its tree: tokens, grammar, and a whitelist of what the grammar can read.

What Jinja can read and the language does not have (methods, `**`, slices, tests but `is none`) is refused with the way
out, before anything is evaluated.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from orchestrator.core.expression.evaluate import NO_VARS
from orchestrator.core.expression.expr import Expr, TooMuchWork, compiled
from orchestrator.core.expression.nodes import Node
from orchestrator.core.expression.scope import Evaluator
from orchestrator.core.expression.types import Types
from orchestrator.definitions.expression_grammar import Grammar
from orchestrator.definitions.expression_parts import size_of
from orchestrator.definitions.expression_tokens import ExpressionSyntax, check_levels, tokens_of
from orchestrator.definitions.expression_tree import Translator

MOST_NODES = 400

__all__ = ["ExpressionSyntax", "build_expr", "parse"]


@lru_cache(maxsize=4096)
def parse(source: str) -> Node:
    """The tree of an expression.

    Raises ExpressionSyntax with offset and way out: beyond the bounds (4,000 characters, 400 nodes, 32 levels,
    integers of 64 bits, lists of 1,000), not readable, or not part of the language.
    """
    tokens = tokens_of(source)
    check_levels(tokens)
    try:
        whole = Grammar(tokens).whole()
        if len(tokens) > MOST_NODES and (size := size_of(whole)) > MOST_NODES:  # every node has a token of its own
            message = f"the expression has {size} parts, more than {MOST_NODES}"
            raise ExpressionSyntax(message, 0, "name its parts under vars:", "expression_too_large")
        return Translator(tokens).node(whole)
    except RecursionError:  # only where the caller's own stack was deep already
        raise ExpressionSyntax("the expression is nested too deeply", 0, code="expression_too_large") from None


def build_expr(
    source: str,
    *,
    types: Types | None = None,
    vars: Mapping[str, Expr | Evaluator] = NO_VARS,
) -> Expr:
    """An expression ready for use. Pass variables as Expr, so that their needs become part of this one's.

    Raises ExpressionSyntax as `parse` does, and where variables written out come to more than 20,000 nodes.
    """
    node = parse(source)
    try:
        return compiled(source, node, types=types, vars=vars)
    except TooMuchWork as error:
        raise ExpressionSyntax(str(error), 0, "simplify the variables", "expression_too_large") from None
