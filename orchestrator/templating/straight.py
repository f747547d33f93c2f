"""A variant without blocks as one function: text with values in between, each value worked out and checked once.

Most templates hold no `{% if %}` and no loop, and the HTML and the text of a message say the same things twice. The
function is written from the same checked trees that Jinja compiles, calls the same filters, and gives the same texts.
It does not explain itself: whatever it raises, the message is rendered by Jinja's code, which knows the places.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from itertools import count
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from jinja2 import nodes
from markupsafe import Markup, escape

from orchestrator.templating.budget import LONGEST_HTML, LONGEST_TEXT, Budget
from orchestrator.templating.code import html_text
from orchestrator.templating.environment import HTML, TEXT, TemplateEnvironment
from orchestrator.templating.filters import written_day
from orchestrator.templating.guards import GUARDS
from orchestrator.templating.locales import is_chinese
from orchestrator.templating.missing import Missing
from orchestrator.templating.printing import as_text

Texts = tuple[str | None, str | None, str | None, str | None]
"""Subject, preheader, HTML and text, as far as the variant has them."""
Straight = Callable[[Mapping[str, Any], Mapping[str, Any]], Texts]
"""(frozen values, extras) to texts; raises whatever it likes."""


class Making(NamedTuple):
    """What the renderer lends: the zone by its name, a preheader as one line, and that line as hidden HTML. `brand` and
    `locale` are those of every message whose extras hold no others."""

    zone_of: Callable[[object], ZoneInfo]
    one_line: Callable[[str], str]
    hidden_in: Callable[[str], str]
    brand: Mapping[str, Any]
    locale: str


FILE: Final = "<straight template>"
_SETTING: Final = "(setting or (setting := Setting(zone_of(extras.get('timezone')), language)))"
"""Made once a message, and only where a filter asks."""
_TIMELESS: Final = frozenset({*GUARDS, "default"})
"""Filters that ask neither for the zone nor for the budget: what they make of the brand never changes."""
ALWAYS: Final = frozenset({"brand", "locale"})
"""Names whose values are the same for every message, unless its extras say otherwise: then the function is wrong."""


class _NotStraight(Exception):
    """The tree holds what only Jinja's code can do."""


class Setting:
    """What filters ask of the rendering under way, in the place where they look for it."""

    __slots__ = ("parent",)

    def __init__(self, zone: ZoneInfo, locale: str) -> None:
        self.parent = {"_budget": Budget(), "_zone": zone, "_locale": locale}


def straight_of(
    trees: Mapping[str, nodes.Template | str | None],
    slots: Mapping[str, tuple[str, Missing]],
    making: Making,
) -> Straight | None:
    """The function of a variant; None where a part of it has blocks or something else that is Jinja's.

    `trees` holds the bound tree (or the constant text) of subject, preheader, html and text; `slots` tells the key and
    the missing value of each name in them.
    """
    writer = _Writer(slots, making)
    try:
        source = writer.source(trees)
    except _NotStraight:
        return None
    namespace: dict[str, Any] = {
        **writer.namespace,
        "Setting": Setting,
        "as_text": as_text,
        "date": date,
        "written_day": written_day,
        "escape": escape,
        "join": "".join,
        "Markup": Markup,
        "zone_of": making.zone_of,
        "language": making.locale,
        "one_line": making.one_line,
        "hidden_in": making.hidden_in,
    }
    try:
        exec(compile(source, FILE, "exec"), namespace)  # written below, from a checked tree: no text of its author
    except (SyntaxError, RecursionError, MemoryError, ValueError):
        return None
    write: Straight = namespace["write"]
    return write


class _Writer:
    """Writes the function, part by part; what an expression gives is kept for the parts after it."""

    def __init__(self, slots: Mapping[str, tuple[str, Missing]], making: Making) -> None:
        self.slots = slots
        self.making = making
        self.always = {"brand": making.brand, "locale": making.locale}
        self.namespace: dict[str, Any] = {}
        self.lines: list[str] = []
        self._hidden: str | None = None
        self._known: dict[str, str] = {}
        self._numbers = count()

    def source(self, trees: Mapping[str, nodes.Template | str | None]) -> str:
        """The function's code. Raises _NotStraight."""
        self._part("subject", trees["subject"], TEXT, LONGEST_TEXT)
        self._preheader(trees["preheader"])
        self._part("html", trees["html"], HTML, LONGEST_HTML)
        self._part("text", trees["text"], TEXT, LONGEST_TEXT)
        self._line("return subject, preheader, html, text")
        return "\n    ".join(["def write(frozen, extras):", "setting = None", *self.lines]) + "\n"

    def _line(self, line: str) -> None:
        self.lines.append(line)

    def _preheader(self, tree: nodes.Template | str | None) -> None:
        if isinstance(tree, nodes.Template):
            self._part("preheader", tree, TEXT, LONGEST_TEXT)
            self._line("preheader = one_line(preheader) if preheader else None")
            self._line("hidden = hidden_in(preheader) if preheader else ''")
            return
        line = self.making.one_line(tree) if tree else None
        self._line(f"preheader = {line!r}")
        self._hidden = str(self.making.hidden_in(line)) if line else ""

    def _part(self, name: str, tree: nodes.Template | str | None, environment: TemplateEnvironment, most: int) -> None:
        if tree is None or isinstance(tree, str):
            self._line(f"{name} = {tree!r}")
            return
        chunks: list[str] = []
        text = ""
        for node in _outputs(tree):
            fixed = self._fixed(node, environment)
            if fixed is not None:
                text += fixed
                continue
            if text:
                chunks.append(repr(text))
                text = ""
            chunks.append(self._written(node, environment))
        chunks.append(repr(text))
        self._line(f"{name} = join(({', '.join(chunks)},))")
        self._line(f"if len({name}) > {most}: raise OverflowError")

    # --- what is written --------------------------------------------------------------------------------------------

    def _fixed(self, node: nodes.Expr, environment: TemplateEnvironment) -> str | None:
        """The text of an expression that is always the same, as Jinja's compiler or its code would write it."""
        if isinstance(node, nodes.TemplateData):
            return node.data
        if _is_hidden_line(node):
            return self._hidden
        try:
            value = node.as_const(nodes.EvalContext(environment))
            return str(as_text(escape(value) if environment.autoescape else value))
        except Exception:  # it depends on something, or is refused: then each message says so
            pass
        names = {name.name for name in [*node.find_all(nodes.Name), node] if isinstance(name, nodes.Name)}
        filters = {found.name for found in [*node.find_all(nodes.Filter), node] if isinstance(found, nodes.Filter)}
        if not names or not names <= ALWAYS or not filters <= _TIMELESS:
            return None
        alone = _Writer({}, self.making)
        try:
            value = eval(compile(alone.expression(node, environment), FILE, "eval"), alone.namespace)
            return str(html_text(value) if environment.autoescape else as_text(value))
        except Exception:
            return None

    def _written(self, node: nodes.Expr, environment: TemplateEnvironment) -> str:
        """The name of an expression's text, or of its HTML."""
        if _is_hidden_line(node):
            return "hidden"
        value = self._kept("e", self.expression(node, environment))
        text = self._kept("t", f"{value} if type({value}) is str and {value}.isprintable() else as_text({value})")
        if not environment.autoescape:
            return text
        special = " or ".join(f"{character!r} in {text}" for character in "&<>\"'")
        return self._kept("h", f"{text} if type({value}) is Markup or not ({special}) else escape({text})")

    def _kept(self, kind: str, source: str) -> str:
        """The name of the variable that holds what this source gives."""
        name = self._known.get(source)
        if name is None:
            if source.isidentifier():
                return source
            name = self._known[source] = f"{kind}{next(self._numbers)}"
            self._line(f"{name} = {source}")
        return name

    # --- expressions ------------------------------------------------------------------------------------------------

    def expression(self, node: nodes.Expr, environment: TemplateEnvironment) -> str:
        """The source of an expression. Raises _NotStraight."""

        def of(inner: nodes.Expr) -> str:
            return self.expression(inner, environment)

        match node:
            case nodes.Const() if node.value is None or type(node.value) in (str, int, float, bool):
                return repr(node.value)
            case nodes.Name():
                return self._name(node.name)
            case nodes.Getattr():
                return f"{self._given('property_of', environment.getattr)}({of(node.node)}, {node.attr!r})"
            case nodes.Getitem() if not isinstance(node.arg, nodes.Slice):
                return f"{self._given('item_of', environment.getitem)}({of(node.node)}, {of(node.arg)})"
            case nodes.List():
                return f"[{', '.join(map(of, node.items))}]"
            case nodes.Not():
                return f"(not {of(node.node)})"
            case nodes.And():
                return f"({of(node.left)} and {of(node.right)})"
            case nodes.Or():
                return f"({of(node.left)} or {of(node.right)})"
            case nodes.CondExpr() if node.expr2 is not None:
                return f"({of(node.expr1)} if {of(node.test)} else {of(node.expr2)})"
            case nodes.Test():
                test = self._given(f"is_{node.name}", environment.tests[node.name])
                return f"{test}({', '.join(map(of, [node.node, *node.args]))})"
            case nodes.Filter() if node.node is not None:
                return self._filter(node, environment)
        raise _NotStraight

    def _filter(self, node: nodes.Filter, environment: TemplateEnvironment) -> str:
        setting = "None" if node.name in _TIMELESS else _SETTING
        assert node.node is not None
        body = environment.filters[node.name]
        own = "html_" if environment.autoescape and node.name in ("escape", "nl2br") else ""
        called = self._given(f"{own}into_{node.name}", body)
        inner = self.expression(node.node, environment)
        args = [self.expression(arg, environment) for arg in node.args]
        call = f"{called}({', '.join([setting, inner, *args])})"
        if node.name in ("_url_path", "_url_part") and inner.isidentifier():  # nothing in most ids has to be encoded
            return f"({inner} if type({inner}) is str and {inner}.isascii() and {inner}.isalnum() else {call})"
        if node.name == "date" and inner.isidentifier() and isinstance(node.args[0], nodes.Const):
            if isinstance(node.args[0].value, str) and not is_chinese(self.making.locale):
                return f"(written_day({inner}, {args[0]}) if type({inner}) is date else {call})"
        return call

    def _given(self, name: str, value: Any) -> str:
        """A function by a name of its own."""
        self.namespace[name] = value
        return name

    def _name(self, name: str) -> str:
        """The variable of a value: frozen in the row, the same for all messages, or among the message's extras."""
        if name in self.always:
            return self._given(f"always_{name}", self.always[name])
        known = f"name {name}"
        if known in self._known:
            return self._known[known]
        variable = self._known[known] = f"v{next(self._numbers)}"
        if name in self.slots:
            key, absent = self.slots[name]
            self._line(f"{variable} = frozen[{key!r}]")
            self._line(f"if {variable} is None: {variable} = {self._given(f'absent_{variable}', absent)}")
        else:
            absent = Missing(name=name)
            self._line(f"{variable} = extras.get({name!r}, {self._given(f'absent_{variable}', absent)})")
        return variable


def _is_hidden_line(node: nodes.Expr) -> bool:
    return isinstance(node, nodes.Name) and node.name == "_preheader"


def _outputs(tree: nodes.Template) -> Iterator[nodes.Expr]:
    """What a tree writes, in order. Raises _NotStraight where it does anything else."""
    for statement in tree.body:
        if not isinstance(statement, nodes.Output):
            raise _NotStraight
        yield from statement.nodes
