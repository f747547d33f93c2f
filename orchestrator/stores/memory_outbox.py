"""The memory store's queues to the outside: messages, requests, cached answers, throttles."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, TypeVar

from orchestrator.core.ledger import Message, Request
from orchestrator.core.program import Throttle
from orchestrator.core.view import LoadedMessage

_Entry = TypeVar("_Entry")


class MemoryOutbox:
    """Queued messages in the order of their decisions; throttled ones by journey, so that others never wait for
    them."""

    def __init__(self) -> None:
        self.direct: deque[LoadedMessage] = deque()
        self.throttled: dict[str, deque[LoadedMessage]] = {}
        self.waiting: list[tuple[datetime, LoadedMessage]] = []
        self.retried: list[tuple[datetime, LoadedMessage]] = []
        """(real instant, message) of those that the provider refused for now."""
        self.begun: dict[str, tuple[int, datetime]] = {}
        """(hand-overs that were begun, real instant of the first) of messages that are not settled."""
        self.frozen: list[LoadedMessage] = []
        self.requests: deque[Request] = deque()
        self.handed_over: dict[str, deque[datetime]] = {}
        self.told: set[str] = set()
        self._cache: dict[str, tuple[datetime, int, Any]] = {}

    def queue(self, message: LoadedMessage) -> None:
        """A new row, or one to be looked at again. Throttled ones stand in the order in which they were due."""
        if not message.row.throttled:
            self.direct.append(message)
            return
        queue = self.throttled.setdefault(message.row.journey, deque())
        place = len(queue)
        while place and queue[place - 1].row.at > message.row.at:
            place -= 1
        queue.insert(place, message)

    def take_direct(self, limit: int, klass: str | None) -> list[LoadedMessage]:
        """At most `limit` of those that no throttle holds, of a class."""
        direct = self.direct
        if klass is None:
            return [direct.popleft() for _ in range(min(limit, len(direct)))]
        found: list[LoadedMessage] = []
        kept: deque[LoadedMessage] = deque()
        for message in direct:
            (found if message.row.klass == klass and len(found) < limit else kept).append(message)
        self.direct = kept
        return found

    def wake(self, now: datetime, real_at: datetime) -> None:
        """Queue again what was held until now, and what may be tried again."""
        if self.retried:
            self.retried, again = _parted(self.retried, lambda entry: entry[0] <= real_at)
            for _, message in again:
                self.queue(message)
        if self.waiting:
            due = [message for at, message in self.waiting if at <= now]
            if due:
                self.waiting = [(at, message) for at, message in self.waiting if at > now]
                for message in due:
                    self.queue(message)

    def thaw(self) -> None:
        """Queue again what was frozen by a pause."""
        frozen, self.frozen = self.frozen, []
        for message in frozen:
            self.queue(message)

    def recall(self, cancelled: Callable[[Message], bool]) -> None:
        """Bring everything that an operator cancelled to the next claim, whatever it was waiting for."""
        self.frozen, found = _parted(self.frozen, lambda message: cancelled(message.row))
        self.waiting, held = _parted(self.waiting, lambda entry: cancelled(entry[1].row))
        self.retried, refused = _parted(self.retried, lambda entry: cancelled(entry[1].row))
        found += [message for _, message in held + refused]
        for journey, queue in self.throttled.items():
            kept, taken = _parted(queue, lambda message: cancelled(message.row))
            self.throttled[journey] = deque(kept)
            found += taken
        self.direct.extend(found)

    def room(self, journey: str, throttle: Throttle | None, now: datetime) -> tuple[int | None, datetime | None]:
        """How many messages may go now under a rolling limit, and when the next one may."""
        if throttle is None:
            return None, None
        sent = self.handed_over.setdefault(journey, deque())
        while sent and sent[0] <= now - throttle.per:
            sent.popleft()
        left = throttle.max - len(sent)
        return max(left, 0), (sent[-throttle.max] + throttle.per if left <= 0 else None)

    def next_at(self, throttle_of: Callable[[str], Throttle | None], now: datetime | None) -> datetime | None:
        """When something here may go next; `now` itself cannot be told, so anything ready says the oldest instant."""
        instants = [at for at, _ in self.waiting]
        for journey, queue in self.throttled.items():
            if queue:
                throttle, sent = throttle_of(journey), self.handed_over.get(journey)
                if throttle is not None and sent and len(sent) >= throttle.max:
                    instants.append(sent[-throttle.max] + throttle.per)
                else:
                    instants.append(queue[0].row.decided_at)
        if self.direct:
            instants.append(self.direct[0].row.decided_at)
        if self.requests:
            instants.append(self.requests[0].at)
        return min(instants, default=None)

    def cached(self, url: str, now: datetime) -> tuple[int, Any] | None:
        """A fetched answer that has not run out."""
        found = self._cache.get(url)
        return found[1:] if found is not None and now < found[0] else None

    def keep(self, url: str, status: int, body: Any, until_at: datetime) -> None:
        """Remember a fetched answer."""
        self._cache[url] = (until_at, status, body)


def _parted(entries: Iterable[_Entry], taken: Callable[[_Entry], bool]) -> tuple[list[_Entry], list[_Entry]]:
    """Those that stay and those that are taken, each in their order."""
    kept: list[_Entry] = []
    found: list[_Entry] = []
    for entry in entries:
        (found if taken(entry) else kept).append(entry)
    return kept, found
