"""A client that never loses an event: it sends a batch until the server says that it has it, and writes that down."""

from __future__ import annotations

import json
import threading
import time
from base64 import b64encode
from datetime import UTC, datetime
from random import Random
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

BATCH = 10
CANCELLED_SHARE = 0.1


class Client(threading.Thread):
    """Places orders, at most `rate` a second, until `stop`. Every tenth is cancelled a second after."""

    def __init__(self, port: int, rate: float, seed: int) -> None:
        super().__init__(daemon=True)
        self._url = f"http://127.0.0.1:{port}/v1/batch"
        self._pause = BATCH / rate
        self._random = Random(seed)
        self._stopped = threading.Event()
        self._to_cancel: list[tuple[float, str]] = []
        self._number = 0
        self.placed: dict[str, float] = {}
        """Orders that the server has: when they were sent for the first time."""
        self.cancelled: set[str] = set()
        """Orders whose cancellation the server has."""
        self.tries = 0

    def run(self) -> None:
        """One batch after another; a batch that was not answered is sent again, unchanged."""
        while not self._stopped.is_set():
            orders = [self._order() for _ in range(BATCH)]
            due = [order for at, order in self._to_cancel if at <= time.time()]
            self._to_cancel = [(at, order) for at, order in self._to_cancel if at > time.time()]
            sent_at = time.time()
            items = [_identify(o, sent_at) for o in orders]
            items += [_track("order_placed", o, sent_at) for o in orders]
            items += [_track("order_cancelled", o, sent_at) for o in due]
            if not self._send(items):
                return
            self.placed.update(dict.fromkeys(orders, sent_at))
            self.cancelled.update(due)
            chosen = [o for o in orders if self._random.random() < CANCELLED_SHARE]
            self._to_cancel += [(sent_at + 1, order) for order in chosen]
            self._stopped.wait(self._pause)

    def stop(self) -> None:
        """No new orders; the batch on its way is still delivered, or given up by `join`'s caller."""
        self._stopped.set()

    def _order(self) -> str:
        self._number += 1
        return f"o{self._number:06d}"

    def _send(self, items: list[dict[str, Any]]) -> bool:
        body = json.dumps({"batch": items}).encode()
        headers = {"Authorization": "Basic " + b64encode(b"key:").decode(), "Content-Type": "application/json"}
        for _ in range(2_000):
            self.tries += 1
            try:
                with urlopen(Request(self._url, body, headers), timeout=10) as answer:
                    told = json.load(answer)
                assert told["success"] is True and not told.get("errors"), told
                return True
            except (URLError, OSError, TimeoutError, ValueError):
                time.sleep(0.05)
        return False


def _identify(order: str, at: float) -> dict[str, Any]:
    traits = {"email": f"{order}@example.com", "consents": {"promotions": {"email": "in"}}}
    return {
        "type": "identify",
        "userId": order,
        "messageId": f"{order}-known",
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
