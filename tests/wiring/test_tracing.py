"""Spans, where somebody wants them: of turns, deliveries and requests, without anything of a customer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from orchestrator.errors import UsageError
from orchestrator.http.app import make_app
from orchestrator.runtime.delivery import deliver_once
from orchestrator.runtime.tracing import span, tracing
from orchestrator.runtime.turns import turn_once
from orchestrator.settings import read_settings
from orchestrator.wiring.tracing import start_tracing, stop_tracing, traced
from tests.http.installation import BASE, installation


@pytest.fixture
def spans() -> Iterator[Any]:
    exporters = pytest.importorskip(
        "opentelemetry.sdk.trace.export.in_memory_span_exporter", reason="the extra `otel` is not installed"
    )
    exporter = exporters.InMemorySpanExporter()
    start_tracing(read_settings(), "worker", exporter)
    yield lambda: {found.name: dict(found.attributes) for found in exporter.get_finished_spans()}
    stop_tracing()


def test_without_a_collector_nothing_is_traced() -> None:
    start_tracing(read_settings(), "worker")
    assert not tracing()
    assert span("turn", customers=1) is span("delivery")
    app = object()
    assert traced(app) is app  # type: ignore[arg-type,comparison-overlap]


def test_turns_deliveries_and_requests_are_spans(spans: Any) -> None:
    site = installation()
    client = TestClient(traced(make_app(site)), base_url=BASE)  # type: ignore[arg-type]
    traits = {"email": "canary@example.com", "consents": {"promotions": {"email": "in"}}}
    batch = [
        {"type": "identify", "userId": "canary", "traits": traits},
        {"type": "track", "userId": "canary", "event": "go", "properties": {"order": 1}},
    ]
    assert client.post("/v1/batch", json={"batch": batch}, auth=("k", "")).status_code == 200
    assert client.get("/u/some-token").status_code == 404
    while turn_once(site.store, site.now).customers:
        pass
    deliver_once(site.store, site.sinks, site.renderer, site.now, klass="promotional")
    found = spans()
    assert found["orchestrator.turn"]["messages"] == 1
    assert found["orchestrator.delivery"] == {
        "lane": "promotional", "claimed": 1, "handed_over": 1, "suppressed": 0, "held": 0, "failed": 0, "retried": 0,
    }  # fmt: skip
    assert found["orchestrator.request"] == {
        "http.request.method": "GET", "http.route": "/u/...", "http.response.status_code": 404,
    }  # fmt: skip
    assert "canary" not in repr(found) and "token" not in repr(found)


def test_a_span_that_fails_names_the_kind_of_error_alone(spans: Any) -> None:
    with pytest.raises(ValueError, match="Ana"), span("turn"):
        raise ValueError("Ana Silva")
    assert spans() == {"orchestrator.turn": {"error.type": "ValueError"}}


def test_a_collector_without_the_extra_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.wiring.tracing.find_spec", lambda name: None)
    monkeypatch.setenv("ORCHESTRATOR_TRACES_URL", "http://localhost:4318/v1/traces")
    with pytest.raises(UsageError, match="pip install 'orchestrator\\[otel\\]'"):
        start_tracing(read_settings(), "worker")
    assert not tracing()
