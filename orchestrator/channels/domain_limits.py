"""How many messages at once may be on their way to the mailboxes of one domain: `domains=gmail.com:4,qq.com:2,*:8`."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from orchestrator.errors import UsageError

_entry = re.compile(r"(\*|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+):([1-9][0-9]{0,2})").fullmatch


def read_limits(given: str) -> dict[str, int]:
    """The limits by domain; `*` is each of the others. Raises UsageError."""
    found: dict[str, int] = {}
    for part in given.split(","):
        entry = _entry(part.strip())
        if entry is None or entry[1].lower() in found:
            raise UsageError(
                f"the address of the mail server says domains={given[:80]}; expected each domain once with a number, "
                "such as domains=gmail.com:4,qq.com:2,*:8",
                "bad_setting",
            )
        found[entry[1].lower()] = int(entry[2])
    return found


class DomainLimits:
    """Places for messages on their way. Safe for several threads."""

    def __init__(self, limits: Mapping[str, int]) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._places: dict[str, threading.BoundedSemaphore] = {}

    @contextmanager
    def place(self, to: str, patience: float) -> Iterator[bool]:
        """A place for a message to this address; False where none became free within `patience` real seconds."""
        places = self._of(to.rpartition("@")[2].lower()) if self._limits else None
        if places is None:
            yield True
        elif not places.acquire(timeout=max(0.0, patience)):
            yield False
        else:
            try:
                yield True
            finally:
                places.release()

    def _of(self, domain: str) -> threading.BoundedSemaphore | None:
        limit = self._limits.get(domain, self._limits.get("*"))
        if limit is None:
            return None
        with self._lock:
            found = self._places.get(domain)
            if found is None:
                found = self._places[domain] = threading.BoundedSemaphore(limit)
            return found
