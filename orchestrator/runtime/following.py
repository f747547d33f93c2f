"""`follow_once`: webhooks are told what the journal says, in its order, in batches, each at least once.

A webhook's place in the journal moves only when its receiver said 2xx to a batch, so that lines of one customer come
in their order whatever happens. Before a call the attempt is written down with a lease: one process at a time tells a
webhook, and one that was frozen meanwhile has told what it had in hand and no more, because its attempt is not the last
one any more. What an attempt tells is fixed by the number of lines that was written down with it: it has the same
`webhook-id` each time. Failures rest in the database, too: while a webhook rests, nobody calls it, and then one batch
is tried. The store is touched by the caller's own thread alone.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, Final, NamedTuple

from orchestrator.channels.http_outgoing import LARGEST_BODY
from orchestrator.core.webhooks import Webhook
from orchestrator.errors import UsageError
from orchestrator.runtime.alarms import WEBHOOK as FEED
from orchestrator.runtime.webhook_batches import Batch, Receiver, cut_batch, id_of, request_of
from orchestrator.stores.protocol import Store
from orchestrator.stores.protocol_exports import Feed, FeedLetter

PAGE: Final = 1_000
"""Lines of the journal that are looked at together."""
WIDTH: Final = 8
"""Webhooks that are called at once."""
PASS_FOR: Final = 2.0
"""Seconds after which a pass begins nothing new, unless it waits for an answer anyway."""
LEASE: Final = timedelta(seconds=20)
"""How much longer than a call may take an attempt is left to who began it; real time."""
FIRST_REST: Final = timedelta(seconds=1)
LONGEST_REST: Final = timedelta(minutes=10)
GONE: Final = 410

log = logging.getLogger(__name__)
Receivers = Callable[[Webhook], Receiver]
"""Where a webhook goes. Raises UsageError where the settings do not say it."""
Answer = tuple[int | None, Any, str | None]


class _UnderWay(NamedTuple):
    webhook: Webhook
    feed: Feed
    batch: Batch
    upto: str


def follow_once(
    store: Store,
    receivers: Receivers,
    real_now: Callable[[], datetime],
    *,
    counted: Callable[[Mapping[str, int]], None] = lambda changed: None,
    stopping: Callable[[], bool] = lambda: False,
    chance: Callable[[], float] = random.random,
    seconds: float = PASS_FOR,
) -> int:
    """Tell every webhook of the live project what it was not told yet. Returns how many batches were settled.

    `real_now` is the installation's real time. `counted` hears `hook:NAME:OUTCOME` (delivered, failed, put_aside,
    refused) and `hook:NAME:lines`. Raises StoreBusy: what could not be written down is told again under the same id
    when its lease has run out.
    """
    webhooks = store.index.project.webhooks
    if not webhooks:
        return 0
    return _Pass(store, receivers, real_now, counted, stopping, chance, monotonic() + seconds).run(webhooks)


class _Pass:
    def __init__(
        self,
        store: Store,
        receivers: Receivers,
        real_now: Callable[[], datetime],
        counted: Callable[[Mapping[str, int]], None],
        stopping: Callable[[], bool],
        chance: Callable[[], float],
        until: float,
    ) -> None:
        self._store = store
        self._receivers = receivers
        self._real_now = real_now
        self._counted = counted
        self._stopping = stopping
        self._chance = chance
        self._until = until
        self._under_way: dict[Future[Answer], _UnderWay] = {}
        self._settled = 0

    def run(self, webhooks: Mapping[str, Webhook]) -> int:
        """The whole pass."""
        ready = list(webhooks.values())
        pool: ThreadPoolExecutor | None = None
        try:
            while True:
                while ready and len(self._under_way) < WIDTH and self._goes_on():
                    webhook = ready.pop(0)
                    begun = self._next(webhook)
                    if begun is None:
                        continue
                    pool = pool or ThreadPoolExecutor(WIDTH, thread_name_prefix="webhooks")
                    self._start(pool, begun)
                if not self._under_way:
                    return self._settled
                done, _ = wait(self._under_way, return_when=FIRST_COMPLETED)
                for future in done:
                    begun = self._under_way.pop(future)
                    if self._settle(begun, _answer_of(future)):
                        ready.append(begun.webhook)
        finally:
            if pool is not None:
                pool.shutdown()

    def _goes_on(self) -> bool:
        return not self._stopping() and (bool(self._under_way) or monotonic() < self._until)

    def _start(self, pool: ThreadPoolExecutor, begun: _UnderWay) -> None:
        webhook, batch = begun.webhook, begun.batch
        receiver = self._receivers(webhook)
        request = request_of(webhook, receiver.url, id_of(webhook.name, batch.ids), batch.body, self._real_now())
        self._under_way[pool.submit(receiver.caller.call, request)] = begun

    def _next(self, webhook: Webhook) -> _UnderWay | None:
        """The next batch, which is this process's to tell now; None: there is none, or it is not ours, or it rests."""
        while self._goes_on():
            at = self._real_now()
            feed = self._feed(webhook)
            if feed is None or feed.paused or (feed.retry_at is not None and feed.retry_at > at):
                return None
            try:
                self._receivers(webhook)
                page = self._store.journal_after(feed.position, feed.lines or PAGE)
            except UsageError as error:
                self._cannot(feed, str(error))
                return None
            if not page.lines:
                if feed.lines:  # they are older than what is kept
                    self._store.keep_feed(Feed(feed.name, page.upto, feed.batch), feed)
                return None
            batch = cut_batch(webhook, page.lines, at, feed.batch + 1)
            if batch is None:
                if not self._store.keep_feed(Feed(feed.name, page.upto, feed.batch), feed):
                    return None
                continue
            if batch.read < len(page.lines):
                page = self._store.journal_after(feed.position, batch.read)
                if [line.id for line in page.lines][-1:] != batch.ids[-1:]:
                    continue  # lines went meanwhile
            if len(batch.body) > LARGEST_BODY:
                reason = f"the line is larger than {LARGEST_BODY} bytes"
                self._put_aside(_UnderWay(webhook, feed, batch, page.upto), at, reason)
                continue
            began = feed._replace(
                tries=feed.tries + 1,
                retry_at=at + webhook.timeout + LEASE,
                lines=batch.read,
                since=feed.since or at,
            )
            return _UnderWay(webhook, began, batch, page.upto) if self._store.keep_feed(began, feed) else None
        return None

    def _feed(self, webhook: Webhook) -> Feed | None:
        name = FEED + webhook.name
        feed = self._store.feed(name)
        if feed is not None:
            return feed
        feed = Feed(name, "" if webhook.past else self._store.journal_end())
        return feed if self._store.keep_feed(feed, None) else None

    def _cannot(self, feed: Feed, reason: str) -> None:
        if feed.reason != reason[:500]:
            log.warning("the webhook '%s' cannot be told anything: %s", feed.name.removeprefix(FEED), reason)
            self._store.keep_feed(feed._replace(reason=reason), feed)

    def _settle(self, begun: _UnderWay, answer: Answer) -> bool:
        """Write down what became of a batch. Returns whether the next one may go at once."""
        self._settled += 1
        webhook, feed, at = begun.webhook, begun.feed, self._real_now()
        status, _, error = answer
        if status is not None and 200 <= status < 300:
            if not self._store.keep_feed(Feed(feed.name, begun.upto, feed.batch + 1), feed):
                return False  # our lease ran out: another process tells it, under the same id
            self._counted({f"hook:{webhook.name}:delivered": 1, f"hook:{webhook.name}:lines": len(begun.batch.lines)})
            return True
        reason = str(error) if status is None else f"the answer was {status}"
        if status == GONE:
            reason = "the receiver says that it is gone (410)"
            return self._pause(begun, reason)
        assert feed.since is not None
        if at - feed.since >= webhook.give_up_after:
            if webhook.stop_on_failure:
                return self._pause(begun, reason)
            return self._put_aside(begun, at, reason)
        self._counted({f"hook:{webhook.name}:failed": 1})
        retry_at = at + rest_after(feed.tries, self._chance())
        self._store.keep_feed(feed._replace(retry_at=retry_at, reason=reason), feed)
        if feed.tries == 1:
            log.warning("the webhook '%s' failed, and is tried again: %s", webhook.name, reason)
        return False

    def _pause(self, begun: _UnderWay, reason: str) -> bool:
        name, feed = begun.webhook.name, begun.feed
        if self._store.keep_feed(feed._replace(retry_at=None, reason=reason, paused=True), feed):
            self._counted({f"hook:{name}:refused": 1})
            log.error("the webhook '%s' is told nothing any more until `orchestrator webhooks retry`: %s", name, reason)
        return False

    def _put_aside(self, begun: _UnderWay, at: datetime, reason: str) -> bool:
        name, feed = begun.webhook.name, begun.feed
        letters = [FeedLetter(feed.name, id, at, reason) for id in begun.batch.ids]
        if not self._store.keep_feed(Feed(feed.name, begun.upto, feed.batch + 1), feed, letters):
            return False
        self._counted({f"hook:{name}:put_aside": 1})
        log.error("the webhook '%s' would not take %d lines, which are put aside: %s", name, len(letters), reason)
        return True


def rest_after(tries: int, chance: float) -> timedelta:
    """How long a webhook rests after so many failures in a row; `chance`, 0 to 1, keeps many from coming together."""
    longest: timedelta = min(FIRST_REST * 2 ** min(tries - 1, 20), LONGEST_REST)
    return longest * (0.5 + chance / 2)


def _answer_of(future: Future[Answer]) -> Answer:
    error = future.exception()
    return future.result() if error is None else (None, None, f"exception: {type(error).__name__}: {error}")
