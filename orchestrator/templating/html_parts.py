"""The HTML body of an email: checked, compiled from MJML, styled and guarded once, with its text part."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.templating.failure import ValueRefused
from orchestrator.templating.html_rules import check_html, guarded
from orchestrator.templating.html_scan import Scan, scan
from orchestrator.templating.inlining import DEEPEST_HTML, has_styles, inline_once
from orchestrator.templating.mjml import check_mjml, compile_once
from orchestrator.templating.pieces import Atom, Data, Piece, RawToken
from orchestrator.templating.plain_text import text_once
from orchestrator.templating.templates import Parts

Report = Callable[[str, int, str, str | None], None]
"""(code, mark, message, way out)."""


def finished_html(body: list[Piece], kind: str, locale: str | None, report: Report, sound: Callable[[], bool]) -> Parts:
    """The `html` and `text` parts of a body of this kind (`html` or `mjml`); neither where something is wrong.

    `sound` tells whether nothing has been reported as an error so far.
    """
    scanned = scan(body)
    check_html(scanned, report)
    if kind == "mjml":
        check_mjml(scanned, report)
    elif scanned.depth > DEEPEST_HTML:
        report("html_too_deep", scanned.tags[0].mark, f"elements nest more than {DEEPEST_HTML} deep", "close them")
    if not sound():
        return Parts()
    own_preview = any(tag.name == "mj-preview" for tag in scanned.tags)
    if kind != "mjml":
        return _styled(scanned, has_styles(scanned), own_preview)
    styled = any(tag.name == "mj-style" for tag in scanned.tags)
    try:
        compiled = compile_once(scanned)
    except ValueRefused as error:
        report(
            "mjml_invalid", scanned.tags[0].mark if scanned.tags else 1, str(error), "close every element, as in XML"
        )
        return Parts()
    if compiled is None:
        html = guarded(scanned, mjml=True)
        return Parts(html=html, compile_late=True, inline_late=styled, own_preview=own_preview)
    return _styled(scan(_with_language(compiled, locale)), styled, own_preview)


def _styled(scanned: Scan, styled: bool, own_preview: bool) -> Parts:
    inlined = inline_once(scanned) if styled else scanned.pieces
    html = guarded(scan(inlined) if inlined is not None else scanned)
    text = text_once(scan(html))
    placed = html if own_preview else _with_preheader(html)
    return Parts(html=placed, text=text, inline_late=inlined is None, own_preview=own_preview)


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
