"""What a template file prints: the names that a value to be printed cannot do without, where the template does not
look first whether they are there (`{% if coupon %}`, `| default(...)`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from orchestrator.core.expression.nodes import Node
from orchestrator.definitions.compiler.names import tree_or_none
from orchestrator.definitions.rules.analysis.conditions import needing, present_if
from orchestrator.templating.pieces import Atom, Piece
from orchestrator.templating.positions import Position
from orchestrator.templating.templates import TemplateVariant

_Guards = list[frozenset[str]]


def printed_names(variant: TemplateVariant) -> Mapping[str, tuple[Position, ...]]:
    """By name, the places at which a value of it is printed without a guard. Of a template with errors: nothing."""
    parts = variant.parts
    found: dict[str, dict[Position, None]] = {}
    for pieces in (
        parts.subject, parts.preheader, parts.sender, parts.reply_to, parts.html, parts.text,
        *parts.fields.values(),
    ):  # fmt: skip
        for name, mark in _unguarded(pieces or ()):
            found.setdefault(name, {})[parts.sources.position(mark)] = None
    return {name: tuple(places) for name, places in found.items()}


def _unguarded(pieces: Sequence[Piece]) -> Iterator[tuple[str, int]]:
    """The names that are printed outside a guard, each with the mark of its tag."""
    stack: list[tuple[_Guards, frozenset[str]]] = []
    """For each open `if`: what earlier branches know to be there once they were not taken; what holds in this one."""
    local: set[str] = set()
    for piece in pieces:
        if not isinstance(piece, Atom):
            continue
        if piece.kind == "output":
            node = _tree(piece, 1)
            held = frozenset().union(*(holds for _, holds in stack))
            if node is not None:
                for name in needing(node, {}) - held - local:
                    yield name, _start(piece)
        elif piece.word == "if":
            node = _tree(piece, 2)
            stack.append(([_told(node, False)], _told(node, True)))
        elif piece.word == "elif" and stack:
            node = _tree(piece, 2)
            before, _ = stack.pop()
            stack.append(([*before, _told(node, False)], frozenset().union(*before, _told(node, True))))
        elif piece.word == "else" and stack:
            before, _ = stack.pop()
            stack.append((before, frozenset().union(*before)))
        elif piece.word == "endif" and stack:
            stack.pop()
        elif piece.word in ("set", "for", "with"):
            local |= _own_names(piece)


def _told(node: Node | None, outcome: bool) -> frozenset[str]:
    return frozenset() if node is None else present_if(node, outcome, {})


def _tree(atom: Atom, skipped: int) -> Node | None:
    """The expression of a tag behind its first `skipped` tokens; None where templates alone understand it."""
    words = [text for _, kind, text in atom.tokens[:-1] if kind != "whitespace"]
    return tree_or_none(" ".join(words[skipped:]))


def _start(atom: Atom) -> int:
    return next((mark for mark, kind, _ in atom.tokens[1:] if kind != "whitespace"), atom.mark)


def _own_names(atom: Atom) -> set[str]:
    """The names that a tag of the template's own gives: those before `=` or `in`."""
    names: set[str] = set()
    for _, kind, text in atom.tokens[1:-1]:
        if text in ("in", "="):
            break
        if kind == "name" and text != atom.word:
            names.add(text)
    return names
