"""Template tags held by opaque words while other tools work on the text around them.

A word such as ``zj0n12z`` passes through MJML and the CSS inliner like any other; afterwards each is exchanged for its
tag again. Tags come back as tokens, not as text, so that nothing those tools write can be mistaken for one.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from orchestrator.templating.html_scan import Where
from orchestrator.templating.pieces import Atom, Data, Piece


class Holder:
    """The words for one list of pieces."""

    __slots__ = ("_atoms", "_prefix", "_word")

    def __init__(self, pieces: list[Piece]) -> None:
        text = "".join(piece.text for piece in pieces if isinstance(piece, Data)).lower()
        salt = 0
        while f"zj{salt}n" in text:
            salt += 1
        self._prefix = f"zj{salt}n"
        self._word = re.compile(rf"<!--{self._prefix}(\d+)z-->|{self._prefix}(\d+)z")
        self._atoms = [piece for piece in pieces if isinstance(piece, Atom)]

    def text(self, pieces: list[Piece], places: list[Where], written: Callable[[str, Atom, Where], str]) -> str:
        """The pieces as text; `written` gives the form of each word by its tag and place."""
        out: list[str] = []
        number = 0
        for piece in pieces:
            if isinstance(piece, Data):
                out.append(piece.text)
            else:
                out.append(written(f"{self._prefix}{number}z", piece, places[number]))
                number += 1
        return "".join(out)

    def pieces(self, text: str) -> list[Piece]:
        """The pieces of a text that holds words."""
        out: list[Piece] = []
        at = 0
        for found in self._word.finditer(text):
            if found.start() > at:
                out.append(Data(text[at : found.start()], 1))
            out.append(self._atoms[int(found.group(1) or found.group(2))])
            at = found.end()
        if at < len(text):
            out.append(Data(text[at:], 1))
        return out

    def complete(self, pieces: list[Piece]) -> bool:
        """Whether every tag is among the pieces: none was lost on the way."""
        there = {id(piece) for piece in pieces}
        return all(id(atom) in there for atom in self._atoms)


def blocks_stand_whole(pieces: list[Piece], places: list[Where]) -> bool:
    """Whether each ``{% if %}`` or ``{% for %}`` begins, branches and ends inside one and the same element or value.

    Only then may a tool that parses HTML have worked on the text without tearing them apart.
    """
    open_blocks: list[tuple[str, Where]] = []
    for atom, place in zip((piece for piece in pieces if isinstance(piece, Atom)), places, strict=True):
        if atom.kind == "output" or atom.word == "set":
            continue
        if atom.word in ("elif", "else"):
            if not open_blocks or not _together(open_blocks[-1][1], place):
                return False
        elif atom.word.startswith("end"):
            if not open_blocks:
                return False
            word, start = open_blocks.pop()
            if atom.word != f"end{word}" or not _together(start, place):
                return False
        else:
            open_blocks.append((atom.word, place))
    return not open_blocks


def _together(one: Where, two: Where) -> bool:
    return one.place == two.place and one.within is two.within and one.number == two.number
