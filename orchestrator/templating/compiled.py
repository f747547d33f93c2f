"""A template variant as code: each part a function of the frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import NamedTuple

from jinja2 import nodes

from orchestrator.errors import EvaluationError
from orchestrator.templating.assets import AssetUrl, as_written, with_urls
from orchestrator.templating.binding import Binding
from orchestrator.templating.budget import joined
from orchestrator.templating.code import FILE, Code, Named, Values
from orchestrator.templating.environment import HTML, TEXT, TemplateEnvironment, parse
from orchestrator.templating.failure import RenderError, ValueRefused
from orchestrator.templating.html_parts import Html, finish_html
from orchestrator.templating.missing import Missing, missing
from orchestrator.templating.pieces import Data, Piece
from orchestrator.templating.positions import SourceMap
from orchestrator.templating.straight import Making, Straight, straight_of
from orchestrator.templating.templates import Parts, TemplateVariant

_END = "</body>"


class Part:
    """One part of a message: text that is always the same, or code."""

    __slots__ = ("_code", "_path", "_sources", "constant", "tree")

    def __init__(
        self, pieces: list[Piece], environment: TemplateEnvironment, binding: Binding, sources: SourceMap, path: str
    ) -> None:
        self.constant: str | None = None
        self.tree: nodes.Template | None = None
        self._path, self._sources = path, sources
        if all(isinstance(piece, Data) for piece in pieces):
            self.constant = "".join(piece.text for piece in pieces if isinstance(piece, Data))
            return
        tree = binding.bind(parse(pieces, environment))
        if binding.findings:  # the author's tags were checked before: only our own could be wrong
            raise AssertionError(binding.findings)
        self.tree = tree
        try:
            self._code = Code(tree, environment, path)
        except (SyntaxError, RecursionError, MemoryError, ValueError) as error:
            raise RenderError(f"the template cannot be compiled: {error}; simplify it", path) from None

    def render(self, values: Named, longest: int) -> str:
        """The part's text. Raises RenderError with the place in the template file."""
        if self.constant is not None:
            return self.constant
        code = self._code
        try:
            return joined(code.root(Values(code.environment, values)), longest, code.loops)
        except RenderError:
            raise
        except Exception as error:  # whatever data does to a template is one message's failure, never a crash
            raise self._located(error) from None

    def _located(self, error: Exception) -> RenderError:
        mark = 0
        trace: TracebackType | None = error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == FILE:
                mark = self._code.mark(trace.tb_lineno)
            trace = trace.tb_next
        place = self._sources.position(mark)
        known = isinstance(error, (ValueRefused, EvaluationError)) or hasattr(error, "message")
        reason = str(getattr(error, "message", None) or error) if known else f"{type(error).__name__}: {error}"
        return RenderError(reason, place.path or self._path, place.line, place.column)


class Slot(NamedTuple):
    """A value that the code looks up: its name in the code, its key among the frozen values, what stands for none."""

    name: str
    key: str
    absent: Missing


class Compiled:
    """All parts of one variant, compiled. Raises RenderError where the file has problems that lint reports.

    `bodied`: the HTML may hold the end of a body. `late`: something is done to each finished HTML. `tidied`: the text
    part was made from the HTML, with values in it. `plain`: there is no sender, reply address or field. `straight`: all
    of it as one function, where that is possible.
    """

    __slots__ = (
        "bodied",
        "fields",
        "finish",
        "html",
        "late",
        "plain",
        "preheader",
        "reply_to",
        "sender",
        "slots",
        "specials",
        "straight",
        "subject",
        "text",
        "tidied",
        "variant",
    )

    def __init__(
        self, variant: TemplateVariant, asset_url: AssetUrl = as_written, making: Making | None = None
    ) -> None:
        parts: Parts = variant.parts
        assets = {asset.name: asset for asset in variant.assets}
        binding = Binding(internal=frozenset({"_preheader"}))
        self.variant = variant
        if parts.html is None and parts.text is None:
            raise RenderError("the template file has problems; run lint to see them", variant.path)
        html = None if parts.html is None else _finished(variant, with_urls(parts.html, assets, asset_url))

        def part(pieces: list[Piece] | None, environment: TemplateEnvironment = TEXT) -> Part | None:
            return None if pieces is None else Part(pieces, environment, binding, parts.sources, variant.path)

        self.subject = part(parts.subject)
        self.preheader = part(parts.preheader)
        self.sender = part(parts.sender)
        self.reply_to = part(parts.reply_to)
        self.finish = html
        self.html = part(html.pieces if html else None, HTML)
        self.late = html is not None and (html.compile_late or html.inline_late)
        self.bodied = html is not None and (html.compile_late or _may_end_body(html.pieces))
        self.text = part(html.text if html and parts.text_derived else parts.text)
        self.tidied = parts.text_derived and self.text is not None and self.text.constant is None
        fields = dict(parts.fields)
        if "image" in fields:
            fields["image"] = with_urls(fields["image"], assets, asset_url, link=True)
        self.fields: Mapping[str, Part] = {
            key: Part(pieces, TEXT, binding, parts.sources, variant.path) for key, pieces in fields.items()
        }
        self.slots = tuple(Slot(f"_u{number}", key, missing(key)) for key, number in binding.slots.items())
        self.specials = frozenset(binding.specials)
        self.plain = self.sender is None and self.reply_to is None and not self.fields
        self.straight = self._straight(making) if making is not None else None

    def _straight(self, making: Making) -> Straight | None:
        """The whole variant as one function, where its parts allow it. Their trees are not needed afterwards."""
        parts = {"subject": self.subject, "preheader": self.preheader, "html": self.html, "text": self.text}
        aside = [self.sender, self.reply_to, *self.fields.values()]
        found: Straight | None = None
        if all(part is None or part.constant is not None for part in aside):
            trees = {name: None if part is None else part.constant or part.tree or "" for name, part in parts.items()}
            found = straight_of(trees, {slot.name: (slot.key, slot.absent) for slot in self.slots}, making)
        for part in (*parts.values(), *aside):
            if part is not None:
                part.tree = None
        return found


def _may_end_body(pieces: list[Piece]) -> bool:
    """Whether ``</body>`` stands there, or could when values are in place."""
    text = "".join([piece.text if isinstance(piece, Data) else "\0" for piece in pieces]).lower()
    return _END in text or any(f"{_END[:cut]}\0" in text for cut in range(1, len(_END)))


def _finished(variant: TemplateVariant, body: list[Piece]) -> Html:
    try:
        return finish_html(body, variant.parts.kind, variant.locale)
    except ValueRefused as error:
        raise RenderError(str(error), variant.path) from None
