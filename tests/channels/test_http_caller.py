"""Calls as they are made: to the checked address only, within their bounds, and with a value for whatever happens."""

from __future__ import annotations

import gzip
import json
import re
import socket
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from orchestrator.channels.http_breaker import FAILURES
from orchestrator.channels.http_caller import HttpCaller
from orchestrator.channels.http_reply import LARGEST_REPLY
from orchestrator.core.ledger import Request

RequestOf = Callable[..., Request]
Serve = Callable[[Callable[[socket.socket], None]], int]
LOCAL = ["127.0.0.1"]
SOON = timedelta(seconds=0.4)


def heard(connection: socket.socket) -> bytes:
    """A whole request. What is left unread when a server closes would reset the connection and lose its answer."""
    out = b""
    while (piece := connection.recv(65536)) != b"":
        out += piece
        head, end, body = out.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        if end and len(body) >= (int(length[1]) if length else 0):
            break
    return out


def answer(body: bytes = b"", status: str = "200 OK", *headers: str, kind: str = "application/json") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


# --- what is asked, and what is answered ------------------------------------------------------------------------------


def test_a_fetch_and_a_webhook_over_a_real_connection(request_of: RequestOf, serve: Serve) -> None:
    got: list[bytes] = []

    def handler(connection: socket.socket) -> None:
        got.append(heard(connection))
        connection.sendall(answer(b'{"kind": "rain"}', "200 OK", "Set-Cookie: a=b"))

    port = serve(handler)
    caller = HttpCaller(LOCAL)
    url = f"http://127.0.0.1:{port}/weather?city=K%C3%B6ln"
    assert caller.call(request_of(url, headers={"X-Token": "t"})) == (200, {"kind": "rain"}, None)
    assert caller.call(request_of(url, "webhook", body={"n": 1}))[0] == 200
    fetch, webhook = got
    assert fetch.startswith(b"GET /weather?city=K%C3%B6ln HTTP/1.1\r\n")
    assert f"host: 127.0.0.1:{port}\r\nconnection: close\r\n".encode() in fetch
    assert b"x-token: t\r\n" in fetch
    assert b"cookie" not in webhook
    assert webhook.startswith(b"POST ")
    assert webhook.endswith(b'\r\n\r\n{"n":1}')


def test_proxies_of_the_environment_are_not_used(
    request_of: RequestOf, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = serve(lambda connection: connection.sendall(answer(b"1")) if heard(connection) else None)
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert HttpCaller(LOCAL).call(request_of(f"http://127.0.0.1:{port}/")) == (200, 1, None)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (answer(b'{"a": 1}', "404 Not Found"), (404, {"a": 1}, None)),
        (answer(b"<html>", "502 Bad Gateway"), (502, None, None)),
        (b"HTTP/1.1 204 No Content\r\n\r\n", (204, None, None)),
        (answer(b"Gr\xc3\xbc\xc3\x9fe", kind="text/plain"), (200, "Grüße", None)),
        (answer(gzip.compress(b"[1]"), "200 OK", "Content-Encoding: gzip"), (200, [1], None)),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n[1,\r\n2\r\n2]\r\n0\r\n\r\n", (200, [1, 2], None)),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + answer(b"[]"), (200, [], None)),
        (b"HTTP/1.0 200 OK\r\n\r\nto the end", (200, "to the end", None)),
    ],
)
def test_answers(request_of: RequestOf, answering: Any, reply: bytes, expected: object) -> None:
    assert answering(reply).caller.call(request_of("http://api.example.com/")) == expected


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (answer(b"{bad"), "bad_response"),
        (answer(b'{"a": NaN}'), "bad_response"),
        (answer(b'"\xff"'), "bad_response"),
        (answer(b"\xff\xff", kind="text/plain"), "bad_response"),
        (answer(b"x" * (LARGEST_REPLY + 1), kind="text/plain"), "too_large"),
        (answer(gzip.compress(b" " * 50_000_000), "200 OK", "Content-Encoding: gzip"), "too_large"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort", "bad_response"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", "bad_response"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "bad_response"),
        (b"HTTP/1.1 200 OK\r\n" + b"X-Long: " + b"x" * 300_000 + b"\r\n\r\n", "bad_response"),
        (b"HTTP/1.1 200 OK\r\n" + b"X-Many: x\r\n" * 30_000 + b"\r\n", "bad_response"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", "bad_response"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", "bad_response"),
        (b"220 mail.example.com ESMTP\r\n", "bad_response"),
        (b"HTTP/1.1 2", "bad_response"),
        (b"\x00" * 200_000, "bad_response"),
        (b"", "connection"),
    ],
)
def test_what_is_no_answer_has_a_reason(request_of: RequestOf, answering: Any, reply: bytes, reason: str) -> None:
    status, body, error = answering(reply).caller.call(request_of("http://api.example.com/"))
    assert (status, body, (error or "").partition(":")[0]) == (None, None, reason)


def test_a_webhook_counts_as_taken_once_its_status_came(request_of: RequestOf, answering: Any) -> None:
    for reply, reason in (
        (answer(b"ok, not json"), "bad_response"),
        (answer(b"x" * (LARGEST_REPLY + 1), kind="text/plain"), "too_large"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort", "bad_response"),
    ):
        status, body, error = answering(reply).caller.call(request_of("http://api.example.com/", "webhook"))
        assert (status, body, (error or "").partition(":")[0]) == (200, None, reason)
    unfinished = answering(b"HTTP/1.1 202 Accepted\r\nContent-Length: 50\r\n\r\nslow", ends=False).caller
    status, body, error = unfinished.call(request_of("http://api.example.com/", "webhook", timeout=SOON))
    assert (status, body) == (202, None)
    assert (error or "").startswith("timeout: ")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=400), st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 302 Found\r\nLocation: "]))
@example(b"http://[\r\n\r\n", b"HTTP/1.1 302 Found\r\nLocation: ")
@example(b"//\xff\r\n\r\n", b"HTTP/1.1 302 Found\r\nLocation: ")
@example(b'Content-Type: ;;;="\\\r\n\r\n{}', b"HTTP/1.1 200 OK\r\n")
def test_whatever_comes_is_a_value(request_of: RequestOf, answering: Any, rest: bytes, begin: bytes) -> None:
    outside = answering(begin + rest)
    status, _, error = outside.caller.call(request_of("http://api.example.com/", timeout=timedelta(seconds=2)))
    assert (status is None) == (error is not None)
    outside.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=40), st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3), st.text(max_size=9))
def test_whatever_is_asked_is_a_value(
    request_of: RequestOf, answering: Any, rest: str, headers: dict[str, str], body: str
) -> None:
    outside = answering(answer(b"[]"))
    request = request_of(f"http://api.example.com/{rest}", "webhook", headers=headers, body=body)
    status, _, error = outside.caller.call(request)
    assert (status, error) == (200, None) or (error or "").startswith(("bad_", "refused_"))
    outside.close()


# --- where calls go ---------------------------------------------------------------------------------------------------


def test_a_name_that_changes_its_mind_is_looked_up_once_and_leads_where_it_was_checked(request_of: RequestOf) -> None:
    answers = [["93.184.215.14"], ["127.0.0.1"]]
    dialled: list[str] = []
    asked: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return answers.pop(0)

    def dialled_(address: Any, port: int, seconds: float) -> socket.socket:
        dialled.append(str(address))
        ours, theirs = socket.socketpair()
        theirs.sendall(answer(b"[1]"))
        theirs.close()
        return ours

    caller = HttpCaller(resolve=resolve, dialled=dialled_)
    assert caller.call(request_of("http://rebind.example.com/")) == (200, [1], None)
    assert (asked, dialled) == (["rebind.example.com"], ["93.184.215.14"])
    second = caller.call(request_of("http://rebind.example.com/"))[2]
    assert (second or "").startswith("refused_address: rebind.example.com leads to 127.0.0.1")
    assert dialled == ["93.184.215.14"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:{}/", "http://2130706433:{}/", "http://[::ffff:127.0.0.1]:{}/",
                                 "http://0x7f.1:{}/", "http://１２７.0.0.1:{}/", "http://localhost:{}/"])  # fmt: skip
def test_a_server_inside_hears_nothing(request_of: RequestOf, serve: Serve, url: str) -> None:
    called: list[object] = []
    port = serve(called.append)
    for kind in ("fetch", "webhook"):
        error = HttpCaller().call(request_of(url.format(port), kind))[2]
        assert (error or "").startswith("refused_address: ")
    assert called == []


def test_addresses_are_tried_one_after_another(request_of: RequestOf) -> None:
    tried: list[str] = []

    def dialled(address: Any, port: int, seconds: float) -> socket.socket:
        tried.append(str(address))
        if len(tried) < 3:
            raise ConnectionRefusedError(111, "Connection refused")
        ours, theirs = socket.socketpair()
        theirs.sendall(answer(b"[1]"))
        theirs.close()
        return ours

    found = ["2606:2800:21f:cb07:6820:80da:af6b:8b2c", "93.184.215.14", "8.8.8.8"]
    caller = HttpCaller(resolve=lambda host, port: found, dialled=dialled)
    assert caller.call(request_of("http://api.example.com/")) == (200, [1], None)
    assert tried == found


def redirecting(location: str, status: str = "302 Found") -> bytes:
    return answer(b"", status, f"Location: {location}")


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("http://10.0.0.1/", "refused_address"),
        ("http://169.254.169.254/latest/meta-data", "refused_address"),
        ("//[::1]/", "refused_address"),
        ("http://0x7f000001/", "refused_address"),
        ("http://api.example.com:22/", "refused_port"),
        ("file:///etc/passwd", "bad_url"),
        ("gopher://api.example.com/", "bad_url"),
        ("/again", "refused_redirect"),
    ],
)
def test_redirects_pass_the_same_checks(request_of: RequestOf, answering: Any, location: str, reason: str) -> None:
    outside = answering(redirecting(location))
    status, _, error = outside.caller.call(request_of("http://api.example.com/"))
    assert (status, (error or "").partition(":")[0]) == (None, reason)
    assert len(outside.dialled) == (4 if reason == "refused_redirect" else 1)
    webhook = outside.caller.call(request_of("http://api.example.com/", "webhook"))
    assert (webhook[0], webhook[2]) == (302, None)


def test_three_redirects_lead_there_and_other_origins_hear_no_secrets(request_of: RequestOf, serve: Serve) -> None:
    got: list[bytes] = []

    def last(connection: socket.socket) -> None:
        got.append(heard(connection))
        connection.sendall(answer(b"[1]"))

    there = serve(last)
    ways = {b"/": "/a", b"/a": "/b", b"/b": f"http://127.0.0.1:{there}/end", b"/long": "/"}

    def first(connection: socket.socket) -> None:
        request = heard(connection)
        got.append(request)
        connection.sendall(redirecting(ways[request.split(b" ")[1]]))

    here = serve(first)
    caller = HttpCaller(LOCAL)
    headers = {"Authorization": "Bearer x", "X-Token": "x", "Accept": "text/csv"}
    assert caller.call(request_of(f"http://127.0.0.1:{here}/", headers=headers)) == (200, [1], None)
    assert [b"x-token" in request for request in got] == [True, True, True, False]
    assert b"authorization" not in got[-1]
    assert b"accept: text/csv" in got[-1]
    error = caller.call(request_of(f"http://127.0.0.1:{here}/long"))[2]
    assert (error or "").startswith("refused_redirect: ")


# --- time -------------------------------------------------------------------------------------------------------------


def dribble(before: bytes, piece: bytes) -> Callable[[socket.socket], None]:
    def handler(connection: socket.socket) -> None:
        heard(connection)
        connection.sendall(before)
        for _ in range(100):
            connection.sendall(piece)
            time.sleep(0.05)

    return handler


@pytest.mark.parametrize(
    "handler",
    [
        dribble(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x"),
        dribble(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        dribble(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"),
        dribble(b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
        lambda connection: time.sleep(2),
    ],
    ids=["body", "chunks", "headers", "hints", "silence"],
)
def test_the_timeout_bounds_the_whole_call(
    request_of: RequestOf, serve: Serve, handler: Callable[[socket.socket], None]
) -> None:
    port = serve(handler)
    began = time.monotonic()
    status, _, error = HttpCaller(LOCAL).call(request_of(f"http://127.0.0.1:{port}/", timeout=SOON))
    assert time.monotonic() - began < 1.2
    assert (status, error) == (None, "timeout: no complete answer within 0.4 s")


def test_a_receiver_that_reads_nothing_is_left(request_of: RequestOf) -> None:
    ours, theirs = socket.socketpair()
    caller = HttpCaller(resolve=lambda host, port: ["93.184.215.14"], dialled=lambda *_: ours)
    request = request_of("http://api.example.com/", "webhook", body="x" * 1_000_000, timeout=SOON)
    began = time.monotonic()
    assert (caller.call(request)[2] or "").startswith("timeout: ")
    assert time.monotonic() - began < 1.2
    theirs.close()


def test_a_lookup_that_hangs_is_left_behind(request_of: RequestOf) -> None:
    stuck = threading.Event()

    def resolve(host: str, port: int) -> list[str]:
        stuck.wait(5)
        return []

    caller = HttpCaller(resolve=resolve)
    began = time.monotonic()
    assert (caller.call(request_of("http://slow.example.com/", timeout=SOON))[2] or "").startswith("timeout: ")
    assert time.monotonic() - began < 1.2
    stuck.set()


def test_chunks_without_end_are_left_at_the_bound(request_of: RequestOf, serve: Serve) -> None:
    def handler(connection: socket.socket) -> None:
        heard(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.sendall(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")

    error = HttpCaller(LOCAL).call(request_of(f"http://127.0.0.1:{serve(handler)}/"))[2]
    assert (error or "").startswith("too_large: ")


# --- names and connections that are not in order ----------------------------------------------------------------------


def test_unknown_names_and_closed_ports_have_a_reason(request_of: RequestOf) -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    error = HttpCaller(resolve=unknown).call(request_of("http://nobody.example.com/"))[2]
    assert error == "connection: nobody.example.com cannot be looked up ([Errno -2] Name or service not known)"
    assert (HttpCaller(resolve=lambda *_: []).call(request_of("http://none.example.com/"))[2] or "").startswith(
        "connection: "
    )
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    error = HttpCaller(LOCAL).call(request_of(f"http://127.0.0.1:{port}/"))[2]
    assert error == f"connection: 127.0.0.1 port {port} cannot be connected to (Connection refused)"


def test_tls_is_checked_for_the_name_not_the_address(request_of: RequestOf, serve: Serve, authority: Any) -> None:
    def served(context: Any) -> int:
        def handler(connection: socket.socket) -> None:
            with context.wrap_socket(connection, server_side=True) as secured:
                heard(secured)
                secured.sendall(answer(b'"safe"'))

        return serve(handler)

    def called(host: str, port: int, tls: Any) -> tuple[Any, Any, str | None]:
        return HttpCaller(LOCAL, tls=tls, resolve=lambda *_: LOCAL).call(request_of(f"https://{host}:{port}/"))

    good, old = served(authority.server("api.example.com")), served(authority.server("api.example.com", days=-1))
    assert called("api.example.com", good, authority.trusted) == (200, "safe", None)
    plain = serve(lambda connection: connection.recv(65536) and connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    for host, port, tls, said in (
        ("other.example.com", good, authority.trusted, "Hostname mismatch"),
        ("127.0.0.1", good, authority.trusted, "IP address mismatch"),
        ("api.example.com", old, authority.trusted, "expired"),
        ("api.example.com", good, None, "certificate"),
        ("api.example.com", plain, authority.trusted, ""),
    ):
        status, _, error = called(host, port, tls)
        assert status is None
        assert (error or "").startswith("tls: ") and said in (error or "")


def test_a_dead_host_costs_a_few_failures_and_not_one_for_every_call(request_of: RequestOf) -> None:
    now = [0.0]
    up = False
    dialled = 0

    def dial(address: Any, port: int, seconds: float) -> socket.socket:
        nonlocal dialled
        dialled += 1
        if not up:
            raise ConnectionRefusedError(111, "Connection refused")
        ours, theirs = socket.socketpair()
        theirs.sendall(answer(json.dumps("back").encode(), "500 Internal Server Error"))
        theirs.close()
        return ours

    caller = HttpCaller(resolve=lambda *_: ["93.184.215.14"], dialled=dial, clock=lambda: now[0])
    errors = [caller.call(request_of("http://dead.example.com/"))[2] or "" for _ in range(FAILURES + 3)]
    assert dialled == FAILURES
    assert [error.startswith("connection: circuit open") for error in errors] == [False] * FAILURES + [True] * 3
    up = True
    assert caller.call(request_of("http://alive.example.com/"))[0] == 500
    now[0] += 30
    for _ in range(3):
        assert caller.call(request_of("http://dead.example.com/"))[0] == 500


def test_what_the_step_did_wrong_opens_no_circuit(request_of: RequestOf, answering: Any) -> None:
    outside = answering(answer(b"{bad"))
    for _ in range(FAILURES + 1):
        outside.caller.call(request_of("http://api.example.com/"))
        outside.caller.call(request_of("http://api.example.com/", headers={"Host": "x"}))
        outside.caller.call(request_of("http://10.0.0.1/"))
    assert len(outside.dialled) == FAILURES + 1
