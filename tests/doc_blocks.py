"""Fenced blocks of a page, the commands in them, and whether what is shown agrees with what is printed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

_FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced block: the line it starts on, its language, what stands behind that, its text."""

    line: int
    language: str
    text: str
    file: str | None = None
    needs: str | None = None
    words: frozenset[str] = frozenset()


class Command(NamedTuple):
    """One command of a console block, the line it stands on, and what it is shown to print."""

    line: int
    words: str
    shown: list[str]


def blocks_of(text: str) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    for match in _FENCE.finditer(text):
        language, _, rest = match["info"].strip().partition(" ")
        options = dict(word.split("=", 1) for word in rest.split() if "=" in word)
        words = frozenset(word for word in rest.split() if "=" not in word)
        line = text.count("\n", 0, match.start()) + 1
        yield Block(line, language, match["body"], options.get("file"), options.get("needs"), words)


def commands_of(block: Block) -> list[Command]:
    """The commands of a console block."""
    commands: list[Command] = []
    for number, line in enumerate(block.text.splitlines(), block.line + 1):
        if line.startswith("$ "):
            commands.append(Command(number, line[2:], []))
        elif commands:
            commands[-1].shown.append(line.rstrip())
    return commands


def agrees(shown: list[str], printed: list[str]) -> bool:
    """Whether what a command printed is what the page shows, ``...`` standing for anything."""
    pattern = ""
    for line in shown:
        if line.strip() == "...":
            pattern += r"(?:[^\n]*\n)*?"
        else:
            pattern += r"[^\n]*".join(re.escape(part) for part in line.split("...")) + r"\n"
    return re.fullmatch(pattern, "".join(f"{line.rstrip()}\n" for line in printed)) is not None
