"""A value that is not there: false in a condition, equal to none, replaced by `default`, and an error when printed."""

from __future__ import annotations

from typing import Any

from jinja2 import Undefined


class Missing(Undefined):
    """Stands for a missing value inside a template; Jinja also makes them for unknown names.

    Comparisons by order are false and membership is false, as in the expression language; printing, looping,
    calculating or reading a property of it raises UndefinedError with the name in the message.
    """

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        return other is None or isinstance(other, Undefined)

    def __ne__(self, other: object) -> bool:
        return not (other is None or isinstance(other, Undefined))

    def __hash__(self) -> int:
        return hash(None)

    def _never(self, *_: Any) -> bool:
        return False

    __lt__ = __le__ = __gt__ = __ge__ = _never  # type: ignore[assignment]
    __contains__ = _never
    __str__ = __iter__ = __len__ = Undefined._fail_with_undefined_error


def missing(what: str) -> Missing:
    """The missing value of `what`, an expression as the author wrote it."""
    return Missing(hint=f"'{what}' has no value here; give it one with | default('...') or test it with {{% if %}}")
