"""Our id of a message in a form that every provider takes and gives back unchanged: letters, digits, `_` and `-`.

Tags of Amazon SES and Resend take nothing else; so all providers get it in this form, and all callbacks read it.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Final

MARK: Final = "orchestrator_message"
"""The name under which a provider keeps the mark: a tag, a custom argument, a variable."""
LONGEST: Final = 250
"""Characters of a mark; tags have 256."""

_odd = re.compile(rb"[^A-Za-z0-9_]")
_coded = re.compile(r"(?:[A-Za-z0-9_]|-[0-9a-f]{2})+").fullmatch
_code = re.compile(r"-([0-9a-f]{2})")


def mark_of(id: str) -> str:
    """An id as a mark: other bytes than letters, digits and `_` are written as `-` and two hexadecimal digits.

    Ids whose mark would be too long get one that tells them apart, and leads back to none.
    """
    data = id.encode("utf-8", "surrogatepass")
    mark = _odd.sub(lambda found: b"-" + found[0].hex().encode("ascii"), data).decode("ascii")
    return mark if 0 < len(mark) <= LONGEST else f"-h{blake2b(data).hexdigest()[:40]}"


def id_of(mark: object) -> str | None:
    """The id that a mark stands for; None: it is no mark of an id."""
    if not isinstance(mark, str) or len(mark) > LONGEST or not _coded(mark):
        return None
    data = _code.sub(lambda found: chr(int(found[1], 16)), mark).encode("latin-1")
    try:
        return data.decode("utf-8")
    except UnicodeError:
        return None
