"""Several providers in one setting of a channel: URLs that stand in for each other, in their order."""

from __future__ import annotations

import re
from typing import Final

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def provider_urls(setting: str) -> tuple[str, ...]:
    """The URLs of a channel's setting, which have blanks between them. A blank inside of one that names a folder is
    none between two."""
    words = setting.split()
    return tuple(words) if len(words) > 1 and all(_SCHEME.match(word) for word in words) else (setting.strip(),)
