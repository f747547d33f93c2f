"""The wire below providers' APIs, where e-mail leans on it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from orchestrator.channels.hooks.ses import fetched
from orchestrator.channels.providers.wire import Lost, NotSent, ProviderWire


def test_an_answer_that_drips_is_given_up_in_time(serve: Callable[..., int]) -> None:
    def drip(connection: Any) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(1000):
            connection.sendall(b"x")
            time.sleep(0.05)

    wire = ProviderWire(1, timeout=0.4)
    began_at = time.monotonic()
    with pytest.raises(Lost, match="drips"):
        wire.call("GET", f"http://127.0.0.1:{serve(drip)}/", {})
    wire.close()
    assert time.monotonic() - began_at < 5


def test_what_is_no_web_address_was_never_sent() -> None:
    wire = ProviderWire(1)
    with pytest.raises(NotSent):
        wire.call("GET", "ftp://127.0.0.1/", {})
    wire.close()


def test_certificates_are_fetched_or_not(httpserver: HTTPServer, serve: Callable[..., int]) -> None:
    httpserver.expect_request("/a.pem").respond_with_data(b"PEM")
    httpserver.expect_request("/moved.pem").respond_with_data(b"", 302, {"Location": httpserver.url_for("/a.pem")})
    assert fetched(httpserver.url_for("/a.pem")) == b"PEM"
    for path in ("/moved.pem", "/none.pem"):
        with pytest.raises(OSError, match="status"):
            fetched(httpserver.url_for(path))
    with pytest.raises(OSError, match=r"Protocol|Read"):
        fetched(f"http://127.0.0.1:{serve(lambda connection: connection.recv(9999))}/a.pem")
