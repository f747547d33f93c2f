"""Values of foreign payloads: money, instants, texts, addresses. Whatever has another shape counts as not given."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

WITHOUT_CENTS: Final = frozenset({
    "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf",
})  # fmt: skip
WITH_MILLS: Final = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})
"""Currencies whose smallest unit, in which Stripe counts, is the unit itself, or a thousandth of it
(docs.stripe.com/currencies: "Zero-decimal currencies", "Three-decimal currencies"). The shilling of Uganda and the
crown of Iceland have no cents any more, and are counted in hundredths all the same ("Special cases")."""
_MOST: Final = Decimal(10) ** 15


def mapping(value: Any) -> Mapping[str, Any]:
    """An object, or an empty one."""
    return value if isinstance(value, dict) else {}


def objects(value: Any) -> list[Mapping[str, Any]]:
    """The objects of a list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def text(value: Any, longest: int = 512) -> str | None:
    """A text that says something; whole numbers are ids."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int):
        return str(value)
    return value.strip()[:longest] or None if isinstance(value, str) else None


def number(value: Any) -> int | float | None:
    """A decimal number, of text or of a number, without an error of its own: 19.90 is 19.9."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    try:
        found = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    if not found.is_finite() or abs(found) >= _MOST:
        return None
    return int(found) if found == found.to_integral_value() else float(found)


def minor(value: Any, currency: str | None) -> int | float | None:
    """Money counted in the smallest unit of its currency."""
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= _MOST:
        return None
    code = (currency or "").lower()
    places = 0 if code in WITHOUT_CENTS else 3 if code in WITH_MILLS else 2
    return number(str(Decimal(value).scaleb(-places)))


def instant(value: Any, utc: bool = False) -> datetime | None:
    """The UTC instant of ISO 8601 text or of seconds since 1970. `utc`: a text without a zone is in UTC, else it says
    nothing."""
    try:
        if isinstance(value, str) and value:
            found = datetime.fromisoformat(value.strip())
            if found.tzinfo is None:
                return found.replace(tzinfo=UTC) if utc else None
            found = found.astimezone(UTC)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            found = datetime.fromtimestamp(value, UTC)
        else:
            return None
    except (ValueError, OverflowError, OSError):
        return None
    return found if found.year >= 1970 else None


def given(**values: Any) -> dict[str, Any]:
    """The values that say something."""
    return {name: value for name, value in values.items() if value is not None and value != [] and value != {}}
