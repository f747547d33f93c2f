"""From a file's bytes to text: encoding, line ends, and characters that nobody can see.

The text that comes out has `\\n` line ends and no byte order mark, so that lines and columns are what an editor shows.
"""

from __future__ import annotations

import re
import unicodedata

from orchestrator.errors import Problem
from orchestrator.records import dataclass

LARGEST_FILE = 1024 * 1024
"""Bytes of a YAML or front matter text. A catalog in CSV has its own bound."""

_FORBIDDEN = re.compile("[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u2028\\u2029\\ud800-\\udfff\\ufeff\\ufffe\\uffff]")
"""What YAML 1.2 calls unprintable, and three that nobody can see."""
_MOST_NAMED = 5
_MEANT = {
    "\x00": "the NUL character; the file may be damaged or not be text",
    "\x85": "the old line break U+0085",
    "\u2028": "the invisible line separator U+2028",
    "\u2029": "the invisible paragraph separator U+2029",
    "\ufeff": "an invisible byte order mark (U+FEFF) in the middle of the file",
}


@dataclass(frozen=True, slots=True)
class DecodedText:
    """The text, or None where it cannot be read; and what there is to say about it."""

    text: str | None
    problems: tuple[Problem, ...] = ()


def decode_text(path: str, raw: bytes, largest: int = LARGEST_FILE) -> DecodedText:
    """Text of a file. UTF-16, bad UTF-8 and files over `largest` bytes are problems and give no text."""
    if len(raw) > largest:
        return DecodedText(None, (too_large(path, len(raw), largest),))
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return DecodedText(None, (_problem(path, 1, 1, "encoding", "the file is saved as UTF-16", "save it as UTF-8"),))
    try:
        return DecodedText(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8")
        line = before.count("\n") + 1
        column = len(before) - (before.rfind("\n") + 1) + 1
        message = f"the byte 0x{raw[error.start]:02x} is not UTF-8"
        return DecodedText(None, (_problem(path, line, column, "encoding", message, "save the file as UTF-8"),))


def clean_text(path: str, text: str) -> DecodedText:
    """The text with `\\n` line ends and no byte order mark; None where it holds forbidden characters."""
    problems: list[Problem] = []
    if text.startswith("\ufeff"):
        text = text[1:]
        problems.append(
            _problem(
                path, 1, 1, "byte_order_mark", "the file starts with a byte order mark",
                "save it as UTF-8 without BOM", "warning",
            )
        )  # fmt: skip
    if "\r" in text:
        lines = text.count("\r\n")
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        problems.append(
            _problem(
                path, 1, 1, "line_ends", f"{lines or 'some'} lines end as on Windows or an old Mac (CR)",
                "save the file with LF line ends", "warning",
            )
        )  # fmt: skip
    bad = forbidden_characters(path, text)
    return DecodedText(None if bad else text, (*problems, *bad))


def forbidden_characters(path: str, text: str) -> list[Problem]:
    """A problem for each of the first few characters that may not stand in a definition file."""
    found: list[Problem] = []
    for match in _FORBIDDEN.finditer(text):
        if len(found) >= _MOST_NAMED:
            break
        line = text.count("\n", 0, match.start()) + 1
        column = match.start() - (text.rfind("\n", 0, match.start()) + 1) + 1
        found.append(
            _problem(path, line, column, "control_character", f"found {_name(match[0])}", "delete this character")
        )
    return found


def first_forbidden(text: str) -> str | None:
    """What the first forbidden character is called, or None: for values whose text came from escapes."""
    match = _FORBIDDEN.search(text)
    return _name(match[0]) if match else None


def too_large(path: str, size: int, largest: int = LARGEST_FILE) -> Problem:
    """The problem of a file over its bound; sizes in bytes."""
    message = f"the file is {size / 1024 / 1024:.1f} MiB; at most {largest // 1024 // 1024} MiB are read"
    return _problem(path, 1, 1, "file_too_large", message, "split it, or move data into a catalog")


def _name(char: str) -> str:
    if char in _MEANT:
        return _MEANT[char]
    name = unicodedata.name(char, "")
    return f"the control character U+{ord(char):04X}" + (f" ({name.lower()})" if name else "")


def _problem(path: str, line: int, column: int, code: str, message: str, hint: str, severity: str = "error") -> Problem:
    return Problem(path, line, column, code, message, hint, "warning" if severity == "warning" else "error")
