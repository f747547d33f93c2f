"""Where words and data go: people read stdout, or stderr when `--json` gives stdout to a machine."""

from __future__ import annotations

import json
import os
import sys
from typing import Any, Literal, TextIO

Style = Literal["bold", "dim", "red", "green", "yellow", "cyan"]

_CODES: dict[Style, str] = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


class Terminal:
    """The two streams of one run of a command, in UTF-8 whatever the locale says."""

    def __init__(self, *, json_output: bool = False, verbose: bool = False) -> None:
        self.json_output = json_output
        self.verbose = verbose
        self.out: TextIO = _utf8(sys.stdout)
        self.err: TextIO = _utf8(sys.stderr)
        self.people: TextIO = self.err if json_output else self.out

    def say(self, text: str = "") -> None:
        """A result in words, and a line break."""
        self.people.write(text + "\n")

    def note(self, text: str) -> None:
        """Something beside the result: progress, hints, complaints. Always stderr."""
        self.err.write(text + "\n")

    def detail(self, text: str) -> None:
        """A note that only `-v` shows."""
        if self.verbose:
            self.note(text)

    def data(self, value: Any) -> None:
        """The machine form of the result, when `--json` asks for it."""
        if self.json_output:
            self.out.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")

    def paint(self, text: str, *styles: Style) -> str:
        """The text in colour, where people read on a terminal that wants it."""
        if not self._colours or not text:
            return text
        return f"\x1b[{';'.join(_CODES[style] for style in styles)}m{text}\x1b[0m"

    @property
    def shows_progress(self) -> bool:
        """Whether progress bars are shown: never in a pipe, a file or a dumb terminal."""
        return self.err.isatty() and os.environ.get("TERM") != "dumb"

    @property
    def _colours(self) -> bool:
        return self.people.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def flush(self) -> None:
        """Hands over what is buffered. Raises BrokenPipeError where the reader has gone."""
        self.out.flush()
        self.err.flush()


def _utf8(stream: TextIO) -> TextIO:
    """The stream, writing UTF-8 in every locale; what cannot be encoded (lone surrogates) is escaped as in JSON."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(encoding="utf-8", errors="backslashreplace")
    return stream


def discard_output() -> None:
    """Send stdout nowhere: its reader has gone, and the interpreter would complain when it flushes at exit."""
    try:
        number = sys.stdout.fileno()
    except (OSError, ValueError, AttributeError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)
