"""A real SMTP server for tests, on a free port of the loopback interface, which can be told to misbehave.

`accepted` is its own log of what it took: tests compare it with what the ledger says. `RawServer` is for what no server
that follows the protocol does: slow banners, garbage, half a reply.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest

pytest.importorskip("aiosmtpd", reason="the servers for tests come with the extra 'services'")

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from orchestrator.core.verp import unmarked_id

HOST = "127.0.0.1"


@dataclass
class MailServer:
    """`replies` holds what is answered instead, by command (MAIL, RCPT, DATA) or by recipient: a reply such as
    `550 5.1.1 no such user`, or `hang`, `drop` (before it is taken), `drop_after` (it is taken, the reply is lost)."""

    port: int = 0
    replies: dict[str, str] = field(default_factory=dict)
    accepted: list[tuple[str, EmailMessage]] = field(default_factory=list)
    """(recipient, message) of everything that was taken."""
    envelopes: list[Envelope] = field(default_factory=list)
    sessions: set[tuple[str, int]] = field(default_factory=set)
    """The other ends of all connections on which a message was begun."""
    passwords: dict[str, str] = field(default_factory=dict)
    pause: float = 0.0
    """Seconds that each message takes."""
    offers: tuple[str, ...] = ()
    """Extensions that EHLO names beside those of aiosmtpd, which reads command by command and so can be pipelined."""
    busiest: int = 0
    """How many messages it had in its hands at once."""
    _busy: int = 0

    @property
    def ids(self) -> list[str]:
        """Our ids of the messages that were taken."""
        return [unmarked_id(str(message["X-Orchestrator-Message"])) for _, message in self.accepted]

    async def _act(self, server: SMTP, *keys: str) -> str | None:
        reply = next((self.replies[key] for key in keys if key in self.replies), None)
        if reply == "hang":
            await asyncio.sleep(3600)
        if reply == "drop":
            server.transport.abort()
            await asyncio.sleep(0)
            return "451 gone"
        return None if reply == "drop_after" else reply

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [*responses[:-1], *(f"250-{name}" for name in self.offers), responses[-1]]

    async def handle_MAIL(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:
        self.sessions.add(session.peer)
        if refused := await self._act(server, "MAIL"):
            return refused
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 sender fine"

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:
        if refused := await self._act(server, f"RCPT {address}", "RCPT"):
            return refused
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 recipient fine"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self._busy += 1
        self.busiest = max(self.busiest, self._busy)
        if self.pause:
            await asyncio.sleep(self.pause)
        self._busy -= 1
        [to] = envelope.rcpt_tos
        if refused := await self._act(server, f"DATA {to}", "DATA"):
            return refused
        message = message_from_bytes(envelope.original_content or b"", policy=default)
        assert isinstance(message, EmailMessage)
        self.accepted.append((to, message))
        self.envelopes.append(envelope)
        if "drop_after" in (self.replies.get(f"DATA {to}"), self.replies.get("DATA")):
            server.transport.abort()
        return f"250 2.0.0 OK queued as Q{len(self.accepted)}"

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        fine = self.passwords.get(data.login.decode()) == data.password.decode()
        return AuthResult(success=fine, handled=fine)


@contextmanager
def mail_server(**options: Any) -> Iterator[MailServer]:
    """A running server; `options` go to aiosmtpd. Ends with the block, whatever hangs."""
    server = MailServer()
    known = {"hostname": "mail.test", "enable_SMTPUTF8": False, **options}
    if "auth_required" in known:
        known["authenticator"] = server.authenticate
    controller = Controller(server, hostname=HOST, port=free_port(), server_kwargs=known)
    controller.start()
    server.port = controller.port
    try:
        yield server
    finally:
        loop = controller.loop
        loop.call_soon_threadsafe(lambda: [task.cancel() for task in asyncio.all_tasks(loop)])
        time.sleep(0.02)
        with suppress(asyncio.CancelledError):
            controller.stop()


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@dataclass
class RawServer:
    """Says `script` to every connection: each text once, after a line has come; `begins` before any."""

    port: int
    connections: int = 0


@contextmanager
def raw_server(talk: Callable[[socket.socket], None]) -> Iterator[RawServer]:
    """A server that lets `talk` have each connection, one after another."""
    listener = socket.create_server((HOST, 0))
    listener.settimeout(0.05)
    server = RawServer(listener.getsockname()[1])
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            with suppress(TimeoutError):
                connection, _ = listener.accept()
                server.connections += 1
                with connection, suppress(OSError):
                    connection.settimeout(5)
                    talk(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        over.set()
        thread.join(10)
        listener.close()


def saying(*replies: bytes) -> Callable[[socket.socket], None]:
    """The first reply at once, each other one after a line has come; then the connection is closed."""

    def talk(connection: socket.socket) -> None:
        connection.sendall(replies[0])
        for reply in replies[1:]:
            if not connection.recv(65_536):
                return
            connection.sendall(reply)

    return talk


def dripping(text: bytes, seconds: float) -> Callable[[socket.socket], None]:
    """One byte now and then, for ever: every single wait is short."""

    def talk(connection: socket.socket) -> None:
        place = 0
        began_at = time.monotonic()
        while time.monotonic() < began_at + 10:
            connection.sendall(text[place % len(text) :][:1])
            place += 1
            time.sleep(seconds)

    return talk


def lines(*texts: str) -> Sequence[bytes]:
    """Texts as a server sends them."""
    return [f"{text}\r\n".encode() for text in texts]
