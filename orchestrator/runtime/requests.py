"""`requests_once`: the calls that steps asked for, made outside of any turn, several at once.

The store is only touched by the caller's own thread; the threads of the pool do nothing but call. A host that is slow
holds MOST_PER_HOST threads at most, and each answer is written down as soon as it is there, so that nobody waits for
somebody else's host.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final

from orchestrator.channels.protocol import Caller
from orchestrator.core.inbox import Body, Replied
from orchestrator.core.ledger import Request
from orchestrator.runtime.tracing import span
from orchestrator.stores.protocol import Store, StoreBusy

LIMIT: Final = 500
"""Requests in one pass."""
WIDTH: Final = 8
"""Calls at once."""
MOST_PER_HOST: Final = 4
"""Calls at once to one host."""
AHEAD: Final = 4
"""Requests claimed for each call that can be made at once: what is claimed early waits under a lease."""

Answer = tuple[int | None, Any, str | None]


def requests_once(
    store: Store,
    caller: Caller,
    now: datetime,
    limit: int = LIMIT,
    *,
    real_at: datetime | None = None,
    width: int = WIDTH,
    pool: Executor | None = None,
) -> int:
    """Make at most `limit` calls that steps asked for; the answers go to the inbox. Returns how many were settled.

    `now` is journey time (due, cache), `real_at` the actual instant (leases). `width` calls are made at once, in the
    threads of `pool`, or of one made for this pass; with 1 they are made one after another in the order of the store,
    in the caller's thread. A cached URL is fetched once, also for those who ask while it is under way; a failed
    fetch is not shared. Raises StoreBusy after the calls under way ended: what could not be written down is called
    again, under the same id, when its lease has run out.
    """
    lane = _Pass(store, caller, now, limit, real_at, width)
    if width <= 1:
        return lane.run(lambda: _Inline())
    if pool is not None:
        return lane.run(lambda: pool)
    own: list[ThreadPoolExecutor] = []

    def made() -> Executor:
        own.append(ThreadPoolExecutor(width, thread_name_prefix="requests"))
        return own[0]

    try:
        return lane.run(made)
    finally:
        for executor in own:
            executor.shutdown()


class _Inline(Executor):
    """Calls at once, in the caller's thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class _Pass:
    def __init__(
        self, store: Store, caller: Caller, now: datetime, limit: int, real_at: datetime | None, width: int
    ) -> None:
        self._store = store
        self._caller = caller
        self._now = now
        self._real_at = real_at
        self._width = max(width, 1)
        self._unclaimed = limit
        self._seen: set[str] = set()
        self._ready: deque[Request] = deque()
        self._under_way: dict[Future[Answer], Request] = {}
        self._hosts: Counter[str] = Counter()
        self._fetching: set[str] = set()
        """The cached URLs under way."""
        self._replies: list[tuple[Request, Body]] = []
        self._settled = 0

    def run(self, executor: Callable[[], Executor]) -> int:
        """The whole pass. `executor` is asked for when the first call has to be made."""
        pool: Executor | None = None
        try:
            while True:
                while (request := self._next()) is not None:
                    pool = pool or executor()
                    self._start(pool, request)
                self._settle()
                if not self._under_way:
                    return self._settled
                self._take_answers(FIRST_COMPLETED)
        except StoreBusy:
            self._wind_up()
            raise

    def _next(self) -> Request | None:
        """The first request that can be called now; those with an answer in the cache are answered on the way."""
        if len(self._under_way) >= self._width:
            return None
        while True:
            for place, request in enumerate(self._ready):
                if self._may_start(request):
                    del self._ready[place]
                    if not self._from_cache(request):
                        return request
                    break
            else:
                if not self._claim():
                    return None

    def _claim(self) -> bool:
        """Claim some more. Returns whether there were any."""
        most = min(self._unclaimed, self._width * AHEAD)
        if most <= 0:
            return False
        claimed = self._store.claim_requests(self._now, most, self._real_at)
        self._unclaimed = self._unclaimed - len(claimed) if len(claimed) == most else 0
        # A lease that ran out in this very pass gives a request twice.
        fresh = [request for request in claimed if request.id not in self._seen]
        self._seen.update(request.id for request in fresh)
        self._ready.extend(fresh)
        return bool(fresh)

    def _may_start(self, request: Request) -> bool:
        if request.cache is not None and cache_key(request) in self._fetching:
            return False
        return self._width == 1 or self._hosts[_host_of(request)] < MOST_PER_HOST

    def _from_cache(self, request: Request) -> bool:
        if request.cache is None:
            return False
        cached = self._store.cached_reply(cache_key(request), self._now)
        if cached is None:
            return False
        self._replies.append((request, Replied(request.id, cached[0], cached[1], None)))
        return True

    def _call(self, request: Request) -> Answer:
        with span("call", kind=request.kind, method=request.method) as said:
            answer = self._caller.call(request)
            said("status", answer[0] or 0)
        return answer

    def _start(self, pool: Executor, request: Request) -> None:
        self._hosts[_host_of(request)] += 1
        if request.cache is not None:
            self._fetching.add(cache_key(request))
        self._under_way[pool.submit(self._call, request)] = request

    def _take_answers(self, until: str) -> None:
        done, _ = wait(self._under_way, return_when=until)
        for future in [future for future in self._under_way if future in done]:
            request = self._under_way.pop(future)
            self._hosts[_host_of(request)] -= 1
            answer = _answer_of(future)
            self._replies.append((request, Replied(request.id, *answer)))
            if request.cache is None:
                continue
            self._fetching.discard(cache_key(request))
            status, body, _ = answer
            if status is not None and 200 <= status < 300:
                self._store.keep_reply(cache_key(request), status, body, self._now + request.cache)

    def _settle(self) -> None:
        if self._replies:
            self._store.settle_requests(self._replies, self._now)
            self._settled += len(self._replies)
            self._replies = []

    def _wind_up(self) -> None:
        """The store cannot be written: begin nothing more, and try once to write down what was begun."""
        while self._under_way:
            try:
                self._take_answers("ALL_COMPLETED")
            except StoreBusy:
                continue  # the cache is a convenience, the answers are not
        self._settle()


def cache_key(request: Request) -> str:
    """What a kept answer is found under: the URL, and a hash of the step's headers where it sends any, because an
    answer to one customer's headers is not another's."""
    if not request.headers:
        return request.url
    sent = json.dumps(sorted(request.headers.items()))
    return f"{request.url} {blake2b(sent.encode(), digest_size=16).hexdigest()}"


def _host_of(request: Request) -> str:
    """Host and port as they are written: two spellings of one host only take more of the lane than they should."""
    return request.url.partition("://")[2].partition("/")[0].partition("?")[0].lower()


def _answer_of(future: Future[Answer]) -> Answer:
    error = future.exception()
    if error is None:
        return future.result()
    # A caller that raises is a bug of ours. The step fails with it, where it is seen, and the others go on.
    return None, None, f"exception: {type(error).__name__}: {error}"
