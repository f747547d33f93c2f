"""Whatever arrives: never a 500, and memory that does not grow with it. Bodies without end, bombs, slow ones."""

from __future__ import annotations

import gzip
import json
import resource
import socket
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import uvicorn
from starlette.testclient import TestClient

from orchestrator.http import raw_body
from orchestrator.http.app import make_app
from tests.http.installation import BASE, Installation, installation
from tests.http.json_corpus import REFUSED, TAKEN

MOST_GROWN = 48 * 1024
"""KiB that the process may grow by: many times a body's limit, and a small part of what is sent."""
WHO = b'{"userId":"u1","event":"go","properties":%b}'


@pytest.fixture(scope="module")
def web() -> TestClient:
    return TestClient(make_app(installation()), base_url=BASE)


def test_what_is_json_is_taken(web: TestClient) -> None:
    for text in TAKEN:
        inside = text.removeprefix(b"\xef\xbb\xbf")
        answer = web.post("/v1/track", content=WHO % inside)
        assert answer.status_code == 200, (text, answer.text)
        assert web.post("/v1/track", content=text).json()["code"] in ("no_event", "no_customer"), text


def test_what_is_none_is_refused_with_a_code(web: TestClient) -> None:
    for text in REFUSED:
        for path in ("track", "batch", "b", "import"):
            answer = web.post(f"/v1/{path}", content=text)
            assert answer.status_code == 400, (text[:40], answer.text)
            assert answer.json()["code"] in (
                "bad_json", "bad_number", "not_utf8", "duplicate_key", "nested_too_deeply", "no_object", "no_batch",
            ), (text[:40], answer.text)  # fmt: skip
        assert web.post("/v1/track", content=WHO % text[:3_000]).status_code == 400, text[:40]
        batch = b'{"batch":[%b,{"type":"track","userId":"u","event":"go"}]}' % text[:3_000]
        assert web.post("/v1/batch", content=batch).status_code == 400 or not text.strip(b" \xef\xbb\xbf"), text[:40]


def test_odd_bodies_of_known_shape(web: TestClient) -> None:
    items: list[Any] = [
        None,
        1,
        "x",
        [],
        [[]],
        {},
        {"type": None},
        {"type": []},
        {"type": "track", "event": {}},
        {"type": "x" * 999},
    ]
    answer = web.post("/v1/batch", content=json.dumps({"batch": items}))
    assert answer.status_code == 400 and len(answer.json()["errors"]) == len(items)
    good = {"type": "track", "event": "go", "userId": "u"}
    answer = web.post("/v1/batch", content=json.dumps({"batch": [*items, good], "sentAt": [], "context": 7}))
    assert (answer.status_code, answer.json()["accepted"], answer.json()["refused"]) == (200, 1, len(items))
    wrongs: list[Any] = [{"batch": {}}, {"batch": None}, {"batch": "x"}, {"batch": 1}, {}, [], 1, "x", None]
    for wrong in wrongs:
        assert web.post("/v1/batch", content=json.dumps(wrong)).status_code == 400, wrong
    assert web.post("/v1/batch", content='{"batch":[]}').status_code == 200


# --- sizes, over a real socket --------------------------------------------------------------------------------------


@pytest.fixture
def address() -> Iterator[tuple[Installation, str, int]]:
    site = installation()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        running = uvicorn.Server(uvicorn.Config(make_app(site), log_level="critical", lifespan="off"))
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield (site, *listener.getsockname())
        finally:
            running.should_exit = running.force_exit = True
            thread.join(10)


def grown(before: int) -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before


def status_of(connection: socket.socket) -> int:
    connection.settimeout(20)
    answer = b""
    with suppress(OSError):
        while b"\r\n" not in answer and (more := connection.recv(4_096)):
            answer += more
    return int(answer.split()[1]) if answer else 0


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/t", "/v1/sources/shop", "/v1/m", "/hooks/x"])
def test_a_gigabyte_is_refused_by_its_header(address: tuple[Installation, str, int], path: str) -> None:
    _, *place = address
    with socket.create_connection(tuple(place)) as connection:  # type: ignore[arg-type]
        connection.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {1 << 30}\r\n\r\n".encode())
        assert status_of(connection) == 413


def test_a_gigabyte_in_chunks_is_refused_while_it_comes(address: tuple[Installation, str, int]) -> None:
    _, *place = address
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    before, sent = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 0
    with socket.create_connection(tuple(place)) as connection:  # type: ignore[arg-type]
        connection.settimeout(20)
        connection.sendall(b"POST /v1/batch HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        with suppress(OSError):
            while sent < 1 << 30:
                connection.sendall(chunk)
                sent += 0x10000
        assert status_of(connection) in (413, 0), "0: the connection was closed on us"
    assert sent < 64 << 20 and grown(before) < MOST_GROWN


def bomb(size: int) -> bytes:
    packer, zeros = zlib.compressobj(9, zlib.DEFLATED, 31), b" " * (1 << 20)
    return b"".join([*(packer.compress(zeros) for _ in range(size >> 20)), packer.flush()])


def test_bombs_burst_before_they_grow(web: TestClient) -> None:
    packed = bomb(200 << 20)
    assert len(packed) < 500 * 1024
    nested = gzip.compress(packed)
    many = gzip.compress(b" ") * 2_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for body, codes in ((packed, {"too_large"}), (nested, {"not_utf8", "too_large"}), (many, {"bad_gzip"})):
        answer = web.post("/v1/batch", content=body, headers={"Content-Encoding": "gzip"})
        assert answer.status_code in (400, 413) and answer.json()["code"] in codes
    for encoding in ("deflate", "br", "zstd", "gzip, gzip", "gzip;q=1"):
        assert web.post("/v1/batch", content=b"{}", headers={"Content-Encoding": encoding}).status_code == 415
    assert grown(before) < MOST_GROWN


def test_a_slow_body_is_given_up(address: tuple[Installation, str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_body, "LONGEST_READ_S", 0.4)
    site, *place = address
    began = time.monotonic()
    with socket.create_connection(tuple(place)) as connection:  # type: ignore[arg-type]
        connection.sendall(b"POST /v1/track HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60\r\n\r\n{")
        assert status_of(connection) == 408
    assert time.monotonic() - began < 15
    assert site.store.overview().inbox == 0


def test_a_body_that_ends_too_early_takes_nothing(address: tuple[Installation, str, int]) -> None:
    site, *place = address
    for _ in range(20):
        with socket.create_connection(tuple(place)) as connection:  # type: ignore[arg-type]
            connection.sendall(b"POST /v1/track HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60\r\n\r\n{")
    with socket.create_connection(tuple(place)) as connection:  # type: ignore[arg-type]
        body = b'{"userId":"u","event":"go"}'
        connection.sendall(
            b"POST /v1/track HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        assert status_of(connection) == 200
    assert site.store.overview().inbox == 1
