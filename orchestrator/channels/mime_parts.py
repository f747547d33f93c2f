"""The headers of an attachment's part, written so that no name of a file can add to them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final
from urllib.parse import quote

from orchestrator.channels.mime_headers import MimeRefused, shown
from orchestrator.channels.protocol import Attachment

LONGEST_NAME: Final = 120
LONGEST_QUOTED: Final = 900
"""Octets of a name with percent signs, nine for a Chinese character: a line has 998 at most (RFC 5322)."""
_media_type = re.compile(r"[a-z0-9][a-z0-9.+-]*/[a-z0-9][a-z0-9.+-]*(?:; ?[a-z]+=[A-Za-z0-9-]+){0,3}").fullmatch
_content_id = re.compile(r"[A-Za-z0-9_.-]{1,120}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*").fullmatch
_plain = re.compile(r"[A-Za-z0-9_.()+ -]+").fullmatch


def part_head(attachment: Attachment) -> str:
    """The header lines of its part, each with its line end. Raises MimeRefused."""
    return _head(attachment.name, attachment.media_type, attachment.content_id)


@lru_cache(maxsize=256)
def _head(name: str, media_type: str, content_id: str | None) -> str:
    if not _media_type(media_type):
        raise MimeRefused(f"an attachment's type {shown(media_type)} is none, such as application/pdf")
    if content_id is not None and not _content_id(content_id):
        raise MimeRefused(f"an attachment's Content-ID {shown(content_id)} is none, such as logo@example.com")
    shows = "attachment" if content_id is None else "inline"
    kept = kept_name(name)
    plain = "".join(c if _plain(c) else "_" for c in kept)
    # Beyond ASCII the name is written as RFC 2231 says; those who do not know that find something in the other place.
    written = f'filename="{kept}"' if plain == kept else f"filename*=utf-8''{_quoted(kept)}"
    lines = [
        f"Content-Type: {media_type}" + ("" if plain == kept else f';\r\n name="{plain}"'),
        "Content-Transfer-Encoding: base64",
        f"Content-Disposition: {shows};\r\n {written}",
    ]
    if content_id is not None:
        lines.append(f"Content-ID: <{content_id}>")
    return "".join(f"{line}\r\n" for line in lines)


def kept_name(name: str) -> str:
    """The file's name without folders, and without what is no letter of a name anywhere; its end, as far as a header's
    line has room for it."""
    kept = "".join(c for c in name.replace("\\", "/").rpartition("/")[2] if c.isprintable() and c not in '"<>|*?:;')
    kept = " ".join(kept.split())[-LONGEST_NAME:]
    while len(_quoted(kept)) > LONGEST_QUOTED:
        kept = kept[1:]
    return kept or "file"


def _quoted(name: str) -> str:
    return quote(name, safe="", errors="replace")
