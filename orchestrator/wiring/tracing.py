"""OpenTelemetry, where a setting names a collector: spans of turns, delivery passes, calls and requests."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, MutableMapping
from importlib.util import find_spec
from typing import Any, Final

from orchestrator import __version__
from orchestrator.errors import UsageError
from orchestrator.runtime.tracing import span, trace_with, tracing
from orchestrator.settings import Settings

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_SIGNED: Final = ("u", "s", "v", "customers", "messages")
"""Paths below these name a person, or are as good as a password."""
_providers: dict[int, Any] = {}


def start_tracing(settings: Settings, process: str, exporter: Any = None) -> None:
    """Send spans to the collector of the settings; nothing happens where none is named, or this process does already.

    `exporter`: instead of the collector, for tests. A child that was forked starts anew. Raises UsageError where the
    extra is not installed.
    """
    if (settings.traces_url is None and exporter is None) or os.getpid() in _providers:
        return
    if find_spec("opentelemetry") is None or find_spec("opentelemetry.sdk") is None:
        raise UsageError(
            "ORCHESTRATOR_TRACES_URL is set, and what sends traces is not installed: pip install 'orchestrator[otel]'",
            "no_tracing",
        )
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

    said = {"service.name": "orchestrator", "service.version": __version__, "orchestrator.process": process}
    provider = TracerProvider(resource=Resource.create(said))
    if exporter is None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=settings.traces_url)))
    else:
        provider.add_span_processor(SimpleSpanProcessor(exporter))
    _providers.clear()  # those of a parent have no threads here
    _providers[os.getpid()] = provider
    trace_with(provider.get_tracer("orchestrator", __version__))


def stop_tracing() -> None:
    """Send what is waiting, and trace no more."""
    provider = _providers.pop(os.getpid(), None)
    trace_with(None)
    if provider is not None:
        provider.shutdown()


def traced(app: App) -> App:
    """An application whose requests are spans; the same one where nothing is traced."""
    if not tracing():
        return app

    async def request(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        with span("request", **{"http.request.method": scope["method"], "http.route": _route(scope["path"])}) as said:

            async def answering(message: MutableMapping[str, Any]) -> None:
                if message["type"] == "http.response.start":
                    said("http.response.status_code", message["status"])
                await send(message)

            await app(scope, receive, answering)

    return request


def _route(path: str) -> str:
    """What a span says of a path: nothing that belongs to a person."""
    first, _, rest = path.lstrip("/").partition("/")
    if rest and first in _SIGNED:
        return f"/{first}/..."
    return path if path.startswith(("/v1/", "/healthz", "/readyz", "/metrics")) else f"/{first}"
