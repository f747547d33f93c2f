"""Bounds on what one rendering may do: how many steps it takes and how long its texts grow."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from orchestrator.templating.failure import ValueRefused

STEPS = 100_000
"""Passes through loops, items handled by list filters, and thousands of characters handled by text filters."""
LONGEST_TEXT = 200_000
LONGEST_HTML = 1_000_000
_CHUNKS = 256


class Budget:
    """The steps one rendering has left. Counted, not timed: the same values always give the same answer."""

    left: int = STEPS

    def spend(self, steps: int) -> None:
        """Take `steps` off; raises ValueRefused when none are left."""
        self.left -= steps
        if self.left < 0:
            raise ValueRefused(f"rendering takes more than {STEPS:,} steps; loop over fewer items")

    def handle(self, value: Any) -> None:
        """Count one filter's work on a value: a step for each item of a list, and for each thousand characters."""
        if isinstance(value, str):
            if len(value) >= 1_000:
                self.spend(len(value) // 1_000)
        elif isinstance(value, (list, dict)):
            self.spend(len(value))

    def loop(self, value: Any) -> Any:
        """Check and count what `{% for %}` goes through: lists, and the names of an object's properties."""
        if isinstance(value, (list, tuple, dict)):
            self.spend(len(value) + 1)
            return value
        if isinstance(value, str):
            raise ValueRefused("a text is not a list; {% for %} goes through lists")
        if value is None:
            raise ValueRefused("this has no value here; write {% if list %} around the loop, or | default([])")
        iter(value)  # a missing value raises, with its name
        raise ValueRefused("{% for %} goes through lists only")


def joined(chunks: Iterator[str], longest: int, looping: bool) -> str:
    """The chunks as one text. Raises ValueRefused when it grows past `longest` characters; with `looping` it is
    measured on the way, so that a long loop is stopped before it fills the memory."""
    if not looping:
        text = "".join(chunks)
        if len(text) > longest:
            raise _too_long(longest)
        return text
    out: list[str] = []
    size = 0
    while some := list(islice(chunks, _CHUNKS)):
        size += sum(map(len, some))
        if size > longest:
            raise _too_long(longest)
        out += some
    return "".join(out)


def _too_long(longest: int) -> ValueRefused:
    return ValueRefused(f"the message grows past {longest:,} characters")
