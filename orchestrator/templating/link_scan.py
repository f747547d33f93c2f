"""The links of a finished message: in the attributes of its HTML, and in its text."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape, unescape
from html.entities import html5
from typing import Final, TypeAlias

Rewrite: TypeAlias = Callable[[str], str]
"""From a link, as a reader follows it, to what stands in its place; the same text: it is left alone."""

UNTRACKED: Final = "data-notrack"
"""A link whose tag has this attribute is never rewritten."""
_LINK: Final = re.compile(
    r"""(?P<before><(?i:a|area|v:[a-z]+)(?=\s)(?:[^<>"']|"[^"]*"|'[^']*')*?\s(?i:href)\s*=\s*)"""
    r"""(?P<q>["'])(?P<url>[^<>]*?)(?P=q)(?P<after>[^<>]*>)"""
)
"""`v:roundrect` and the like are buttons as Outlook draws them."""
_REFERENCE: Final = re.compile(r"&(?:#[xX]?[0-9A-Fa-f]+;?|(?P<name>[A-Za-z][A-Za-z0-9]*(?:;|(?![;=A-Za-z0-9]))))")
_TEXT_LINK: Final = re.compile(r"https?://[!#-;=?-~]+(?P<more>\w)?", re.IGNORECASE)
_TRAILING: Final = ".,;:!?'*_"
_OWN_PAGES: Final = ("/u/", "/v/", "/s/", "/c/", "/o/", "/k/", "/assets/")


def rewritten_html(html: str, rewrite: Rewrite) -> str:
    """The HTML with its web links rewritten; those to anything else (mailto:, tel:, #place) are not asked about."""

    def exchanged(found: re.Match[str]) -> str:
        whole, before, q, url, after = found.group(0, "before", "q", "url", "after")
        link = _followed(_REFERENCE.sub(_decoded, url) if "&" in url else url)
        if link is None or UNTRACKED in before or UNTRACKED in after:
            return whole
        made = rewrite(link)
        return whole if made == link else f"{before}{q}{escape(made)}{q}{after}"

    return _LINK.sub(exchanged, html)


def _decoded(found: re.Match[str]) -> str:
    """A character reference as it is read in an attribute: without a semicolon it is none where `=`, a letter or a
    digit follows, so that `&currency=eur` stays what it says (HTML, section 13.2.5.73)."""
    name = found["name"]
    return unescape(found.group()) if name is None or name in html5 else found.group()


def _followed(url: str) -> str | None:
    """A web link as a browser reads it: without the blanks around it and the line breaks in it; None: it is none."""
    url = url.strip()
    if url[:8].lower() != "https://" and url[:7].lower() != "http://":
        return None
    return url.replace("\n", "").replace("\r", "").replace("\t", "")


def rewritten_text(text: str, rewrite: Rewrite) -> str:
    """The text with its links rewritten. The dot behind a link is not part of it; one that letters of another alphabet
    follow is left alone, as nobody can tell where it ends."""

    def exchanged(found: re.Match[str]) -> str:
        whole = found.group()
        if found["more"]:
            return whole
        link = whole.rstrip(_TRAILING)
        for closing, opening in ((")", "("), ("]", "["), ("}", "{")):
            if link.endswith(closing) and link.count(opening) < link.count(closing):
                link = link[:-1].rstrip(_TRAILING)
        return rewrite(link) + whole[len(link) :]

    return _TEXT_LINK.sub(exchanged, text) if "://" in text else text


def is_own_page(url: str, base_url: str) -> bool:
    """Whether a link leads to a page of this installation: unsubscribe, survey, view in browser."""
    return url.startswith(base_url) and url.startswith(_OWN_PAGES, len(base_url))
