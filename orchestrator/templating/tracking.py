"""A message as it leaves when clicks and opens are tracked: links over our page, and a picture that nobody sees.

Everything follows from the message's id and its rendered texts, so that a retry has the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from orchestrator.templating.link_scan import is_own_page, rewritten_html, rewritten_text

LONGEST_TARGET: Final = 1_500
"""Characters of a link that is tracked: the token is longer by a third, and some mail programs end at 2,083."""


def with_tracked_links(html: str, base_url: str, token_of: Callable[[str], str]) -> str:
    """The HTML with its links over `/c/`; `token_of` gives the token of a target. Links to our own pages, unsubscribe
    before all, stay as they are."""

    def tracked(url: str) -> str:
        if is_own_page(url, base_url) or len(url) > LONGEST_TARGET:
            return url
        return f"{base_url}/c/{token_of(url)}"

    return rewritten_html(html, tracked)


def with_short_links(text: str, base_url: str, token_of: Callable[[int], str | None]) -> str:
    """The text with short links over `/c/`; `token_of` gives the token of each link's number, from 0, or None where
    there is none: then the link stays."""
    number = -1

    def shortened(url: str) -> str:
        nonlocal number
        if is_own_page(url, base_url):
            return url
        number += 1
        token = token_of(number)
        return url if token is None else f"{base_url}/c/{token}"

    return rewritten_text(text, shortened)


def linked_targets(text: str, base_url: str) -> list[str]:
    """The targets of a text's links, by their numbers."""
    found: list[str] = []

    def noted(url: str) -> str:
        if not is_own_page(url, base_url):
            found.append(url)
        return url

    rewritten_text(text, noted)
    return found


def with_pixel(html: str, url: str) -> str:
    """The HTML with a picture of one point at the end of its body."""
    picture = f'<img src="{url}" width="1" height="1" alt="" style="display:block;width:1px;height:1px;border:0;">'
    end = html.rfind("</body>")
    end = end if end >= 0 else html.lower().rfind("</body>")
    return f"{html[:end]}{picture}{html[end:]}" if end >= 0 else f"{html}{picture}"
