"""What the law wants below promotional and service emails: who sends them, and how to hear no more."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from markupsafe import escape

from orchestrator.templating.locales import is_chinese, is_traditional


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


def with_footer(html: str | None, text: str, footer: Footer, url: str, bodied: bool = True) -> tuple[str | None, str]:
    """HTML and text with the footer below each that does not hold the link already. Without `bodied` the HTML certainly
    has no end of a body."""
    escaped = url
    if "&" in url or "'" in url or '"' in url or "<" in url or ">" in url:
        escaped = str(escape(url))
    if html is not None and url not in html and (escaped is url or escaped not in html):
        before, after = footer.html
        end = _end_of_body(html) if bodied else -1
        html = f"{html[:end]}{before}{escaped}{after}{html[end:]}" if end >= 0 else f"{html}{before}{escaped}{after}"
    if url not in text:
        before, after = footer.text
        text = f"{text.rstrip()}\n\n{before}{url}{after}"
    return html, text


def _end_of_body(html: str) -> int:
    end = html.rfind("</body>")
    return end if end >= 0 else html.lower().rfind("</body>")
