"""What did not fit the tracking plan, counted in the process and written down about once a second: never in the
transaction that takes events, and never a row for each."""

from __future__ import annotations

import logging
import re
import threading
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any, Final

from orchestrator.core.tracking_plan import Violation
from orchestrator.stores.protocol import Store, StoreBusy
from orchestrator.stores.protocol_sources import ViolationCount

FLUSH_EVERY: Final = 1.0
"""Real seconds."""
MOST_KEYS: Final = 1_000
"""Kinds of violations that are counted apart between two flushes; what exceeds them is counted as one."""
MOST_EXAMPLES: Final = 3
LONGEST_NAME: Final = 200
LONGEST_EXAMPLE: Final = 80
FIGURE: Final = "violation:"
"""Before the kinds, in the installation's figures."""
MANY: Final = "*"
PERSONAL: Final = "(personal)"
_PERSONAL: Final = re.compile(r"@|\d[\d ()./-]{5,}\d")
"""An address, a phone number, a number of a card or a person: not shown, whatever the plan says of its name."""

_log = logging.getLogger(__name__)

Key = tuple[str, str, str, str]


class ViolationBook:
    """The counts of one process that are not in the database yet. Safe for several threads.

    `count` adds to the installation's figures. A thread is there only while something waits.
    """

    def __init__(self, store: Store, count: Callable[[dict[str, int]], None], every: float = FLUSH_EVERY) -> None:
        self._store = store
        self._count = count
        self._every = every
        self._lock = threading.Lock()
        self._waiting: dict[Key, ViolationCount] = {}
        self._flusher: threading.Thread | None = None
        self._closed = threading.Event()

    def note(self, source: str, found: Sequence[Violation], at: datetime, personal: Collection[str]) -> None:
        """Count. `personal`: names whose values nobody is shown."""
        if not found:
            return
        alike = Counter(violation for violation in found if violation.value is None)  # as of events nobody declared
        with self._lock:
            for violation, times in alike.items():
                self._add(source, violation, at, personal, times)
            for violation in found:
                if violation.value is not None:
                    self._add(source, violation, at, personal)
            if self._flusher is None and not self._closed.is_set():
                self._flusher = threading.Thread(target=self._run, name="violations", daemon=True)
                self._flusher.start()

    def _add(self, source: str, violation: Violation, at: datetime, personal: Collection[str], times: int = 1) -> None:
        event, property, kind = _name(violation.event), _name(violation.property), violation.kind
        key = (source[:100], event, property, kind)
        known = self._waiting.get(key)
        if known is None and len(self._waiting) >= MOST_KEYS:
            key = (source[:100], MANY, MANY, kind)
            known = self._waiting.get(key)
        if known is None:
            self._waiting[key] = known = ViolationCount(*key, 0, at, at)
        examples = known.examples
        if violation.value is not None and len(examples) < MOST_EXAMPLES:
            example = shown_example(violation.property, violation.value, personal)
            examples = examples if example in examples else (*examples, example)
        self._waiting[key] = known._replace(
            times=known.times + times,
            last_at=max(at, known.last_at),
            first_at=min(at, known.first_at),
            examples=examples,
        )

    def flush(self) -> bool:
        """Write down what was counted. False: the database is busy, and the counts wait."""
        with self._lock:
            found, self._waiting = self._waiting, {}
        if not found:
            return True
        try:
            self._store.keep_violations(list(found.values()))
        except StoreBusy:
            with self._lock:
                for key, one in self._waiting.items():
                    before = found.get(key)
                    if before is not None:
                        one = one._replace(times=one.times + before.times, first_at=before.first_at)
                    found[key] = one
                self._waiting = found
            return False
        kinds: Counter[str] = Counter()
        for one in found.values():
            kinds[f"{FIGURE}{one.kind}"] += one.times
        self._count(dict(kinds))
        return True

    def close(self) -> None:
        """Write down what is left; what is noted later is lost."""
        self._closed.set()
        flusher = self._flusher
        if flusher is not None and flusher is not threading.current_thread():
            flusher.join(self._every + 5)
        self.flush()

    def _run(self) -> None:
        while True:
            self._closed.wait(self._every)
            try:
                self.flush()
            except Exception:
                _log.exception("violations of the tracking plan could not be written down")
            with self._lock:
                if not self._waiting or self._closed.is_set():
                    self._flusher = None
                    return


def _name(text: str) -> str:
    """A name as any database keeps it. Who makes names of addresses or numbers of people is shown that alone."""
    if _PERSONAL.search(text):
        return PERSONAL
    fit = text.replace("\x00", "?").encode("utf-8", "replace").decode()
    return fit[:LONGEST_NAME]


def shown_example(name: str, value: Any, personal: Collection[str]) -> str:
    """A value as it may be shown: of a personal one only what kind it is."""
    if name in personal or name.partition(".")[0] in personal:
        return f"({_kind(value)}, personal)"
    if isinstance(value, str):
        text = repr(value[:LONGEST_EXAMPLE]).encode("ascii", "backslashreplace").decode()
        return f"({_kind(value)}, maybe personal)" if _PERSONAL.search(value) else text
    if value is None or isinstance(value, (bool, int, float)):
        text = repr(value)
        return f"({_kind(value)}, maybe personal)" if _PERSONAL.search(text) else text[:LONGEST_EXAMPLE]
    return f"({_kind(value)})"


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return f"text of {len(value)} characters"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    return f"an object of {len(value)}" if isinstance(value, dict) else type(value).__name__
