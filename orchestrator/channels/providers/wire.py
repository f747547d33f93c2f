"""How providers with an HTTP API are called: connections kept, every call bounded, and it is told apart whether a
request that failed may have been taken."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import httpx2

from orchestrator import __version__
from orchestrator.channels.providers.timed_network import CallClock, TimedTransport

TIMEOUT: Final = 20.0
"""Seconds for a whole call, unless the channel's URL says otherwise: a claim ends after a minute."""
CONNECT_WITHIN: Final = 5.0
LARGEST_ANSWER: Final = 1024 * 1024
"""Bytes of an answer that are read; more than any provider has to say about a message."""


class NotSent(Exception):
    """No connection came about, so the provider certainly has nothing."""


class Lost(Exception):
    """The request may have arrived, and no answer came."""


class Reply(NamedTuple):
    """What a provider answered. `headers` have names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON; None: it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    @property
    def after(self) -> float | None:
        """Seconds after which to come again, where the provider says so (Retry-After in seconds)."""
        value = self.headers.get("retry-after", "").strip()
        return float(value) if value.isascii() and value.isdigit() and len(value) < 7 else None


class ProviderWire:
    """Calls one provider. Safe for several threads; `width` connections at most."""

    def __init__(self, width: int, timeout: float = TIMEOUT, *, http2: bool = False, verify: Any = True) -> None:
        self._timeout = timeout
        self._limits = httpx2.Limits(max_connections=width, max_keepalive_connections=width)
        self._http2 = http2
        self._verify = verify
        self._clock = CallClock()
        self._client: httpx2.Client | None = None
        self._lock = threading.Lock()

    def call(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None) -> Reply:
        """One call. Raises NotSent, Lost. Redirects are not followed: a provider that moved is configured anew."""
        client = self._open()
        self._clock.begin(self._timeout)
        try:
            with client.stream(
                method, url, headers={"User-Agent": f"orchestrator/{__version__}", **headers}, content=body
            ) as answer:
                found = bytearray()
                for piece in answer.iter_bytes():
                    found += piece
                    if len(found) > LARGEST_ANSWER:
                        break
                names = {name.lower(): value for name, value in answer.headers.items()}
                return Reply(answer.status_code, names, bytes(found[:LARGEST_ANSWER]))
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol) as error:
            raise NotSent(_said(error)) from None
        except httpx2.HTTPError as error:
            raise Lost(_said(error)) from None
        except (httpx2.InvalidURL, UnicodeError, ValueError) as error:
            raise NotSent(_said(error)) from None

    def close(self) -> None:
        """Give back the connections; may be called twice."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _open(self) -> httpx2.Client:
        with self._lock:
            if self._client is None:
                self._client = httpx2.Client(
                    timeout=httpx2.Timeout(self._timeout, connect=min(CONNECT_WITHIN, self._timeout)),
                    transport=TimedTransport(self._clock, self._limits, http2=self._http2, verify=self._verify),
                    follow_redirects=False,
                    trust_env=False,
                )
            return self._client


def _said(error: Exception) -> str:
    text = str(error) or "no answer in time"
    return f"{type(error).__name__}: {text}"[:200]
