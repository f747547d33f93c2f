"""Positions in template files, small enough to travel as the "line number" of a Jinja token.

Jinja keeps one integer for each node and writes it into the compiled code. We store the file and the offset in it, so
that every problem and every rendering error points at line and column of the right file, partials included.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple

OFFSET_BITS = 20
LARGEST_FILE = (1 << OFFSET_BITS) - 1
"""Characters a template file may have (about one million); files are refused well before."""


class Position(NamedTuple):
    """A place in a template file; `line` and `column` count from 1."""

    path: str
    line: int
    column: int


class SourceMap:
    """The files that one template variant is made of, by number, and the places that tokens point to."""

    __slots__ = ("_files", "_numbers")

    def __init__(self) -> None:
        self._files: list[tuple[str, list[int]]] = []
        self._numbers: dict[str, int] = {}

    def add(self, path: str, text: str) -> int:
        """Register a file (once) and return the mark of its first character; add an offset to it for any other."""
        number = self._numbers.get(path)
        if number is None:
            number = self._numbers[path] = len(self._files)
            starts = [0]
            at = text.find("\n")
            while at >= 0:
                starts.append(at + 1)
                at = text.find("\n", at + 1)
            self._files.append((path, starts))
        return (number << OFFSET_BITS) + 1  # never 0: the compiler takes 0 for "no line"

    def position(self, mark: int) -> Position:
        """The place a mark stands for; a mark that is none of ours gives the first line of the first file."""
        number, offset = divmod(max(mark, 1) - 1, 1 << OFFSET_BITS)
        if number >= len(self._files):
            number, offset = 0, 0
        path, starts = self._files[number]
        line = bisect_right(starts, offset)
        return Position(path, line, offset - starts[line - 1] + 1)
