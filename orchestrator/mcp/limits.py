"""What an assistant is given is bounded: in time, in size, and in what it tells of people."""

from __future__ import annotations

import json
import re
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

LONGEST_ANSWER: Final = 24_000
"""Characters of an answer."""
_EMAIL: Final = re.compile(r"(?<![\w.+-])([\w.+-])[\w.+-]{0,80}@[\w-]{1,63}(?:\.[\w-]{1,63}){0,6}")
_PHONE: Final = re.compile(r"(?<![\w+])\+\d[\d ()-]{5,18}\d(?!\w)")
_NAMES: Final = re.compile(
    r"name|address|street|city|postcode|zip|birth|mail|phone|mobile|passport|iban", re.IGNORECASE
)
"""Attributes whose values are a person's own."""
SHORTEST_HIDDEN: Final = 2


class TimeUp(BaseException):
    """A tool took too long. No Exception: what decisions raise is caught and parked, and this must not be."""


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Ends what runs inside after so many seconds, in the main thread of a process. Raises TimeUp."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def up(*_: object) -> None:
        raise TimeUp

    before = signal.signal(signal.SIGALRM, up)
    # Again each second: a destructor may swallow one.
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def clipped(text: str, most: int = LONGEST_ANSWER) -> str:
    """The text, or as many whole lines of its beginning as fit, with a note of what was left out."""
    if len(text) <= most:
        return text
    kept = text[:most]
    kept = kept[: kept.rfind("\n")] if "\n" in kept[most // 2 :] else kept
    left = text[len(kept) :]
    lines = left.count("\n")
    return f"{kept}\n[left out: {len(left):,} of {len(text):,} characters, {lines:,} lines; ask for less at once]"


def as_text(document: Any) -> str:
    """A document as JSON for reading."""
    return json.dumps(document, ensure_ascii=False, indent=1, default=str)


class Masks:
    """Hides what names a person, unless `personal`. `known`: a customer's profile, whose own values are hidden too."""

    def __init__(self, personal: bool) -> None:
        self._personal = personal

    def text(self, text: str, known: Mapping[str, Any] | None = None) -> str:
        """The text with masked addresses and numbers."""
        if self._personal:
            return text
        hidden = {
            str(value): name
            for name, value in (known or {}).items()
            if isinstance(value, str) and len(value) >= SHORTEST_HIDDEN and _NAMES.search(name)
        }
        for value in sorted(hidden, key=len, reverse=True):
            pattern = rf"(?<!\w){re.escape(value)}(?!\w)" if value.isascii() else re.escape(value)
            text = re.sub(pattern, f"[{hidden[value]}]".replace("\\", ""), text)
        return _PHONE.sub("+***", _EMAIL.sub(r"\1***@***", text))

    def line(self, line: Mapping[str, Any]) -> dict[str, Any]:
        """A line of a journal."""
        named = str(line.get("name", "")) if line.get("type") == "attribute" else ""
        return {key: self.value(named if key == "value" else key, value) for key, value in line.items()}

    def value(self, name: str, value: Any) -> Any:
        """A field of a profile or of a line."""
        if self._personal:
            return value
        if isinstance(value, Mapping):
            return {key: self.value(str(key), one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(name, one) for one in value]
        if isinstance(value, str):
            return "***" if _NAMES.search(name) and name not in ("name", "event") else self.text(value)
        return value
