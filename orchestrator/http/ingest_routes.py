"""`POST /v1/...`: Segment's HTTP tracking API.

Clients disagree about Content-Type (one sends gzipped JSON as a form), so it is not looked at; the body is read raw.
Pages in browsers may send events too: see orchestrator.http.origins.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any, Final

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from orchestrator.http import ingest
from orchestrator.http.origins import preflight, refuse_origin, with_origin
from orchestrator.http.problems import HttpRefusal, problem
from orchestrator.http.raw_body import read_body
from orchestrator.http.segment_items import KINDS
from orchestrator.http.segment_schema import operation_of
from orchestrator.http.service import Service

BATCHES: Final = ("batch", "import")
"""The second is what several of Segment's server-side clients call the first."""
SHORT: Final = {"b": "batch", "t": "track", "p": "page", "i": "identify", "g": "group", "a": "alias", "s": "screen"}
"""Where analytics.js posts to."""
BEACON: Final = "/beacon/v1/batch"
"""Where RudderStack's library for browsers posts to as a page is left, with the write key in the address."""


def add_ingest_routes(app: FastAPI, service: Service) -> None:
    """One route for each kind of item, and those of batches; then the same as browsers' libraries call them."""
    for name in (*BATCHES, *KINDS):  # the first is what most clients send, so that it is found first
        _add(app, service, f"/v1/{name}", name)
    for letter, name in SHORT.items():
        _add(app, service, f"/v1/{letter}", name, described=False)
    _add(app, service, BEACON, "batch", described=False)


def _add(app: FastAPI, service: Service, path: str, name: str, described: bool = True) -> None:
    kind = None if name in BATCHES else name

    async def endpoint(request: Request) -> Response:
        headers = request.headers
        try:
            refuse_origin(service.origins, headers.get("origin"))
            body = await read_body(request, ingest.LARGEST_BATCH)
            came = ingest.Request(kind, body, headers.get("content-encoding"), _authorization(request))
            answer = await run_in_threadpool(ingest.take, service, came)
        except HttpRefusal as refusal:
            answer = problem(refusal)
        return with_origin(answer, service.origins, request)

    async def asked(request: Request) -> Response:
        return preflight(service.origins, request)

    words: dict[str, Any] = operation_of(name) if described else {"include_in_schema": False}
    app.add_api_route(path, endpoint, methods=["POST"], name=path.removeprefix("/v1/"), **words)
    app.add_api_route(path, asked, methods=["OPTIONS"], include_in_schema=False)


def _authorization(request: Request) -> str | None:
    """The header, or the write key of the address, as a beacon has it: it can set no header."""
    given = request.headers.get("authorization")
    if given is None and b"writeKey=" in request.scope.get("query_string", b""):
        key = request.query_params.get("writeKey", "")
        return "Basic " + b64encode(f"{key}:".encode("utf-8", "replace")).decode()
    return given
