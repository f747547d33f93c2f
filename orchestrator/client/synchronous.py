"""The client for threads."""
# ruff: noqa: TID252

from __future__ import annotations

import atexit
import os
import ssl
import time
import weakref
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Final, Self

from .answers import Reply
from .calls import Ask, document, pause_before_next
from .disk import DiskOutbox
from .items import Item
from .outbox import MemoryOutbox, Outbox
from .problems import DeliveryError, NotReached
from .resources import Coupons, Customers, Journeys, Messages, Segments, Tasks
from .speaking import Speaking
from .wire import Wire, basic, packed
from .worker import OnError, Worker, tell

INGEST: Final = "/v1/batch"
_alive: weakref.WeakSet[Client] = weakref.WeakSet()


class Client(Speaking):
    """Sends events in the background, and calls the API. Use it with `with`, or `close()` it.

    `buffer`: a folder; what was accepted is then sent even if this process is killed. Without it at most
    `most_waiting` items wait in memory. `most_bytes`: of either. When there is no room, a call waits for `block`
    seconds and then says None. `batch` and `interval` (seconds): when to send. `durable`: the buffer outlives a loss
    of power, too. `retries`: of calls of the API; events are tried until they are taken. One client serves all threads;
    after a fork each process goes on with its own.
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
        block: float = 0.0,
        timeout: float = 15.0,
        retries: int = 4,
        gzip: bool = True,
        at_exit: float = 5.0,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._wire = Wire(url, timeout, ssl_context)
        self._authorization = basic(write_key)
        self._api_key = api_key
        self._gzip = gzip
        self._retries = retries
        self._at_exit = at_exit
        self._on_error = on_error
        outbox: Outbox = (
            MemoryOutbox(most_waiting, most_bytes) if buffer is None else DiskOutbox(buffer, most_bytes, durable)
        )
        self._worker = Worker(
            outbox, self._post, on_error, batch=max(1, min(batch, 2_000)), interval=interval, block=block
        )
        self.customers: Customers[dict[str, Any], Iterator[dict[str, Any]]] = Customers(self.ask, self.walk)
        self.journeys: Journeys[dict[str, Any], Iterator[dict[str, Any]]] = Journeys(self.ask, self.walk)
        self.coupons: Coupons[dict[str, Any], Iterator[dict[str, Any]]] = Coupons(self.ask, self.walk)
        self.segments: Segments[dict[str, Any], Iterator[dict[str, Any]]] = Segments(self.ask, self.walk)
        self.messages: Messages[dict[str, Any], Iterator[dict[str, Any]]] = Messages(self.ask, self.walk)
        self.tasks: Tasks[dict[str, Any], Iterator[dict[str, Any]]] = Tasks(self.ask, self.walk)
        _alive.add(self)
        self._worker.wake()

    def flush(self, timeout: float | None = 30.0) -> bool:
        """Send what waits now. Whether the server has answered for all of it within so many seconds."""
        return self._worker.flush(timeout)

    def close(self, timeout: float | None = 10.0) -> int:
        """Flush, and end. How many items are left: in the buffer for the next process, else they are lost."""
        _alive.discard(self)
        left = self._worker.close(timeout)
        self._wire.close()
        return left

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- the API ------------------------------------------------------------------------------------------------------

    def ask(self, request: Ask) -> dict[str, Any]:
        """Any request of the API; raises ApiProblem and NotReached."""
        headers = request.headers(self._api_key)
        content = request.content()
        body = None if content is None else packed(content, headers, self._gzip)
        tries = 0
        while True:
            tries += 1
            try:
                reply: Reply | None = self._wire.ask(request.method, request.target, headers, body)
            except NotReached:
                if pause_before_next(None, tries, self._retries) is None:
                    raise
                reply = None
            pause = pause_before_next(reply, tries, self._retries)
            if reply is not None and pause is None:
                found: dict[str, Any] = document(reply)
                return found
            time.sleep(pause or 0.0)

    def walk(self, request: Ask) -> Iterator[dict[str, Any]]:
        """All items of a list, asked for page by page as they are needed."""
        cursor: str | None = ""
        while cursor is not None:
            page = self.ask(request._replace(query={**request.query, "cursor": cursor or None, "limit": 200}))
            yield from page["items"]
            cursor = page["next_cursor"]

    # --- events -------------------------------------------------------------------------------------------------------

    def _accept(self, item: Item) -> bool:
        accepted = self._worker.put(item)
        if not accepted:
            reason = "there was no room for it: the server is slower than this process, or down"
            tell(self._on_error, DeliveryError("no_room", reason, ({"messageId": item.message_id},)))
        return accepted

    def _post(self, content: bytes) -> Reply:
        headers = {"Authorization": self._authorization}
        return self._wire.ask("POST", INGEST, headers, packed(content, headers, self._gzip))

    def _after_fork(self) -> None:
        self._wire.after_fork()
        self._worker.after_fork()

    def _at_end(self) -> None:
        self.close(self._at_exit)


def _in_child() -> None:
    for client in list(_alive):
        client._after_fork()


def _at_end() -> None:
    for client in list(_alive):
        client._at_end()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
atexit.register(_at_end)
