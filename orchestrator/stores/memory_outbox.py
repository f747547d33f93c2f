"""The memory store's outgoing side: what waits for its instant, a throttle, a pause's end, or its settlement."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final, TypeVar

from orchestrator.core.ledger import Message, Request
from orchestrator.core.program import Throttle
from orchestrator.core.view import LoadedMessage
from orchestrator.stores.protocol import Settlement

LEASE: Final = timedelta(seconds=60)
"""Real time for which what was claimed is nobody else's."""
_Thing = TypeVar("_Thing")


class Queued:
    """A message on its way. `place` orders those of one instant; `free`: an operator cancelled it, and it waits for no
    throttle. The rest is what a claim tells; see Claimed."""

    __slots__ = (
        "available_at",
        "begun",
        "fence",
        "first_tried_at",
        "free",
        "lease_until",
        "message",
        "place",
        "uncertain",
    )

    def __init__(self, message: LoadedMessage, place: int) -> None:
        self.message = message
        self.place = place
        self.available_at = message.row.decided_at
        self.free = not message.row.throttled
        self.fence = 0
        self.lease_until: datetime | None = None
        self.begun = 0
        self.uncertain = False
        self.first_tried_at: datetime | None = None

    @property
    def row(self) -> Message:
        """The ledger's row."""
        return self.message.row


class MemoryOutbox:
    """Queued messages in the order of their instants; throttled ones by journey, so that others never wait for them."""

    def __init__(self) -> None:
        self._place = 0
        self.direct: deque[Queued] = deque()
        self.throttled: dict[str, deque[Queued]] = {}
        self.waiting: list[Queued] = []
        self.retried: list[tuple[datetime, Queued]] = []
        """(real instant, message) of those that the provider refused for now."""
        self.frozen: list[Queued] = []
        self.claimed: dict[str, Queued] = {}
        self.requests: dict[str, Request] = {}
        self.called: dict[str, datetime] = {}
        """Until when (real time) requests are claimed."""
        self.handed_over: dict[str, deque[datetime]] = {}
        self.told: set[str] = set()
        self._cache: dict[str, tuple[datetime, int, Any]] = {}

    def add(self, message: LoadedMessage, fence: int = 0, available_at: datetime | None = None) -> None:
        """A new row, or one that comes once more (then with its last fence, and from when)."""
        self._place += 1
        queued = Queued(message, self._place)
        queued.fence = fence
        if available_at is not None:
            queued.available_at = available_at
        self._queue([queued])

    def _queue(self, messages: Iterable[Queued]) -> None:
        """New rows, or some to be looked at again."""
        for queued in messages:
            if queued.free:
                _stand(self.direct, queued, _when_available)
            else:  # in the order in which they were due
                _stand(self.throttled.setdefault(queued.row.journey, deque()), queued, _when_due)

    # --- claims ----------------------------------------------------------------------------------------------------

    def claim(self, queued: Queued, real_at: datetime) -> None:
        """It is one caller's now."""
        queued.fence += 1
        queued.lease_until = real_at + LEASE
        self.claimed[queued.row.id] = queued

    def begin(self, id: str, fence: int, real_at: datetime) -> bool:
        """A hand-over begins, if the message is still that claim's."""
        queued = self.claimed.get(id)
        if queued is None or queued.fence != fence:
            return False
        queued.begun += 1
        queued.uncertain = True
        queued.first_tried_at = queued.first_tried_at or real_at
        queued.lease_until = real_at + LEASE
        return True

    def keep(self, queued: Queued, settled: Settlement) -> None:
        """A claim ended without an end of the message."""
        available_at, retry_at = settled.available_at, settled.retry_at
        queued.uncertain = settled.uncertain
        if settled.untaken and queued.begun:
            queued.begun -= 1
        if retry_at is not None:
            self.retried.append((retry_at, queued))
        elif available_at is not None:
            queued.available_at = available_at
            self.waiting.append(queued)
        else:
            self.frozen.append(queued)

    def take_direct(self, limit: int, klass: str | None) -> list[Queued]:
        """At most `limit` of those that no throttle holds, of a class."""
        return _take(self.direct, limit, klass)

    def take_throttled(self, journey: str, limit: int, klass: str | None) -> list[Queued]:
        """At most `limit` of a throttled journey, of a class."""
        return _take(self.throttled[journey], limit, klass)

    def in_flight(self, journey: str) -> int:
        """How many of a throttled journey are claimed: they take room, too."""
        return sum(not queued.free and queued.row.journey == journey for queued in self.claimed.values())

    def wake(self, now: datetime, real_at: datetime) -> None:
        """Queue again what was held until now, what may be tried again, and what was claimed too long ago."""
        if self.claimed:
            late = [q for q in self.claimed.values() if q.lease_until is not None and q.lease_until <= real_at]
            for queued in late:
                del self.claimed[queued.row.id]
            self._queue(late)
        if self.retried:
            self.retried, again = _parted(self.retried, lambda entry: entry[0] <= real_at)
            self._queue(queued for _, queued in again)
        if self.waiting:
            self.waiting, due = _parted(self.waiting, lambda queued: queued.available_at <= now)
            self._queue(due)

    # --- operators -------------------------------------------------------------------------------------------------

    def thaw(self) -> None:
        """Queue again what was frozen by a pause."""
        frozen, self.frozen = self.frozen, []
        self._queue(frozen)

    def recall(self, cancelled: Callable[[Message], bool]) -> None:
        """Bring everything that an operator cancelled to the next claim, whatever it was waiting for."""
        self.frozen, found = _parted(self.frozen, lambda queued: cancelled(queued.row))
        self.waiting, held = _parted(self.waiting, lambda queued: cancelled(queued.row))
        self.retried, refused = _parted(self.retried, lambda entry: cancelled(entry[1].row))
        found += held + [queued for _, queued in refused]
        for journey, queue in self.throttled.items():
            kept, taken = _parted(queue, lambda queued: cancelled(queued.row))
            self.throttled[journey] = deque(kept)
            found += taken
        for queued in found:
            queued.free = True
            queued.available_at = min(queued.available_at, queued.row.at)
        self._queue(found)

    def forget(self, customer: str) -> None:
        """Everything of an erased customer that waits, or is claimed, goes."""

        def theirs(queued: Queued) -> bool:
            return queued.row.customer_id == customer

        self.direct = deque(q for q in self.direct if not theirs(q))
        self.throttled = {j: deque(q for q in queue if not theirs(q)) for j, queue in self.throttled.items()}
        self.waiting = [q for q in self.waiting if not theirs(q)]
        self.retried = [(at, q) for at, q in self.retried if not theirs(q)]
        self.frozen = [q for q in self.frozen if not theirs(q)]
        self.claimed = {id: q for id, q in self.claimed.items() if not theirs(q)}
        self.requests = {id: request for id, request in self.requests.items() if request.customer_id != customer}

    # --- throttles and instants ------------------------------------------------------------------------------------

    def room(self, journey: str, throttle: Throttle | None, now: datetime) -> tuple[int | None, datetime | None]:
        """How many messages may go now under a rolling limit, and when the next one may."""
        if throttle is None:
            return None, None
        sent = self.handed_over.setdefault(journey, deque())
        while sent and sent[0] <= now - throttle.per:
            sent.popleft()
        left = throttle.max - len(sent)
        return max(left, 0), (sent[-throttle.max] + throttle.per if left <= 0 else None)

    def next_at(self, throttle_of: Callable[[str], Throttle | None]) -> datetime | None:
        """When something here may go next; `now` itself cannot be told, so anything ready says the oldest instant."""
        instants = [queued.available_at for queued in self.waiting]
        for journey, queue in self.throttled.items():
            if queue:
                throttle, sent = throttle_of(journey), self.handed_over.get(journey)
                if throttle is not None and sent and len(sent) >= throttle.max:
                    instants.append(sent[-throttle.max] + throttle.per)
                else:
                    instants.append(queue[0].available_at)
        if self.direct:
            instants.append(self.direct[0].available_at)
        uncalled = (request.at for request in self.requests.values() if request.id not in self.called)
        instants += list(islice(uncalled, 1))
        return min(instants, default=None)

    # --- requests --------------------------------------------------------------------------------------------------

    def claim_requests(self, limit: int, real_at: datetime) -> Iterator[Request]:
        """At most `limit` calls that nobody makes."""
        for request in list(self.requests.values()):
            if limit <= 0:
                return
            until_at = self.called.get(request.id)
            if until_at is None or until_at <= real_at:
                self.called[request.id] = real_at + LEASE
                limit -= 1
                yield request

    def settle_request(self, request: Request) -> bool:
        """A call is answered; False: it was already."""
        self.called.pop(request.id, None)
        return self.requests.pop(request.id, None) is not None

    def cached(self, url: str, now: datetime) -> tuple[int, Any] | None:
        """A fetched answer that has not run out."""
        found = self._cache.get(url)
        return found[1:] if found is not None and now < found[0] else None

    def keep_reply(self, url: str, status: int, body: Any, until_at: datetime) -> None:
        """Remember a fetched answer."""
        self._cache[url] = (until_at, status, body)


def _when_available(queued: Queued) -> tuple[datetime, int]:
    return queued.available_at, queued.place


def _when_due(queued: Queued) -> tuple[datetime, int]:
    return queued.row.at, queued.place


def _stand(queue: deque[Queued], queued: Queued, key: Callable[[Queued], tuple[datetime, int]]) -> None:
    """Put a message at its place, which is nearly always the last."""
    place, mine = len(queue), key(queued)
    while place and key(queue[place - 1]) > mine:
        place -= 1
    queue.insert(place, queued)


def _take(queue: deque[Queued], limit: int, klass: str | None) -> list[Queued]:
    if klass is None:
        return [queue.popleft() for _ in range(min(limit, len(queue)))]
    found: list[Queued] = []
    kept: list[Queued] = []
    for queued in queue:
        (found if queued.row.klass == klass and len(found) < limit else kept).append(queued)
    queue.clear()
    queue.extend(kept)
    return found


def _parted(entries: Iterable[_Thing], taken: Callable[[_Thing], bool]) -> tuple[list[_Thing], list[_Thing]]:
    """Those that stay and those that are taken, each in their order."""
    kept: list[_Thing] = []
    found: list[_Thing] = []
    for entry in entries:
        (found if taken(entry) else kept).append(entry)
    return kept, found
