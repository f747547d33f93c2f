"""What the type checker finds, and the desk at which its parts write it down."""

from __future__ import annotations

from abc import abstractmethod
from typing import Literal as OneOf

from orchestrator.core.expression.nearest import did_you_mean, known_words
from orchestrator.core.expression.nodes import Attribute, Literal, Name, Node, Word, start_of
from orchestrator.core.expression.text import text_of
from orchestrator.core.expression.types import Type, Types
from orchestrator.records import dataclass

Severity = OneOf["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with an expression: where (from the start of its source), how much, a stable code, and words."""

    offset: int
    length: int
    code: str
    message: str
    hint: str | None = None
    severity: Severity = "error"


class Desk:
    """What the parts of the checker share: the types known, the types found, the findings."""

    def __init__(self, types: Types) -> None:
        self.types = types
        self.findings: list[Finding] = []
        self.kinds: dict[int, Type] = {}

    @abstractmethod
    def infer(self, node: Node) -> Type:
        """The type of a node; what is wrong with it goes to `findings`."""

    def complain(
        self, offset: int, length: int, code: str, message: str, hint: str | None = None, severity: Severity = "error"
    ) -> None:
        """Writes down a finding."""
        self.findings.append(Finding(offset, max(length, 1), code, message, hint, severity))

    def clash(self, node: Node, message: str, hint: str | None = None) -> None:
        """Writes down that values cannot meet at this node."""
        offset, length = extent(node)
        self.complain(offset, length, "type_clash", message, hint)

    def expect_word(self, word: Word, known: frozenset[str] | None, kind: str, where: str) -> None:
        """Complains about a constant name that is not among the known ones; None: not checked."""
        if known is None or word.text in known:
            return
        hint = did_you_mean(word.text, known) or (f"known: {known_words(known)}" if known else f"declare it in {where}")
        self.complain(word.offset, len(word.text) + 2, f"unknown_{kind}", f"there is no {kind} '{word.text}'", hint)


def extent(node: Node) -> tuple[int, int]:
    """Where a node begins and how many characters to underline: exact for names, paths and constants, else one."""
    start = start_of(node)
    match node:
        case Name(name=name):
            return start, len(name)
        case Literal():
            return start, len(text_of(node))
        case Attribute(name=name):
            return start, max(node.offset + len(name) - start, 1)
        case _:
            return start, 1
