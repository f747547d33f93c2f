"""The HTTP side of an embedded installation: its address, and uvicorn in the main thread until a signal says stop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import signal
import socket
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Final

from orchestrator.errors import UsageError

GRACE: Final = 3
"""Seconds in which requests under way may end."""


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address. A name other than localhost may mean anything."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refuse_open_door(host: str, keys: frozenset[str], kept: Callable[[], bool] = lambda: False) -> None:
    """Raises UsageError for a server that others reach while anybody may send it events. `kept`: whether the database
    has a write key; it is asked where nothing else closes the door."""
    if not keys and not is_loopback(host) and not kept():
        raise UsageError(
            f"--host {host} can be reached from other machines, and no write key is configured, so anybody could send "
            "events; make one by `orchestrator keys add NAME --write`, or set ORCHESTRATOR_WRITE_KEYS to one or more "
            "long random words (with commas between them), or leave --host out",
            "open_door",
        )


def bound_socket(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises UsageError where it cannot, before anything else was begun."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except OSError as error:
        raise UsageError(f"--host {host} cannot be resolved ({error.strerror or error})", "bad_host") from None
    server = socket.socket(family, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server.bind(address)
        server.listen(1024)
    except OSError as error:
        server.close()
        if error.errno == errno.EADDRINUSE:
            why = f"port {port} is in use; stop what uses it, or give another one: --port {port + 1}"
        elif error.errno == errno.EACCES:
            why = f"port {port} is not yours to use; give one from 1024 on"
        else:
            why = f"{host}:{port} cannot be used ({error.strerror})"
        raise UsageError(why, "port_unusable") from None
    server.set_inheritable(False)
    return server


class WebServer:
    """uvicorn over an application. `serve` returns when `stop` was called or a signal came."""

    def __init__(self, app: Any) -> None:
        import uvicorn

        class Server(uvicorn.Server):
            """Signals are ours: uvicorn would raise them again after its own end, which is no good end."""

            @contextlib.contextmanager
            def capture_signals(self) -> Iterator[None]:
                yield

        config = uvicorn.Config(
            app,
            access_log=False,
            log_config=None,
            lifespan="auto",
            timeout_graceful_shutdown=GRACE,
            server_header=False,
        )
        self._server = Server(config)

    def serve(self, listening: socket.socket) -> None:
        """Answer requests until the end."""
        asyncio.run(self._server.serve(sockets=[listening]))

    def stop(self) -> None:
        """End soon: what is under way may finish, for GRACE seconds."""
        self._server.should_exit = True

    def force(self) -> None:
        """End now."""
        self._server.should_exit = self._server.force_exit = True


@contextlib.contextmanager
def signals_to(stop: Callable[[], None], again: Callable[[], None]) -> Iterator[None]:
    """SIGTERM and SIGINT call `stop`, and `again` when they come again."""
    count = 0

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal count
        count += 1
        (stop if count == 1 else again)()

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
