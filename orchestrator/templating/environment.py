"""The sandbox in which templates run: plain data, a fixed list of filters, no calls, no attributes of objects.

What a template may say is checked when it is loaded (binding.py). This is the second fence: even code that slipped
past that check finds no object to climb, no function to call and no global name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import Undefined, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import SecurityError
from jinja2.lexer import Lexer, TokenStream
from jinja2.parser import Parser
from jinja2.runtime import LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

from orchestrator.core.expression.values import describe
from orchestrator.templating.failure import ValueRefused
from orchestrator.templating.filters import TESTS, filters_for
from orchestrator.templating.missing import Missing, missing
from orchestrator.templating.pieces import Atom, Piece, RawToken
from orchestrator.templating.printing import as_text

LOOP_NAMES = frozenset(
    {"index", "index0", "first", "last", "length", "revindex", "revindex0", "previtem", "nextitem", "depth", "depth0"}
)
"""What `loop` knows inside `{% for %}`."""


class PartGenerator(CodeGenerator):
    """Writes every value by one call, where Jinja makes three."""

    def _output_child_pre(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:
        self.write("written(")

    def _output_child_post(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:
        self.write(")")


class TemplateEnvironment(ImmutableSandboxedEnvironment):
    """Jinja2's sandbox, narrowed. `html` decides whether values are escaped."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})
    intercepted_unops = frozenset({"+", "-"})

    def __init__(self, html: bool) -> None:
        super().__init__(
            autoescape=html,
            undefined=Missing,
            finalize=as_text,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            optimized=False,
            cache_size=0,
        )
        self.code_generator_class = PartGenerator
        self.globals.clear()
        self.filters.clear()
        self.filters.update(filters_for(html))
        self.tests.clear()
        self.tests.update(TESTS)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """`a.b`: a property of plain data, never an attribute of a Python object."""
        if type(obj) is dict:
            value = obj.get(attribute)
            return missing(attribute) if value is None else value
        if isinstance(obj, LoopContext) and attribute in LOOP_NAMES:
            return getattr(obj, attribute)
        return self._beyond(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """`a[b]`: a property by name, or an item by place."""
        if type(obj) is dict:
            value = obj.get(argument) if isinstance(argument, str) else None
        elif isinstance(obj, (list, str)) and isinstance(argument, int):
            value = obj[argument] if -len(obj) <= argument < len(obj) else None
        else:
            return self._beyond(obj, argument)
        return missing(f"[{argument}]") if value is None else value

    def _beyond(self, obj: Any, name: Any) -> Any:
        if isinstance(obj, Undefined):
            return str(obj)  # raises, with the name of what is missing
        if isinstance(obj, Mapping):
            return self.getattr(dict(obj), name)
        raise ValueRefused(f"{describe(obj)} has no property {str(name)[:40]!r}")

    def call(self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        """Nothing is called while a template is rendered: the engine worked out every function before."""
        raise SecurityError("templates call nothing")

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Calculations run through the language's own operators (filters.py); none comes this way."""
        raise SecurityError(f"'{operator}' is not available")

    def call_unop(self, context: Any, operator: str, arg: Any) -> Any:
        """See call_binop."""
        raise SecurityError(f"'{operator}' is not available")


HTML = TemplateEnvironment(html=True)
TEXT = TemplateEnvironment(html=False)
LEXER = Lexer(TEXT)


def parse(pieces: list[Piece], environment: TemplateEnvironment) -> nodes.Template:
    """The syntax tree of pieces; every node's `lineno` is a mark (positions.py).

    Raises TemplateSyntaxError with a mark as its line, and RecursionError or ValueError for hostile depth or size.
    """
    tokens: list[RawToken] = []
    for piece in pieces:
        if isinstance(piece, Atom):
            tokens.extend(piece.tokens)
        else:
            tokens.append((piece.mark, "data", piece.text))
    parser = Parser(environment, "")
    parser.stream = TokenStream(LEXER.wrap(iter(tokens), None, None), None, None)
    tree = parser.parse()
    tree.set_environment(environment)
    return tree
