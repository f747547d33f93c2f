"""The code of one part: Jinja's compiler with our own way to write values, and marks in place of line numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jinja2 import nodes
from jinja2.runtime import Context
from jinja2.utils import missing
from markupsafe import Markup, escape

from orchestrator.templating.environment import TemplateEnvironment
from orchestrator.templating.printing import as_text

FILE = "<message template>"
"""The file name that compiled templates have in tracebacks."""

_special = re.compile(r"[&<>'\"]").search


def html_text(value: Any) -> str:
    """A value as HTML: its text, escaped."""
    if type(value) is str and value.isprintable() and _special(value) is None:
        return value
    if type(value) is int:
        return str(value)
    if type(value) is Markup:
        return value
    return escape(as_text(value))


class Values(Context):
    """The values of one rendering, as compiled code looks them up; without what only other features of Jinja need."""

    def __init__(self, environment: TemplateEnvironment, values: Named) -> None:
        self.parent = values
        self.vars = {}
        self.environment = environment
        self.exported_vars = set()
        self.name = None
        self.blocks = {}
        self.resolve_or_missing = values.__getitem__  # type: ignore[assignment, method-assign]  # code asks before it sets any


class Named(dict[str, Any]):
    """The values of one rendering by their names in the code; one that is not there is what Jinja calls missing."""

    def __missing__(self, name: str) -> Any:
        return missing


class Code:
    """A compiled tree. `root` gives the text in pieces, for a context that holds the values."""

    __slots__ = ("_marks", "environment", "loops", "root")

    def __init__(self, tree: nodes.Template, environment: TemplateEnvironment, name: str) -> None:
        self.environment = environment
        self.loops = next(tree.find_all(nodes.For), None) is not None
        namespace: dict[str, Any] = {
            "environment": environment,
            "written": html_text if environment.autoescape else as_text,
        }
        exec(environment.compile(tree, name, FILE), namespace)  # our own generator's output, from a checked tree
        self.root: Callable[[Context], Iterator[str]] = namespace["root"]
        self._marks: Mapping[int, int] = _marks(namespace["debug_info"])

    def mark(self, line: int) -> int:
        """The mark of the tag that a line of the compiled code came from; 0 where there is none."""
        return max(((code, mark) for code, mark in self._marks.items() if code <= line), default=(0, 0))[1]


def _marks(debug_info: str) -> dict[int, int]:
    """Jinja's own notation: ``mark=line of code``, with & between."""
    pairs = (pair.split("=") for pair in debug_info.split("&") if pair)
    return {int(line): int(mark) for mark, line in pairs}
