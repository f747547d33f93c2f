"""What readers of callbacks about SMS share: forms, and telephone numbers as providers write them."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import parse_qsl

from orchestrator.channels.hooks.protocol import HookRefused, ToldKind
from orchestrator.channels.hooks.reading import clean, text_in

MOST_FIELDS: Final = 200
CHINA: Final = "86"
_chinese_mobile = re.compile(r"1[3-9][0-9]{9}").fullmatch
_digits = re.compile(r"[1-9][0-9]{6,14}").fullmatch
_NO_SUCH_NUMBER: Final = re.compile(
    r"空号|号码不存在|非法号码|\bMK:0001\b|not in service|invalid number", re.IGNORECASE
)
_NOT_NOW: Final = re.compile(
    r"关机|停机|不在服务区|无法接通|终端|absent|power(?:ed)?[ -]?off|unreachable", re.IGNORECASE
)


def form_of(body: bytes) -> list[tuple[str, str]]:
    """The fields of a posted form, in their order. Raises HookRefused."""
    try:
        text = body.decode("utf-8")
        return parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise HookRefused(400, "the body is no form") from None


def number_of(text: str | None, nation: str | None = None, chinese: bool = False) -> str | None:
    """A number in E.164 from how a provider writes it: with a plus, with 00, as bare digits after the country's code
    (`nation`: that code, where it stands apart), or, of a Chinese provider alone, as a mobile number of mainland China:
    to any other the same digits are a number of North America. None: it is none."""
    if text is None:
        return None
    bare = text.strip().replace(" ", "").replace("-", "")
    if bare.startswith("+"):
        bare = bare[1:]
    elif bare.startswith("00"):
        bare = bare[2:]
    elif nation is not None and nation.isascii() and nation.lstrip("+").isdigit():
        code = nation.lstrip("+")
        bare = bare if bare.startswith(code) and len(bare) > 11 else code + bare
    elif chinese and _chinese_mobile(bare):
        bare = CHINA + bare
    return f"+{bare}" if bare.isascii() and _digits(bare) else None


def chinese_failure(code: str | None, words: str | None) -> ToldKind:
    """What a failure of China's carriers is, who each have codes of their own and say it in words, too."""
    said = f"{code or ''} {words or ''}"
    if _NO_SUCH_NUMBER.search(said):
        return "bounce"
    return "soft_bounce" if _NOT_NOW.search(said) else "failed"


def said(value: Any, *names: str) -> str | None:
    """The texts under these names of an object, together: what a provider says about a failure."""
    found = [text for text in (text_in(value, name) for name in names) if text]
    return clean(": ".join(found)) if found else None
