"""A mail server that writes down every message before it accepts it: what an independent checker counts."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.policy import default
from typing import Any, NamedTuple

from aiosmtpd.controller import Controller


class Accepted(NamedTuple):
    """One message that the server took. `at`: seconds since 1970; `id`: what the sender calls it."""

    at: float
    to: str
    subject: str
    id: str


class Mailbox:
    """Takes everything. `pause` holds the answer back by that many seconds after the message was written down."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._accepted: list[Accepted] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Called by the server for each message."""
        mail = message_from_bytes(envelope.content, policy=default)
        taken = Accepted(time.time(), envelope.rcpt_tos[0], str(mail["Subject"]), str(mail["X-Orchestrator-Message"]))
        with self._lock:
            self._accepted.append(taken)
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
def mail_server() -> Iterator[tuple[Mailbox, int]]:
    """A mailbox and the port on which it listens."""
    mailbox = Mailbox()
    controller = Controller(mailbox, hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        yield mailbox, controller.port
    finally:
        controller.stop()
