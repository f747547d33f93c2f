"""What tests of webhooks share: a receiver that keeps what it was told, and a clock."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from orchestrator.channels.http_caller import HttpCaller
from orchestrator.runtime.following import follow_once
from orchestrator.runtime.webhook_batches import Receiver
from orchestrator.stores.protocol import Store
from tests.runtime.webhook_project import index_for
from tests.stores.driving import START, arrive, event, turns

ALLOWED = ["127.0.0.1"]


class Told(NamedTuple):
    """One call: its id, its lines, and the request."""

    id: str
    lines: list[dict[str, Any]]
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def said(self) -> list[tuple[str, str]]:
        """(key, type) of each line."""
        return [(line["key"], line["type"]) for line in self.lines]


class Listening:
    """A receiver that answers as `answer` says: a status, or a response, by the number of the call."""

    def __init__(self, server: HTTPServer, path: str = "/in") -> None:
        self.told: list[Told] = []
        self.answer: Callable[[int], int | Response] = lambda call: 204
        self.url = server.url_for(path)
        server.expect_request(path).respond_with_handler(self._take)

    def _take(self, request: Request) -> Response:
        body = json.loads(request.get_data())
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.told.append(Told(headers["idempotency-key"], body["data"]["lines"], headers, body))
        found = self.answer(len(self.told))
        return found if isinstance(found, Response) else Response(status=found)

    @property
    def said(self) -> list[tuple[str, str]]:
        """All lines of all calls, in their order."""
        return [said for told in self.told for said in told.said]


class World:
    """One installation of which the webhook `crm` goes to a receiver; `at` is real time, `now` the journeys'."""

    def __init__(self, store: Store, sink: Listening, caller: Any = None, **options: Any) -> None:
        self.store = store
        self.at = START
        self.counts: dict[str, int] = {}
        self._sink = sink
        self._caller = caller or HttpCaller(ALLOWED)
        store.deploy(index_for(**options), START)

    def follow(self, **options: Any) -> int:
        """One pass."""
        receiver = Receiver(self._sink.url, self._caller)
        return follow_once(
            self.store, lambda webhook: receiver, lambda: self.at, counted=self._count, chance=lambda: 1.0, **options
        )

    def later(self, seconds: float) -> None:
        """Time passes."""
        self.at += timedelta(seconds=seconds)

    def happen(self, orders: Sequence[str], at: datetime = START, customer: str = "u1") -> list[tuple[str, str]]:
        """Somebody orders; returns (key, type) of the lines that the webhook has to hear of it."""
        for order in orders:
            arrive(self.store, customer, event(at=at, order=order), at)
        turns(self.store, at)
        return [(order, type_) for order in orders for type_ in ("entered", "event", "completed")]

    def _count(self, changed: Any) -> None:
        for name, count in changed.items():
            self.counts[name] = self.counts.get(name, 0) + count


def closing(stack: ExitStack, store: Store) -> Store:
    """The store, closed at the end."""
    stack.callback(store.close)
    return store
