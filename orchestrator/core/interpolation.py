"""Step templates: fields such as `url`, `title` and `properties`, where `{{ expression }}` stands between plain text.

They are expressions of the journey language between pieces of text, nothing more: blocks (`{% %}`) belong in template
files. A template that is one `{{ }}` and nothing else keeps its value's type; elsewhere values are printed: dates as
ISO 8601, whole floats without `.0`, and a missing value is an error, so that nobody gets "Hi ,".
"""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.core.expression.expr import Expr
from orchestrator.core.expression.scope import Scope, Value
from orchestrator.core.expression.values import printed
from orchestrator.errors import EvaluationError
from orchestrator.records import dataclass

LONGEST_TEXT = 10_000


@dataclass(frozen=True, slots=True)
class Template:
    """Text pieces and expressions in order, or one literal value (a number, list or mapping written in the file).

    A list or mapping with templates somewhere inside is `items` or `entries`: each element a template of its own.
    """

    parts: tuple[str | Expr, ...] = ()
    literal: Value = None
    items: tuple[Template, ...] | None = None
    entries: tuple[tuple[str, Template], ...] | None = None

    @property
    def exprs(self) -> tuple[Expr, ...]:
        """The expressions inside, for checks and for the list of needed facts."""
        inside = self.items or tuple(template for _, template in self.entries or ())
        below = (expr for template in inside for expr in template.exprs)
        return (*(part for part in self.parts if isinstance(part, Expr)), *below)

    def value(self, scope: Scope) -> Value:
        """The value, typed when the template is a single expression, a literal or nested. Raises EvaluationError."""
        if self.entries is not None:
            return {key: template.value(scope) for key, template in self.entries}
        if self.items is not None:
            return [template.value(scope) for template in self.items]
        if not self.parts:
            return self.literal
        if len(self.parts) == 1:
            part = self.parts[0]
            return part if isinstance(part, str) else part.evaluate(scope)
        return self.text(scope)

    def text(self, scope: Scope, encode: Callable[[str], str] | None = None) -> str:
        """The printed text. `encode` is applied to each inserted value (not to the text between).

        Raises EvaluationError when a value is missing or the text grows past 10,000 characters.
        """
        if not self.parts:
            return printed(self.value(scope))
        out: list[str] = []
        for part in self.parts:
            if isinstance(part, str):
                out.append(part)
                continue
            value = part.evaluate(scope)
            if value is None:
                raise EvaluationError(f"'{part.source}' has no value here; add | default('...')", part.source)
            piece = printed(value)
            out.append(encode(piece) if encode else piece)
        text = "".join(out)
        if len(text) > LONGEST_TEXT:
            raise EvaluationError(f"the text has {len(text)} characters; at most {LONGEST_TEXT} are allowed")
        return text

    def url(self, scope: Scope) -> str:
        """The text with each inserted value percent-encoded."""
        return self.text(scope, percent_encoded)


_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def percent_encoded(text: str) -> str:
    """The text with all but RFC 3986's unreserved characters percent-encoded, as UTF-8."""
    return "".join(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in text.encode("utf-8", "replace"))
