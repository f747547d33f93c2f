"""The HTML body of an email: checked when it is loaded; compiled from MJML, styled and guarded when first needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from orchestrator.templating.failure import ValueRefused
from orchestrator.templating.html_rules import check_html, guarded
from orchestrator.templating.html_scan import Scan, scan
from orchestrator.templating.inlining import DEEPEST_HTML, has_styles, inline_once
from orchestrator.templating.mjml import check_mjml, compile_once
from orchestrator.templating.pieces import Atom, Data, Piece, RawToken

Report = Callable[[str, int, str, str | None], None]
"""(code, mark, message, way out)."""


class Html(NamedTuple):
    """An HTML body ready for the compiler.

    With `compile_late` it is MJML still, and with `inline_late` its styles are not inlined: both then happen after
    rendering. `text` is the text part, or None where it has to be made of each finished message. `own_preview`: the
    author wrote the hidden line of MJML himself.
    """

    pieces: list[Piece]
    text: list[Piece] | None = None
    compile_late: bool = False
    inline_late: bool = False
    own_preview: bool = False


def check_body(body: list[Piece], kind: str, report: Report) -> None:
    """Report what is wrong with a body of this kind (`html` or `mjml`)."""
    scanned = scan(body)
    check_html(scanned, report)
    if kind != "mjml":
        if scanned.depth > DEEPEST_HTML:
            report("html_too_deep", scanned.tags[0].mark, f"elements nest more than {DEEPEST_HTML} deep", "close them")
        return
    if check_mjml(scanned, report):
        try:
            compile_once(scanned)
        except ValueRefused as error:
            report("mjml_invalid", scanned.tags[0].mark, str(error), "close every element, as in XML")


def finish_html(body: list[Piece], kind: str, locale: str | None) -> Html:
    """A checked body, with all that can be done before its values are known."""
    scanned = scan(body)
    if kind != "mjml":
        return _styled(scanned, has_styles(scanned), False)
    styled = any(tag.name == "mj-style" for tag in scanned.tags)
    own_preview = any(tag.name == "mj-preview" for tag in scanned.tags)
    compiled = compile_once(scanned)
    if compiled is None:
        return Html(guarded(scanned, mjml=True), None, True, styled, own_preview)
    return _styled(scan(_with_language(compiled, locale)), styled, own_preview)


def _styled(scanned: Scan, styled: bool, own_preview: bool) -> Html:
    from orchestrator.templating.plain_text import text_once  # an HTML parser: loaded by those who render

    inlined = inline_once(scanned) if styled else scanned.pieces
    html = guarded(scan(inlined) if inlined is not None else scanned)
    text = text_once(scan(html))
    placed = html if own_preview else _with_preheader(html)
    return Html(placed, text, False, inlined is None, own_preview)


def _with_language(pieces: list[Piece], locale: str | None) -> list[Piece]:
    """MJML writes lang="und": the translation's own language, or none, says more."""
    wanted = f' lang="{locale}"' if locale else ""
    return [Data(p.text.replace(' lang="und"', wanted), p.mark) if isinstance(p, Data) else p for p in pieces]


def _with_preheader(pieces: list[Piece]) -> list[Piece]:
    """A place for the hidden preheader, first in the body."""
    tokens: tuple[RawToken, ...] = ((1, "variable_begin", "{{"), (1, "name", "_preheader"), (1, "variable_end", "}}"))
    place = Atom("output", "", tokens, 1)
    inside = False
    for number, piece in enumerate(pieces):
        if isinstance(piece, Atom):
            continue
        start = 0 if inside else piece.text.lower().find("<body")
        if start < 0:
            continue
        inside = True
        end = piece.text.find(">", start)
        if end >= 0:
            split_pieces: list[Piece] = [
                Data(piece.text[: end + 1], piece.mark),
                place,
                Data(piece.text[end + 1 :], piece.mark),
            ]
            return [*pieces[:number], *split_pieces, *pieces[number + 1 :]]
    return [place, *pieces]
