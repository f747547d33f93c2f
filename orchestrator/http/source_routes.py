"""`POST /v1/sources/{source}`: webhooks of shops and payment services, and CloudEvents.

Verified before anything is parsed. Whoever is not the source, and whoever names one that is not configured, is answered
alike. What a source has no words for is answered with 200 and counted: an error would make the shop stop sending.
"""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from orchestrator.http.json_reading import read_document
from orchestrator.http.problems import HttpRefusal, busy, json_response, problem
from orchestrator.http.raw_body import read_body, unpacked
from orchestrator.http.service import Service
from orchestrator.runtime.sources.protocol import Came, Source, SourceRefused
from orchestrator.runtime.sources.registry import KEPT, Taken, take_once
from orchestrator.stores.protocol import RefusedItem, StoreBusy

LARGEST: Final = 2 * 1024 * 1024
"""Bytes of a request: an order with hundreds of lines."""
FIGURE: Final = "source:"
_STRANGER: Final = "this is not the source's own request, or there is no source of this name"
_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "Taken, or of a kind that is not looked at"},
    400: {"description": "Nothing could be read; the raw body is kept"},
    401: {"description": "Not signed by the source, or no such source"},
    408: {"description": "The body came too slowly"},
    413: {"description": "More than 2 MB"},
    415: {"description": "Another Content-Encoding than gzip"},
    503: {"description": "Try again after Retry-After seconds"},
}


def add_source_routes(app: FastAPI, service: Service) -> None:
    """One route for all sources, and the handshake of CloudEvents' webhooks."""

    async def post(request: Request, source: str) -> Response:
        try:
            body = await read_body(request, LARGEST)
            return await run_in_threadpool(_take, service, source, request, body)
        except HttpRefusal as refusal:
            return problem(refusal)

    async def handshake(request: Request, source: str) -> Response:
        """CloudEvents, "HTTP 1.1 Web Hooks": whether this address wants events of that origin, at any rate."""
        origin = request.headers.get("webhook-request-origin")
        door = service.sources
        if origin is None or door is None or door.source(source) is None:
            return Response(None, 204, {"Allow": "POST"})
        return Response(None, 200, {"Allow": "POST", "WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*"})

    body = {"required": True, "content": {"application/json": {"schema": {}}}}
    app.add_api_route(
        "/v1/sources/{source}",
        post,
        methods=["POST"],
        tags=["tracking"],
        summary="A webhook of a configured source",
        responses=_RESPONSES,
        openapi_extra={"requestBody": body},
    )
    app.add_api_route("/v1/sources/{source}", handshake, methods=["OPTIONS"], include_in_schema=False)


def _take(service: Service, name: str, request: Request, packed: bytes) -> Response:
    door = service.sources
    source = door.source(name) if door is not None else None
    if source is None:
        raise HttpRefusal(401, "unknown_source", _STRANGER)
    headers = {key.lower(): value for key, value in request.headers.items()}
    came = Came(headers, packed, service.real_now())
    try:
        source.verify(came)
    except SourceRefused as error:
        service.count({f"{FIGURE}{name}:{error.code}": 1})
        raise HttpRefusal(401, "unknown_source", _STRANGER) from None
    came = came._replace(body=unpacked(packed, headers.get("content-encoding"), LARGEST))
    try:
        with service.arrival() as now:
            taken = take_once(service.store, source, came, _parse, now)
    except SourceRefused as error:
        _keep(service, source, error, came)
        raise HttpRefusal(400, error.code, error.reason) from None
    except RecursionError:
        raise HttpRefusal(400, "nested_too_deeply", "values are nested too deeply") from None
    except StoreBusy:
        raise busy() from None
    return _answer(service, source, taken, came)


def _answer(service: Service, source: Source, taken: Taken, came: Came) -> Response:
    counts, read = taken.counts, taken.read
    told = {"accepted": counts.accepted, "duplicates": counts.duplicates, "ignored": int(read.ignored is not None)}
    told["refused"] = len(counts.refused) + len(read.left)
    figures = {f"{FIGURE}{source.name}:{name}": count for name, count in told.items() if count}
    service.count({**figures, "ingest:accepted": counts.accepted, "ingest:duplicates": counts.duplicates})
    if counts.violations:
        personal = service.store.index.project.personal
        service.violations.note(f"sources/{source.name}", counts.violations, came.at, personal)
    if counts.accepted and counts.shards != frozenset():
        service.nudge(counts.shards)
    return json_response({"success": True, **told})


def _parse(data: bytes) -> Any:
    try:
        return read_document(data).document
    except HttpRefusal as refusal:
        raise SourceRefused(400, refusal.code, refusal.detail) from None


def _keep(service: Service, source: Source, error: SourceRefused, came: Came) -> None:
    service.count({f"{FIGURE}{source.name}:{error.code}": 1})
    content = came.body[:KEPT].decode("ascii", "backslashreplace")
    item = RefusedItem(service.journey_now(), f"sources/{source.name}", f"{error.code}: {error.reason}"[:500], content)
    try:
        service.store.keep_refused([item])
    except StoreBusy:
        return  # it was counted; whoever sent it sends it again
