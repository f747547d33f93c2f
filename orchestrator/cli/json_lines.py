"""Writes the lines of a run: to stdout for machines, and to a journal file with the values of every decision."""

from __future__ import annotations

import json
from collections.abc import Callable
from json import encoder
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from orchestrator.core.transition import Transition

AT_ONCE = 2_000
"""Lines that are handed to the stream together: one by one would cost more than making them."""


def line_encoder() -> Callable[[Any], str]:
    """Makes JSON of plain objects, exactly as JSONEncoder(ensure_ascii=False).encode does.

    That makes an encoder in C for every single object, which takes as long as the encoding; here one serves all.
    """
    plain = json.JSONEncoder(ensure_ascii=False)
    make = getattr(encoder, "c_make_encoder", None)
    if make is None:  # a Python without the C part
        return plain.encode
    between = (plain.key_separator, plain.item_separator)
    chunks = make(None, plain.default, encoder.encode_basestring, None, *between, False, False, True)
    return lambda value: "".join(chunks(value, 0))


class LineWriter:
    """Writes objects as JSON, one a line. Call `close` at the end; it closes no stream."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.text_of = line_encoder()
        """Makes the text of a line; `write_text` takes it."""
        self._waiting: list[str] = []

    def write(self, line: Any) -> None:
        """One line."""
        self.write_text(self.text_of(line))

    def write_text(self, text: str) -> None:
        """One line, whose text is made already."""
        waiting = self._waiting
        waiting.append(text)
        if len(waiting) >= AT_ONCE:
            self.close()

    def close(self) -> None:
        """Hands over what is left."""
        if self._waiting:
            self._waiting.append("")
            text = "\n".join(self._waiting)
            self._waiting = []
            self._stream.write(text)


def line_with_values(transition: Transition) -> dict[str, Any]:
    """A transition as a journal holds it: the line, and the values of the decision under `values`."""
    from orchestrator.core.transition import line_of

    line = line_of(transition)
    if transition.values:
        line["values"] = line_of(transition._replace(data={"v": dict(transition.values)}))["v"]
    return line


def without_values(emit: Callable[[dict[str, Any]], None], hidden: frozenset[str]) -> Callable[[dict[str, Any]], None]:
    """Passes on what `simulate` prints of a journal's lines: no `values`, and none of the `hidden` types."""

    def pass_on(line: dict[str, Any]) -> None:
        if line["type"] not in hidden:
            emit({key: value for key, value in line.items() if key != "values"} if "values" in line else line)

    return pass_on
