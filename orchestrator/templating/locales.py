"""Locale names as in BCP 47, and the order in which translations are tried.

``zh-Hant-TW -> zh-Hant -> zh -> default``. Chinese is written in two scripts that readers do not exchange, and people
name locales by country: `zh-TW`, `zh-HK` and `zh-MO` are read as Hant, `zh-CN`, `zh-SG` and plain `zh` as Hans, and a
file named after either form serves both.
"""

from __future__ import annotations

import re
from functools import lru_cache

_LOCALE = re.compile(r"([A-Za-z]{2,3})(?:-([A-Za-z]{4}))?(?:-([A-Za-z]{2}|\d{3}))?((?:-[A-Za-z0-9]{1,8})*)", re.ASCII)
_SCRIPT_OF = {"TW": "Hant", "HK": "Hant", "MO": "Hant", "CN": "Hans", "SG": "Hans", "MY": "Hans"}
_COUNTRY_OF = {"Hant": "TW", "Hans": "CN"}


@lru_cache(maxsize=4096)
def normal_locale(name: str) -> str | None:
    """`name` in its usual spelling (`zh_hant_tw` is `zh-Hant-TW`), or None where it is no locale."""
    if len(name) > 64:
        return None
    text = name.strip().replace("_", "-").split(".")[0].split("@")[0]  # zh_CN.UTF-8, as systems write it
    found = _LOCALE.fullmatch(text)
    if not found:
        return None
    language, script, country, _ = found.groups()
    parts = [language.lower()]
    if script:
        parts.append(script.title())
    if country:
        parts.append(country.upper())
    return "-".join(parts)


@lru_cache(maxsize=4096)
def fallbacks(name: str) -> tuple[str, ...]:
    """The translations to try for a customer's locale, best first; empty where it is no locale."""
    locale = normal_locale(name)
    if locale is None:
        return ()
    language, *rest = locale.split("-")
    script = next((part for part in rest if len(part) == 4), None)
    country = next((part for part in rest if len(part) != 4), None)
    chain = [locale]
    if language == "zh":
        script = script or _SCRIPT_OF.get(country or "", "Hans")
        if country:
            chain += [f"zh-{script}-{country}", f"zh-{country}"]
        chain += [f"zh-{script}", f"zh-{script}-{_COUNTRY_OF.get(script, '')}", f"zh-{_COUNTRY_OF.get(script, '')}"]
    elif script:
        if country:
            chain.append(f"{language}-{country}")
        chain.insert(1, f"{language}-{script}")
    chain.append(language)
    return tuple(dict.fromkeys(part for part in chain if not part.endswith("-")))


def is_chinese(locale: str | None) -> bool:
    """Whether our own words (the footer, month names) are written in Chinese."""
    return locale is not None and normal_locale(locale) is not None and locale[:2].lower() == "zh"


def is_traditional(locale: str | None) -> bool:
    """Whether they are written in traditional characters."""
    return is_chinese(locale) and locale is not None and "zh-Hant" in fallbacks(locale)
