"""`POST /v1/...`: Segment's HTTP tracking API.

Clients disagree about Content-Type (one sends gzipped JSON as a form), so it is not looked at; the body is read raw.
Pages in browsers may send events too, so that the answers say so (CORS).
"""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from orchestrator.http import ingest
from orchestrator.http.problems import HttpRefusal, problem
from orchestrator.http.raw_body import read_body
from orchestrator.http.segment_items import KINDS
from orchestrator.http.segment_schema import operation_of
from orchestrator.http.service import Service

BATCHES: Final = ("batch", "import")
"""The second is what several of Segment's server-side clients call the first."""
_ANY_ORIGIN: Final = {"Access-Control-Allow-Origin": "*"}
_PREFLIGHT: Final = {
    **_ANY_ORIGIN,
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Content-Encoding",
    "Access-Control-Max-Age": "86400",
}


def add_ingest_routes(app: FastAPI, service: Service) -> None:
    """One route for each kind of item, and those of batches."""
    for name in (*BATCHES, *KINDS):  # the first is what most clients send, so that it is found first
        _add(app, service, name)


def _add(app: FastAPI, service: Service, name: str) -> None:
    kind = None if name in BATCHES else name

    async def endpoint(request: Request) -> Response:
        headers = request.headers
        try:
            body = await read_body(request, ingest.LARGEST_BATCH)
            came = ingest.Request(kind, body, headers.get("content-encoding"), headers.get("authorization"))
            answer = await run_in_threadpool(ingest.take, service, came)
        except HttpRefusal as refusal:
            answer = problem(refusal)
        answer.headers.update(_ANY_ORIGIN)
        return answer

    async def preflight() -> Response:
        return Response(None, 204, _PREFLIGHT)

    described: dict[str, Any] = operation_of(name)
    app.add_api_route(f"/v1/{name}", endpoint, methods=["POST"], name=name, **described)
    app.add_api_route(f"/v1/{name}", preflight, methods=["OPTIONS"], include_in_schema=False)
