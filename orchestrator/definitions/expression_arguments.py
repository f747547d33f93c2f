"""The arguments of functions and filters: bound to their parameters, each held as its parameter says.

Names of events, segments and the like are constants, for they tell which facts to load; so are durations.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any

from orchestrator.core.expression import nodes as our
from orchestrator.core.expression.nodes import Node
from orchestrator.core.expression.signatures import (
    CALLS,
    FACTS,
    HISTORY,
    BadCall,
    Param,
    Signature,
    bind,
    filter_signature,
    signature_of,
)
from orchestrator.core.time.durations import parse_fixed
from orchestrator.definitions.expression_parts import Given, Part
from orchestrator.definitions.expression_tokens import ExpressionSyntax, Token


class Arguments:
    """For one expression: `node` translates what stands in the place of an argument."""

    def __init__(self, tokens: list[Token], node: Callable[[Part], Node]) -> None:
        self._tokens = tokens
        self._node = node

    def call(self, name: str, given: Given, offset: int) -> Node:
        """The node of a function call."""
        args = self._bound(name, given, offset, is_filter=False)
        if name in HISTORY:
            return _history(name, args, offset)
        if name in FACTS:
            return _fact(name, args, offset)
        if name in CALLS:
            return our.Call(name, tuple(args), offset=offset)
        catalog, key = args
        return our.CatalogRow(catalog, key, offset=offset)

    def of_filter(self, name: str, given: Given, offset: int) -> tuple[Node | None, ...]:
        """The arguments of a filter in the order of its parameters, None for those left out."""
        return tuple(self._bound(name, given, offset, is_filter=True))

    def _bound(self, name: str, given: Given, offset: int, *, is_filter: bool) -> list[Any]:
        """The arguments in the order of the parameters, each as its parameter holds it."""
        if given.starred:
            raise ExpressionSyntax("'*' and '**' cannot stand before arguments", offset)
        try:
            signature = filter_signature(name) if is_filter else signature_of(name)
            bound = bind(name, signature, given.positional, given.named)
            return [
                None if arg is None else self._held(name, param, arg, signature)
                for param, arg in zip(signature.params, bound, strict=True)
            ]
        except BadCall as error:
            raise ExpressionSyntax(error.message, self._blamed(error, given, offset), error.hint, error.code) from None

    def _blamed(self, error: BadCall, given: Given, offset: int) -> int:
        if isinstance(error.at, int) and error.at < len(given.positional):
            return our.start_of(self._node(given.positional[error.at]))
        if isinstance(error.at, str):
            depth = 0
            for token, following in pairwise(self._tokens[given.bracket :]):
                depth += (token.kind in ("(", "[", "{")) - (token.kind in (")", "]", "}"))
                if depth == 1 and token.text == error.at and following.kind == "=":
                    return token.offset
                if depth == 0:
                    break
        return offset

    def _held(self, name: str, param: Param, arg: Part, signature: Signature) -> Any:
        node = self._node(arg)
        constant = node.value if isinstance(node, our.Literal) else None
        match param.holds:
            case "word":
                if not isinstance(constant, str) or not constant:
                    hint = f"write {signature.example}"
                    raise ExpressionSyntax(
                        f"the {param.name} of '{name}' is a name in quotes", our.start_of(node), hint
                    )
                return our.Word(constant, offset=node.offset)
            case "within":
                return _within(node, constant)
            case "flag":
                if not isinstance(constant, bool):
                    raise ExpressionSyntax(f"'{param.name}' is true or false", node.offset, f"write {param.name}=true")
                return constant
            case "where":
                _refuse_history(node)
                return node
            case "value":
                if param.choices and constant is not None and constant not in param.choices:
                    hint = f"one of {', '.join(param.choices)}"
                    raise ExpressionSyntax(
                        f"'{name}' does not know {param.name} '{constant}'", our.start_of(node), hint
                    )
                return node


def _within(node: Node, constant: object) -> our.Within:
    if not isinstance(constant, str):
        raise ExpressionSyntax("'within' is a constant duration", node.offset, "write within='30d'")
    try:
        length = parse_fixed(constant)
    except ValueError as error:
        raise ExpressionSyntax(str(error), node.offset) from None
    if length <= timedelta(0):
        raise ExpressionSyntax("'within' is longer than nothing", node.offset, "write within='30d'")
    return our.Within(constant, length, offset=node.offset)


def _refuse_history(where: Node) -> None:
    for part in our.walk(where):
        if isinstance(part, our.History):
            raise ExpressionSyntax(
                f"'{part.function}' cannot stand inside where=",
                part.offset,
                "give it a name under vars:, and use that",
            )


def _history(name: Any, args: list[Any], offset: int) -> Node:
    words, (within, since_entry, where) = args[:-3], args[-3:]
    prop = words[1] if len(words) > 1 else None
    return our.History(name, words[0], prop, within, bool(since_entry), where, offset=offset)


def _fact(name: Any, args: list[Any], offset: int) -> Node:
    words = tuple(arg for arg in args if isinstance(arg, our.Word))
    within = next((arg for arg in args if isinstance(arg, our.Within)), None)
    return our.Fact(name, words, within, offset=offset)
