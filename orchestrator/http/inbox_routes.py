"""`/inbox/{token}`: a customer's inbox, for the brand's own app or page. Its backend gets the token from
`/api/v1/customers/{id}/inbox-token` (orchestrator.http.api.inbox_tokens).

The token says whose inbox it is and until when, so that the app needs no key of ours. Any page may ask (CORS): there is
no cookie that could be misused.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Final, get_args

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from orchestrator.core.inbox_feed import inbox_owner
from orchestrator.http.inbox_feed import PAGE, Deed, feed_of, ids_in, note
from orchestrator.http.problems import HttpRefusal, busy, json_bytes, json_response, problem
from orchestrator.http.raw_body import read_body
from orchestrator.http.service import Service
from orchestrator.stores.protocol import StoreBusy

MOST_ITEMS: Final = 100
LARGEST_BODY: Final = 32_000
_OPEN: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "ETag",
    "Cache-Control": "private, no-cache",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}
_PREFLIGHT: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Content-Type, If-None-Match",
    "Access-Control-Max-Age": "86400",
}


def add_inbox_routes(app: FastAPI, service: Service) -> None:
    """The feed, and what its reader does."""

    def feed(request: Request, token: str) -> Response:
        return _answered(lambda: _feed(service, request, token))

    async def deed(request: Request, token: str, deed: str) -> Response:
        try:
            body = await read_body(request, LARGEST_BODY)
        except HttpRefusal as refusal:
            return _with(problem(refusal))
        return await run_in_threadpool(_answered, lambda: _deed(service, token, deed, body))

    def preflight(token: str, deed: str | None = None) -> Response:
        return Response(None, 204, _PREFLIGHT)

    for path, methods in (("/inbox/{token}", ["GET"]), ("/inbox/{token}/{deed}", ["POST"])):
        app.add_api_route(path, feed if methods == ["GET"] else deed, methods=methods, include_in_schema=False)
        app.add_api_route(path, preflight, methods=["OPTIONS"], include_in_schema=False)


def _feed(service: Service, request: Request, token: str) -> Response:
    customer = _owner(service, token)
    given = request.query_params
    limit = _number(given.get("limit"), PAGE)
    found = feed_of(service, customer, limit, given.get("cursor") or None)
    body = json_bytes({"items": found.items, "unread": found.unread, "cursor": found.cursor})
    tag = f'"{blake2b(body, digest_size=12).hexdigest()}"'
    headers = {**_OPEN, "ETag": tag}
    asked = [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]
    if tag in asked or "*" in asked:
        return Response(None, 304, headers)
    return Response(body, 200, headers, "application/json")


def _deed(service: Service, token: str, deed: str, body: bytes) -> Response:
    customer = _owner(service, token)
    if deed not in get_args(Deed):
        raise HttpRefusal(404, "no_such_address", f"possible are {', '.join(get_args(Deed))}")
    done = note(service, customer, deed, ids_in(body))  # type: ignore[arg-type]
    return json_response({"success": True, "messages": done}, 202)


def _answered(answer: Any) -> Response:
    try:
        return _with(answer())
    except HttpRefusal as refusal:
        return _with(problem(refusal))
    except StoreBusy:
        return _with(problem(busy()))


def _with(answer: Response) -> Response:
    for name, value in _OPEN.items():
        answer.headers.setdefault(name, value)
    return answer


def _owner(service: Service, token: str) -> str:
    customer = inbox_owner(service.secret, token, service.real_now())
    if customer is None:
        detail = "the token is not good, or not any more; get another from /api/v1/customers/{id}/inbox-token"
        raise HttpRefusal(401, "bad_token", detail)
    return customer


def _number(text: str | None, default: int) -> int:
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= MOST_ITEMS):
        raise HttpRefusal(400, "bad_limit", f"limit is a number from 1 to {MOST_ITEMS}")
    return int(text)
