"""Can a regular expression be matched against one text in exponentially many ways?

Such a pattern makes the `re` module try them all where the text does not match in the end: forty characters take
minutes. A pattern is so ambiguous exactly where its automaton comes from a state back to itself in two ways by the same
text (Weber and Seidl, "On the degree of ambiguity of finite automata", 1991). Here the states are the characters of the
pattern (Glushkov's automaton), with every way from one to the next counted.

What a pattern looks ahead or back at is taken as nothing, a group that it repeats as any text, and a repetition of more
than three as one without an end: a pattern may be blamed wrongly, never spared.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, Final, NamedTuple

_CATEGORIES: Final = {
    sre.CATEGORY_DIGIT: r"\d", sre.CATEGORY_NOT_DIGIT: r"\D", sre.CATEGORY_WORD: r"\w",
    sre.CATEGORY_NOT_WORD: r"\W", sre.CATEGORY_SPACE: r"\s", sre.CATEGORY_NOT_SPACE: r"\S",
}  # fmt: skip
_EXPANDED: Final = 3
"""Repetitions up to so many stand as often in the automaton."""


class _Part(NamedTuple):
    """A piece of a pattern: whether nothing matches it, too, and with which characters it begins and ends."""

    nullable: bool
    first: tuple[int, ...]
    last: tuple[int, ...]


_NOTHING: Final = _Part(True, (), ())


class _Automaton:
    """The characters of a pattern, each with those that may come next, by the number of ways."""

    def __init__(self, pattern: str, flags: int) -> None:
        tree = parser.parse(pattern, flags)
        self._flags = tree.state.flags & ~re.DEBUG
        self._alphabet = sorted(_told_apart(tree, bool(self._flags & re.IGNORECASE)))
        self._known: dict[str, int] = {}
        self.read: list[int] = []
        """What each character matches, as a set of the alphabet's letters: one bit each."""
        self.follow: dict[int, Counter[int]] = defaultdict(Counter)
        self._sequence(tree)

    def _sequence(self, items: Iterable[Any]) -> _Part:
        made = _NOTHING
        for op, value in items:
            made = self._joined(made, self._part(op, value))
        return made

    def _joined(self, one: _Part, other: _Part) -> _Part:
        self._lead(one.last, other.first)
        return _Part(
            one.nullable and other.nullable,
            one.first + other.first if one.nullable else one.first,
            other.last + one.last if other.nullable else other.last,
        )

    def _lead(self, last: Iterable[int], first: Iterable[int]) -> None:
        for begin in last:
            for end in first:
                self.follow[begin][end] += 1

    def _part(self, op: Any, value: Any) -> _Part:
        if op in (sre.LITERAL, sre.NOT_LITERAL, sre.ANY, sre.IN):
            return self._character(self._letters(op, value))
        if op is sre.SUBPATTERN:
            return self._sequence(value[-1])
        if op is sre.ATOMIC_GROUP:
            return self._sequence(value)
        if op is sre.BRANCH:
            parts = [self._sequence(branch) for branch in value[1]]
            return _Part(
                any(part.nullable for part in parts),
                sum((part.first for part in parts), ()),
                sum((part.last for part in parts), ()),
            )
        if op in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
            return self._repeated(*value)
        if op in (sre.AT, sre.ASSERT, sre.ASSERT_NOT):
            return _NOTHING
        if op is sre.GROUPREF:
            any_ = self._character((1 << len(self._alphabet)) - 1)
            self._lead(any_.last, any_.first)
            return any_._replace(nullable=True)
        raise NotImplementedError(f"{op} is in none of our patterns yet")

    def _character(self, letters: int) -> _Part:
        self.read.append(letters)
        place = (len(self.read) - 1,)
        return _Part(False, place, place)

    def _letters(self, op: Any, value: Any) -> int:
        known = self._known.get(asked := f"{op} {value}")
        if known is None:
            fitting = [n for n, letter in enumerate(self._alphabet) if self._fits(op, value, letter)]
            known = self._known[asked] = sum(1 << n for n in fitting)
        return known

    def _repeated(self, least: int, most: int, item: Any) -> _Part:
        made = _NOTHING
        if most <= _EXPANDED:
            for n in range(most, 0, -1):
                made = self._joined(self._sequence(item), made)
                if n > least:  # a(a(a)?)?, which there is one way through
                    made = made._replace(nullable=True)
            return made
        made = self._sequence(item)
        self._lead(made.last, made.first)
        return made._replace(nullable=True) if least == 0 else made

    def _fits(self, op: Any, value: Any, letter: str) -> bool:
        if op is sre.LITERAL:
            return self._is(value, letter)
        if op is sre.NOT_LITERAL:
            return not self._is(value, letter)
        if op is sre.ANY:
            return letter != "\n" or bool(self._flags & re.DOTALL)
        found = any(self._among(kind, what, letter) for kind, what in value)
        return found != (value[0][0] is sre.NEGATE)

    def _among(self, kind: Any, what: Any, letter: str) -> bool:
        if kind is sre.LITERAL:
            return self._is(what, letter)
        if kind is sre.RANGE:
            return any(what[0] <= ord(form) <= what[1] for form in self._forms(letter))
        if kind is sre.CATEGORY:
            return re.fullmatch(_CATEGORIES[what], letter, self._flags & re.ASCII) is not None
        return False  # NEGATE

    def _is(self, code: int, letter: str) -> bool:
        return chr(code) in self._forms(letter)

    def _forms(self, letter: str) -> tuple[str, ...]:
        if not self._flags & re.IGNORECASE:
            return (letter,)
        return tuple(form for form in (letter, letter.lower(), letter.upper()) if len(form) == 1)


def _told_apart(tree: Any, any_case: bool) -> set[str]:
    """Letters, at least one of every kind that a pattern tells from others."""
    letters = set(" \n\0a0_.@Z~\u4e00")
    for code in set(_codes(tree)):
        letters.add(chr(code))
        if any_case:
            letters |= {form for form in (chr(code).lower(), chr(code).upper()) if len(form) == 1}
    return letters


def _codes(node: Any) -> Iterator[int]:
    if isinstance(node, tuple) and len(node) == 2 and node[0] in (sre.LITERAL, sre.NOT_LITERAL):
        yield node[1]
    elif isinstance(node, tuple) and len(node) == 2 and node[0] is sre.RANGE:
        yield from (code for end in node[1] for code in (end - 1, end, end + 1) if 0 <= code < 0x110000)
    elif isinstance(node, (tuple, list, parser.SubPattern)):
        for part in node:
            yield from _codes(part)


def ambiguous_loop(pattern: str, flags: int = 0) -> bool:
    """Whether a text can go round a loop of the pattern in two ways."""
    automaton = _Automaton(pattern, flags)
    graph = {place: list(automaton.follow.get(place, ())) for place in range(len(automaton.read))}
    for loop in _loops(graph):
        if any(automaton.follow[place][after] > 1 for place in loop for after in graph[place] if after in loop):
            return True
        pairs: dict[tuple[int, int], list[tuple[int, int]]] = {}
        waiting = [(place, place) for place in loop]
        while waiting:
            pair = waiting.pop()
            if pair in pairs:
                continue
            after = [
                (one, other)
                for one in graph[pair[0]]
                if one in loop
                for other in graph[pair[1]]
                if other in loop and automaton.read[one] & automaton.read[other]
            ]
            pairs[pair] = after
            waiting += after
        for round_ in _loops(pairs):
            kinds = {one == other for one, other in round_}
            if len(kinds) == 2:
                return True
    return False


def _loops(graph: dict[Any, list[Any]]) -> Iterator[set[Any]]:
    """The strongly connected components that have a way back (Tarjan, without recursion)."""
    number: dict[Any, int] = {}
    low: dict[Any, int] = {}
    stack: list[Any] = []
    on_stack: set[Any] = set()
    for root in graph:
        if root in number:
            continue
        way = [(root, iter(graph[root]))]
        number[root] = low[root] = len(number)
        stack.append(root)
        on_stack.add(root)
        while way:
            node, after = way[-1]
            for next_ in after:
                if next_ not in number:
                    number[next_] = low[next_] = len(number)
                    stack.append(next_)
                    on_stack.add(next_)
                    way.append((next_, iter(graph[next_])))
                    break
                if next_ in on_stack:
                    low[node] = min(low[node], number[next_])
            else:
                way.pop()
                if way:
                    low[way[-1][0]] = min(low[way[-1][0]], low[node])
                if low[node] == number[node]:
                    found = set()
                    while node not in found:
                        found.add(stack.pop())
                    on_stack -= found
                    if len(found) > 1 or node in graph[node]:
                        yield found
