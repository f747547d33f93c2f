"""UTM parameters on a brand's own links, so that its web analytics know which message somebody came from."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote

_PARTS = re.compile(r"https?://(?:[^/?#@]*@)?([^/?#:@]+)[^?#]*", re.IGNORECASE).match


class UtmTags(NamedTuple):
    """What is added to which links. `pairs`: parameters and their values; `domains`: those of the brand, in small
    letters; what lies below one belongs to it."""

    pairs: tuple[tuple[str, str], ...]
    domains: tuple[str, ...]


@lru_cache(maxsize=8192)
def tagged(url: str, tags: UtmTags) -> str:
    """The link with the parameters that it does not have yet; every character that was there stays."""
    found = _PARTS(url)
    if found is None or not _belongs(found[1].lower(), tags.domains):
        return url
    address, hash_, place = url.partition("#")
    path, _, query = address.partition("?")
    there = {part.partition("=")[0].lower() for part in query.split("&")}
    more = "&".join([f"{name}={quote(value, safe='')}" for name, value in tags.pairs if name not in there])
    if not more:
        return url
    joint = "" if not query or query.endswith("&") else "&"
    return f"{path}?{query}{joint}{more}{hash_}{place}"


def _belongs(host: str, domains: tuple[str, ...]) -> bool:
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)
