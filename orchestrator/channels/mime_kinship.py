"""The headers that tell mailboxes what a message belongs to.

List-Id (RFC 2919) names the topic, on whatever a person can unsubscribe from: mail programs sort and unsubscribe by it.
Feedback-ID is what Gmail's Postmaster Tools and other feedback loops report complaints by: the journey, the topic, the
class, and last the sender, which stays the same in all (5 to 15 characters). Auto-Submitted (RFC 3834) keeps holiday
notices from answering transactional mail; all other mail has List-Id, which keeps them quiet as well. `Precedence` says
the same to old programs only, and some filters count it against a message: it is not written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from orchestrator.channels.mime_headers import Field

LONGEST_PART: Final = 40
_odd = re.compile(r"[^A-Za-z0-9_-]+")


@lru_cache(maxsize=1024)
def kinship_fields(journey: str, topic: str, klass: str, domain: str) -> tuple[Field, ...]:
    """The headers of a message about this topic. `domain` is its sender's, in ASCII; what is not known is empty."""
    return tuple(_fields(journey, topic, klass, domain))


def _fields(journey: str, topic: str, klass: str, domain: str) -> Iterator[Field]:
    if topic and klass != "transactional":
        listed = f"<{_part(topic).lower().replace('_', '-')}.{domain}>"
        yield "List-Id", listed, listed
    feedback = ":".join([*(_part(part) for part in (journey, topic, klass)), _sender(domain)])
    yield "Feedback-ID", feedback, feedback
    if klass == "transactional":
        yield "Auto-Submitted", "auto-generated", "auto-generated"


def _part(word: str) -> str:
    """A word of letters, digits, - and _, different for different words; `none` for none."""
    kept = _odd.sub("-", word).strip("-_")
    if kept == word and len(kept) <= LONGEST_PART:
        return kept or "none"
    mark = blake2b(word.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    return f"{kept[: LONGEST_PART - 9]}-{mark}".lstrip("-")


def _sender(domain: str) -> str:
    """The brand in 5 to 15 characters: its domain, shortened where it is longer."""
    kept = _odd.sub("-", domain).strip("-_")
    if 5 <= len(kept) <= 15:
        return kept
    return f"{kept[:6].strip('-')}-{blake2b(domain.encode(), digest_size=4).hexdigest()}"
