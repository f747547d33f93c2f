"""The core schema of YAML 1.2 on the C parser: which plain scalars are null, truth values and numbers."""

from __future__ import annotations

import operator
import re
from typing import Any

from yaml._yaml import CParser
from yaml.nodes import MappingNode, Node, ScalarNode

# Not the usual tag names, so that a tag which an author writes is never taken for one of these.
TEXT, NULL, TRUE, FALSE, INT, FLOAT, NOT_FINITE, LIST, MAP = (f"\0{n}" for n in range(9))
SCALAR_TAGS = frozenset({TEXT, NULL, TRUE, FALSE, INT, FLOAT, NOT_FINITE})
_WORDS = {
    "": NULL, "~": NULL, "null": NULL, "Null": NULL, "NULL": NULL,
    "true": TRUE, "True": TRUE, "TRUE": TRUE, "false": FALSE, "False": FALSE, "FALSE": FALSE,
}  # fmt: skip
_NUMBER_STARTS = frozenset("0123456789+-.")
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_DECIMAL = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_NON_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


class _Core(CParser):
    """The C parser with the resolver of the core schema of YAML 1.2."""

    def resolve(self, kind: type[Node], value: str | None, implicit: Any) -> str:
        if kind is ScalarNode:
            return _kind_of(value or "") if implicit[0] else TEXT
        return MAP if kind is MappingNode else LIST

    # Paths decide nothing here. The parser calls these two for every node, and what is built in answers at once.
    descend_resolver = staticmethod(operator.is_)
    ascend_resolver = staticmethod(bool)


def compose(text: str) -> Node | None:
    """The tree of a text, its tags as above; None where it is empty. Raises YAMLError."""
    parser = _Core(text)
    try:
        root: Node | None = parser.get_single_node()
        return root
    finally:
        parser.dispose()


def _kind_of(text: str) -> str:
    if text[:1] in _NUMBER_STARTS and text:
        if _INTEGER.fullmatch(text):
            return INT
        if _DECIMAL.fullmatch(text):
            return FLOAT
        return NOT_FINITE if _NON_FINITE.fullmatch(text) else TEXT
    return _WORDS.get(text, TEXT)
