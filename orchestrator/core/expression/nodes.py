"""The one tree of an expression, read by evaluator, checker and list of facts (the language reference, section 4).

Every node knows its `offset`, the position in the source at which lint points its caret; it takes no part in equality,
so that two spellings of one expression are equal. The tree is in normal form: chains of `and`, `or` and of operators
of one precedence are one node each, and a sign before a number is part of the number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from datetime import timedelta
from typing import Literal as OneOf
from typing import assert_never

from orchestrator.records import dataclass

Operator = OneOf["+", "-", "*", "/", "//", "%", "~"]
Comparison = OneOf["==", "!=", "<", "<=", ">", ">=", "in", "not in"]
HistoryName = OneOf["did", "count", "sum", "avg", "min", "max", "first", "last"]
FactName = OneOf[
    "in_segment",
    "consented",
    "reachable",
    "received",
    "opened",
    "clicked",
    "redeemed",
    "recommended",
    "visits",
    "entered",
    "in_journey",
]


def _offset() -> int:
    return field(default=0, compare=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, text, true, false or none."""

    value: bool | int | float | str | None
    offset: int = _offset()


@dataclass(frozen=True, slots=True)
class ListNode:
    """`[a, b]`; a tuple `(a, b)` is a list as well."""

    items: tuple[Node, ...]
    offset: int = _offset()


@dataclass(frozen=True, slots=True)
class DictNode:
    """`{'key': value}`: keys are constant texts, each once."""

    items: tuple[tuple[str, Node], ...]
    offset: int = _offset()


@dataclass(frozen=True, slots=True)
class Name:
    """A bare name: `customer`, `now`, a variable, a result."""

    name: str
    offset: int = _offset()


@dataclass(frozen=True, slots=True)
class Attribute:
    """`target.name`: the property of an object. `offset` is where the name stands."""

    target: Node
    name: str
    offset: int = _offset()


@dataclass(frozen=True, slots=True)
class Item:
    """`target[key]`: a place in a list, or a property whose name is computed or no identifier."""

    target: Node
    key: Node
    offset: int = _offset()


@dataclass(frozen=True, slots=True)
class Sign:
    """`-x` or `+x`."""

    sign: OneOf["-", "+"]
    operand: Node
    offset: int = _offset()


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`a + b - c`: operators of one precedence, applied from the left."""

    first: Node
    rest: tuple[tuple[Operator, Node], ...]
    offset: int = _offset()


@dataclass(frozen=True, slots=True)
class Compare:
    """`a < b <= c`: true when every neighbouring pair compares true."""

    first: Node
    rest: tuple[tuple[Comparison, Node], ...]
    offset: int = _offset()


@dataclass(frozen=True, slots=True)
class Not:
    """`not x`; of an IsNone it is written `x is not none`."""

    operand: Node
    offset: int = _offset()


@dataclass(frozen=True, slots=True)
class IsNone:
    """`x is none`."""

    operand: Node
    offset: int = _offset()


@dataclass(frozen=True, slots=True)
class And:
    """`a and b and c`: the first operand that is false as a condition, else the last."""

    operands: tuple[Node, ...]
    offset: int = _offset()


@dataclass(frozen=True, slots=True)
class Or:
    """`a or b or c`: the first operand that is true as a condition, else the last."""

    operands: tuple[Node, ...]
    offset: int = _offset()


@dataclass(frozen=True, slots=True)
class Conditional:
    """`then if test else otherwise`; without `else` it is none."""

    test: Node
    then: Node
    otherwise: Node
    offset: int = _offset()


@dataclass(frozen=True, slots=True)
class Word:
    """A constant name among the arguments: of an event, a property, a segment. Not a value, so not a Node."""

    text: str
    offset: int = _offset()


@dataclass(frozen=True, slots=True)
class Within:
    """`within='30d'`: how far back a window reaches, as written and as a length (d is 24 hours)."""

    text: str
    length_for: timedelta = field(compare=False)
    offset: int = _offset()


@dataclass(frozen=True, slots=True)
class History:
    """`count('order_placed', within='30d', where=it.total > 50)`: a question about past events of one name."""

    function: HistoryName
    event: Word
    prop: Word | None = None
    within: Within | None = None
    since_entry: bool = False
    where: Node | None = None
    offset: int = _offset()


@dataclass(frozen=True, slots=True)
class Fact:
    """`in_segment('vip')`, `entered('welcome', within='30d')`: a question about the customer that a store answers."""

    function: FactName
    words: tuple[Word, ...]
    within: Within | None = None
    offset: int = _offset()


@dataclass(frozen=True, slots=True)
class CatalogRow:
    """`catalog('hotels', key)`: a row of reference data, or none."""

    catalog: Word
    key: Node
    offset: int = _offset()


@dataclass(frozen=True, slots=True)
class Call:
    """A function of its arguments alone (and of the date): `days(3)`. An argument left out is None."""

    function: str
    args: tuple[Node | None, ...]
    offset: int = _offset()


@dataclass(frozen=True, slots=True)
class Filter:
    """`target | name(args)`. An argument left out is None. `offset` is where the filter's name stands."""

    target: Node
    name: str
    args: tuple[Node | None, ...] = ()
    offset: int = _offset()


Node = (
    Literal
    | ListNode
    | DictNode
    | Name
    | Attribute
    | Item
    | Sign
    | Arithmetic
    | Compare
    | Not
    | IsNone
    | And
    | Or
    | Conditional
    | History
    | Fact
    | CatalogRow
    | Call
    | Filter
)


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below, in source order."""
    match node:
        case Literal() | Name() | Fact():
            return ()
        case Attribute(target=target):
            return (target,)
        case Compare(first=first, rest=pairs_):
            return (first, *(other for _, other in pairs_))
        case And(operands=operands) | Or(operands=operands):
            return operands
        case History(where=where):
            return () if where is None else (where,)
        case Call(args=args):
            return tuple(arg for arg in args if arg is not None)
        case Filter(target=target, args=args):
            return (target, *(arg for arg in args if arg is not None))
        case Arithmetic(first=first, rest=terms):
            return (first, *(term for _, term in terms))
        case Sign(operand=operand) | Not(operand=operand) | IsNone(operand=operand):
            return (operand,)
        case ListNode(items=items):
            return items
        case DictNode(items=pairs):
            return tuple(value for _, value in pairs)
        case Item(target=target, key=key):
            return (target, key)
        case Conditional(test=test, then=then, otherwise=otherwise):
            return (then, test, otherwise)
        case CatalogRow(key=key):
            return (key,)
        case _:
            assert_never(node)


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it, without recursion (a tree may be as deep as its 400 nodes)."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(children(node)))


def start_of(node: Node) -> int:
    """Where the text of a node begins: that of a path or filter with its first name (brackets around it left out)."""
    while isinstance(node, (Attribute, Item, Filter)):
        node = node.target
    return node.offset
