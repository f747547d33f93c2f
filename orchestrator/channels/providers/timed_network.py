"""The network below calls of providers: connections are kept from call to call, and each call has one deadline.

httpx2 bounds each single read, write, and wait for a connection; a server that sends a byte now and then would hold a
call for ever. Here each operation gets what is left of the call that this thread is making.
"""

from __future__ import annotations

import selectors
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from ipaddress import ip_address
from time import monotonic
from typing import Any, Final

import httpcore2
import httpx2

from orchestrator.channels.http_wire import dial

PIECE: Final = 64 * 1024


class CallClock:
    """Until when the call of a thread has to be over."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._own = threading.local()

    def begin(self, seconds: float) -> None:
        """This thread makes a call that may take so long."""
        self._own.end = self._clock() + seconds

    def left(self, otherwise: float | None = None) -> float:
        """Seconds that are left, 0 or less when none are; outside of a call `otherwise`."""
        end: float | None = getattr(self._own, "end", None)
        return end - self._clock() if end is not None else (otherwise if otherwise is not None else 0.0)


class TimedNetwork(httpcore2.NetworkBackend):
    """Connects within the time that is left of the call."""

    def __init__(self, clock: CallClock) -> None:
        self._clock = clock

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        """Raises ConnectTimeout, ConnectError."""
        end = monotonic() + min(self._clock.left(timeout), timeout or float("inf"))
        why: OSError = OSError(f"{host} has no address")
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore2.ConnectError(str(error)) from None
        for place, (*_, address) in enumerate(found):
            # Each gets its share, so that a first address that swallows packets leaves some over for the next.
            seconds = (end - monotonic()) / (len(found) - place)
            if seconds <= 0:
                break
            try:
                return TimedStream(dial(ip_address(address[0]), port, seconds), self._clock)
            except OSError as error:
                why = error
        if end <= monotonic() or isinstance(why, TimeoutError):
            raise httpcore2.ConnectTimeout(f"{host} cannot be connected to in time")
        raise httpcore2.ConnectError(str(why))


class TimedStream(httpcore2.NetworkStream):
    """A connected socket whose every operation ends with the call that makes it."""

    def __init__(self, connection: socket.socket, clock: CallClock) -> None:
        self._socket = connection
        self._clock = clock

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """What comes next; empty at the end. Raises ReadTimeout, ReadError."""
        try:
            self._bounded(timeout)
            return self._socket.recv(max_bytes)
        except TimeoutError:
            raise httpcore2.ReadTimeout("the answer drips, or does not come, until time is up") from None
        except OSError as error:
            raise httpcore2.ReadError(str(error)) from None

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Raises WriteTimeout, WriteError."""
        view = memoryview(buffer)
        try:
            while view:
                self._bounded(timeout)
                view = view[self._socket.send(view[:PIECE]) :]
        except TimeoutError:
            raise httpcore2.WriteTimeout("the request is not taken in time") from None
        except OSError as error:
            raise httpcore2.WriteError(str(error)) from None

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        """The same with TLS. Raises ConnectTimeout, ConnectError."""
        try:
            self._bounded(timeout)
            return TimedStream(ssl_context.wrap_socket(self._socket, server_hostname=server_hostname), self._clock)
        except TimeoutError:
            self.close()
            raise httpcore2.ConnectTimeout("TLS does not come about in time") from None
        except (OSError, ValueError) as error:
            self.close()
            raise httpcore2.ConnectError(str(error)) from None

    def close(self) -> None:
        with suppress(OSError):
            self._socket.close()

    def get_extra_info(self, info: str) -> Any:
        """What the pool asks for."""
        if info == "ssl_object":
            return self._socket if isinstance(self._socket, ssl.SSLSocket) else None
        return _readable(self._socket) if info == "is_readable" else None

    def _bounded(self, timeout: float | None) -> None:
        left = self._clock.left(timeout)
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left if timeout is None else min(left, timeout))


def _readable(connection: socket.socket) -> bool:
    """Whether an idle connection has something to say: its end, which nobody asked for."""
    if connection.fileno() < 0:
        return True
    with selectors.DefaultSelector() as waiting:
        waiting.register(connection, selectors.EVENT_READ)
        return bool(waiting.select(0))


class TimedTransport(httpx2.HTTPTransport):
    """httpx2's own transport over such a network."""

    def __init__(self, clock: CallClock, limits: httpx2.Limits, *, http2: bool, verify: Any) -> None:
        trusted = httpx2.create_ssl_context(verify=verify, trust_env=False)
        super().__init__(verify=trusted, trust_env=False, http2=http2, limits=limits)
        self._pool = httpcore2.ConnectionPool(
            ssl_context=trusted,
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            http1=True,
            http2=http2,
            network_backend=TimedNetwork(clock),
        )
