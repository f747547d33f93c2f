"""Sends nudges as Celery messages, over a connection of its own that is made when it is needed and dropped when it
fails."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from typing import Any, Final

from celery import Celery  # type: ignore[import-untyped]

from orchestrator.runtime.nudge import NudgeSender, Shards
from orchestrator.tasks.app import task_of
from orchestrator.wiring.broker import EXPIRES, MOST_WAITING, sending_options, waiting

ME: Final = socket.gethostname()


def sender(app: Celery) -> NudgeSender:
    """What nudges lanes through the broker of an application."""
    return NudgeSender(BrokerSend(app))


class BrokerSend:
    """One nudge after another, for one thread. Raises what the broker's client raises, and begins anew then."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._producer: Any = None

    def __call__(self, lane: str, shards: Shards | None) -> None:
        """Send a nudge of something that came just now (to these shards)."""
        named = {} if shards is None else {"shards": sorted(shards)}
        self.send(lane, {"sent": time.time(), **named})

    def send(self, lane: str, kwargs: Mapping[str, Any]) -> None:
        """Send a nudge, unless so many of them wait already that it would tell nothing new."""
        try:
            producer = self._connected()
            if waiting(producer.channel, self._app.amqp.queues[lane]) < MOST_WAITING:
                name, args = task_of(lane)
                self._app.send_task(name, args, dict(kwargs), producer=producer, retry=False, expires=EXPIRES)
        except BaseException:
            self.close()
            raise

    def _connected(self) -> Any:
        if self._producer is None:
            connection = self._app.connection_for_write(
                transport_options=sending_options(self._app.conf.broker_url or "")
            )
            try:
                connection.ensure_connection(max_retries=0)
                self._producer = self._app.amqp.Producer(connection.channel(), auto_declare=False)
                self._producer.our_connection = connection
            except BaseException:
                connection.release()
                raise
        return self._producer

    def close(self) -> None:
        """Give the connection back."""
        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                producer.our_connection.release()
            except Exception:  # it is broken: that is why it goes
                return


def identity() -> str:
    """This process, as others see it."""
    return f"{ME}:{os.getpid()}"
