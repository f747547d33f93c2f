"""Which of our two languages a reader gets: the customer's own first, then what the browser asks for."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from orchestrator.templating.locales import is_chinese

Language: TypeAlias = Literal["en", "zh"]
_MOST: Final = 32
"""Entries of an Accept-Language header that are looked at."""


def language_of(locale: str | None, accepted: str | None, default: str | None = None) -> Language:
    """`locale` is the customer's, `accepted` the header, `default` the project's locale."""
    if locale:
        return "zh" if is_chinese(locale) else "en"
    best, found = 0.0, None
    for entry in (accepted or "")[:1000].split(",")[:_MOST]:
        tag, _, parameter = entry.strip().partition(";")
        language: Language | None = "zh" if is_chinese(tag) else "en" if tag[:2].lower() == "en" else None
        weight = _weight(parameter)
        if language is not None and weight > best:
            best, found = weight, language
    return found or ("zh" if is_chinese(default) else "en")


def locale_read(language: Language, locale: str | None) -> str:
    """The locale of what is read in `language`: the customer's own where that is in it."""
    return locale if locale and locale.lower().startswith(language) else language


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        weight = float(value)
    except ValueError:
        return 0.0
    return weight if 0 <= weight <= 1 else 0.0
