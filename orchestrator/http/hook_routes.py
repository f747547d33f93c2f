"""`POST /hooks/{provider}`: what providers say about messages. What was not said by the provider itself changes
nothing, and its answer tells nothing: neither whether the provider is configured nor what is wrong."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from fastapi import FastAPI
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from orchestrator.channels.hooks.protocol import Heard, Hook, HookRefused, Posted
from orchestrator.http.problems import RETRY_AFTER_S, HttpRefusal
from orchestrator.http.raw_body import read_body
from orchestrator.http.service import Service
from orchestrator.runtime.hooks import FIGURE, Drawn, take_told
from orchestrator.stores.protocol import RefusedItem, StoreBusy

LARGEST: Final = 1024 * 1024
"""Bytes of a request."""
LONGEST_PROVIDER: Final = 40
_UNREADABLE: Final = frozenset({400, 413, 415, 422})
"""Answers to what may have come from the provider, and could not be read: it is kept for people."""
_KEPT: Final = 2_000


def add_hook_routes(app: FastAPI, service: Service) -> None:
    """POST for all; GET only where a provider asks by it whether the address is ours."""

    async def post(request: Request, provider: str) -> Response:
        try:
            body = await read_body(request, LARGEST)
        except HttpRefusal as refusal:
            return Response(None, refusal.status, refusal.headers)
        return await run_in_threadpool(_take, service, provider, _posted(service, request, provider, body))

    async def get(request: Request, provider: str) -> Response:
        door = service.hooks
        hook = door.hook(provider) if door is not None else None
        if not getattr(hook, "answers_get", False):
            return Response(None, 405, {"Allow": "POST"})
        return await run_in_threadpool(_take, service, provider, _posted(service, request, provider, b""))

    app.add_api_route("/hooks/{provider}", post, methods=["POST"], include_in_schema=False)
    app.add_api_route("/hooks/{provider}", get, methods=["GET", "HEAD"], include_in_schema=False)


def _posted(service: Service, request: Request, provider: str, body: bytes) -> list[Posted]:
    """The request under the address that the provider was most likely given: ours by its settings, or else the one
    under which it came. A signature that covers the address fits one of them."""
    query = request.scope.get("query_string", b"").decode("latin-1")
    path = f"/hooks/{provider}{'?' + query if query else ''}"
    headers = {name.lower(): value for name, value in request.headers.items()}
    host = headers.get("host", "")
    urls = [f"{service.base_url.rstrip('/')}{path}"]
    if host.isascii() and host.isprintable() and len(host) < 300:
        urls += [f"{scheme}://{host}{path}" for scheme in ("https", "http")]
    at = service.real_now()
    return [Posted(request.method, url, headers, body, at) for url in dict.fromkeys(urls)]


def _take(service: Service, provider: str, posted: list[Posted]) -> Response:
    door = service.hooks
    hook = door.hook(provider) if door is not None and len(provider) <= LONGEST_PROVIDER else None
    if door is None or hook is None:
        return Response(None, 403)
    try:
        heard = _read(hook, posted)
    except HookRefused as error:
        _note_refusal(service, provider, error, posted[0].body, posted[0].at)
        return Response(None, error.status)
    drawn = Drawn({})
    if heard.told:
        try:
            with service.arrival() as now:
                drawn = take_told(service.store, provider, heard.told, now, posted[0].at)
        except StoreBusy:
            return Response(None, 503, {"Retry-After": str(RETRY_AFTER_S)})
        if drawn.news:
            service.nudge()
    later = BackgroundTask(_go_out, service, heard.visit, drawn.helps) if heard.visit or drawn.helps else None
    return Response(heard.answer, 200, media_type=heard.content_type, background=later)


def _read(hook: Hook, posted: list[Posted]) -> Heard:
    """Raises HookRefused."""
    for one in posted[:-1]:
        try:
            return hook.read(one)
        except HookRefused as error:
            if error.status not in (401, 403):
                raise
    return hook.read(posted[-1])


def _note_refusal(service: Service, provider: str, error: HookRefused, body: bytes, at: datetime) -> None:
    service.count({f"{FIGURE}{provider}:refused": 1})
    if error.status in _UNREADABLE:
        content = body[:_KEPT].decode("utf-8", "replace").replace("\x00", "")
        try:
            service.store.keep_refused([RefusedItem(at, f"hooks/{provider}", str(error)[:500], content)])
        except StoreBusy:
            return  # it was counted; whoever sent it says it again


def _go_out(service: Service, visit: str | None, helps: tuple[tuple[str, str], ...]) -> None:
    """What is sent because of it, after the answer."""
    door = service.hooks
    if door is None:
        return
    if visit is not None:
        door.visit(visit)
    for channel, address in helps:
        door.answer_help(service.store, channel, address)
