"""A place among the tokens of an expression, and the words for whatever cannot stand there."""

from __future__ import annotations

from typing import Any, Final

from orchestrator.definitions.expression_tokens import WORDS, ExpressionSyntax, Token
from orchestrator.definitions.expression_values import value_of

END: Final = "end"
"""The kind of what stands behind the last token."""
BROKEN: Final = "broken"
"""The kind of a text, number or name that stands for nothing."""
VALUES: Final = frozenset({"string", "integer", "float"})
_DESCRIBED: Final = {"string": "a text", "integer": "a number", "float": "a number"}


class Cursor:
    """Goes from token to token. Words such as `and` are kinds of their own."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._kinds = [token.text if token.text in WORDS else token.kind for token in tokens]
        self._kinds += [END, END]
        self._values: dict[int, Any] = {}
        self._trouble: ExpressionSyntax | None = None
        self._at = 0
        for place, kind in enumerate(self._kinds):
            if kind in VALUES or (kind == "name" and not tokens[place].text.isascii()):
                try:
                    self._values[place] = value_of(tokens[place])
                except ExpressionSyntax as trouble:
                    # Told when reading comes to it, unless something before it is wrong.
                    self._trouble, self._kinds[place] = trouble, BROKEN
                    break

    # --- tokens -------------------------------------------------------------------------------------------------------

    def _offset(self) -> int:
        """Where the token that is read next stands; at the end, where the last one does."""
        return self._tokens[min(self._at, len(self._tokens) - 1)].offset

    def _following(self) -> str:
        """The kind of the token behind the one that is read next."""
        kind = self._kinds[self._at + 1]
        if kind == BROKEN and self._trouble is not None:
            raise self._trouble
        return kind

    def _expect(self, kind: str) -> None:
        if self._kinds[self._at] != kind:
            raise self._wrong(f"'{kind}'")
        self._at += 1

    # --- what is wrong ------------------------------------------------------------------------------------------------

    def _wrong(self, expected: str) -> ExpressionSyntax:
        """The token that is read next is not what stands here."""
        kind = self._kinds[self._at]
        if kind == BROKEN and self._trouble is not None:
            return self._trouble
        if kind == END:
            return self._too_early()
        token = self._tokens[self._at]
        return self._mistaken() or ExpressionSyntax(f"found '{token.text}' where {expected} is expected", token.offset)

    def _mistaken(self) -> ExpressionSyntax | None:
        """A sign that means something in other languages."""
        token = self._tokens[self._at]
        previous = self._tokens[self._at - 1] if self._at else None
        if token.kind == "=":
            return ExpressionSyntax("'=' compares nothing", token.offset, "write '=='")
        if token.kind == "|" and previous is not None and previous.kind == "|":
            return ExpressionSyntax("'||' has no meaning", previous.offset, "write 'or'")
        if token.kind in (">", "=") and previous is not None and previous.kind in ("<", "=", "!=", "=="):
            shown = f"'{previous.text}{token.text}'"
            return ExpressionSyntax(f"{shown} has no meaning", previous.offset, "write '==' or '!='")
        return None

    def _too_early(self) -> ExpressionSyntax:
        opened: list[Token] = []
        for token in self._tokens:
            if token.kind in ("(", "[", "{"):
                opened.append(token)
            elif token.kind in (")", "]", "}"):
                opened.pop()  # the lexer has seen to it that they fit
        if opened:
            return ExpressionSyntax(f"'{opened[-1].kind}' is never closed", opened[-1].offset)
        last = self._tokens[-1]
        return ExpressionSyntax("the expression ends too early: a value is missing", last.offset + len(last.text))

    def _goes_on(self) -> ExpressionSyntax:
        """Something stands behind a complete expression."""
        if self._kinds[self._at] == BROKEN and self._trouble is not None:
            return self._trouble
        token, before = self._tokens[self._at], self._tokens[max(self._at - 2, 0) : self._at]
        if [known.text.lower() for known in before] == ["none", "if"]:
            hint = "put it in brackets: (x is none) if ..."
            return ExpressionSyntax("'is none' takes nothing behind it", token.offset, hint)
        if before and before[-1].kind == "name" and before[-1].text in WORDS:
            return ExpressionSyntax(f"found '{before[-1].text}' where a value is expected", before[-1].offset)
        if token.kind == "=":
            return ExpressionSyntax("'=' compares nothing", token.offset, "write '=='")
        hint = "join two conditions by 'and' or 'or'"
        if token.kind == "name" and token.text.upper().lower() in WORDS:
            hint = f"write '{token.text.upper().lower()}' in small letters"
        elif token.kind == ",":
            hint = "a list stands in brackets: [a, b]"
        elif token.kind == ":":
            hint = "an object stands in braces: {'key': value}"
        found = _DESCRIBED.get(token.kind, f"'{token.text}'")
        return ExpressionSyntax(f"{found} stands behind a complete expression", token.offset, hint)
