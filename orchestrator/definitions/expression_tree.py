"""Jinja's nodes into ours: each kind that the language has by one function, every other refused with the way out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NoReturn

from jinja2 import nodes as jinja

from orchestrator.core.expression import nodes as our
from orchestrator.core.expression.nodes import Node
from orchestrator.core.expression.values import LARGEST_INTEGER, LONGEST_LIST
from orchestrator.definitions.expression_arguments import Arguments
from orchestrator.definitions.expression_tokens import WORDS, ExpressionSyntax, Token

_IDENTIFIER = re.compile(r"[^\W\d]\w*")
_ARITHMETIC: dict[type[jinja.Expr], our.Operator] = {
    jinja.Add: "+",
    jinja.Sub: "-",
    jinja.Mul: "*",
    jinja.Div: "/",
    jinja.FloorDiv: "//",
    jinja.Mod: "%",
}
_LEVELS: tuple[frozenset[our.Operator], ...] = (frozenset({"+", "-"}), frozenset({"*", "/", "//", "%"}))
_COMPARISONS: dict[str, our.Comparison] = {
    "eq": "==",
    "ne": "!=",
    "lt": "<",
    "lteq": "<=",
    "gt": ">",
    "gteq": ">=",
    "in": "in",
    "notin": "not in",
}
_TESTS = {
    "defined": "write: is not none",
    "undefined": "write: is none",
    "null": "write: is none",
    "empty": "write: x | length == 0",
    "true": "a condition stands by itself",
    "false": "write: not x",
    "in": "write: x in y",
    "equalto": "write: x == y",
    "eq": "write: x == y",
    "divisibleby": "write: x % n == 0",
    "even": "write: x % 2 == 0",
    "odd": "write: x % 2 == 1",
}


class Translator:
    """Translates one tree; `tokens` tell where names stand that Jinja's nodes do not place."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._places = {token.offset: place for place, token in enumerate(tokens)}
        self._arguments = Arguments(tokens, self.node)

    def node(self, node: jinja.Expr) -> Node:
        """The tree of ours. Raises ExpressionSyntax. The cases stand in the order of how often they come."""
        match node:
            case jinja.Const():
                return self._constant(node.value, node.lineno)
            case jinja.Name():
                if node.name in WORDS:
                    raise ExpressionSyntax(f"found '{node.name}' where a value is expected", node.lineno)
                return our.Name(self._plain(node.name, node.lineno), offset=node.lineno)
            case jinja.Getattr():
                return self._attribute(node)
            case jinja.Compare():
                first = self.node(node.expr)
                pairs = tuple((_COMPARISONS[operand.op], self.node(operand.expr)) for operand in node.ops)
                return our.Compare(first, pairs, offset=our.start_of(first))
            case jinja.Call():
                return self._call(node)
            case jinja.Filter():
                return self._filter(node)
            case jinja.And():
                operands = tuple(self.node(part) for part in _chain(node, jinja.And))
                return our.And(operands, offset=our.start_of(operands[0]))
            case jinja.Or():
                operands = tuple(self.node(part) for part in _chain(node, jinja.Or))
                return our.Or(operands, offset=our.start_of(operands[0]))
            case jinja.CondExpr():
                then, test = self.node(node.expr1), self.node(node.test)
                otherwise = (
                    our.Literal(None, offset=our.start_of(then)) if node.expr2 is None else self.node(node.expr2)
                )
                return our.Conditional(test, then, otherwise, offset=our.start_of(then))
            case jinja.Not():
                return our.Not(self.node(node.node), offset=node.lineno)
            case jinja.Add() | jinja.Sub() | jinja.Mul() | jinja.Div() | jinja.FloorDiv() | jinja.Mod():
                return self._arithmetic(node)
            case jinja.Concat():
                first, *rest = (self.node(part) for part in node.nodes)
                return our.Arithmetic(first, tuple(("~", part) for part in rest), offset=our.start_of(first))
            case jinja.Neg() | jinja.Pos():
                return self._sign(node)
            case jinja.List() | jinja.Tuple():
                return self._list(node)
            case jinja.Dict():
                return self._dict(node)
            case jinja.Getitem():
                return self._item(node)
            case jinja.Test():
                return self._test(node)
            case jinja.Pow():
                offset = next(token.offset for token in self._tokens if token.kind == "**")
                raise ExpressionSyntax("'**' is not part of the language", offset, "multiply: x * x")
            case jinja.Slice():
                raise ExpressionSyntax(
                    "there are no slices", node.lineno, "use truncate for texts, first or last for lists"
                )
            case _:
                raise ExpressionSyntax(f"{type(node).__name__} is not part of the language", node.lineno)

    def _constant(self, value: object, offset: int) -> Node:
        if isinstance(value, int) and not isinstance(value, bool) and value > LARGEST_INTEGER:
            raise ExpressionSyntax(
                "the number is beyond the 64 bits of an integer", offset, code="expression_too_large"
            )
        assert value is None or isinstance(value, (bool, int, float, str))
        return our.Literal(value, offset=offset)

    def _plain(self, name: str, offset: int) -> str:
        if name.startswith("_"):
            raise ExpressionSyntax(
                f"'{name}' is refused: names do not begin with an underscore",
                offset,
                "a property is read as entry['_id']",
            )
        return name

    def _list(self, node: jinja.List | jinja.Tuple) -> Node:
        if len(node.items) > LONGEST_LIST:
            raise ExpressionSyntax(
                f"the list has more than {LONGEST_LIST} items", node.lineno, code="expression_too_large"
            )
        items = tuple(self.node(item) for item in node.items)
        offset = node.lineno if isinstance(node, jinja.List) or not items else our.start_of(items[0])
        return our.ListNode(items, offset=offset)

    def _dict(self, node: jinja.Dict) -> Node:
        pairs: dict[str, Node] = {}
        for pair in node.items:
            key = pair.key
            if not isinstance(key, jinja.Const) or not isinstance(key.value, str):
                raise ExpressionSyntax("the keys of an object are texts", key.lineno, "write {'key': value}")
            if key.value in pairs:
                raise ExpressionSyntax(f"the key '{key.value}' stands twice", key.lineno)
            pairs[key.value] = self.node(pair.value)
        return our.DictNode(tuple(pairs.items()), offset=node.lineno)

    def _attribute(self, node: jinja.Getattr) -> Node:
        target = self.node(node.node)
        offset = self._after(node.lineno)
        return our.Attribute(target, self._plain(node.attr, offset), offset=offset)

    def _item(self, node: jinja.Getitem) -> Node:
        target, key = self.node(node.node), self.node(node.arg)
        if isinstance(node.arg, jinja.Tuple):
            raise ExpressionSyntax("one key stands in the brackets", our.start_of(key))
        if isinstance(key, our.Literal) and isinstance(key.value, str):
            if key.value.startswith("__"):
                raise ExpressionSyntax(f"'{key.value}' is refused", key.offset, "properties are plain data")
            if _IDENTIFIER.fullmatch(key.value) and not key.value.startswith("_"):
                return our.Attribute(target, key.value, offset=key.offset + 1)
        return our.Item(target, key, offset=key.offset)

    def _sign(self, node: jinja.Neg | jinja.Pos) -> Node:
        inner = node.node
        if isinstance(node, jinja.Neg) and isinstance(inner, jinja.Const):
            value = inner.value
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                return our.Literal(-value, offset=node.lineno)
        return our.Sign("-" if isinstance(node, jinja.Neg) else "+", self.node(inner), offset=node.lineno)

    def _arithmetic(self, node: jinja.BinExpr) -> Node:
        """A chain of operators of one precedence, which Jinja nests to the left."""
        level = next(level for level in _LEVELS if _ARITHMETIC[type(node)] in level)
        rest: list[tuple[our.Operator, Node]] = []
        left: jinja.Expr = node
        while isinstance(left, jinja.BinExpr) and _ARITHMETIC.get(type(left)) in level:
            rest.append((_ARITHMETIC[type(left)], self.node(left.right)))
            left = left.left
        first = self.node(left)
        return our.Arithmetic(first, tuple(reversed(rest)), offset=our.start_of(first))

    def _test(self, node: jinja.Test) -> Node:
        name, offset = node.name, self._after(node.lineno)
        if name.lower() != "none":
            hint = _TESTS.get(name, "the only tests are 'is none' and 'is not none'")
            raise ExpressionSyntax(f"there is no test 'is {name}'", offset, hint)
        if node.args or node.kwargs or node.dyn_args or node.dyn_kwargs:
            raise ExpressionSyntax("'is none' takes nothing behind it", offset, "put it in brackets: (x is none)")
        operand = self.node(node.node)
        return our.IsNone(operand, offset=our.start_of(operand))

    # Functions and filters ------------------------------------------------------------------------------------------

    def _call(self, node: jinja.Call) -> Node:
        if not isinstance(node.node, jinja.Name):
            self._refuse_method(node)
        name, offset = self._plain(node.node.name, node.node.lineno), node.node.lineno
        return self._arguments.call(name, node, offset, self._places[node.lineno])

    def _refuse_method(self, node: jinja.Call) -> NoReturn:
        target = node.node
        if isinstance(target, jinja.Getattr):
            hint = f"'{target.attr}' is read without brackets, or is a filter: x | {target.attr}"
            raise ExpressionSyntax("objects have no methods, only data", self._after(target.lineno), hint)
        raise ExpressionSyntax(
            "only named functions can be called", node.lineno, "write a function's name before the bracket"
        )

    def _filter(self, node: jinja.Filter) -> Node:
        if node.node is None:
            raise ExpressionSyntax("a filter needs a value before it", node.lineno)
        target = self.node(node.node)
        place = self._places[node.lineno]
        args = self._arguments.of_filter(node.name, node, node.lineno, place + 1)
        return our.Filter(target, node.name, args, offset=node.lineno)

    def _after(self, offset: int) -> int:
        """Where the token behind the one at `offset` stands."""
        place = self._places[offset] + 1
        return self._tokens[place].offset if place < len(self._tokens) else offset


def _chain(node: jinja.Expr, kind: type[jinja.BinExpr]) -> Iterable[jinja.Expr]:
    """The operands of `a and b and c`, which Jinja nests to the left."""
    found: list[jinja.Expr] = []
    while isinstance(node, kind):
        found.append(node.right)
        node = node.left
    return [node, *reversed(found)]
