"""Probes on a port of their own: `/healthz` and `/metrics` of a worker or a beat, about itself; and of `serve`, where
whoever watches need not come by the public address.

Of a worker and a beat it tells memory and time of the process and of its children, and lets a supervisor see that it
answers; what the installation does as a whole, `serve` tells.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from orchestrator.errors import UsageError
from orchestrator.settings import Settings
from orchestrator.stores.protocol import StoreBusy

_PROC: Final = Path("/proc")
_LONGEST_REQUEST: Final = 10.0
"""Seconds."""


@contextmanager
def answering_probes(
    settings: Settings, kind: str, childless: bool, more: Callable[[], bytes] = lambda: b""
) -> Iterator[int | None]:
    """Answer on the probe port while the process works; gives the port, None where none is set.

    `childless`: whether the process works without children. `more`: other figures, as Prometheus reads them; may raise
    StoreBusy. Raises UsageError for a port that cannot be used.
    """
    if settings.probe_port is None:
        yield None
        return
    handler = type("Handler", (_Handler,), {"kind": kind, "childless": childless, "more": staticmethod(more)})
    try:
        server = ThreadingHTTPServer((settings.probe_host, settings.probe_port), handler)
    except OSError as error:
        raise UsageError(
            f"ORCHESTRATOR_PROBE_PORT {settings.probe_port} cannot be used ({error.strerror}); give another", "bad_port"
        ) from None
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, name="probes", daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    kind: str
    childless: bool
    more: Callable[[], bytes]
    timeout = _LONGEST_REQUEST

    def do_GET(self) -> None:
        """Answer."""
        path = self.path.partition("?")[0]
        if path == "/healthz":
            children = len(_children(os.getpid()))
            well = self.childless or children > 0
            body = {"status": "ok" if well else "no children", "process": self.kind, "children": children}
            self._answer(200 if well else 503, "application/json", json.dumps(body).encode())
        elif path == "/metrics":
            registry = CollectorRegistry(auto_describe=False)
            registry.register(_ProcessFigures(self.kind))
            try:
                self._answer(200, CONTENT_TYPE_LATEST, generate_latest(registry) + self.more())
            except StoreBusy:
                self._answer(503, "text/plain", b"the database cannot be read just now\n")
        else:
            self._answer(404, "text/plain", b"there are /healthz and /metrics\n")

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Probes are not worth a line."""


class _ProcessFigures(Collector):
    def __init__(self, kind: str) -> None:
        self._kind = kind

    def collect(self) -> Iterator[Metric]:
        memory = GaugeMetricFamily("orchestrator_process_memory_bytes", "Resident memory", labels=["process", "pid"])
        time = CounterMetricFamily("orchestrator_process_cpu_seconds", "Time of a core", labels=["process", "pid"])
        me = os.getpid()
        for pid in (me, *_children(me)):
            try:
                words = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it ended just now, or this system tells nothing
            labels = [self._kind if pid == me else f"{self._kind} child", str(pid)]
            memory.add_metric(labels, int(words[21]) * os.sysconf("SC_PAGE_SIZE"))
            time.add_metric(labels, (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK"))
        yield from (memory, time)


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in (_PROC / str(pid) / "task").glob("*/children"):
        try:
            found += map(int, task.read_text().split())
        except OSError:
            continue
    return found
