"""The wire below providers' APIs, where e-mail leans on it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived
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


@pytest.mark.parametrize("where", ["headers", "status", "body", "chunks", "nothing"])
def test_wherever_it_drips_a_call_has_one_end(serve: Callable[..., int], where: str) -> None:
    head = {
        "headers": b"HTTP/1.1 200 OK\r\n",
        "status": b"",
        "body": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
        "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "nothing": b"",
    }[where]
    piece = {"headers": b"A: b\r\n", "status": b"H", "body": b"x", "chunks": b"1\r\nx\r\n", "nothing": b""}[where]

    def drip(connection: Any) -> None:
        connection.recv(65536)
        connection.sendall(head)
        for _ in range(100):
            connection.sendall(piece)
            time.sleep(0.05)

    wire = ProviderWire(1, timeout=1.0)
    began_at = time.monotonic()
    with pytest.raises(Lost):
        wire.call("POST", f"http://127.0.0.1:{serve(drip)}/", {}, b"{}")
    wire.close()
    assert time.monotonic() - began_at < 4


def test_one_that_takes_nothing_of_a_large_request_is_given_up_in_time(serve: Callable[..., int]) -> None:
    wire = ProviderWire(1, timeout=1.0)
    over = threading.Event()
    port = serve(lambda connection: over.wait(5) and None)
    began_at = time.monotonic()
    with pytest.raises(Lost):
        wire.call("POST", f"http://127.0.0.1:{port}/", {}, b"x" * 50_000_000)
    took = time.monotonic() - began_at
    over.set()
    wire.close()
    assert took < 4


def test_waiting_for_a_connection_is_part_of_the_call(serve: Callable[..., int]) -> None:
    def slow(connection: Any) -> None:
        connection.recv(65536)
        for letter in b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n":
            connection.sendall(bytes([letter]))
            time.sleep(0.1)

    wire, port = ProviderWire(1, timeout=1.0), serve(slow)
    ends: list[float] = []

    def call() -> None:
        began_at = time.monotonic()
        with pytest.raises((Lost, NotSent)):
            wire.call("GET", f"http://127.0.0.1:{port}/", {})
        ends.append(time.monotonic() - began_at)

    threads = [threading.Thread(target=call) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    wire.close()
    assert len(ends) == 3 and max(ends) < 2.5


def test_connections_are_kept_from_call_to_call_and_left_when_they_are_closed(serve: Callable[..., int]) -> None:
    taken: list[int] = []

    def answer(connection: Any) -> None:
        taken.append(0)
        for _ in range(2):
            if connection.recv(65536):
                taken[-1] += 1
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    wire, port = ProviderWire(1, timeout=5), serve(answer)
    for _ in range(5):
        assert wire.call("GET", f"http://127.0.0.1:{port}/", {}).body == b"ok"
        time.sleep(0.02)
    wire.close()
    assert taken == [2, 2, 1]


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


def test_http_2_over_tls_is_spoken_by_several_threads_on_one_connection(
    serve: Callable[..., int], authority: Any
) -> None:
    context = authority.server("localhost")
    context.set_alpn_protocols(["h2"])
    connections: list[int] = []

    def answer(raw: Any) -> None:
        connections.append(1)
        speaker = H2Connection(H2Configuration(client_side=False))
        speaker.initiate_connection()
        with context.wrap_socket(raw, server_side=True) as connection:
            connection.sendall(speaker.data_to_send())
            while data := connection.recv(65536):
                for event in speaker.receive_data(data):
                    if isinstance(event, RequestReceived):
                        speaker.send_headers(event.stream_id, [(":status", "200")], end_stream=True)
                connection.sendall(speaker.data_to_send())

    wire, port = ProviderWire(4, 5, http2=True, verify=authority.trusted), serve(answer)
    assert wire.call("POST", f"https://localhost:{port}/", {}, b"{}").status == 200
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(wire.call("POST", f"https://localhost:{port}/", {}).status))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    wire.close()
    assert statuses == [200] * 4 and connections == [1]
