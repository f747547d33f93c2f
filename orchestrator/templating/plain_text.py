"""The text part of an email that has none of its own, made from its HTML.

Links keep their address: ``Book now (https://...)``. It works on finished HTML and on HTML whose template tags are held
by words, so that for most templates it is done once, when the template is loaded.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

from orchestrator.templating.holders import Holder, blocks_stand_whole
from orchestrator.templating.html_scan import Scan, Where
from orchestrator.templating.pieces import Atom, Piece

_HIDDEN = frozenset({"head", "style", "script", "title", "template"})
_APART = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "blockquote", "pre"})
_OWN_LINE = frozenset(
    {"div", "table", "tr", "li", "section", "article", "header", "footer", "center", "dt", "dd", "hr"}
)
_VOID = frozenset({"br", "img", "hr", "input", "meta", "link", "col", "wbr", "area", "base", "source"})
_NOT_SHOWN = re.compile(r"display\s*:\s*none", re.IGNORECASE)
_spaces_before_break = re.compile(r"[ \t]+\n").sub
_many_breaks = re.compile(r"\n{3,}").sub
_BLOCK = "\x01"
"""Marks a block tag in the HTML that the writer is given: it takes no room of its own."""


class _Writer(HTMLParser):
    """Writes text while it reads HTML; line breaks are remembered and written only before something follows."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.out: list[str] = []
        self.breaks = 0
        self.written_breaks = 2
        self.at_start = True
        self.space = False
        self.hidden: list[str] = []
        self.links: list[tuple[str, int]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """See HTMLParser."""
        values = dict(attrs)
        if self.hidden:
            if tag not in _VOID:
                self.hidden.append(tag)
            return
        if (tag in _HIDDEN or _NOT_SHOWN.search(values.get("style") or "")) and tag not in _VOID:
            self.hidden.append(tag)
            return
        self._apart(tag)
        if tag == "br":
            self.breaks += 1
        elif tag == "li":
            self._write("- ")
            self.at_start = True
        elif tag == "img" and (values.get("alt") or "").strip():
            self._words(values["alt"] or "")
        elif tag == "a":
            self.links.append((values.get("href") or "", len(self.out)))
        elif tag in ("td", "th"):
            self.space = True

    def handle_endtag(self, tag: str) -> None:
        """See HTMLParser."""
        if self.hidden:
            if tag in self.hidden:
                while self.hidden.pop() != tag:
                    pass
            return
        if tag == "a" and self.links:
            self._end_link(*self.links.pop())
        self._apart(tag)

    def handle_data(self, data: str) -> None:
        """See HTMLParser."""
        if not self.hidden:
            self._words(data)

    def parse_marked_section(self, i: int, report: bool = True) -> int:
        """See HTMLParser, which takes ``<![`` with anything odd behind it for a mistake of its own."""
        try:
            return super().parse_marked_section(i, report)
        except AssertionError:
            return self.parse_bogus_comment(i)

    def _apart(self, tag: str) -> None:
        if tag in _APART:
            self.breaks = max(self.breaks, 2)
        elif tag in _OWN_LINE:
            self.breaks = max(self.breaks, 1)

    def _end_link(self, href: str, start: int) -> None:
        address = href.strip()
        text = "".join(self.out[start:]).replace(_BLOCK, "").strip()
        if not address or address.startswith(("#", "javascript:")):
            return
        bare = re.sub(r"^(mailto:|tel:|sms:|https?://)", "", address).rstrip("/")
        if text in (address, bare):
            return
        self._write(f" ({address})" if text else address)

    def _words(self, data: str) -> None:
        for part in re.split(rf"({_BLOCK}[^{_BLOCK}]*{_BLOCK})", data):
            if part.startswith(_BLOCK):
                self._gap()
                self.out.append(part)
                continue
            words = part.split()
            if not words:
                self.space = self.space or bool(part)
                continue
            self.space = self.space or part[0].isspace()
            self._write(" ".join(words))
            self.space = part[-1].isspace()

    def _write(self, text: str) -> None:
        self._gap()
        self.out.append(text)
        self.at_start, self.written_breaks = False, 0

    def _gap(self) -> None:
        """The breaks or the space that what follows has to be set apart with."""
        lacking = min(self.breaks, 2) - self.written_breaks
        if lacking > 0:
            self.out.append("\n" * lacking)
            self.written_breaks += lacking
        if self.breaks:
            self.at_start = True
        elif self.space and not self.at_start:
            self.out.append(" ")
            self.at_start = True
        self.breaks, self.space = 0, False


def text_of(html: str) -> str:
    """The text of finished HTML."""
    return tidy(_written(html))


def tidy(text: str) -> str:
    """Text without spaces at line ends and without more than one empty line in a row."""
    if " \n" in text or "\t\n" in text:  # asked first, because the search for spaces stops at every word
        text = _spaces_before_break("\n", text)
    if "\n\n\n" in text:
        text = _many_breaks("\n\n", text)
    return text.strip() + "\n"


def text_once(scanned: Scan) -> list[Piece] | None:
    """The text part as pieces, or None where it has to be made of each finished message."""
    if any(place.place == "tag" for place in scanned.places):
        return None
    if not blocks_stand_whole(scanned.pieces, scanned.places):  # half of a block may be hidden, half shown
        return None
    holder = Holder(scanned.pieces)

    def written(word: str, atom: Atom, place: Where) -> str:
        return f"{_BLOCK}{word}{_BLOCK}" if atom.kind == "block" and place.place == "text" else word

    text = _written(holder.text(scanned.pieces, scanned.places, written)).replace(_BLOCK, "")
    pieces = holder.pieces(text)
    depth = 0
    for piece in pieces:
        if isinstance(piece, Atom) and piece.kind == "block":
            depth += -1 if piece.word.startswith("end") else 1 if piece.word in ("if", "for", "with") else 0
            if depth < 0:
                return None
    return pieces if depth == 0 else None


def _written(html: str) -> str:
    writer = _Writer()
    writer.feed(html)
    writer.close()
    return "".join(writer.out).strip("\n ")
