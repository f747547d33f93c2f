"""The wire below httpx2: connections to checked addresses only, and one deadline for all that happens on them.

httpx2 bounds each single read, so that a server which sends a byte now and then holds a call for ever; and it looks
names up itself, after anybody could have checked them. Its engine (httpcore2) takes a network of ours instead: the
name stays in the Host header and in TLS, the connection goes to the address that was checked.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, Final, TypeAlias

import httpcore2

from orchestrator.channels.http_failure import CallFailed
from orchestrator.channels.net_rules import Address

Dial: TypeAlias = Callable[[Address, int, float], socket.socket]
"""(address, port, seconds) -> a connected TCP socket. Raises OSError."""

PIECE: Final = 64 * 1024


class Deadline:
    """When a call has to be over. `clock` counts real seconds and never goes back."""

    def __init__(self, clock: Callable[[], float], seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._end = clock() + seconds

    def left(self) -> float:
        """Seconds left, more than 0. Raises CallFailed (timeout) when there are none."""
        left = self._end - self._clock()
        if left <= 0:
            raise self.passed()
        return left

    def passed(self) -> CallFailed:
        """What to raise once time is up."""
        return CallFailed("timeout", f"no complete answer within {self._seconds:g} s")


def dial(address: Address, port: int, seconds: float) -> socket.socket:
    """A TCP connection to exactly this address. Raises OSError."""
    connection = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_STREAM)
    try:
        connection.settimeout(seconds)
        connection.connect((str(address), port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        connection.close()
        raise
    return connection


class PinnedNetwork(httpcore2.NetworkBackend):
    """Connects to the given addresses, whatever the name: one after another until one answers."""

    def __init__(self, addresses: Sequence[Address], deadline: Deadline, dialled: Dial = dial) -> None:
        self._addresses = addresses
        self._deadline = deadline
        self._dial = dialled

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        """Raises CallFailed (connection, timeout)."""
        why: OSError | None = None
        for place, address in enumerate(self._addresses):
            # Each gets its share of the time left, so that a first address that swallows packets leaves some over.
            seconds = self._deadline.left() / (len(self._addresses) - place)
            try:
                return BoundedStream(self._dial(address, port, seconds), self._deadline)
            except OSError as error:
                why = error
        self._deadline.left()
        raise CallFailed("connection", f"{host} port {port} cannot be connected to ({_said(why)})")


class BoundedStream(httpcore2.NetworkStream):
    """A connected socket whose every operation ends at the deadline."""

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._socket = connection
        self._deadline = deadline
        self._heard = False

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """What comes next; empty at the end. Raises CallFailed (connection, timeout, tls)."""
        self._socket.settimeout(self._deadline.left())
        try:
            data = self._socket.recv(min(max_bytes, PIECE))
        except TimeoutError:
            raise self._deadline.passed() from None
        except ssl.SSLError as error:
            raise CallFailed("tls", _said(error)) from None
        except OSError as error:
            raise CallFailed("connection", f"the connection broke ({_said(error)})") from None
        if not data and not self._heard:
            raise CallFailed("connection", "the connection was closed without an answer")
        self._heard = True
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Raises CallFailed (timeout), and WriteError, after which httpcore2 looks for an answer all the same."""
        view = memoryview(buffer)
        while view:
            self._socket.settimeout(self._deadline.left())
            try:
                view = view[self._socket.send(view[:PIECE]) :]
            except TimeoutError:
                raise self._deadline.passed() from None
            except OSError as error:
                raise httpcore2.WriteError(_said(error)) from None

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        """The same with TLS, certificate checked for the name. Raises CallFailed (connection, timeout, tls)."""
        self._socket.settimeout(self._deadline.left())
        try:
            return BoundedStream(ssl_context.wrap_socket(self._socket, server_hostname=server_hostname), self._deadline)
        except TimeoutError:
            failure = self._deadline.passed()
        except ssl.SSLCertVerificationError as error:
            failure = CallFailed("tls", f"the certificate of {server_hostname}: {error.verify_message}")
        except (ssl.SSLError, ValueError) as error:
            failure = CallFailed("tls", _said(error))
        except OSError as error:
            failure = CallFailed("connection", f"the connection broke in the TLS handshake ({_said(error)})")
        self.close()
        raise failure

    def close(self) -> None:
        with suppress(OSError):
            self._socket.close()

    def get_extra_info(self, info: str) -> Any:
        """Only what httpcore2 asks for: what TLS agreed on."""
        return self._socket if info == "ssl_object" and isinstance(self._socket, ssl.SSLSocket) else None


def _said(error: Exception | None) -> str:
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.lower().replace("_", " ")
    return str(error.strerror if isinstance(error, OSError) and error.strerror else error)
