"""The client for asyncio."""
# ruff: noqa: TID252

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from .answers import Pace, Reply, item_of
from .calls import Ask, document, pause_before_next
from .disk import DiskOutbox
from .items import LARGEST_BATCH, Item, batch_body
from .outbox import MemoryOutbox, Outbox, OutboxFull
from .problems import ClientError, DeliveryError, NotReached
from .resources import Coupons, Customers, Journeys, Messages, Segments, Tasks
from .speaking import Speaking
from .synchronous import INGEST
from .wire import basic, packed, place_of
from .worker import ADOPTED_EVERY, OnError, tell

_log = logging.getLogger(__name__)


class AsyncClient(Speaking):
    """As Client; it belongs to one event loop. Use it with `async with`, or await `close()`.

    `track` and its like are no coroutines: they put the item where it waits, and return. They never wait for room.
    """

    def __init__(
        self,
        url: str,
        write_key: str = "",
        *,
        api_key: str | None = None,
        buffer: str | os.PathLike[str] | None = None,
        durable: bool = False,
        on_error: OnError | None = None,
        batch: int = 100,
        interval: float = 1.0,
        most_waiting: int = 100_000,
        most_bytes: int = 256 << 20,
        timeout: float = 15.0,
        retries: int = 4,
        gzip: bool = True,
    ) -> None:
        self._base = place_of(url).geturl()
        self._http = _http(timeout)
        self._authorization = basic(write_key)
        self._api_key = api_key
        self._gzip = gzip
        self._retries = retries
        self._on_error = on_error
        self._outbox: Outbox = (
            MemoryOutbox(most_waiting, most_bytes) if buffer is None else DiskOutbox(buffer, most_bytes, durable)
        )
        self._batch = max(1, min(batch, 2_000))
        self._interval = interval
        self._pace = Pace(self._batch)
        self._task: asyncio.Task[None] | None = None
        self._pid = os.getpid()
        self._changed = asyncio.Event()
        self._progress = asyncio.Condition()
        self._put = self._settled = self._wanted = 0
        self._since = 0.0
        self._adopted_at = float("-inf")
        self._closed = self._ending = False
        self.customers: Customers[Awaitable[dict[str, Any]], AsyncIterator[dict[str, Any]]]
        self.customers = Customers(self.ask, self.walk)
        self.journeys: Journeys[Awaitable[dict[str, Any]], AsyncIterator[dict[str, Any]]]
        self.journeys = Journeys(self.ask, self.walk)
        self.coupons: Coupons[Awaitable[dict[str, Any]], AsyncIterator[dict[str, Any]]]
        self.coupons = Coupons(self.ask, self.walk)
        self.segments: Segments[Awaitable[dict[str, Any]], AsyncIterator[dict[str, Any]]]
        self.segments = Segments(self.ask, self.walk)
        self.messages: Messages[Awaitable[dict[str, Any]], AsyncIterator[dict[str, Any]]]
        self.messages = Messages(self.ask, self.walk)
        self.tasks: Tasks[Awaitable[dict[str, Any]], AsyncIterator[dict[str, Any]]]
        self.tasks = Tasks(self.ask, self.walk)

    async def __aenter__(self) -> Self:
        self._adopt()
        if self._outbox.count:
            self._start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def flush(self, timeout: float | None = 30.0) -> bool:
        """Send what waits now. Whether the server has answered for all of it within so many seconds."""
        wanted = self._put
        self._wanted = max(self._wanted, wanted)
        if self._settled >= wanted:
            return True
        self._start()
        self._changed.set()
        async with self._progress:
            try:
                async with asyncio.timeout(timeout):
                    await self._progress.wait_for(lambda: self._settled >= wanted or not self._outbox.count)
            except TimeoutError:
                return False
        return True

    async def close(self, timeout: float | None = 10.0) -> int:
        """Flush, and end. How many items are left: in the buffer for the next process, else they are lost."""
        if self._closed:
            return 0
        self._closed = True
        await self.flush(timeout)
        if self._task is not None:
            self._ending = True
            self._changed.set()
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        left = self._outbox.count
        rest = self._outbox.take(left, 1 << 40) if left and not self._outbox.lasting else []
        self._outbox.close()
        await self._http.aclose()
        if rest:
            reason = "the client was closed before the server could take them"
            tell(self._on_error, DeliveryError("not_sent", reason, tuple(map(item_of, rest))))
        return left

    # --- the API ------------------------------------------------------------------------------------------------------

    async def ask(self, request: Ask) -> dict[str, Any]:
        """Any request of the API; raises ApiProblem and NotReached."""
        headers = request.headers(self._api_key)
        content = request.content()
        body = None if content is None else packed(content, headers, self._gzip)
        tries = 0
        while True:
            tries += 1
            try:
                reply: Reply | None = await self._send(request.method, request.target, headers, body)
            except NotReached:
                if pause_before_next(None, tries, self._retries) is None:
                    raise
                reply = None
            pause = pause_before_next(reply, tries, self._retries)
            if reply is not None and pause is None:
                found: dict[str, Any] = document(reply)
                return found
            await asyncio.sleep(pause or 0.0)

    async def walk(self, request: Ask) -> AsyncIterator[dict[str, Any]]:
        """All items of a list, asked for page by page as they are needed."""
        cursor: str | None = ""
        while cursor is not None:
            page = await self.ask(request._replace(query={**request.query, "cursor": cursor or None, "limit": 200}))
            for item in page["items"]:
                yield item
            cursor = page["next_cursor"]

    async def _send(self, method: str, target: str, headers: dict[str, str], body: bytes | None) -> Reply:
        import httpx2

        try:
            answer = await self._http.request(method, self._base + target, headers=headers, content=body)
        except httpx2.HTTPError as error:
            raise NotReached(f"{self._base}: {error or type(error).__name__}") from None
        return Reply(
            answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, answer.content
        )

    # --- events -------------------------------------------------------------------------------------------------------

    def _accept(self, item: Item) -> bool:
        if self._closed:
            raise ClientError("the client is closed")
        if os.getpid() != self._pid:
            raise ClientError("this process was forked; make an AsyncClient in it")
        try:
            self._outbox.put(item.data)
        except OutboxFull as full:
            tell(self._on_error, DeliveryError("no_room", str(full), ({"messageId": item.message_id},)))
            return False
        if self._put == self._settled:
            self._since = time.monotonic()
        self._put += 1
        self._start()
        if self._outbox.count >= self._batch or self._put - self._settled == 1:
            self._changed.set()
        return True

    def _start(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run(), name="orchestrator-client")

    def _is_due(self) -> bool:
        waiting = self._outbox.count
        return bool(waiting) and (
            waiting >= self._batch
            or self._outbox.size >= LARGEST_BATCH
            or self._wanted > self._settled
            or time.monotonic() - self._since >= self._interval
        )

    async def _run(self) -> None:
        while not self._ending:
            while not self._is_due() and not self._ending:
                self._adopt()
                waited = self._since + self._interval - time.monotonic()
                await self._pause(max(0.01, waited) if self._outbox.count else ADOPTED_EVERY)
            items = self._outbox.take(self._pace.limit, LARGEST_BATCH)
            if not items:
                continue
            headers = {"Authorization": self._authorization}
            body = packed(batch_body(items, datetime.now(UTC)), headers, self._gzip)
            try:
                outcome = self._pace.judge(await self._send("POST", INGEST, headers, body), items)
            except NotReached as error:
                _log.info("%s; %d items wait", error, self._outbox.count)
                outcome = self._pace.unreached()
            if outcome.settled:
                self._outbox.done(items)
                self._settled += len(items)
                self._since = time.monotonic()
                async with self._progress:
                    self._progress.notify_all()
            for told in outcome.told:
                tell(self._on_error, told)
            if outcome.wait:
                self._changed.clear()
                await self._pause(outcome.wait, cut_short=self._closed)

    async def _pause(self, seconds: float, cut_short: bool = True) -> None:
        """Sleep; what is said meanwhile ends it, unless the server asked for the pause."""
        if not cut_short:
            await asyncio.sleep(seconds)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):  # wait_for of Python 3.11 may swallow a cancellation
                await self._changed.wait()
        self._changed.clear()

    def _adopt(self) -> None:
        now = time.monotonic()
        if now - self._adopted_at >= ADOPTED_EVERY:
            self._adopted_at = now
            found = self._outbox.adopt()
            if found and self._put == self._settled:
                self._since = now
            self._put += found


def _http(timeout: float) -> Any:
    try:
        import httpx2
    except ImportError:
        raise ClientError("the asynchronous client needs httpx2; run `pip install httpx2`") from None
    return httpx2.AsyncClient(timeout=timeout, follow_redirects=False)
