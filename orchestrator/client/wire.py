"""HTTP with what Python brings along: connections that are kept open, through a proxy where the environment has one."""
# ruff: noqa: TID252

from __future__ import annotations

import gzip
import http.client
import ssl
from base64 import b64encode
from collections import deque
from collections.abc import Mapping
from typing import Final
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

from .answers import Reply
from .problems import ClientError, NotReached

LARGEST_ANSWER: Final = 64 << 20
MOST_IDLE: Final = 8
"""Connections that are kept open."""
LEAST_ZIPPED: Final = 1_000
"""Bytes of a body from which on it is packed."""


def place_of(url: str) -> SplitResult:
    """Where the server is. Raises ClientError for what is no address."""
    place = urlsplit(url.rstrip("/"))
    if place.scheme not in ("http", "https") or not place.hostname:
        raise ClientError(f"'{url}' is no address of a server; say https://journeys.example.com")
    if place.query or place.fragment or place.username:
        raise ClientError("the server's address has no query and no names in it; keys are write_key= and api_key=")
    return place


def basic(key: str) -> str:
    """A key as the user name of Basic authorization."""
    return "Basic " + b64encode(f"{key}:".encode()).decode()


def packed(body: bytes, headers: dict[str, str], zipped: bool) -> bytes:
    """The body as it is sent; the header says how."""
    headers["Content-Type"] = "application/json"
    if not zipped or len(body) < LEAST_ZIPPED:
        return body
    headers["Content-Encoding"] = "gzip"
    return gzip.compress(body, 5)


class Wire:
    """Asks one server. Any thread may use it."""

    def __init__(self, url: str, timeout: float, context: ssl.SSLContext | None = None) -> None:
        self._place = place_of(url)
        self._timeout = timeout
        self._context = context
        self._closed = False
        self._idle: deque[http.client.HTTPConnection] = deque()

    def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> Reply:
        """The answer, whatever it is. Raises NotReached where there is none.

        A connection that was kept and turns out to be closed is opened again: every write here carries what it is
        known by, so that it may arrive twice.
        """
        kept = self._idle.pop() if self._idle else None
        if kept is not None:
            try:
                return self._ask(kept, method, path, headers, body)
            except (ConnectionError, http.client.HTTPException):
                kept.close()
            except OSError as error:
                kept.close()
                raise NotReached(f"{self._place.netloc}: {error}") from None
        connection = self._open()
        try:
            return self._ask(connection, method, path, headers, body)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise NotReached(f"{self._place.netloc}: {error or type(error).__name__}") from None

    def close(self) -> None:
        """Close what is open and not in use."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def after_fork(self) -> None:
        """In a child: connections are the parent's. To close our copies of them does not end them."""
        for connection in self._idle:
            connection.close()
        self._idle = deque()

    def _ask(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
    ) -> Reply:
        target = self._place.path + path
        if getattr(connection, "absolute", False):
            target = f"{self._place.scheme}://{self._place.netloc}{target}"
        connection.request(method, target, body, dict(headers))
        answer = connection.getresponse()
        content = answer.read(LARGEST_ANSWER + 1)
        if len(content) > LARGEST_ANSWER:
            raise http.client.HTTPException("the answer is too large")
        if answer.will_close or self._closed or len(self._idle) >= MOST_IDLE:
            connection.close()
        else:
            self._idle.append(connection)
        return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, content)

    def _open(self) -> http.client.HTTPConnection:
        host, port = self._place.hostname or "", self._place.port
        secure = self._place.scheme == "https"
        proxy = None if proxy_bypass(host) else getproxies().get(self._place.scheme)
        near = urlsplit(proxy) if proxy else None
        at = (near.hostname or "", near.port or 8080) if near is not None else (host, port)
        if secure:
            context = self._context or ssl.create_default_context()
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                at[0], at[1], timeout=self._timeout, context=context
            )
            if near is not None:
                connection.set_tunnel(host, port or 443)
        else:
            connection = http.client.HTTPConnection(at[0], at[1], timeout=self._timeout)
            connection.absolute = near is not None  # type: ignore[attr-defined]
        return connection
