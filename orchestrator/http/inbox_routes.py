"""`/inbox/{token}`: a customer's inbox, for the brand's own app or page; `/api/v1/customers/{id}/inbox-token`, where
its backend gets the token.

The token says whose inbox it is and until when, so that the app needs no key of ours. Any page may ask (CORS): there is
no cookie that could be misused.
"""

from __future__ import annotations

from datetime import timedelta
from hashlib import blake2b
from typing import Any, Final, get_args

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from orchestrator.core.inbox_feed import inbox_owner, inbox_token
from orchestrator.core.time.durations import parse_fixed
from orchestrator.core.time.iso import format_instant
from orchestrator.http.inbox_feed import PAGE, Deed, feed_of, ids_in, note
from orchestrator.http.problems import HttpRefusal, busy, json_bytes, json_response, problem
from orchestrator.http.raw_body import read_body
from orchestrator.http.service import Service
from orchestrator.http.write_key import check_api_key
from orchestrator.stores.protocol import StoreBusy

DEFAULT_FOR: Final = timedelta(days=7)
LONGEST_FOR: Final = timedelta(days=400)
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
    """The feed, what its reader does, and the tokens."""

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

    def sign(request: Request, id: str) -> Response:
        return _sign(service, request, id)

    for path, methods in (("/inbox/{token}", ["GET"]), ("/inbox/{token}/{deed}", ["POST"])):
        app.add_api_route(path, feed if methods == ["GET"] else deed, methods=methods, include_in_schema=False)
        app.add_api_route(path, preflight, methods=["OPTIONS"], include_in_schema=False)
    app.add_api_route("/api/v1/customers/{id:path}/inbox-token", sign, methods=["GET"], **_DESCRIBED)


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


def _sign(service: Service, request: Request, id: str) -> Response:
    try:
        check_api_key(service.api_keys, service.write_keys, request.headers.get("authorization"))
        lasts = _duration(request.query_params.get("for"))
        if service.store.card(id) is None:
            detail = "nobody has this id; a customer is known from the first event on"
            raise HttpRefusal(404, "unknown_customer", detail)
        until = service.real_now() + lasts
        token = inbox_token(service.secret, id, until)
        told = {"token": token, "url": f"{service.base_url}/inbox/{token}", "expires_at": format_instant(until)}
        return json_response(told, 200, {"Cache-Control": "no-store"})
    except HttpRefusal as refusal:
        return problem(refusal)


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


def _duration(text: str | None) -> timedelta:
    if text is None:
        return DEFAULT_FOR
    try:
        lasts = parse_fixed(text)
    except ValueError as error:
        raise HttpRefusal(400, "bad_duration", f"for: {error}") from None
    if not timedelta(0) < lasts <= LONGEST_FOR:
        raise HttpRefusal(400, "bad_duration", f"for: a token lasts {LONGEST_FOR.days}d at most")
    return lasts


_DESCRIBED: Final[dict[str, Any]] = {
    "name": "inbox_token",
    "summary": "A token that opens one customer's inbox",
    "description": "For the brand's backend, which hands it to the customer's app. `for`: how long it is good (`7d`).",
    "tags": ["inbox"],
    "openapi_extra": {"security": [{"apiKey": []}]},
}
