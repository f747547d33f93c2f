"""What the grammar of expressions makes of tokens: parts, which `expression_tree` turns into the language's tree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple


class Part:
    """One node as the grammar sees it: `kind` is a key of `expression_tree`'s table, `offset` is where it is placed,
    `value` is a word, a constant, operators or arguments, and `parts` are the nodes below."""

    __slots__ = ("kind", "offset", "parts", "value")

    def __init__(self, kind: str, offset: int, value: Any = None, parts: Sequence[Part] = ()) -> None:
        self.kind, self.offset, self.value, self.parts = kind, offset, value, parts


class Given(NamedTuple):
    """The arguments of a call, a filter or a test."""

    bracket: int
    """The place of the opening bracket among the tokens."""
    positional: list[Part]
    named: list[tuple[str, Part]]
    starred: list[Part]
    """Behind `*` or `**`."""


def size_of(whole: Part) -> int:
    """How many nodes the tree has at most. Without recursion: it may be deeper than Python's stack."""
    count = 0
    waiting = [whole]
    while waiting:
        part = waiting.pop()
        count += len(part.parts) - 1 if part.kind in _CHAINS else 1
        waiting.extend(part.parts)
        given = part.value if part.kind == "call" else part.value[1] if part.kind in ("filter", "test") else None
        if given is not None:
            waiting += [*given.positional, *(value for _, value in given.named), *given.starred]
    return count


_CHAINS: Final = frozenset({"and", "or", "sum", "product"})
"""Each operator is a node of its own."""
