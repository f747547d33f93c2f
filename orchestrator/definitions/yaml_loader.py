"""YAML 1.2 (core schema) with positions: `load_document`.

`no`, `on`, `18:00` and dates are text, `010` is ten, `1e5` is a float. Keys are always text, as they stand in the file.
Duplicate keys, merge keys, tags, several documents, numbers beyond 64 bits, deep nesting and alias bombs are problems.
The text is never handed to a YAML 1.1 reader.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from yaml import YAMLError
from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode

from orchestrator.definitions import expression_cut as cut
from orchestrator.definitions.source import Document
from orchestrator.definitions.text_files import LARGEST_FILE, clean_text, first_forbidden, too_large
from orchestrator.definitions.text_scan import DEEPEST, too_deep_at, too_many_values
from orchestrator.definitions.yaml_core import FALSE, FLOAT, INT, LIST, MAP, NULL, SCALAR_TAGS, TEXT, TRUE, compose
from orchestrator.definitions.yaml_faults import braces_problem, translate
from orchestrator.errors import Problem

_LONGEST_NUMBER = 40

MOST_ALIASED = 10_000
"""Values that aliases (`*name`) may add to a file, all together."""

MOST_PROBLEMS = 100
"""After so many problems of one file reading ends."""

ID_KEYS = frozenset({"id", "customer", "order_id", "code", "from", "into"})
"""Under these a number beyond 64 bits, such as the bare id `12e4567`, is left as text instead of refused."""


def load_document(path: str, text: str) -> Document:
    """The document of a YAML text; `path` is what problems call the file. Never raises: what is wrong is in `problems`.

    After a syntax error `data` is None; after other errors it holds all that could be made sense of.
    """
    if len(text) > LARGEST_FILE or len(text.encode("utf-8", "surrogatepass")) > LARGEST_FILE:
        return Document(path, "", problems=(too_large(path, len(text.encode("utf-8", "surrogatepass"))),))
    cleaned = clean_text(path, text)
    if cleaned.text is None:
        shown = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
        return Document(path, shown, problems=cleaned.problems)
    clean = cleaned.text
    if too_deep := too_deep_at(clean):
        return Document(path, clean, problems=(*cleaned.problems, _nesting(path, *too_deep)))
    if too_many_values(clean):
        hint = "split the file, or make it a catalog in CSV"
        message = "the file holds more values than are read"
        return Document(path, clean, problems=(*cleaned.problems, Problem(path, 1, 1, "file_too_large", message, hint)))
    try:
        root = compose(clean)
    except YAMLError as error:
        return Document(path, clean, problems=(*cleaned.problems, translate(path, clean, error)))
    if root is None:
        return Document(path, clean, problems=cleaned.problems)
    document = Document(path, clean, None, root, cleaned.problems)
    builder = _Builder(document)
    try:
        data = builder.value(root, 0, None)
    except _TooMuchError as stop:
        return Document(path, clean, None, root, (*cleaned.problems, *builder.problems, stop.problem))
    problems = (*cleaned.problems, *builder.problems)
    return Document(path, clean, data, root, problems) if problems else Document(path, clean, data, root)


class _TooMuchError(Exception):
    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.message)


class _Built(NamedTuple):
    """A value that an alias may repeat: how many values it holds and how many levels."""

    data: Any
    size: int
    height: int


class _Builder:
    """Makes plain data of the tree and notes what is wrong with it."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []
        self._aliases = "*" in document.text and "&" in document.text
        self._comments = " #" in document.text or "\t#" in document.text
        self._built: dict[int, _Built | None] = {}
        self._size = 0
        self._aliased = 0
        self._height = 0

    def value(self, node: Node, depth: int, key: str | None) -> Any:
        """The data of a node at `depth` that stands under `key`."""
        if type(node) is ScalarNode:
            self._size += 1
            return self._scalar(node, key)
        if depth >= DEEPEST:
            mark = node.start_mark
            raise _TooMuchError(_nesting(self.document.path, mark.line + 1, mark.column + 1))
        if not self._aliases:
            return self._collection(node, depth, key)
        if id(node) in self._built:
            return self._alias(node, self._built[id(node)], depth)
        self._built[id(node)] = None
        size, height, self._height = self._size, self._height, depth
        data = self._collection(node, depth, key)
        self._built[id(node)] = _Built(data, self._size - size + 1, self._height - depth)
        self._height = max(height, self._height)
        return data

    def _alias(self, node: Node, built: _Built | None, depth: int) -> Any:
        if built is None:
            raise _TooMuchError(
                self._problem(node, "alias_bound", "this part contains itself through an alias", "write it out once")
            )
        self._aliased += built.size
        self._size += built.size
        self._height = max(self._height, depth + built.height)
        if self._aliased > MOST_ALIASED or depth + built.height >= DEEPEST:
            message = f"aliases (*name) of this part add more than {MOST_ALIASED:,} values or {DEEPEST} levels"
            raise _TooMuchError(self._problem(node, "alias_bound", message, "write the parts out"))
        return built.data

    def _collection(self, node: Node, depth: int, key: str | None) -> Any:
        self._size += 1
        self._height = max(self._height, depth)
        assert isinstance(node, CollectionNode)
        if node.tag not in (MAP, LIST):
            self._tag(node)
        if type(node) is MappingNode:
            if node.flow_style and self._is_braces(node):
                return self._braces(node, key)
            return self._mapping(node, depth, key)
        items = node.value
        if node.flow_style and len(items) > 1 and self._cut_items(items):
            items = items[:1]
        return [self.value(item, depth + 1, key) for item in items]

    # --- mappings ---------------------------------------------------------------------------------------------------

    def _mapping(self, node: MappingNode, depth: int, parent: str | None) -> dict[str, Any]:
        data: dict[str, Any] = {}
        before: Node | None = None
        for key_node, value_node in node.value:
            if type(key_node) is not ScalarNode:
                self._complex_key(key_node)
                continue
            key: str = key_node.value
            if key_node.tag not in SCALAR_TAGS:
                self._tag(key_node)
            if key == "<<" and not key_node.style:
                hint = "write the keys out here, or use an alias for the whole value"
                self._note(key_node, "merge_key", "merge keys (<<) are not read", hint)
                continue
            if not key and not key_node.style:
                self._note(key_node, "empty_key", "there is no key before this colon", "write `key: value`")
                continue
            if before is not None and node.flow_style and self._cut_pair(before, key_node, value_node):
                continue
            if key in data:
                self._duplicate(node, key_node)
                continue
            if key_node.style == '"':
                self._escapes(key_node)
            data[key] = self.value(value_node, depth + 1, "vars" if parent == "vars" else key)
            before = value_node
        return data

    def _duplicate(self, node: MappingNode, again: ScalarNode) -> None:
        first = next(key for key, _ in node.value if isinstance(key, ScalarNode) and key.value == again.value)
        mark = first.start_mark
        message = f"`{again.value}` is written twice; first in line {mark.line + 1}, column {mark.column + 1}"
        self._note(again, "duplicate_key", message, "keep one of the two")

    def _complex_key(self, node: Node) -> None:
        hint = "write `key: value`; a value that starts with { or [ is quoted as a whole"
        self._note(node, "complex_key", "a key is a single word or text", hint)

    def _is_braces(self, node: MappingNode) -> bool:
        """`{{ name }}` without quotes, which YAML reads as a mapping inside a mapping."""
        return (
            len(node.value) == 1
            and type(node.value[0][0]) is MappingNode
            and self.document.text.startswith("{{", node.start_mark.index)
        )

    def _braces(self, node: MappingNode, key: str | None) -> str:
        raw = self.document.text[node.start_mark.index : node.end_mark.index]
        mark = node.start_mark
        self.problems.append(
            braces_problem(self.document.path, raw, key, mark.line + 1, mark.column + 1, len(raw.split("\n")[0]))
        )
        return raw.strip("{} \n") if key in cut.EXPRESSION_KEYS else raw

    # --- what YAML cut ----------------------------------------------------------------------------------------------

    def _cut_pair(self, before: Node, key: ScalarNode, value: Node) -> bool:
        if not (type(value) is ScalarNode and not value.value and not value.style):
            return False
        if not (type(before) is ScalarNode and cut.cut_at_comma(before.value, key.value)):
            return False
        self._note_cut(before, key)
        return True

    def _cut_items(self, items: list[Node]) -> bool:
        first = items[0]
        if type(first) is not ScalarNode or first.style or type(items[1]) is not ScalarNode:
            return False
        if not cut.open_ended(first.value) or "(" not in first.value:
            return False
        self._note_cut(first, items[1])
        return True

    def _note_cut(self, before: Node, after: ScalarNode) -> None:
        if any(p.code == cut.CODE and p.line == before.start_mark.line + 1 for p in self.problems):
            return
        shown = f"`{before.value}`"
        self._note(before, cut.CODE, f"the expression is cut after {shown}", cut.COMMA)

    # --- scalars ----------------------------------------------------------------------------------------------------

    def _scalar(self, node: ScalarNode, key: str | None) -> Any:
        tag, text = node.tag, node.value
        if tag == TEXT:
            if node.style == '"':
                self._escapes(node)
            elif self._comments and key in cut.EXPRESSION_KEYS:
                self._comment(node)
            return text
        if tag == NULL:
            return None
        if tag in (TRUE, FALSE):
            return tag == TRUE
        if tag in SCALAR_TAGS:
            return self._number(node, key)
        self._tag(node)
        return text

    def _number(self, node: ScalarNode, key: str | None) -> int | float | str:
        text: str = node.value
        number: int | float | None = None
        if node.tag == INT and len(text) <= _LONGEST_NUMBER:
            based = text.startswith(("0o", "0x"))
            number = int(text[2:], 8 if text[1] == "o" else 16) if based else int(text)
            if not -(1 << 63) <= number < 1 << 63:
                number = None
        elif node.tag == FLOAT:
            number = float(text)
            if number - number != 0:
                number = None
        if number is not None:
            return number
        if key not in ID_KEYS:
            message = f"{_short(text)} is no number that can be kept: numbers are finite and whole ones have 64 bits"
            self._note(node, "number_range", message, "quote it if it is meant as text")
        return text

    def _escapes(self, node: ScalarNode) -> None:
        if bad := first_forbidden(node.value):
            self._note(node, "control_character", f"an escape gives {bad}", "take the escape out")

    def _comment(self, node: ScalarNode) -> None:
        if node.style:
            return
        end = node.end_mark.index
        text = self.document.text
        line_end = text.find("\n", end)
        rest = text[end : line_end if line_end >= 0 else len(text)].lstrip(" \t")
        if rest.startswith("#") and cut.cut_at_comment(node.value):
            self._note(node, cut.CODE, f"the expression is cut after `{_short(node.value)}`", cut.HASH)

    def _tag(self, node: Node) -> None:
        message = f"tags such as {_short(str(node.tag).replace('tag:yaml.org,2002:', '!!'))} are not read"
        hint = "delete it; text that starts with ! is quoted as a whole"
        self._note(node, "yaml_tag", message, hint)

    def _note(self, node: Node, code: str, message: str, hint: str) -> None:
        """Keeps a problem; past MOST_PROBLEMS reading ends, so that a hostile file costs no more than a bad one."""
        self.problems.append(self._problem(node, code, message, hint))
        if len(self.problems) >= MOST_PROBLEMS:
            hint = "mend these first"
            raise _TooMuchError(self._problem(node, "too_many_problems", "the rest of the file was not read", hint))

    def _problem(self, node: Node, code: str, message: str, hint: str) -> Problem:
        return self.document.node_problem(node, code, message, hint)


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."


def _nesting(path: str, line: int, column: int) -> Problem:
    message = f"lists and mappings are nested more than {DEEPEST} levels deep"
    return Problem(path, line, column, "nesting", message, "check the brackets and the indentation")
