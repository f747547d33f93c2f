"""What adapters of HTTP APIs share: several messages at once, and what an answer of HTTP means for a message.

An adapter of a provider writes the request of one message (`ProviderChannel.request`) and reads what is particular in
its answers (`ProviderChannel.answer`, which falls back on `by_status`).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple

from orchestrator.channels.protocol import Answer, Outgoing
from orchestrator.channels.providers.wire import Lost, NotSent, ProviderWire, Reply

WIDTH: Final = 8
LONGEST_REASON: Final = 300
LONGEST_REFERENCE: Final = 200


class Refused(ValueError):
    """This message cannot be written as the provider wants it; the text says why. `for_good`: another try would end
    likewise, so that it is rejected; else it is tried again (no sender is configured yet)."""

    def __init__(self, message: str, for_good: bool = True) -> None:
        self.for_good = for_good
        super().__init__(message)


class Call(NamedTuple):
    """A request to a provider."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None = None


class ProviderChannel:
    """A channel over an HTTP API. Safe for several threads. `idempotent` says whether the API takes our id as a key."""

    idempotent = False
    provider = ""
    """Its name, as reasons and figures say it."""

    def __init__(self, wire: ProviderWire, width: int = WIDTH, rate: float | None = None) -> None:
        self.width = width
        self.rate = rate
        self._wire = wire
        self._threads: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        self._closed = False

    def request(self, message: Outgoing) -> Call:
        """The request of one message. Raises Refused."""
        raise NotImplementedError

    def answer(self, reply: Reply, message: Outgoing) -> Answer:
        """What the provider said about it."""
        return by_status(reply, self.provider)

    def look(self) -> Call | None:
        """A request that sends nothing, and that is answered to whom the provider knows; None: there is none."""
        return None

    def trouble(self, said: Any) -> tuple[str, str] | None:
        """What an answer to `look` (as JSON) says against sending, and what to do; None: nothing."""
        return None

    def looked(self) -> Reply | None:
        """Make the request of `look`. Raises NotSent, Lost."""
        call = self.look()
        return None if call is None else self._wire.call(*call)

    def send(self, messages: Sequence[Outgoing]) -> Sequence[Answer]:
        """Each in a request of its own, `width` at once."""
        if len(messages) <= 1 or self.width == 1:
            return [self._send_one(message) for message in messages]
        return list(self._pool().map(self._send_one, messages))

    def close(self) -> None:
        """Give back connections and threads."""
        with self._lock:
            threads, self._threads, self._closed = self._threads, None, True
        if threads is not None:
            threads.shutdown(wait=False, cancel_futures=True)
        self._wire.close()

    def _send_one(self, message: Outgoing) -> Answer:
        try:
            call = self.request(message)
        except Refused as error:
            return Answer("rejected" if error.for_good else "retry", printable(str(error)))
        except Exception as error:  # a value of an unforeseen kind: nothing was sent, and no other message is harmed
            said = f"{type(error).__name__}: {error}"
            return Answer("rejected", printable(f"it cannot be written for {self.provider}: {said}"))
        try:
            reply = self._wire.call(*call)
        except NotSent as error:
            return Answer("retry", printable(f"{self.provider} cannot be reached: {error}"), down=True)
        except Lost as error:
            return Answer("unknown", printable(f"no answer of {self.provider}: {error}"))
        try:
            return self.answer(reply, message)
        except Exception as error:  # our bug: what became of the message is not known
            return Answer("unknown", printable(f"{self.provider}'s answer: {type(error).__name__}: {error}"))

    def _pool(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._closed:
                raise RuntimeError("the channel is closed")
            if self._threads is None:
                self._threads = ThreadPoolExecutor(self.width, thread_name_prefix=f"provider-{self.provider}")
            return self._threads


def by_status(reply: Reply, provider: str, said: str | None = None) -> Answer:
    """What a status means where the provider says no more (RFC 9110). `said`: the provider's own words.

    2xx: taken. 401, 403, 404, 405: our account or our configuration, nobody's message will fare better. 408, 425, 429
    and 503: for now, and certainly not taken. Any other 5xx: it failed within, and may have been taken. Any other 4xx:
    this message, for good.
    """
    words = printable(f"{provider} answered {reply.status}" + (f": {said}" if said else ""))
    status = reply.status
    if 200 <= status < 300:
        return Answer("accepted")
    if status in (408, 425, 429, 503):
        return Answer("retry", words, after=reply.after, down=status != 408)
    if status in (401, 402, 403, 404, 405) or 300 <= status < 400:
        return Answer("retry", words, after=reply.after, down=True)
    if status >= 500:
        return Answer("unknown", words)
    return Answer("rejected", words)


def reference_of(value: object) -> str | None:
    """A provider's own id of a message, as far as it has said one."""
    return printable(value.strip("<>"))[:LONGEST_REFERENCE] or None if isinstance(value, str) else None


def printable(text: str) -> str:
    """Words of others in a form that a log and a page can show."""
    shown = "".join(c if c.isprintable() else " " for c in text[: LONGEST_REASON * 2])
    return " ".join(shown.split())[:LONGEST_REASON]
