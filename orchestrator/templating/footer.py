"""What the law wants below promotional and service emails: who sends them, and how to hear no more."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from markupsafe import escape

from orchestrator.templating.locales import is_chinese, is_traditional

_special = re.compile(r"[&<>'\"]").search


class Footer(NamedTuple):
    """The words below a message, around the unsubscribe link: before it and after it, as HTML and as plain text."""

    html: tuple[str, str]
    text: tuple[str, str]


@lru_cache(maxsize=64)
def footer_of(brand: str, address: str, locale: str | None) -> Footer:
    """The footer of a brand in English, or in Chinese in either script. Everything in it is escaped."""
    word = "取消訂閱" if is_traditional(locale) else "退订" if is_chinese(locale) else "Unsubscribe"
    parts = [" ".join(part.split()) for part in (brand, address) if part.strip()]
    before = (
        '<div style="margin:24px auto 0;padding:16px;max-width:600px;text-align:center;'
        'font-family:Arial,Helvetica,sans-serif;font-size:12px;line-height:18px;color:#666666;">'
        f'{" · ".join(str(escape(part)) for part in parts)}<br><a href="'
    )
    colon = "：" if is_chinese(locale) else ": "
    return Footer(
        (before, f'" style="color:#666666;">{word}</a></div>'), (f"-- \n{' · '.join(parts)}\n{word}{colon}", "\n")
    )


def with_footer(html: str, text: str, footer: Footer, url: str) -> tuple[str, str]:
    """HTML and text with the footer below each that does not hold the link already."""
    escaped = url if _special(url) is None else str(escape(url))
    if escaped not in html and url not in html:
        line = f"{footer.html[0]}{escaped}{footer.html[1]}"
        end = html.rfind("</body>")
        if end < 0:
            end = html.lower().rfind("</body>")
        html = f"{html[:end]}{line}{html[end:]}" if end >= 0 else html + line
    if url not in text:
        text = f"{text.rstrip()}\n\n{footer.text[0]}{url}{footer.text[1]}"
    return html, text
