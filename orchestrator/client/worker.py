"""A thread that sends what waits: when enough of it does, when it has waited long enough, or when it is asked to."""
# ruff: noqa: TID252

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from .answers import Pace, Reply, item_of
from .items import LARGEST_BATCH, Item, batch_body
from .outbox import Outbox, OutboxFull
from .problems import ClientError, DeliveryError, NotReached

ADOPTED_EVERY: Final = 30.0
"""Seconds between looks for what processes left that have died meanwhile."""
_log = logging.getLogger(__name__)

OnError = Callable[[DeliveryError], None]


def tell(on_error: OnError | None, error: DeliveryError) -> None:
    """Hand an error to the application; what it raises must not stop the sending."""
    _log.warning("%d items: %s: %s", len(error.items), error.code, error.reason)
    if on_error is None:
        return
    try:
        on_error(error)
    except Exception:
        _log.exception("on_error failed")


class Worker:
    """Takes items from any thread; `post` sends one batch and raises NotReached."""

    def __init__(
        self,
        outbox: Outbox,
        post: Callable[[bytes], Reply],
        on_error: OnError | None,
        *,
        batch: int,
        interval: float,
        block: float,
    ) -> None:
        self._outbox = outbox
        self._post = post
        self._on_error = on_error
        self._batch = batch
        self._interval = interval
        self._block = block
        self._begin()

    def _begin(self) -> None:
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._pace = Pace(self._batch)
        self._put = self._settled = self._wanted = 0
        """Items ever put, ever settled, and up to which number somebody waits."""
        self._since = 0.0
        self._adopted_at = float("-inf")
        self._hurry = self._stopping = self._closed = False

    def after_fork(self) -> None:
        """In a child: the thread is not here, and a lock may be held for ever."""
        closed = self._closed
        self._outbox.after_fork()
        self._begin()
        self._closed = closed

    def wake(self) -> None:
        """Begin to send what an earlier process left."""
        with self._changed:
            self._adopt()
            if self._outbox.count:
                self._start()

    def put(self, item: Item) -> bool:
        """Whether the item was accepted."""
        with self._changed:
            if self._closed:
                raise ClientError("the client is closed")
            until = time.monotonic() + self._block
            while not self._room(item.data):
                left = until - time.monotonic()
                if left <= 0:
                    return False
                self._start()
                self._changed.wait(left)
            if self._put == self._settled:
                self._since = time.monotonic()
            self._put += 1
            self._start()
            if self._is_due(time.monotonic()):
                self._changed.notify_all()
            return True

    def _room(self, data: bytes) -> bool:
        try:
            self._outbox.put(data)
        except OutboxFull as full:
            _log.info("%s", full)
            return False
        return True

    def flush(self, timeout: float | None) -> bool:
        """Whether everything that was accepted before is settled now."""
        with self._changed:
            wanted = self._put
            self._wanted = max(self._wanted, wanted)
            self._hurry = True
            self._start()
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._settled >= wanted or not self._outbox.count, timeout)

    def close(self, timeout: float | None) -> int:
        """Send what waits for as long as this, and end. How many items are left."""
        if self._closed:
            return 0
        with self._changed:
            self._closed = True
            waiting = self._outbox.count > 0
        if waiting:
            self.flush(timeout)
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(1.0)
        with self._changed:
            left = self._outbox.count
            rest = self._outbox.take(left, 1 << 40) if left and not self._outbox.lasting else []
            if thread is None or not thread.is_alive():
                self._outbox.close()
        if rest:
            reason = "the client was closed before the server could take them"
            tell(self._on_error, DeliveryError("not_sent", reason, tuple(map(item_of, rest))))
        return left

    # --- the thread ---------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="orchestrator-client", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:  # the interpreter ends
                self._thread = None

    def _is_due(self, now: float) -> bool:
        waiting = self._outbox.count
        return bool(waiting) and (
            waiting >= self._batch
            or self._outbox.size >= LARGEST_BATCH
            or self._wanted > self._settled
            or now - self._since >= self._interval
        )

    def _run(self) -> None:
        while self._one():
            pass

    def _one(self) -> bool:
        with self._changed:
            while not self._stopping and not self._is_due(time.monotonic()):
                self._adopt()
                waited = self._since + self._interval - time.monotonic()
                self._changed.wait(max(0.01, waited) if self._outbox.count else ADOPTED_EVERY)
            if self._stopping:
                return False
            self._hurry = False
            items = self._outbox.take(self._pace.limit, LARGEST_BATCH)
        if not items:
            return True
        try:
            outcome = self._pace.judge(self._post(batch_body(items, datetime.now(UTC))), items)
        except NotReached as error:
            _log.info("%s; %d items wait", error, self._outbox.count)
            outcome = self._pace.unreached()
        with self._changed:
            if outcome.settled:
                self._outbox.done(items)
                self._settled += len(items)
                self._since = time.monotonic()
                self._changed.notify_all()
        for told in outcome.told:
            tell(self._on_error, told)
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or self._hurry, outcome.wait or 0.0)
        return True

    def _adopt(self) -> None:
        now = time.monotonic()
        if now - self._adopted_at >= ADOPTED_EVERY:
            self._adopted_at = now
            found = self._outbox.adopt()
            if found and self._put == self._settled:
                self._since = now
            self._put += found
