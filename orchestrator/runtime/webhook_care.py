"""How webhooks stand, and what operators do about them: try one out, let it go on, send again what was put aside, or
give up what it is stuck on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final, Literal, NamedTuple

from orchestrator.core.transition import jsonable
from orchestrator.core.webhooks import Webhook
from orchestrator.errors import UsageError
from orchestrator.runtime.alarms import WEBHOOK as FEED
from orchestrator.runtime.following import PAGE
from orchestrator.runtime.webhook_batches import Receiver, body_of, cut_batch, id_of, request_of
from orchestrator.stores.protocol import Store
from orchestrator.stores.protocol_exports import Feed, FeedLetter, FeedLine

State = Literal["new", "going", "failing", "paused"]
AGAIN: Final = 50
"""Lines that were put aside, in one call."""


class Standing(NamedTuple):
    """How a webhook stands. `lag`: how long the oldest line that it was not told has waited, in journey time."""

    name: str
    state: State
    batches: int = 0
    tries: int = 0
    since: datetime | None = None
    retry_at: datetime | None = None
    reason: str = ""
    put_aside: int = 0
    lag: timedelta = timedelta(0)


class Again(NamedTuple):
    """What became of lines that were put aside; `reason`: why the rest stays there; "": none does."""

    sent: int
    left: int
    reason: str = ""


def standings(store: Store, webhooks: Iterable[str], now: datetime) -> Iterator[Standing]:
    """How these webhooks stand. `now` is journey time. Raises StoreBusy."""
    for name in webhooks:
        feed = store.feed(FEED + name)
        if feed is None:
            yield Standing(name, "new")
            continue
        trying = feed.tries > 1 or bool(feed.reason)
        state: State = "paused" if feed.paused else "failing" if trying else "going"
        reason, lag = feed.reason, timedelta(0)
        try:
            waiting = store.journal_after(feed.position, 1).lines
            lag = max(timedelta(0), now - waiting[0].line.at) if waiting else lag
        except UsageError as error:
            state, reason = "failing", str(error)
        left = store.letters_left(feed.name)
        yield Standing(name, state, feed.batch, feed.tries, feed.since, feed.retry_at, reason, left, lag)


def try_out(webhook: Webhook, receiver: Receiver, at: datetime) -> tuple[int | None, str | None]:
    """One call that tells nothing: (status, error)."""
    body = body_of(webhook, [], at, 0).replace('"journal.lines"', '"webhook.test"', 1)
    id = id_of(webhook.name, [f"test {at.timestamp()}"])
    status, _, error = receiver.caller.call(request_of(webhook, receiver.url, id, body, at))
    return status, error


def go_on(store: Store, webhook: Webhook) -> bool:
    """Let a webhook that is paused, or rests, be tried at once. Returns whether there was anything to do."""
    feed = store.feed(FEED + webhook.name)
    if feed is None or not (feed.paused or feed.retry_at is not None or feed.reason):
        return False
    return store.keep_feed(_fresh(feed), feed)


def _fresh(feed: Feed) -> Feed:
    """Its batch stays what it was; the attempt is another one, so that a call under way settles nothing."""
    return feed._replace(tries=feed.tries + 1, retry_at=None, reason="", since=None, paused=False)


def send_again(store: Store, webhook: Webhook, receiver: Receiver, at: datetime) -> Again:
    """Tell what was put aside, in the order of ids, until the receiver refuses some. Lines that are no longer kept are
    forgotten."""
    name, sent = FEED + webhook.name, 0
    while letters := store.letters(name, AGAIN):
        kept = store.journal_lines([letter.id for letter in letters])
        lines = [FeedLine(letter.id, kept[letter.id]) for letter in letters if letter.id in kept]
        while lines:
            body = body_of(webhook, lines, at, 0)
            id = id_of(webhook.name, [line.id for line in lines])
            status, _, error = receiver.caller.call(request_of(webhook, receiver.url, id, body, at))
            if status is not None and 200 <= status < 300:
                break
            if len(lines) > 1 and (error or "").startswith("too_large"):
                lines = lines[: len(lines) // 2]
                continue
            return Again(sent, store.letters_left(name), error or f"the answer was {status}")
        told = {line.id for line in lines}
        sent += len(told)
        store.drop_letters(name, [letter.id for letter in letters if letter.id in told or letter.id not in kept])
    return Again(sent, 0)


def skip_batch(store: Store, webhook: Webhook, at: datetime) -> int | None:
    """Put the next batch aside, so that what comes behind it goes. Returns how many lines those are; None: another
    process moved it meanwhile, and nothing was done."""
    feed = store.feed(FEED + webhook.name)
    if feed is None:
        return 0
    page = store.journal_after(feed.position, feed.lines or PAGE)
    batch = cut_batch(webhook, page.lines, at, feed.batch + 1)
    if batch is None:
        return 0
    if batch.read < len(page.lines):
        page = store.journal_after(feed.position, batch.read)
    letters = [FeedLetter(feed.name, id, at, feed.reason or "skipped") for id in batch.ids]
    return len(letters) if store.keep_feed(Feed(feed.name, page.upto, feed.batch + 1), feed, letters) else None


def skip_all(store: Store, webhook: Webhook) -> bool | None:
    """Go on with what comes from now on; nothing of what waits is kept for it. None: as in `skip_batch`."""
    feed = store.feed(FEED + webhook.name)
    ahead = Feed(FEED + webhook.name, store.journal_end(), feed.batch if feed is not None else 0)
    return True if store.keep_feed(ahead, feed) else None


def as_dict(standing: Standing) -> dict[str, Any]:
    """For machines: the lag in seconds."""
    said: dict[str, Any] = jsonable(standing._asdict() | {"lag": standing.lag.total_seconds()})
    return said
