"""`/healthz`, `/readyz` and `/metrics`: for what watches the process."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from threading import Lock
from time import monotonic
from typing import Any, Final

from fastapi import FastAPI
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from orchestrator.errors import UsageError
from orchestrator.http.hosts import is_own_host
from orchestrator.http.problems import RETRY_AFTER_S, busy, json_response, problem
from orchestrator.http.service import Service
from orchestrator.stores.protocol import Overview, StoreBusy

PROBE_MARK: Final = "readyz"
"""The named instant that the readiness probe writes: whoever can write it can write anything."""
CHEAP: Final = 0.02
"""Seconds that a look at the figures may take without being kept."""
LONGEST_KEPT: Final = 120.0
_UNPRINTABLE: Final = re.compile(r"[\ud800-\udfff]")


def add_probe_routes(app: FastAPI, service: Service) -> None:
    """None of them asks for a key, and none tells anything about customers but numbers."""

    def healthz() -> Response:
        return json_response({"status": "ok"})

    def readyz() -> Response:
        checks = {"store": _store_fault(service), "deployed": _deploy_fault(service), "loop": _loop_fault(service)}
        ready = not any(checks.values())
        degraded = dict(service.degraded())  # nothing is lost by it: who sends events must not be turned away
        status = "not ready" if not ready else "degraded" if degraded else "ok"
        body: dict[str, Any] = {"status": status, "checks": {name: why or "ok" for name, why in checks.items()}}
        if degraded:
            body["degraded"] = degraded
        return json_response(body, 200 if ready else 503, None if ready else {"Retry-After": str(RETRY_AFTER_S)})

    figures = Kept(lambda: metrics_of(service))

    def metrics(request: Request) -> Response:
        if not is_own_host(request.headers.get("host"), service.base_url):
            return Response("this address is not the installation's own\n", 421, media_type="text/plain")
        try:
            return Response(figures(), 200, None, CONTENT_TYPE_LATEST)
        except StoreBusy:
            return problem(busy())

    routes = (
        ("/healthz", healthz, "The process answers"),
        ("/readyz", readyz, "Work can be done"),
        ("/metrics", metrics, "Figures for Prometheus"),
    )
    for path, endpoint, summary in routes:
        described: dict[int | str, Any] = {} if path == "/healthz" else {503: {"description": "Not now"}}
        kind = PlainTextResponse if path == "/metrics" else JSONResponse
        app.add_api_route(
            path, endpoint, methods=["GET"], tags=["probes"], summary=summary, responses=described, response_class=kind
        )
        app.add_api_route(path, endpoint, methods=["HEAD"], include_in_schema=False)


class Kept:
    """An answer that is given again for a while: the longer, the more it cost, so that whoever asks often takes one
    core in a hundred at most. A small database is asked each time."""

    def __init__(self, ask: Callable[[], bytes], clock: Callable[[], float] = monotonic) -> None:
        self._ask = ask
        self._clock = clock
        self._answer = b""
        self._until = float("-inf")
        self._lock = Lock()

    def __call__(self) -> bytes:
        """The answer. One caller asks, the others wait for what it finds."""
        with self._lock:
            began = self._clock()
            if began >= self._until:
                self._answer = self._ask()
                ended = self._clock()
                cost = ended - began
                self._until = ended + min(LONGEST_KEPT, cost * 100) if cost > CHEAP else ended
            return self._answer


def _store_fault(service: Service) -> str | None:
    try:
        service.store.mark(PROBE_MARK, service.real_now())
    except StoreBusy:
        return "the database cannot be written just now"
    return None


def _deploy_fault(service: Service) -> str | None:
    try:
        service.store.index  # noqa: B018 - it raises where nothing is deployed
    except UsageError as error:
        return str(error)
    return None


def _loop_fault(service: Service) -> str | None:
    lag, bound = service.loop_lag().total_seconds(), service.lag_bound.total_seconds()
    return None if lag <= bound else f"the engine is {lag:.1f} s late; {bound:g} s are allowed"


def metrics_of(service: Service) -> bytes:
    """All figures, as Prometheus reads them. Raises StoreBusy."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_OverviewCollector(service.store.overview(), service.loop_lag().total_seconds()))
    own = service.registry
    return generate_latest(registry) + (generate_latest(own) if own is not None else b"")


class _OverviewCollector(Collector):
    """One look at the store as gauges."""

    def __init__(self, overview: Overview, lag: float) -> None:
        self._overview = overview
        self._lag = lag

    def collect(self) -> Iterable[Metric]:
        o = self._overview
        yield _one("customers", "Customers", o.customers)
        yield _one("inbox_items", "Items that wait for a turn", o.inbox)
        yield _one("messages_queued", "Messages that wait for hand-over", o.queued)
        yield _one("requests_pending", "Calls that wait to be made", o.requests)
        yield _one("refused_items", "Items that could not be taken", o.refused)
        yield _one("parked_customers", "Customers whose decisions failed", len(o.parked))
        yield _one("loop_lag_seconds", "How late the engine is, in real time", self._lag)
        yield _many("messages", "Messages by channel and status", ("channel", "status"), sorted(o.messages.items()))
        yield _many(
            "enrollments", "Enrollments by journey and status", ("journey", "status"), sorted(o.enrollments.items())
        )
        yield _many("coupons", "Coupons by offer and status", ("offer", "status"), sorted(o.coupons.items()))
        tasks = [((queue,), count) for queue, count in sorted(o.tasks_open.items())]
        yield _many("tasks_open", "Open tasks by queue", ("queue",), tasks)


def _one(name: str, help: str, value: float) -> Metric:
    return GaugeMetricFamily(f"orchestrator_{name}", help, value)


def _many(name: str, help: str, labels: tuple[str, ...], values: Iterable[tuple[Sequence[str], int]]) -> Metric:
    family = GaugeMetricFamily(f"orchestrator_{name}", help, labels=labels)
    for key, count in values:
        family.add_metric([_UNPRINTABLE.sub("?", part) for part in key], count)
    return family
