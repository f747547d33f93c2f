"""The requests lane: several calls at once, a slow host holds nobody else, a cached address is fetched once."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestrator.core.inbox import Body, Replied
from orchestrator.core.ledger import Request
from orchestrator.runtime.requests import MOST_PER_HOST, WIDTH, cache_key, requests_once
from orchestrator.stores.memory import MemoryStore
from orchestrator.stores.protocol import StoreBusy

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
Reply = tuple[int | None, Any, str | None]


class Desk(MemoryStore):
    """The memory store's cache behind a queue of the test's own, which notes what is written down, and by whom."""

    def __init__(self, requests: Sequence[Request]) -> None:
        super().__init__("0")
        self.waiting = deque(requests)
        self.replies: list[tuple[str, Replied]] = []
        self.claims: list[int] = []
        self.threads: set[int] = set()
        self.busy_at: int | None = None
        self.told = threading.Condition()

    def claim_requests(self, now: datetime, limit: int, real_at: datetime | None = None) -> Sequence[Request]:
        self.threads.add(threading.get_ident())
        self.claims.append(limit)
        return [self.waiting.popleft() for _ in range(min(limit, len(self.waiting)))]

    def settle_requests(self, replies: Sequence[tuple[Request, Body]], now: datetime) -> None:
        self.threads.add(threading.get_ident())
        if self.busy_at is not None and len(self.replies) >= self.busy_at:
            self.busy_at = None
            raise StoreBusy("database is locked")
        with self.told:
            self.replies.extend((request.id, body) for request, body in replies if isinstance(body, Replied))
            self.told.notify_all()

    def wait_for(self, count: int) -> None:
        """Until this many answers are written down. Fails after five seconds."""
        with self.told:
            assert self.told.wait_for(lambda: len(self.replies) >= count, 5), f"only {len(self.replies)} answers came"


class Calls:
    """A caller that does what a test says, and counts."""

    def __init__(self, do: Callable[[Request], Reply] = lambda request: (200, request.id, None)) -> None:
        self._do = do
        self._lock = threading.Lock()
        self.made: list[str] = []
        self.now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()

    def call(self, request: Request) -> Reply:
        host = request.url.split("/")[2]
        with self._lock:
            self.made.append(request.id)
            for key in (host, "all"):
                self.now[key] += 1
                self.most[key] = max(self.most[key], self.now[key])
        try:
            return self._do(request)
        finally:
            with self._lock:
                self.now.subtract([host, "all"])


def ask(number: int, url: str = "https://a.example/x", cache: timedelta | None = None, **fields: Any) -> Request:
    made = Request(
        f"r{number:03}", "u1", "e1", "call", 1, "fetch", "GET", url, {}, None, timedelta(seconds=2), cache, NOW
    )
    return made._replace(**fields)


HOUR = timedelta(hours=1)


def test_one_after_another_in_the_order_of_the_store_and_in_our_own_thread() -> None:
    desk = Desk([ask(n, f"https://h{n % 2}.example/") for n in range(30)])
    threads = set()
    calls = Calls(lambda request: (threads.add(threading.get_ident()), (200, None, None))[1])  # type: ignore[func-returns-value]
    assert requests_once(desk, calls, NOW, width=1) == 30
    assert calls.made == [f"r{n:03}" for n in range(30)]
    assert [id for id, _ in desk.replies] == calls.made
    assert threads == {threading.get_ident()}


def test_several_at_once_but_not_too_many_and_never_too_many_to_one_host() -> None:
    together = threading.Barrier(WIDTH)

    def do(request: Request) -> Reply:
        if int(request.id[1:]) < 2 * WIDTH:
            together.wait(5)  # nobody passes before eight calls are under way
        return 200, None, None

    calls = Calls(do)
    desk = Desk([ask(n, f"https://h{n % 4}.example/") for n in range(80)])
    assert requests_once(desk, calls, NOW) == 80
    assert calls.most["all"] == WIDTH
    assert max(calls.most[f"h{n}.example"] for n in range(4)) <= MOST_PER_HOST
    assert desk.threads == {threading.get_ident()}
    assert sorted(id for id, _ in desk.replies) == [f"r{n:03}" for n in range(80)]


def test_a_slow_host_holds_back_nobody_else() -> None:
    slow = [ask(n, "https://slow.example/") for n in range(100)]
    others = [ask(100 + n, f"https://h{n}.example/") for n in range(50)]
    desk = Desk([*slow, *others])
    released = threading.Event()

    def do(request: Request) -> Reply:
        if "slow" in request.url:
            assert released.wait(10)
        return 200, None, None

    calls = Calls(do)
    passing = ThreadPoolExecutor(1)
    try:
        counted = passing.submit(requests_once, desk, calls, NOW)
        desk.wait_for(50)  # written down while four calls to the slow host are under way
        assert {id for id, _ in desk.replies} == {request.id for request in others}
        assert calls.now["slow.example"] == MOST_PER_HOST
        released.set()
        assert counted.result(10) == 150
    finally:
        released.set()
        passing.shutdown()
    assert calls.most["slow.example"] == MOST_PER_HOST


@pytest.mark.parametrize("width", [1, 8])
def test_a_cached_address_is_fetched_once_in_a_pass_and_after_it(width: int) -> None:
    calls = Calls(lambda request: (200, {"by": request.id}, None))
    desk = Desk([ask(n, cache=HOUR) for n in range(40)])
    assert requests_once(desk, calls, NOW, width=width) == 40
    assert calls.made == ["r000"]
    assert {str(reply.body) for _, reply in desk.replies} == {"{'by': 'r000'}"}
    desk.waiting.extend([ask(90, cache=HOUR), ask(91)])
    assert requests_once(desk, calls, NOW + HOUR - timedelta(seconds=1), width=width) == 2
    assert calls.made == ["r000", "r091"]
    desk.waiting.append(ask(92, cache=HOUR))
    assert requests_once(desk, calls, NOW + HOUR, width=width) == 1
    assert calls.made[-1] == "r092"


@pytest.mark.parametrize("width", [1, 8])
def test_a_failed_fetch_is_not_shared(width: int) -> None:
    calls = Calls(lambda request: (503, None, None) if request.id < "r003" else (200, "sun", None))
    desk = Desk([ask(n, cache=HOUR) for n in range(10)])
    assert requests_once(desk, calls, NOW, width=width) == 10
    assert calls.made == ["r000", "r001", "r002", "r003"]
    assert Counter(reply.status for _, reply in desk.replies) == {503: 3, 200: 7}


def test_answers_to_the_headers_of_one_are_not_shared_with_another() -> None:
    calls = Calls(lambda request: (200, request.headers.get("X-Customer"), None))
    desk = Desk([ask(n, cache=HOUR, headers={"X-Customer": f"u{n % 3}"}) for n in range(12)])
    assert requests_once(desk, calls, NOW) == 12
    assert len(calls.made) == 3
    assert {(int(id[1:]) % 3, reply.body) for id, reply in desk.replies} == {(n, f"u{n}") for n in range(3)}
    assert cache_key(ask(1)) == "https://a.example/x"


def test_a_caller_that_raises_fails_its_own_step_only() -> None:
    def do(request: Request) -> Reply:
        if request.id == "r001":
            raise ZeroDivisionError("our bug")
        return 200, None, None

    for width in (1, 8):
        desk = Desk([ask(n) for n in range(5)])
        assert requests_once(desk, Calls(do), NOW, width=width) == 5
        replies = dict(desk.replies)
        assert (replies["r001"].status, replies["r001"].error) == (None, "exception: ZeroDivisionError: our bug")
        assert [replies[f"r{n:03}"].status for n in (0, 2, 3, 4)] == [200] * 4


def test_little_is_claimed_ahead_and_never_more_than_the_limit() -> None:
    desk = Desk([ask(n, f"https://h{n}.example/") for n in range(200)])
    assert requests_once(desk, Calls(), NOW, 50) == 50
    assert len(desk.waiting) == 150
    assert max(desk.claims) < 50 and sum(desk.claims) == 50
    assert requests_once(desk, Calls(), NOW, 0) == 0


def test_a_request_whose_lease_ran_out_within_the_pass_is_called_once() -> None:
    desk = Desk([*(ask(n) for n in range(32)), ask(0), ask(1), ask(32)])
    calls = Calls()
    assert requests_once(desk, calls, NOW) == 33
    assert sorted(calls.made) == [f"r{n:03}" for n in range(33)]


def test_nothing_to_do_makes_no_threads() -> None:
    before = threading.active_count()
    assert requests_once(Desk([]), Calls(), NOW) == 0
    assert threading.active_count() == before


def test_a_given_pool_is_used_and_left_open() -> None:
    with ThreadPoolExecutor(3) as pool:
        for _ in range(2):
            assert requests_once(Desk([ask(n) for n in range(9)]), Calls(), NOW, width=3, pool=pool) == 9
        assert pool.submit(int).result() == 0


def test_a_store_that_is_busy_begins_nothing_more_and_loses_no_answer_it_can_keep() -> None:
    desk = Desk([ask(n, f"https://h{n}.example/") for n in range(100)])
    desk.busy_at = 10
    calls = Calls()
    with pytest.raises(StoreBusy):
        requests_once(desk, calls, NOW)
    assert sorted(id for id, _ in desk.replies) == sorted(calls.made)
    assert len(calls.made) < 50
