"""CSS from `<style>` into `style` attributes, once when a template is loaded wherever that is safe.

The inliner parses HTML as a browser does, and a browser moves what may not stand in a table out of it. Template tags
therefore travel as comments, which stay where they are; what comes back is checked, and a template that was torn apart
all the same is inlined after rendering instead, message by message.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from orchestrator.templating.failure import ValueRefused
from orchestrator.templating.holders import Holder, blocks_stand_whole
from orchestrator.templating.html_scan import Scan, Where, scan
from orchestrator.templating.pieces import Atom, Data, Piece

if TYPE_CHECKING:
    from css_inline import CSSInliner

DEEPEST_HTML = 200
"""Elements inside one another; more would overflow the native parsers' stack."""

_BARE_TABLE = re.compile(r"(<table\b[^>]*>)(\s*(?:<!--zj[^>]*-->\s*)+)(?=<tr\b)", re.IGNORECASE)


@lru_cache(maxsize=1)
def _inliner() -> CSSInliner:
    from css_inline import CSSInliner  # a native library: loaded by those who render

    return CSSInliner(load_remote_stylesheets=False, keep_style_tags=True, keep_link_tags=False)


def has_styles(scanned: Scan) -> bool:
    """Whether there is anything to inline."""
    return any(tag.name == "style" for tag in scanned.tags)


def inline_once(scanned: Scan) -> list[Piece] | None:
    """The pieces with styles inlined, or None where it has to be done after rendering."""
    if any(place.place == "tag" for place in scanned.places):
        return None
    holder = Holder(scanned.pieces)

    def written(word: str, atom: Atom, place: Where) -> str:
        free = place.place == "text" and not (place.within is not None and place.within.inside("#condition"))
        return f"<!--{word}-->" if free else word

    text = holder.text(scanned.pieces, scanned.places, written)
    text = _BARE_TABLE.sub(r"\1<tbody>\2", text)  # a loop over rows must not lose the row group that parsers add
    try:
        pieces = holder.pieces(_inliner().inline(text))
    except ValueError:  # css_inline's own errors are of this kind
        return None
    if not holder.complete(pieces) or not blocks_stand_whole(pieces, scan(pieces).places):
        return None
    return pieces


def inline_rendered(html: str) -> str:
    """Finished HTML with styles inlined. Raises ValueRefused for HTML nested beyond all use."""
    if "<style" not in html:
        return html
    check_depth(html)
    try:
        return str(_inliner().inline(html))
    except ValueError as error:
        raise ValueRefused(f"the styles cannot be inlined: {error}") from None


def check_depth(html: str) -> None:
    """Raises ValueRefused when elements nest more than 200 deep."""
    if scan([Data(html, 1)]).depth > DEEPEST_HTML:
        raise ValueRefused(f"HTML elements nest more than {DEEPEST_HTML} deep; close them inside the loop")
