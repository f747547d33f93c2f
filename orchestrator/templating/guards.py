"""Guards that the loader puts around a value by the place where it stands in the HTML.

Escaping keeps a value from ending its attribute; these keep it from meaning more than a value inside one: a link that
runs a script, a parameter that adds another parameter, a style that loads an image.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from jinja2.runtime import Context

from orchestrator.templating.failure import ValueRefused
from orchestrator.templating.printing import as_text

_SCHEME = re.compile(r"[^/?#]*?:")
_ALLOWED = frozenset({"http", "https", "mailto", "tel", "sms", "cid"})
_plain_link = re.compile(r"(?:https?|mailto|tel|sms):[A-Za-z0-9:/?#\[\]@!$&'()*+,;=%._~-]*").fullmatch
_plain_part = re.compile(r"[A-Za-z0-9._~-]*").fullmatch
_STYLE = re.compile(r"[\w#.,% +-]*")
_RESERVED = ":/?#[]@!$&'()*+,;=%-._~"


def _url(context: Context, value: Any) -> str:
    """A value that begins a link: its scheme must be a harmless one."""
    return _harmless(as_text(value).strip())


@lru_cache(maxsize=1024)
def _harmless(text: str) -> str:
    """Remembered, because most links of a project begin with one of a few addresses. Raises ValueRefused."""
    if _plain_link(text):
        return text
    bare = re.sub(r"[\x00-\x20\x7f-\xa0\u200b-\u200f\ufeff]", "", text)
    scheme = _SCHEME.match(bare)
    if scheme and scheme.group()[:-1].lower() not in _ALLOWED:
        raise ValueRefused(
            f"a link may not begin with {scheme.group()[:30]!r}; expected https, http, mailto, tel or sms"
        )
    return quote(text, safe=_RESERVED)


def _url_path(context: Context, value: Any) -> str:
    """A value further on in a link: characters that no link may hold are percent-encoded."""
    text = as_text(value)
    return text if _plain_part(text) else quote(text, safe=_RESERVED)


def _url_part(context: Context, value: Any) -> str:
    """A value after the `?` of a link: one parameter's value and nothing more."""
    text = as_text(value)
    return text if _plain_part(text) else quote(text, safe="")


def _style(context: Context, value: Any) -> str:
    """A value inside a style: a color, a number, a word."""
    text = as_text(value)
    if not _STYLE.fullmatch(text):
        raise ValueRefused(f"{text[:30]!r} cannot stand in a style; expected a color, a number or a word")
    return text


def _style_url(context: Context, value: Any) -> str:
    """A value inside `url(...)` in a style: a harmless link that cannot end the brackets."""
    return re.sub(r"['()]", lambda found: f"%{ord(found.group()):02X}", _url(context, value))


GUARDS: Mapping[str, Callable[[Context, Any], str]] = {
    "_url": _url,
    "_url_path": _url_path,
    "_url_part": _url_part,
    "_style": _style,
    "_style_url": _style_url,
}
"""By the name that the loader uses; authors cannot write names that begin with an underscore."""
