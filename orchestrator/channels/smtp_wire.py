"""The wire to a mail server: smtplib's commands with a deadline for everything, and replies of bounded size.

smtplib's own time-outs start anew with every byte, so that a server which sends one now and then holds a thread for
ever.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Callable
from typing import Any, Final

from orchestrator.channels.smtp_reply import Reply, reply_of
from orchestrator.records import dataclass

LONGEST_REPLY: Final = 64 * 1024

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where a mail server is and how it is talked to. Times are real seconds.

    `tls`: `always` from the first byte (smtps), `require` or `prefer` STARTTLS, or `never`. `timeout` bounds what one
    message may take, new connections included (and has to end before the claim's lease of a minute does);
    `connect_timeout` the connection alone.
    """

    host: str
    port: int
    user: str | None = None
    password: str | None = None
    tls: str = "prefer"
    verify: bool = True
    ca_file: str | None = None
    hello: str | None = None
    timeout: float = 30.0
    connect_timeout: float = 10.0

    def context(self) -> ssl.SSLContext:
        """How its certificate is checked."""
        context = ssl.create_default_context(cafile=self.ca_file)
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


class TimelyClient(smtplib.SMTP):
    """smtplib's client, whose every wait ends at the deadline."""

    def __init__(self, server: SmtpServer, clock: Clock, deadline: float) -> None:
        self._server = server
        self._clock = clock
        self._unread = b""
        self.deadline = deadline
        left = max(0.001, deadline - clock())
        try:
            super().__init__(server.host, server.port, server.hello or _own_name(), timeout=left)
        except BaseException:
            self.close()
            raise

    def _get_socket(self, host: str, port: int, timeout: Any) -> Any:
        raw = socket.create_connection((host, port), timeout)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # the last dot waits for no other packet
        if self._server.tls != "always":
            return raw
        try:
            return self._server.context().wrap_socket(raw, server_hostname=host)
        except BaseException:
            raw.close()
            raise

    def _arm(self) -> None:
        left = self.deadline - self._clock()
        if left <= 0:
            raise TimeoutError("no complete reply in time")
        assert self.sock is not None
        self.sock.settimeout(left)

    def send(self, s: Any) -> None:
        """Send within the deadline."""
        if self.sock is not None:
            self._arm()
        super().send(s)

    @property
    def heard(self) -> bool:
        """Whether a line of the server has come that was not read yet."""
        return b"\n" in self._unread

    def getreply(self) -> tuple[int, bytes]:
        """A reply within the deadline, of at most LONGEST_REPLY bytes; -1 where it is none."""
        lines: list[bytes] = []
        size = 0
        while True:
            line = self._line()
            size += len(line)
            if size > LONGEST_REPLY:
                return -1, b"a reply without an end"
            code = line[:3]
            if not code.isdigit() or line[3:4] not in (b"", b" ", b"-"):
                return -1, line
            lines.append(line[4:])
            if line[3:4] != b"-":
                return int(code), b"\n".join(lines)

    def _line(self) -> bytes:
        while b"\n" not in self._unread:
            if len(self._unread) > LONGEST_REPLY:
                line, self._unread = self._unread, b""
                return line
            if self.sock is None:
                raise smtplib.SMTPServerDisconnected("the connection is closed")
            self._arm()
            more = self.sock.recv(4096)
            if not more:
                raise smtplib.SMTPServerDisconnected("the server closed the connection")
            self._unread += more
        line, _, self._unread = self._unread.partition(b"\n")
        return line.rstrip(b"\r ")

    def secure(self) -> Reply | None:
        """STARTTLS. Returns the server's reply where it refuses."""
        try:
            self.starttls(context=self._server.context())
        except smtplib.SMTPResponseException as error:
            return reply_of(error.smtp_code, error.smtp_error)
        if self._unread:  # put there by someone in between, before there was a key
            raise ssl.SSLError("the server sent something ahead of its TLS")
        return None


def _own_name() -> str:
    """What this machine calls itself in EHLO, without asking the network for it."""
    name = socket.gethostname()
    return name if "." in name and name.isascii() else "[127.0.0.1]"
