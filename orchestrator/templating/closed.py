"""Which expressions of a template the engine can work out alone, and by what names they begin."""

from __future__ import annotations

from typing import NamedTuple

from jinja2 import nodes

from orchestrator.core.expression.signatures import FILTERS
from orchestrator.templating.canonical import NotInLanguage, canonical

SPECIAL_NAMES = frozenset({
    "brand", "unsubscribe_url", "view_url", "preferences_url", "confirm_url", "coupon_url", "survey", "message",
    "locale",
})  # fmt: skip
"""Names that every template may use and that are known only when the message is rendered."""

_WAY_OUT_OF_LOOP = "let the event, or the step's `with:`, carry the value"


class Open(NamedTuple):
    """Why the engine cannot work an expression out: the place, the reason, the way out where a loop is the cause."""

    node: nodes.Node
    reason: str
    hint: str | None = None


def openness(node: nodes.Expr, local: set[str]) -> Open | None:
    """Why the engine cannot work this out before the template runs, or None where it can.

    `local` are the names that the template itself defines at that place.
    """
    try:
        canonical(node)
    except NotInLanguage as error:
        return Open(error.node, f"{error.what} is not part of the expression language")
    parts = [node, *node.find_all(nodes.Expr)]
    for part in parts:
        if isinstance(part, nodes.Filter) and part.name not in FILTERS:
            return Open(part, f"the filter '{part.name}' is not part of the expression language")
        if isinstance(part, nodes.Getattr) and part.attr.startswith("__"):
            return Open(part, "properties may not begin with two underscores")
        if isinstance(part, nodes.Call) and not isinstance(part.node, nodes.Name):
            return Open(part, "methods cannot be called")
    names = roots(node)
    for name in names:
        if name.name in local:
            return Open(name, f"'{name.name}' is made by the template itself", _WAY_OUT_OF_LOOP)
        if name.name in SPECIAL_NAMES:
            return Open(name, f"'{name.name}' is known only when the message is rendered")
        if name.name.startswith("_"):
            return Open(name, "a name may not begin with an underscore")
    if names or any(isinstance(part, nodes.Call) for part in parts):
        return None
    return Open(node, "it has no value of the journey in it")


def roots(node: nodes.Expr) -> list[nodes.Name]:
    """The names at the roots of values below a node; functions, and `it` inside a call, are none."""
    found: list[nodes.Name] = []
    waiting: list[tuple[nodes.Node, bool]] = [(node, False)]
    while waiting:
        current, inside = waiting.pop()
        if isinstance(current, nodes.Name):
            if not (inside and current.name == "it"):
                found.append(current)
            continue
        if isinstance(current, nodes.Call):
            parts: list[nodes.Node] = [*current.args, *current.kwargs]
            if not isinstance(current.node, nodes.Name):
                parts.append(current.node)
            waiting += [(part, True) for part in parts]
        else:
            waiting += [(part, inside) for part in current.iter_child_nodes()]
    found.sort(key=lambda name: name.lineno)
    return found


def leftmost(node: nodes.Node) -> int:
    """The mark of the first word of an expression."""
    while True:
        inner = (
            getattr(node, "node", None)
            or getattr(node, "left", None)
            or (node.expr if isinstance(node, nodes.Compare) else None)
            or (node.expr1 if isinstance(node, nodes.CondExpr) else None)
            or (node.nodes[0] if isinstance(node, (nodes.Concat, nodes.Output)) and node.nodes else None)
        )
        if not isinstance(inner, nodes.Node) or isinstance(node, (nodes.Not, nodes.Neg, nodes.Pos)):
            return node.lineno
        node = inner
