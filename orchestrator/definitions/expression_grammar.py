"""The grammar of expressions: from tokens to parts, which `expression_tree` checks and turns into the language's tree.

The grammar is Jinja's, so that an expression means the same in a file and in a template; each method here stands for
one level of precedence. It takes more than the language has (methods, `**`, slices, tests): what is refused is refused
later, by name, once the whole expression is known to be well formed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NoReturn

from orchestrator.definitions.expression_cursor import BROKEN, END, VALUES, Cursor
from orchestrator.definitions.expression_parts import Given, Part
from orchestrator.definitions.expression_tokens import WORDS, ExpressionSyntax

_SUMS: Final = frozenset({"+", "-"})
_PRODUCTS: Final = frozenset({"*", "/", "//", "%"})
_COMPARISONS: Final = frozenset({"==", "!=", "<", "<=", ">", ">=", "in"})
_CONSTANTS: Final = {"true": True, "True": True, "false": False, "False": False, "none": None, "None": None}
_NAMES: Final = WORDS | {"name"}
_STARTS: Final = frozenset({"[", "{"}) | (_NAMES - {"and", "or", "else"}) | VALUES
"""What can begin the argument of a test that stands without brackets."""


class Grammar(Cursor):
    """Reads one expression. `whole` gives its parts, or raises ExpressionSyntax."""

    def whole(self) -> Part:
        """The parts of the expression, all of whose tokens belong to it."""
        found = self._choice()
        if self._at < len(self._tokens):
            raise self._goes_on()
        return found

    # --- operators, from the weakest on -------------------------------------------------------------------------------

    def _choice(self) -> Part:
        then = self._or()
        while self._kinds[self._at] == "if":
            self._at += 1
            test = self._or()
            if self._kinds[self._at] == "else":
                self._at += 1
                then = Part("choice", then.offset, None, [then, test, self._choice()])
            else:
                then = Part("choice", then.offset, None, [then, test])
        return then

    def _or(self) -> Part:
        left = self._and()
        return self._joined("or", left, self._and) if self._kinds[self._at] == "or" else left

    def _and(self) -> Part:
        left = self._not()
        return self._joined("and", left, self._not) if self._kinds[self._at] == "and" else left

    def _joined(self, word: str, left: Part, operand: Callable[[], Part]) -> Part:
        """A chain is one part, brackets around its beginning or not."""
        operands = list(left.parts) if left.kind == word else [left]
        while self._kinds[self._at] == word:
            self._at += 1
            operands.append(operand())
        return Part(word, left.offset, None, operands)

    def _not(self) -> Part:
        if self._kinds[self._at] != "not":
            return self._compare()
        offset = self._tokens[self._at].offset
        self._at += 1
        return Part("not", offset, None, [self._not()])

    def _compare(self) -> Part:
        first = self._sum()
        operators: list[str] = []
        operands = [first]
        while True:
            operator = self._kinds[self._at]
            if operator == "not" and self._following() == "in":
                operator = "not in"
                self._at += 1
            elif operator not in _COMPARISONS:
                break
            self._at += 1
            operators.append(operator)
            operands.append(self._sum())
        return Part("compare", first.offset, operators, operands) if operators else first

    def _sum(self) -> Part:
        left = self._text()
        return self._chain("sum", _SUMS, left, self._text) if self._kinds[self._at] in _SUMS else left

    def _text(self) -> Part:
        left = self._product()
        if self._kinds[self._at] != "~":
            return left
        operands = [left]
        while self._kinds[self._at] == "~":
            self._at += 1
            operands.append(self._product())
        return Part("text", left.offset, None, operands)

    def _product(self) -> Part:
        left = self._power()
        return self._chain("product", _PRODUCTS, left, self._power) if self._kinds[self._at] in _PRODUCTS else left

    def _chain(self, kind: str, level: frozenset[str], left: Part, operand: Callable[[], Part]) -> Part:
        """Operators of one precedence are one part, brackets around its beginning or not."""
        operators = list(left.value) if left.kind == kind else []
        operands = list(left.parts) if left.kind == kind else [left]
        while (operator := self._kinds[self._at]) in level:
            self._at += 1
            operators.append(operator)
            operands.append(operand())
        return Part(kind, left.offset, operators, operands)

    def _power(self) -> Part:
        left = self._signed()
        while self._kinds[self._at] == "**":
            self._at += 1
            left = Part("power", left.offset, None, [left, self._signed()])
        return left

    def _signed(self, filtered: bool = True) -> Part:
        kind = self._kinds[self._at]
        if kind in _SUMS:
            offset = self._tokens[self._at].offset
            self._at += 1
            node = Part("sign", offset, kind, [self._signed(False)])
        else:
            node = self._primary()
        node = self._path(node)
        return self._filters(node) if filtered else node

    # --- what stands between operators --------------------------------------------------------------------------------

    def _primary(self) -> Part:
        at = self._at
        kind = self._kinds[at]
        if kind in _NAMES:
            _, _, text = token = self._tokens[at]
            self._at += 1
            if text in _CONSTANTS:
                return Part("constant", token.offset, _CONSTANTS[text])
            return Part("name", token.offset, text)
        if kind in VALUES:
            self._at += 1
            value = self._values[at]
            while kind == "string" and self._kinds[self._at] == "string":
                value += self._values[self._at]
                self._at += 1
            return Part("constant", self._tokens[at].offset, value)
        if kind == "(":
            return self._brackets()
        if kind == "[":
            return self._list()
        if kind == "{":
            return self._object()
        raise self._wrong("a value")

    def _brackets(self) -> Part:
        self._at += 1
        offset = self._offset()
        items: list[Part] = []
        while self._kinds[self._at] != ")":
            items.append(self._choice())
            if self._kinds[self._at] != ",":
                self._expect(")")
                return items[0] if len(items) == 1 else Part("tuple", offset, None, items)
            self._at += 1
        self._at += 1
        return Part("tuple", offset, None, items)

    def _list(self) -> Part:
        offset = self._offset()
        self._at += 1
        items: list[Part] = []
        while self._kinds[self._at] != "]":
            if items:
                self._expect(",")
                if self._kinds[self._at] == "]":
                    break
            items.append(self._choice())
        self._at += 1
        return Part("list", offset, None, items)

    def _object(self) -> Part:
        offset = self._offset()
        self._at += 1
        parts: list[Part] = []
        while self._kinds[self._at] != "}":
            if parts:
                self._expect(",")
                if self._kinds[self._at] == "}":
                    break
            parts.append(self._choice())
            self._expect(":")
            parts.append(self._choice())
        self._at += 1
        return Part("object", offset, None, parts)

    # --- what stands behind a value -----------------------------------------------------------------------------------

    def _path(self, node: Part) -> Part:
        while True:
            kind = self._kinds[self._at]
            if kind == ".":
                node = self._dot(node)
            elif kind == "[":
                node = self._item(node)
            elif kind == "(":
                node = self._call(node)
            else:
                return node

    def _dot(self, target: Part) -> Part:
        dot = self._offset()
        self._at += 1
        place, kind = self._at, self._kinds[self._at]
        if kind in _NAMES:
            token = self._tokens[place]
            self._at += 1
            return Part("dot", token.offset, token.text, [target])
        if kind == "integer":
            self._at += 1
            return Part("item", dot, None, [target, Part("constant", self._tokens[place].offset, self._values[place])])
        if kind == END:
            raise ExpressionSyntax("the name of a property is missing behind '.'", dot)
        if kind != BROKEN:
            self._following()
            known = self._mistaken()
            raise known or ExpressionSyntax("the name of a property is missing behind '.'", self._offset())
        raise self._wrong("a value")

    def _item(self, target: Part) -> Part:
        offset = self._offset()
        self._at += 1
        keys: list[Part] = []
        while self._kinds[self._at] != "]":
            if keys:
                self._expect(",")
            keys.append(self._key())
        self._at += 1
        return Part("item", offset, None, [target, keys[0] if len(keys) == 1 else Part("tuple", offset, None, keys)])

    def _key(self) -> Part:
        """What stands in brackets behind a value: an expression, or `from:to:step`, each of which may be left out."""
        offset = self._offset()
        bounds: list[Part] = []
        if self._kinds[self._at] != ":":
            bounds.append(self._choice())
            if self._kinds[self._at] != ":":
                return bounds[0]
        self._at += 1
        if self._kinds[self._at] not in ("]", ",", ":"):
            bounds.append(self._choice())
        if self._kinds[self._at] == ":":
            self._at += 1
            if self._kinds[self._at] not in ("]", ","):
                bounds.append(self._choice())
        return Part("slice", offset, None, bounds)

    def _call(self, target: Part) -> Part:
        return Part("call", self._offset(), self._given(), [target])

    def _given(self) -> Given:
        given = Given(self._at, [], [], [])
        stars: list[str] = []
        self._at += 1
        while self._kinds[self._at] != ")":
            if given.positional or given.named or given.starred:
                self._expect(",")
                if self._kinds[self._at] == ")":
                    break
            kind = self._kinds[self._at]
            if kind in ("*", "**"):
                if "**" in stars or kind in stars:
                    self._misplaced(given)
                stars.append(kind)
                self._at += 1
                given.starred.append(self._choice())
            elif kind in _NAMES and self._following() == "=":
                if "**" in stars:
                    self._misplaced(given)
                name = self._tokens[self._at].text
                self._at += 2
                given.named.append((name, self._choice()))
            else:
                if stars or given.named:
                    self._misplaced(given)
                given.positional.append(self._choice())
        self._at += 1
        return given

    def _misplaced(self, given: Given) -> NoReturn:
        if self._kinds[self._at] == BROKEN and self._trouble is not None:
            raise self._trouble
        raise ExpressionSyntax("invalid syntax for function call expression", self._tokens[given.bracket].offset)

    def _filters(self, node: Part) -> Part:
        while True:
            kind = self._kinds[self._at]
            if kind == "|":
                self._at += 1
                offset, name = self._offset(), self._dotted_name()
                node = Part("filter", offset, (name, self._given_or_none()), [node])
            elif kind == "is":
                node = self._test(node)
            elif kind == "(":
                node = self._call(node)
            else:
                return node

    def _test(self, node: Part) -> Part:
        word = self._offset()
        self._at += 1
        offset = self._offset()
        negated = self._kinds[self._at] == "not"
        if negated:
            self._at += 1
        name = self._dotted_name()
        given = self._given_or_none()
        if not given.bracket and self._kinds[self._at] in _STARTS:
            if self._kinds[self._at] == "is":
                raise ExpressionSyntax("You cannot chain multiple tests with is", self._offset())
            given.positional.append(self._path(self._primary()))
        node = Part("test", offset, (name, given), [node])
        return Part("not", word, None, [node]) if negated else node

    def _dotted_name(self) -> str:
        names = [self._name()]
        while self._kinds[self._at] == ".":
            self._at += 1
            names.append(self._name())
        return ".".join(names)

    def _name(self) -> str:
        if self._kinds[self._at] not in _NAMES:
            raise self._wrong("'name'")
        self._at += 1
        return self._tokens[self._at - 1].text

    def _given_or_none(self) -> Given:
        return self._given() if self._kinds[self._at] == "(" else Given(0, [], [], [])
