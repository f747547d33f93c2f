"""Arrivals on their way into a database: written out in the caller's own thread, and committed together.

Callers of many threads share a commit: who comes first writes what the others brought meanwhile, too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final, NamedTuple

from orchestrator.core.consent import closed_by
from orchestrator.core.identity import stable_hash
from orchestrator.core.inbox import Event, Grouped, Occurred
from orchestrator.core.state import data_text
from orchestrator.stores.instants import micros
from orchestrator.stores.protocol import Arrival, Ingested, content_of
from orchestrator.stores.protocol_identity import Link
from orchestrator.stores.records import body_text, event_text

_SIGN: Final = 1 << 64


class Prepared(NamedTuple):
    """An arrival as it will be written. `at` in microseconds; `content` is 0 where there is no message id."""

    customer: str
    at: int
    body: str
    message_id: str | None
    content: int
    opted_out: tuple[tuple[str, str], ...]
    grouped: Grouped | None = None
    """What it says of a group, if it does: that is written in the same transaction."""


class Batch:
    """What one caller brought, and what became of it."""

    def __init__(
        self, arrivals: Sequence[Prepared], links: Sequence[Link] = (), anonymous: Collection[str] = ()
    ) -> None:
        self.arrivals = arrivals
        self.links = links
        self.anonymous = anonymous
        self.done: Ingested | None = None
        self.error: Exception | None = None

    @property
    def over(self) -> bool:
        """Whether its caller can be answered."""
        return self.done is not None or self.error is not None


class GroupCommit:
    """Batches of many threads, written by one call of `take`: all in one transaction; if that fails, each alone."""

    def __init__(self, take: Callable[[Sequence[Batch]], Sequence[Ingested]]) -> None:
        self._take = take
        self._gate = threading.Lock()
        self._turnstile = threading.Lock()
        self._waiting: list[Batch] = []

    def bring(self, batch: Batch) -> Ingested:
        """Have a batch written; committed when it returns. Raises what `take` raises for it."""
        with self._gate:
            self._waiting.append(batch)
        with self._turnstile:
            if not batch.over:
                self._write_everybody()
        if batch.error is not None:
            raise batch.error
        assert batch.done is not None
        return batch.done

    def _write_everybody(self) -> None:
        with self._gate:
            group, self._waiting = self._waiting, []
        if not self._written(group):
            for batch in group:
                if len(group) > 1:
                    self._written([batch])

    def _written(self, group: Sequence[Batch]) -> bool:
        try:
            answers = self._take(group)
        except Exception as error:
            if len(group) == 1:
                group[0].error = error
            return False
        except BaseException as error:  # the process ends: nobody waits for ever
            for batch in group:
                batch.error = RuntimeError(f"interrupted: {type(error).__name__}")
            raise
        for batch, answer in zip(group, answers, strict=True):
            batch.done = answer
        return True


def prepared(arrival: Arrival) -> Prepared:
    """An arrival as it will be written."""
    customer, received_at, body, message_id = arrival
    if type(body) is Occurred:  # as nearly always: its properties are written once, for the inbox and for the hash
        name, at, properties, id = body.event
        text = data_text(properties)
        received = micros(received_at)
        happened = received if at is received_at else micros(at)
        content = _signed(stable_hash(customer, name, text)) if message_id is not None else 0
        return Prepared(customer, received, event_text(name, happened, text, id), message_id, content, ())
    return Prepared(
        customer,
        micros(received_at),
        body_text(body),
        message_id,
        _signed(content_of(arrival)) if message_id is not None else 0,
        closed_by(body),
        body if type(body) is Grouped else None,
    )


def _signed(number: int) -> int:
    """A number of 64 bits as databases have them."""
    return number if number < _SIGN >> 1 else number - _SIGN


def joined(events: Iterable[tuple[str, Event]]) -> dict[str, list[Event]]:
    """By customer, events that joined the past."""
    found: dict[str, list[Event]] = {}
    for customer, event in events:
        found.setdefault(customer, []).append(event)
    return found
