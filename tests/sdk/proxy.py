"""What stands between clients and a server, and gets in the way: it refuses, cuts connections, loses answers, and ends
the server in the middle of a request."""

from __future__ import annotations

import http.client
import random
import threading
from collections import Counter
from collections.abc import Callable, Collection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

TROUBLES: Final = ("refused", "cut", "lost", "failed")
"""503 without a word to the server; cut before it; the answer is lost; the answer is a 500: the last two were taken."""
SHARE: Final = 0.2
"""Of requests that go wrong."""


class Proxy:
    """A proxy in front of 127.0.0.1:`port`. `strike` is called in the middle of the first request that gets
    through from each of these numbers on."""

    def __init__(self, port: int, seed: int, strikes: Collection[int], strike: Callable[[], None]) -> None:
        self.met: Counter[str] = Counter()
        self._upstream = port
        self._draw = random.Random(seed)
        self._lock = threading.Lock()
        self._count = 0
        self._strikes = sorted(strikes)
        self._strike = strike
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                proxy.handle(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def handle(self, client: BaseHTTPRequestHandler) -> None:
        body = _body(client)
        with self._lock:
            self._count += 1
            striking = bool(self._strikes) and self._count >= self._strikes[0]
            trouble = self._draw.choice(TROUBLES) if self._draw.random() < SHARE and not striking else None
        self.met[trouble or "passed"] += 1
        if trouble == "cut":
            client.close_connection = True
            return
        if trouble == "refused":
            _answer(client, 503, b'{"success":false}')
            return
        try:
            status, answer = self._forward(client, body)
        except OSError:
            self.met["unreachable"] += 1
            _answer(client, 503, b'{"success":false}')
            return
        self.met[f"status {status}"] += 1
        if trouble == "lost":
            client.close_connection = True
        elif trouble == "failed":
            _answer(client, 500, b"{}")
        else:
            _answer(client, status, answer)

    def _forward(self, client: BaseHTTPRequestHandler, body: bytes) -> tuple[int, bytes]:
        kept = {name: value for name, value in client.headers.items() if name.lower() not in _HOP}
        connection = http.client.HTTPConnection("127.0.0.1", self._upstream, timeout=30)
        try:
            connection.request("POST", client.path, body, kept)
            with self._lock:
                striking = bool(self._strikes) and self._count >= self._strikes[0]
                if striking:
                    del self._strikes[0]
            if striking:
                self._strike()
            answer = connection.getresponse()
            return answer.status, answer.read()
        except http.client.HTTPException as error:
            raise OSError(str(error)) from error
        finally:
            connection.close()


_HOP: Final = frozenset({"connection", "transfer-encoding", "content-length", "host", "keep-alive", "expect"})


def _body(client: BaseHTTPRequestHandler) -> bytes:
    if "chunked" in client.headers.get("Transfer-Encoding", ""):
        parts = []
        while size := int(client.rfile.readline().split(b";")[0], 16):
            parts.append(client.rfile.read(size))
            client.rfile.readline()
        client.rfile.readline()
        return b"".join(parts)
    return client.rfile.read(int(client.headers.get("Content-Length", 0)))


def _answer(client: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
    try:
        client.send_response(status)
        client.send_header("Content-Type", "application/json")
        client.send_header("Content-Length", str(len(body)))
        client.end_headers()
        client.wfile.write(body)
    except OSError:
        client.close_connection = True
