"""Prints each message as a few lines, for trying things out."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from typing import Final, TextIO

from orchestrator.channels.protocol import Answer, Outgoing

LONGEST_TEXT: Final = 240
_ACCEPTED: Final = Answer("accepted")


class ConsoleChannel:
    """`stream` None: standard error as it is when something is printed, so that machine output stays clean."""

    idempotent = True  # to read a message twice harms nobody
    width = 1

    def __init__(self, stream: TextIO | None = None, rate: float | None = None) -> None:
        self.rate = rate
        self._stream = stream
        self._lock = threading.Lock()

    def send(self, messages: Sequence[Outgoing]) -> Sequence[Answer]:
        """Print them. A stream that is closed or full refuses for now."""
        try:
            with self._lock:
                stream = self._stream or sys.stderr
                stream.write("".join([summary_of(message) for message in messages]))
                stream.flush()
        except (OSError, ValueError) as error:
            return [Answer("retry", f"the console cannot be written: {error}", down=True)] * len(messages)
        return [_ACCEPTED] * len(messages)

    def close(self) -> None:
        """The stream is not ours."""


def summary_of(out: Outgoing) -> str:
    """A message in two or three lines. Nothing in it reaches the terminal as a control sequence."""
    sender = f" from {_one_line(out.sender)}" if out.sender else ""
    lines = [f"{out.channel} to {_one_line(out.to)}{sender}"]
    if out.subject:
        lines.append(f"  {_one_line(out.subject)}")
    text = _one_line(out.text)
    if text:
        lines.append(f"  {text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + '…'}")
    return "\n".join(lines) + "\n"


def _one_line(text: str) -> str:
    shown = text[: 4 * LONGEST_TEXT]
    line = " ".join("".join([c if c.isprintable() else " " for c in shown]).split())
    return line.encode("utf-8", "replace").decode()
