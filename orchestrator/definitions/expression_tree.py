"""What the grammar has read into the language's tree: each kind of part by one method, or refused with the way out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from orchestrator.core.expression import nodes as our
from orchestrator.core.expression.nodes import Node
from orchestrator.core.expression.values import LARGEST_INTEGER, LONGEST_LIST
from orchestrator.definitions.expression_arguments import Arguments
from orchestrator.definitions.expression_parts import Part
from orchestrator.definitions.expression_tokens import WORDS, ExpressionSyntax, Token

_IDENTIFIER = re.compile(r"[^\W\d]\w*")
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
    """Translates the parts of one expression, whose tokens tell where arguments stand."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._arguments = Arguments(tokens, self.node)

    def node(self, part: Part) -> Node:
        """The tree of a part. Raises ExpressionSyntax."""
        return _METHODS[part.kind](self, part)

    # --- values -------------------------------------------------------------------------------------------------------

    def constant(self, part: Part) -> Node:
        """A text, number, true, false or none."""
        value = part.value
        if type(value) is int and value > LARGEST_INTEGER:
            message = "the number is beyond the 64 bits of an integer"
            raise ExpressionSyntax(message, part.offset, code="expression_too_large")
        return our.Literal(value, offset=part.offset)

    def name(self, part: Part) -> Node:
        """A bare name."""
        if part.value in WORDS:
            raise ExpressionSyntax(f"found '{part.value}' where a value is expected", part.offset)
        return our.Name(_plain(part.value, part.offset), offset=part.offset)

    def list(self, part: Part) -> Node:
        """A list, in either kind of brackets."""
        if len(part.parts) > LONGEST_LIST:
            message = f"the list has more than {LONGEST_LIST} items"
            raise ExpressionSyntax(message, part.offset, code="expression_too_large")
        items = tuple(map(self.node, part.parts))
        offset = our.start_of(items[0]) if items and part.kind == "tuple" else part.offset
        return our.ListNode(items, offset=offset)

    def object(self, part: Part) -> Node:
        """`{'key': value}`."""
        pairs: dict[str, Node] = {}
        for key, value in zip(part.parts[::2], part.parts[1::2], strict=True):
            if key.kind != "constant" or not isinstance(key.value, str):
                raise ExpressionSyntax("the keys of an object are texts", key.offset, "write {'key': value}")
            if key.value in pairs:
                raise ExpressionSyntax(f"the key '{key.value}' stands twice", key.offset)
            pairs[key.value] = self.node(value)
        return our.DictNode(tuple(pairs.items()), offset=part.offset)

    def dot(self, part: Part) -> Node:
        """`target.name`."""
        return our.Attribute(self.node(part.parts[0]), _plain(part.value, part.offset), offset=part.offset)

    def item(self, part: Part) -> Node:
        """`target[key]`."""
        target, key = map(self.node, part.parts)
        if part.parts[1].kind == "tuple":
            raise ExpressionSyntax("one key stands in the brackets", our.start_of(key))
        if isinstance(key, our.Literal) and isinstance(key.value, str):
            if key.value.startswith("__"):
                raise ExpressionSyntax(f"'{key.value}' is refused", key.offset, "properties are plain data")
            if _IDENTIFIER.fullmatch(key.value) and not key.value.startswith("_"):
                return our.Attribute(target, key.value, offset=key.offset + 1)
        return our.Item(target, key, offset=key.offset)

    def slice(self, part: Part) -> Node:
        """`from:to`, which the language does not have."""
        raise ExpressionSyntax("there are no slices", part.offset, "use truncate for texts, first or last for lists")

    # --- operators ----------------------------------------------------------------------------------------------------

    def sign(self, part: Part) -> Node:
        """`-x` or `+x`; the minus before a number is part of it."""
        (operand,) = part.parts
        if part.value == "-" and operand.kind == "constant" and type(operand.value) in (int, float):
            return our.Literal(-operand.value, offset=part.offset)
        return our.Sign(part.value, self.node(operand), offset=part.offset)

    def arithmetic(self, part: Part) -> Node:
        """Operators of one precedence, read from the right as ever: of several mistakes the last one is told."""
        later = [self.node(operand) for operand in reversed(part.parts[1:])]
        first = self.node(part.parts[0])
        return our.Arithmetic(first, tuple(zip(part.value, reversed(later), strict=True)), offset=our.start_of(first))

    def text(self, part: Part) -> Node:
        """`a ~ b`."""
        first, *rest = map(self.node, part.parts)
        return our.Arithmetic(first, tuple(("~", operand) for operand in rest), offset=our.start_of(first))

    def power(self, part: Part) -> Node:
        """`**`, which the language does not have."""
        offset = next(token.offset for token in self._tokens if token.kind == "**")
        raise ExpressionSyntax("'**' is not part of the language", offset, "multiply: x * x")

    def compare(self, part: Part) -> Node:
        """`a < b <= c`."""
        first, *rest = map(self.node, part.parts)
        return our.Compare(first, tuple(zip(part.value, rest, strict=True)), offset=our.start_of(first))

    def negation(self, part: Part) -> Node:
        """`not x`."""
        return our.Not(self.node(part.parts[0]), offset=part.offset)

    def conjunction(self, part: Part) -> Node:
        """`a and b and c`."""
        operands = tuple(map(self.node, part.parts))
        return our.And(operands, offset=our.start_of(operands[0]))

    def disjunction(self, part: Part) -> Node:
        """`a or b or c`."""
        operands = tuple(map(self.node, part.parts))
        return our.Or(operands, offset=our.start_of(operands[0]))

    def choice(self, part: Part) -> Node:
        """`then if test else otherwise`."""
        then, test, *rest = map(self.node, part.parts)
        start = our.start_of(then)
        return our.Conditional(test, then, rest[0] if rest else our.Literal(None, offset=start), offset=start)

    def test(self, part: Part) -> Node:
        """`x is none`."""
        name, given = part.value
        if name.lower() != "none":
            hint = _TESTS.get(name, "the only tests are 'is none' and 'is not none'")
            raise ExpressionSyntax(f"there is no test 'is {name}'", part.offset, hint)
        if given.positional or given.named or given.starred:
            hint = "put it in brackets: (x is none)"
            raise ExpressionSyntax("'is none' takes nothing behind it", part.offset, hint)
        operand = self.node(part.parts[0])
        return our.IsNone(operand, offset=our.start_of(operand))

    # --- functions and filters ----------------------------------------------------------------------------------------

    def call(self, part: Part) -> Node:
        """A function of its arguments."""
        (target,) = part.parts
        if target.kind == "name":
            return self._arguments.call(_plain(target.value, target.offset), part.value, target.offset)
        if target.kind == "dot":
            hint = f"'{target.value}' is read without brackets, or is a filter: x | {target.value}"
            raise ExpressionSyntax("objects have no methods, only data", target.offset, hint)
        hint = "write a function's name before the bracket"
        raise ExpressionSyntax("only named functions can be called", part.offset, hint)

    def filter(self, part: Part) -> Node:
        """`target | name(arguments)`."""
        name, given = part.value
        target = self.node(part.parts[0])
        return our.Filter(target, name, self._arguments.of_filter(name, given, part.offset), offset=part.offset)


def _plain(name: str, offset: int) -> str:
    if name.startswith("_"):
        hint = "a property is read as entry['_id']"
        raise ExpressionSyntax(f"'{name}' is refused: names do not begin with an underscore", offset, hint)
    return name


_METHODS: Final[Mapping[str, Callable[[Translator, Part], Node]]] = {
    "constant": Translator.constant,
    "name": Translator.name,
    "list": Translator.list,
    "tuple": Translator.list,
    "object": Translator.object,
    "dot": Translator.dot,
    "item": Translator.item,
    "slice": Translator.slice,
    "sign": Translator.sign,
    "sum": Translator.arithmetic,
    "product": Translator.arithmetic,
    "text": Translator.text,
    "power": Translator.power,
    "compare": Translator.compare,
    "not": Translator.negation,
    "and": Translator.conjunction,
    "or": Translator.disjunction,
    "choice": Translator.choice,
    "test": Translator.test,
    "call": Translator.call,
    "filter": Translator.filter,
}
"""By kind of part, what makes a node of it."""
