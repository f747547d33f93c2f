"""Where each tag of a template stands in its HTML or MJML: in text, in an attribute's value, inside a tag, in a style.

A small scanner that knows just enough HTML to say so; it never fails. Template tags count as opaque characters. Plain
comments are left out of the result, with the template tags inside them: what an author comments out is off.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias

from orchestrator.records import dataclass
from orchestrator.templating.pieces import Atom, Data, Piece

Place: TypeAlias = Literal["text", "tag", "value", "raw"]

VOID = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"]
)
RAW = frozenset({"script", "style", "title", "textarea", "mj-style"})

_NEXT = re.compile(r"<!--<!\[endif\]-->|<!--|<!\[endif\]-->|</?[A-Za-z][^\s/>]*|<[!?]", re.IGNORECASE)
_CONDITION = re.compile(r"<!--\[if[^\]]*\]>(<!-->|<!---->)?", re.IGNORECASE)
_IN_TAG = re.compile(r"\s+|/?>|/|=\s*(\"|')?|[^\s=/>]+")
_ATTRIBUTE = re.compile(r"\s*([^\s=/>]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_BLANK_OR_END = re.compile(r"[\s>]")


@dataclass(frozen=True, slots=True, eq=False)
class Element:
    """An open element. Two elements are the same only if they are one object."""

    name: str
    parent: Element | None
    mark: int = 0
    depth: int = 0

    def inside(self, *names: str) -> bool:
        """Whether this element or one around it has one of these names."""
        element: Element | None = self
        while element is not None:
            if element.name in names:
                return True
            element = element.parent
        return False


class Where(NamedTuple):
    """The place of a template tag. `value` place: in `attribute`, after the text `before` (a NUL for
    each value before it), within `quote` ('' for none).

    `within` is the innermost element, or the conditional comment; `number` tells one attribute value from another.
    """

    place: Place
    within: Element | None
    attribute: str = ""
    before: str = ""
    quote: str = ""
    number: int = 0


class Tag(NamedTuple):
    """An HTML or MJML tag that opens an element; `mark` is its place in the file."""

    name: str
    mark: int
    parent: Element | None
    attributes: dict[str, str]


class Scan(NamedTuple):
    """`pieces` without plain comments; `places`, one for each Atom of them in order; the `tags`; the elements without
    a closing tag of their own; how deep elements nest."""

    pieces: list[Piece]
    places: list[Where]
    tags: list[Tag]
    unclosed: list[Element]
    depth: int


def scan(pieces: list[Piece]) -> Scan:
    """Find the place of every template tag."""
    scanner = _Scanner()
    for piece in pieces:
        if isinstance(piece, Atom):
            scanner.atom(piece)
        else:
            scanner.data(piece)
    while scanner.within is not None:
        scanner.unclosed.append(scanner.within)
        scanner.within = scanner.within.parent
    return Scan(scanner.out, scanner.places, scanner.tags, scanner.unclosed, scanner.depth)


class _Scanner:
    def __init__(self) -> None:
        self.out: list[Piece] = []
        self.places: list[Where] = []
        self.tags: list[Tag] = []
        self.within: Element | None = None
        self.state: Literal["text", "tag", "value", "raw", "comment", "declaration"] = "text"
        self.closing = False
        self.name = ""
        self.tag_mark = 0
        self.attribute = ""
        self.attributes: dict[str, str] = {}
        self.before = ""
        self.quote = ""
        self.number = 0
        self.depth = 0
        self.unclosed: list[Element] = []
        self._steps: dict[str, Callable[[Data, int], int]] = {
            "text": self._text,
            "tag": self._tag,
            "value": self._value,
            "raw": self._raw,
            "comment": self._comment,
            "declaration": self._declaration,
        }

    def atom(self, atom: Atom) -> None:
        if self.state in ("comment", "declaration"):
            return
        self.out.append(atom)
        if self.state == "value":
            self.places.append(Where("value", self.within, self.attribute, self.before, self.quote, self.number))
            self.before += "\0" if atom.kind == "output" else ""
        else:
            place: Place = "tag" if self.state == "tag" else "raw" if self.state == "raw" else "text"
            self.places.append(Where(place, self.within, self.attribute if place == "tag" else ""))

    def data(self, data: Data) -> None:
        at, kept_from = 0, None if self.state == "comment" else 0
        while at < len(data.text):
            was_comment = self.state == "comment"
            start = at
            at = self._steps[self.state](data, at)
            now_comment = self.state == "comment"
            if now_comment and not was_comment and kept_from is not None:
                self._keep(data, kept_from, data.text.rindex("<!--", start, at))
                kept_from = None
            elif was_comment and not now_comment:
                kept_from = at
        if kept_from is not None:
            self._keep(data, kept_from, len(data.text))

    def _keep(self, data: Data, start: int, stop: int) -> None:
        if stop > start:
            self.out.append(Data(data.text[start:stop], data.mark + start))

    def _text(self, data: Data, at: int) -> int:
        found = _NEXT.search(data.text, at)
        if found is None:
            return len(data.text)
        opening = found.group()
        if opening.startswith("<!--<!"):  # ends what only some programs skip: its text was ordinary HTML
            return found.end()
        if opening == "<!--":
            condition = _CONDITION.match(data.text, found.start())
            if condition is None:
                self.state = "comment"
                return found.end()
            if condition.group(1) is None:
                self._open("#condition", data.mark + found.start())
            return condition.end()
        if opening.lower() == "<![endif]-->":
            while self.within is not None and self.within.inside("#condition"):
                was, self.within = self.within, self.within.parent
                if was.name == "#condition":
                    break
            return found.end()
        if opening in ("<!", "<?"):
            self.state = "declaration"
            return found.end()
        self.state, self.closing = "tag", opening.startswith("</")
        self.name = opening.lstrip("</").lower()
        self.tag_mark, self.attribute, self.attributes = data.mark + found.start(), "", {}
        return found.end()

    def _comment(self, data: Data, at: int) -> int:
        end = data.text.find("-->", at)
        if end < 0:
            return len(data.text)
        self.state = "text"
        return end + 3

    def _declaration(self, data: Data, at: int) -> int:
        end = data.text.find(">", at)
        if end < 0:
            return len(data.text)
        self.state = "text"
        return end + 1

    def _tag(self, data: Data, at: int) -> int:
        whole = _ATTRIBUTE.match(data.text, at)
        while whole is not None:  # a name and its quoted value at once: nearly all attributes are such
            name, double, single = whole.groups()
            self.attribute, self.quote = name.lower(), '"' if single is None else "'"
            self.before = self.attributes[self.attribute] = double if single is None else single
            self.number += 1
            at = whole.end()
            whole = _ATTRIBUTE.match(data.text, at)
        found = _IN_TAG.match(data.text, at)
        if found is None:
            return at + 1
        token = found.group()
        if token in (">", "/>"):
            self._end_tag(token == "/>")
        elif token.startswith("="):
            self.state, self.quote, self.before = "value", found.group(1) or "", ""
            self.number += 1
        elif not token.isspace() and token != "/":
            self.attribute = token.lower()
            self.attributes.setdefault(self.attribute, "")
        return found.end()

    def _value(self, data: Data, at: int) -> int:
        if self.quote:
            end = data.text.find(self.quote, at)
        else:
            stop = _BLANK_OR_END.search(data.text, at)
            end = stop.start() if stop else -1
        text = data.text[at : end if end >= 0 else len(data.text)]
        self.before += text
        if end < 0:
            return len(data.text)
        self.attributes[self.attribute] = self.before
        self.state = "tag"
        return end + len(self.quote)

    def _end_tag(self, self_closing: bool) -> None:
        self.state = "text"
        if self.closing:
            element = self.within
            while element is not None and element.name not in (self.name, "#condition"):
                element = element.parent
            if element is not None and element.name == self.name:
                while self.within is not None and self.within is not element:
                    self.unclosed.append(self.within)
                    self.within = self.within.parent
                self.within = element.parent
            return
        self.tags.append(Tag(self.name, self.tag_mark, self.within, self.attributes))
        if self_closing or self.name in VOID:
            return
        self._open(self.name, self.tag_mark)
        if self.name in RAW:
            self.state = "raw"

    def _open(self, name: str, mark: int) -> None:
        depth = 1 if self.within is None else self.within.depth + 1
        self.within = Element(name, self.within, mark, depth)
        self.depth = max(self.depth, depth)

    def _raw(self, data: Data, at: int) -> int:
        end = re.compile(rf"</{re.escape(self.name)}\b", re.IGNORECASE).search(data.text, at)
        if end is None:
            return len(data.text)
        self.state = "text"
        return end.start()
