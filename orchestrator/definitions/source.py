"""A YAML file as read: plain data, and for every part of it the place in the file.

Paths are tuples of keys and list indexes, such as ``("steps", 0, "if")``. They may be those of the normalised models:
an index 0 where the file has one trigger instead of a list, or ``("email", "template")`` where it has
``email: cart_first``, lead to the value that stands there.
"""

from __future__ import annotations

from dataclasses import field
from typing import Any, Literal, NamedTuple

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from orchestrator.definitions.positions import source_index
from orchestrator.errors import Problem
from orchestrator.records import dataclass

Path = tuple[str | int, ...]
Style = Literal["plain", "single", "double", "literal", "folded"]

_STYLES: dict[str | None, Style] = {"'": "single", '"': "double", "|": "literal", ">": "folded"}


class Mark(NamedTuple):
    """A place in a file; `line` and `column` count from 1, `length` is how many characters belong to it."""

    line: int
    column: int
    length: int = 1


@dataclass(frozen=True, slots=True)
class ScalarSource:
    """How a scalar stands in the file. `text` is its text before any typing: `007` stays `007`, `1e5` stays `1e5`."""

    style: Style
    line: int
    column: int
    text: str


class Located(NamedTuple):
    """What a path leads to: the node, the key before it (None for list items and the root), and the rest unused."""

    node: Node
    key: ScalarNode | None
    rest: Path


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML file. `data` is None where it is empty or cannot be read; then `problems` says why.

    `root` is the located tree of the same shape. `text` has `\\n` line ends and no byte order mark.
    """

    path: str
    text: str
    data: Any = None
    root: Node | None = None
    problems: tuple[Problem, ...] = ()
    _lines: list[str] = field(default_factory=list, repr=False, compare=False)

    @property
    def ok(self) -> bool:
        """Could be read without an error (warnings aside)."""
        return not any(problem.severity == "error" for problem in self.problems)

    @property
    def lines(self) -> list[str]:
        """The lines of the file, without their ends."""
        if not self._lines:
            self._lines.extend(self.text.split("\n"))
        return self._lines

    def locate(self, path: Path) -> Located | None:
        """The deepest part of the file that `path` leads to; None for a file without content."""
        if self.root is None:
            return None
        node, key = self.root, None
        for place, element in enumerate(path):
            if isinstance(node, MappingNode):
                pair = _pair(node, element)
                if pair is None:
                    if element == 0:
                        continue
                    return Located(node, key, path[place:])
                key, node = pair
            elif isinstance(node, SequenceNode):
                if isinstance(element, int):
                    if not 0 <= element < len(node.value):
                        return Located(node, key, path[place:])
                    node, key = node.value[element], None
        return Located(node, key, ())

    def position(self, path: Path, key: bool = False) -> Mark:
        """The place of the value at `path`, or of its key. Where the path leads nowhere, its nearest ancestor's."""
        found = self.locate(path)
        if found is None:
            return Mark(1, 1)
        if found.key is not None and (key or _is_missing(found.node)):
            return self._mark(found.key)
        return self._mark(found.node)

    def scalar_source(self, path: Path) -> ScalarSource:
        """How the scalar at `path` stands in the file. Raises KeyError where there is none."""
        found = self.locate(path)
        if found is None or found.rest or not isinstance(found.node, ScalarNode):
            raise KeyError(path)
        mark = found.node.start_mark
        return ScalarSource(style_of(found.node), mark.line + 1, mark.column + 1, found.node.value)

    def offset_position(self, path: Path, offset: int) -> tuple[int, int]:
        """The line and column of the character at `offset` in the text of the scalar at `path`."""
        found = self.locate(path)
        if found is None or not isinstance(found.node, ScalarNode):
            mark = self.position(path)
            return mark.line, mark.column
        node = found.node
        at = source_index(self.text, node.start_mark.index, style_of(node), node.value, offset)
        return self.text.count("\n", 0, at) + 1, at - (self.text.rfind("\n", 0, at) + 1) + 1

    def problem(
        self,
        path: Path,
        code: str,
        message: str,
        hint: str | None = None,
        *,
        key: bool = False,
        offset: int | None = None,
        length: int | None = None,
        severity: Literal["error", "warning"] = "error",
    ) -> Problem:
        """A problem at `path`: at its value, at its key, or at `offset` inside its text, `length` characters long."""
        mark = self.position(path, key)
        if offset is not None:
            line, column = self.offset_position(path, offset)
            mark = Mark(line, column, length or 1)
        return Problem(self.path, mark.line, mark.column, code, message, hint, severity, length or mark.length)

    def node_problem(self, node: Node, code: str, message: str, hint: str | None = None) -> Problem:
        """A problem at a part of the located tree."""
        mark = self._mark(node)
        return Problem(self.path, mark.line, mark.column, code, message, hint, "error", mark.length)

    def _mark(self, node: Node) -> Mark:
        start, end = node.start_mark, node.end_mark
        if isinstance(node, MappingNode) and not node.flow_style and node.value:
            end = node.value[0][0].end_mark
        elif isinstance(node, SequenceNode) and not node.flow_style:
            return Mark(start.line + 1, start.column + 1, 1)
        if end.line == start.line:
            return Mark(start.line + 1, start.column + 1, max(1, end.column - start.column))
        line = self.lines[start.line] if start.line < len(self.lines) else ""
        return Mark(start.line + 1, start.column + 1, max(1, len(line.rstrip()) - start.column))


def style_of(node: ScalarNode) -> Style:
    """How the scalar is written."""
    return _STYLES.get(node.style, "plain")


def is_flow(node: Node | None) -> bool:
    """Written in `{ }` or `[ ]`."""
    return isinstance(node, (MappingNode, SequenceNode)) and bool(node.flow_style)


def _pair(node: MappingNode, element: str | int) -> tuple[ScalarNode, Node] | None:
    for key, value in node.value:
        if isinstance(key, ScalarNode) and key.value == element:
            return key, value
    return None


def _is_missing(node: Node) -> bool:
    return isinstance(node, ScalarNode) and style_of(node) == "plain" and not node.value
