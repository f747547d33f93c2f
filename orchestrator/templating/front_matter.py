"""The lines between ``---`` at the head of a template file: a few ``key: text`` pairs, every value read as text.

YAML, but a small part of it: one mapping of scalars. A number or a `no` is the text that stands there. Positions of
the values are kept, so that an error in a subject points into the file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches

import yaml

from orchestrator.records import dataclass
from orchestrator.templating.front_attachments import KEY, read_attachments

LARGEST = 16_000
MOST_BRACKETS = 40

Report = Callable[[str, int, str, str | None], None]
"""(code, offset in the file, message, way out): one finding about the file."""


@dataclass(frozen=True, slots=True)
class Value:
    """A front-matter value. `offset` is where its text begins in the file; `exact`: it stands there as it is."""

    text: str
    offset: int
    exact: bool


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """The values by key, where each key stands, and where the body begins (offset in the file)."""

    values: Mapping[str, Value]
    body: int


def read_front_matter(text: str, known: Sequence[str], report: Report) -> FrontMatter:
    """Split a file's text. Findings go to `report`; unreadable front matter gives no values, and the body still."""
    opening = re.match(r"---[ \t]*\n", text)
    if not opening:
        return FrontMatter({}, 0)
    closing = re.compile(r"^---[ \t]*(?:\n|\Z)", re.MULTILINE).search(text, opening.end())
    if closing is None:
        report(
            "front_matter",
            0,
            "the front matter that begins here never ends",
            "close it with a line of three dashes: ---",
        )
        return FrontMatter({}, len(text))
    head = text[opening.end() : closing.start()]
    return FrontMatter(_values(head, opening.end(), known, report), closing.end())


def _values(head: str, base: int, known: Sequence[str] | None, report: Report) -> dict[str, Value]:
    node = read_mapping(head, base, report)
    values: dict[str, Value] = {}
    for key_node, value_node in node.value if node is not None else ():
        _take(head, base, key_node, value_node, known, values, report)
    return values


def read_mapping(head: str, base: int, report: Report) -> yaml.MappingNode | None:
    """The lines as YAML nodes, whose scalars are texts; None: there is nothing, or what `report` was told."""
    if not _small_enough(head, base, report):
        return None
    try:
        node = yaml.compose(head, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        _report_unreadable(head, base, mark.index if mark else 0, error.problem or "not readable", report)
        return None
    except yaml.YAMLError as error:
        report("front_matter", base, f"not readable as YAML: {str(error).splitlines()[0]}", None)
        return None
    if node is None:
        return None
    if not isinstance(node, yaml.MappingNode):
        report("front_matter", base, "expected lines such as  subject: Your basket", "write one key: text pair a line")
        return None
    return node


def _small_enough(head: str, base: int, report: Report) -> bool:
    if len(head) > LARGEST:
        report("front_matter", base, f"more than {LARGEST:,} characters", "only short texts belong here")
        return False
    outside_quotes = re.sub(r'"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'', "", head)
    if sum(outside_quotes.count(bracket) for bracket in "[{") > MOST_BRACKETS:  # deep nesting kills the C parser
        report("front_matter", base, "too many brackets outside quotes", 'put quotes around each value: subject: "..."')
        return False
    return True


def _report_unreadable(head: str, base: int, index: int, problem: str, report: Report) -> None:
    bare = re.compile(r"^[\w-]+:[ \t]*(?=\{[{%])", re.MULTILINE).search(head)
    if bare:
        report(
            "front_matter",
            base + bare.end(),
            "a value that begins with a tag needs quotes",
            'write it as: subject: "{{ ... }}"',
        )
        return
    hint = (
        'put quotes around the whole value: subject: "..."'
        if "mapping values" in problem or "token" in problem
        else None
    )
    report("front_matter", base + min(index, len(head)), f"not readable as YAML: {problem}", hint)


def _take(
    head: str,
    base: int,
    key_node: yaml.Node,
    value_node: yaml.Node,
    known: Sequence[str] | None,
    values: dict[str, Value],
    report: Report,
) -> None:
    at = base + key_node.start_mark.index
    if not isinstance(key_node, yaml.ScalarNode):
        report("front_matter", at, "a value that begins with a tag needs quotes", 'write it as: subject: "{{ ... }}"')
        return
    key = str(key_node.value)
    if known is not None and key not in known:
        near = get_close_matches(key, known, 1)
        possible = f"possible: {', '.join(known)}" if known else "front matter belongs into the HTML file"
        hint = f"did you mean '{near[0]}'?" if near else possible
        report("unknown_front_matter", at, f"'{key}' is unknown in front matter", hint)
        return
    if key in values:
        report("duplicate_key", at, f"'{key}' stands here a second time", "keep one of the two lines")
        return
    if key == KEY:
        values.update(read_attachments(value_node, lambda node: value_at(head, base, node, report), base, report))
        return
    if not isinstance(value_node, yaml.ScalarNode):
        start = base + value_node.start_mark.index
        report("front_matter", start, f"'{key}' must be one text", 'write it in quotes: "{{ ... }}"')
        return
    values[key] = value_at(head, base, value_node, report)


def value_at(head: str, base: int, node: yaml.ScalarNode, report: Report) -> Value:
    """A scalar with its place; what YAML cut off its end is reported."""
    _report_cut(head, base, node, report)
    text = str(node.value)
    start = node.start_mark.index + (1 if node.style in ("'", '"') else 0)
    return Value(text, base + start, head.startswith(text, start))


def _report_cut(head: str, base: int, node: yaml.ScalarNode, report: Report) -> None:
    """`subject: Order #5` loses its end without a word; `# note` after a value is a comment and fine."""
    if node.style in ("'", '"', "|", ">"):
        return
    rest = head[node.end_mark.index :].split("\n", 1)[0]
    cut = re.match(r"\s*#(?=\S)", rest)
    if cut:
        report(
            "expression_cut",
            base + node.end_mark.index + cut.end() - 1,
            f"YAML cuts the value here: {rest.strip()!r} is read as a comment",
            "put quotes around the whole value",
        )
