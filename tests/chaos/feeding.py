"""A client that never loses an event: it sends a batch until the server says that it has it, and writes that down."""

from __future__ import annotations

import json
import threading
import time
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from http.client import HTTPException
from random import Random
from typing import Any, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

BATCH = 10
CANCELLED_SHARE = 0.1


class Cancellation(NamedTuple):
    """Seconds since 1970: when it was sent for the first time, and when the server had said that it has it."""

    tried_at: float
    confirmed_at: float


class Refusal(NamedTuple):
    """What the server answered instead: status, `Retry-After`, and the text."""

    status: int
    retry_after: str | None
    text: str


class Client(threading.Thread):
    """Places orders, at most `rate` a second, until `stop`. Every tenth is cancelled a second after.

    `others`: more ports of the same server, tried in turn; `patience`: seconds for an answer, and
    more each time that a batch is sent again; `opt_out_share`: of the
    orders, those whose customer opts out of offers up to `opt_out_within` seconds after.
    """

    def __init__(
        self,
        port: int,
        rate: float,
        seed: int,
        *,
        others: Sequence[int] = (),
        patience: float = 10.0,
        opt_out_share: float = 0.0,
        opt_out_within: float = 0.0,
    ) -> None:
        super().__init__(daemon=True)
        self._urls = [f"http://127.0.0.1:{each}/v1/batch" for each in (port, *others)]
        self._patience = patience
        self._opt_out = opt_out_share, opt_out_within
        self._to_opt_out: list[tuple[float, str]] = []
        self._pause = BATCH / rate
        self._random = Random(seed)
        self._stopped = threading.Event()
        self._to_cancel: list[tuple[float, str]] = []
        self._number = 0
        self.placed: dict[str, float] = {}
        """Orders that the server has: when they were sent for the first time."""
        self.cancelled: dict[str, Cancellation] = {}
        """Orders whose cancellation the server has."""
        self.opted_out: dict[str, Cancellation] = {}
        """Orders whose customer's opt-out the server has."""
        self.refusals: list[Refusal] = []
        """Every answer that was none of success."""
        self.failed = False
        """Whether it ended before it was told to: then nothing that was shown since counts."""

    def run(self) -> None:
        """See `_feed`."""
        self.failed = True
        self._feed()
        self.failed = not self._stopped.is_set()

    def _feed(self) -> None:
        """One batch after another; a batch that was not answered is sent again, unchanged. After `stop`, what was to
        be cancelled or opted out of still is."""
        while True:
            last = self._stopped.is_set()
            orders = [] if last else [self._order() for _ in range(BATCH)]
            due, self._to_cancel = _due(self._to_cancel)
            leaving, self._to_opt_out = _due(self._to_opt_out)
            sent_at = time.time()
            items = [_identify(o, sent_at) for o in orders]
            items += [_track("order_placed", o, sent_at) for o in orders]
            items += [_track("order_cancelled", o, sent_at) for o in due]
            items += [_identify(o, sent_at, "out") for o in leaving]
            if items and not self._send(items):
                return
            self.placed.update(dict.fromkeys(orders, sent_at))
            done = Cancellation(sent_at, time.time())
            self.cancelled.update(dict.fromkeys(due, done))
            self.opted_out.update(dict.fromkeys(leaving, done))
            self._plan(orders, sent_at)
            if last and not self._to_opt_out:
                return
            (time.sleep if last else self._stopped.wait)(self._pause)

    def _plan(self, orders: list[str], sent_at: float) -> None:
        chosen = [o for o in orders if self._random.random() < CANCELLED_SHARE]
        self._to_cancel += [(sent_at + 1, order) for order in chosen]
        share, within = self._opt_out
        leaving = [o for o in orders if share and self._random.random() < share]
        self._to_opt_out += [(sent_at + self._random.uniform(0, within), order) for order in leaving]

    def stop(self) -> None:
        """No new orders; the batch on its way is still delivered, or given up by `join`'s caller."""
        self._stopped.set()

    def _order(self) -> str:
        self._number += 1
        return f"o{self._number:06d}"

    def _send(self, items: list[dict[str, Any]]) -> bool:
        body = json.dumps({"batch": items}).encode()
        headers = {"Authorization": "Basic " + b64encode(b"key:").decode(), "Content-Type": "application/json"}
        for n in range(2_000):
            try:
                url = self._urls[n % len(self._urls)]
                with urlopen(Request(url, body, headers), timeout=self._patience * (1 + n / 4)) as answer:
                    told = json.load(answer)
                assert told["success"] is True and not told.get("errors"), told
                return True
            except HTTPError as error:
                self.refusals.append(Refusal(error.code, error.headers.get("Retry-After"), error.read().decode()))
                time.sleep(0.05)
            except (URLError, OSError, ValueError, HTTPException):  # the last: it was cut off in mid-answer
                time.sleep(0.05)
        return False


def _due(planned: list[tuple[float, str]]) -> tuple[list[str], list[tuple[float, str]]]:
    """Those whose time has come, and the others."""
    now = time.time()
    return [order for at, order in planned if at <= now], [each for each in planned if each[0] > now]


def _identify(order: str, at: float, consent: str = "in") -> dict[str, Any]:
    traits = {"email": f"{order}@example.com", "consents": {"promotions": {"email": consent}}}
    return {
        "type": "identify",
        "userId": order,
        "messageId": f"{order}-known-{consent}",
        "timestamp": _text(at),
        "traits": traits,
    }


def _track(event: str, order: str, at: float) -> dict[str, Any]:
    id, properties = f"{order}-{event}", {"order_id": order}
    return {
        "type": "track", "event": event, "userId": order, "messageId": id, "timestamp": _text(at),
        "properties": properties,
    }  # fmt: skip


def _text(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
