"""A mail server that writes down every message before it accepts it: what an independent checker counts."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any, NamedTuple

from aiosmtpd.controller import Controller

from orchestrator.core.verp import unmarked_id


class Accepted(NamedTuple):
    """One message that the server took. `at`: seconds since 1970; `id`: what the sender calls it."""

    at: float
    to: str
    subject: str
    id: str


class Mailbox:
    """Takes everything, but for the first messages, one for each of `moods`: `hang` and `drop` (the line) before it
    takes one, `hang_after` and `drop_after`, or a reply such as `451 4.3.0 later`. `log`: also written there."""

    def __init__(self, log: Path | None = None) -> None:
        self._lock = threading.Lock()
        self._accepted: list[Accepted] = []
        self._log = log
        self.moods: deque[str] = deque()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Called by the server for each message."""
        mood = self.moods.popleft() if self.moods else ""
        if mood == "hang":
            await asyncio.sleep(3600)
        if mood == "drop":
            server.transport.abort()
        if mood not in ("", "drop_after", "hang_after"):
            return mood if mood[0] == "4" else "451 gone"
        mail = message_from_bytes(envelope.content, policy=default)
        id = unmarked_id(str(mail["X-Orchestrator-Message"]))
        taken = Accepted(time.time(), envelope.rcpt_tos[0], str(mail["Subject"]), id)
        with self._lock:
            self._accepted.append(taken)
            if self._log is not None:
                with self._log.open("a") as file:
                    print(*taken, mood, file=file)
        if mood == "hang_after":
            await asyncio.sleep(3600)
        if mood == "drop_after":
            server.transport.abort()
        return "250 2.0.0 taken"

    @property
    def accepted(self) -> list[Accepted]:
        """Everything so far, in the order of acceptance."""
        with self._lock:
            return list(self._accepted)


def free_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def mail_server(mailbox: Mailbox | None = None, port: int | None = None) -> Iterator[tuple[Mailbox, int]]:
    """A mailbox and the port on which it listens."""
    mailbox = mailbox or Mailbox()
    controller = Controller(mailbox, hostname="127.0.0.1", port=port or free_port())
    controller.start()
    try:
        yield mailbox, controller.port
    finally:
        loop = controller.loop
        loop.call_soon_threadsafe(lambda: [task.cancel() for task in asyncio.all_tasks(loop)])  # whoever hangs
        time.sleep(0.02)
        with suppress(asyncio.CancelledError):
            controller.stop()
