"""From a name to its addresses, in bounded time: the system's look-up cannot be interrupted, so it is left behind."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from orchestrator.channels.http_failure import CallFailed

Resolve: TypeAlias = Callable[[str, int], Sequence[str]]
"""(host, port) -> its addresses as text, all of them, in the order in which to try them. Raises OSError."""

MOST_LOOKUPS: Final = 32
"""Look-ups under way at once, those that nobody waits for any more included."""


def system_addresses(host: str, port: int) -> list[str]:
    """What the system's resolver says: /etc/hosts, DNS, and whatever else it is set up for. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Lookups:
    """Looks names up in threads of their own, which do not keep the process from ending."""

    def __init__(self, resolve: Resolve = system_addresses) -> None:
        self._resolve = resolve
        self._free = threading.BoundedSemaphore(MOST_LOOKUPS)

    def addresses(self, host: str, port: int, seconds: float) -> Sequence[str]:
        """The addresses, within `seconds`. Raises CallFailed (connection, timeout)."""
        if not self._free.acquire(timeout=max(seconds, 0)):
            raise CallFailed("timeout", f"{MOST_LOOKUPS} look-ups of names are under way and none ends")
        found: list[Sequence[str]] = []
        failed: list[Exception] = []

        def look_up() -> None:
            try:
                found.append(self._resolve(host, port))
            except (OSError, UnicodeError) as error:
                failed.append(error)
            finally:
                self._free.release()

        thread = threading.Thread(target=look_up, name="look-up", daemon=True)
        thread.start()
        thread.join(max(seconds, 0))
        if found:
            return found[0]
        if failed:
            raise CallFailed("connection", f"{host} cannot be looked up ({failed[0]})")
        raise CallFailed("timeout", f"the look-up of {host} took longer than the step's timeout")
