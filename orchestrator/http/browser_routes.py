"""What browsers' libraries ask for before they send anything: analytics.js its settings, RudderStack's its source.

Both are answered so that the library sends everything here, loads nothing from anywhere else, and reports no figures of
its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from orchestrator.http.origins import preflight, refuse_origin, with_origin
from orchestrator.http.problems import HttpRefusal, json_response, problem
from orchestrator.http.raw_body import read_body
from orchestrator.http.service import Service
from orchestrator.http.write_key import given_secret, writer_of

LARGEST_FIGURES: Final = 64 * 1024
_CACHED: Final = {"Cache-Control": "public, max-age=300"}
_ENABLED: Final = {"__default": {"enabled": True, "integrations": {}}}


def add_browser_routes(app: FastAPI, service: Service) -> None:
    """`/v1/projects/KEY/settings`, `/sourceConfig`, and `/v1/m`, which takes a library's figures and forgets them."""

    def settings(request: Request, key: str) -> Response:
        return _answered(service, request, lambda: _settings(service, request, key))

    def source(request: Request) -> Response:
        return _answered(service, request, lambda: _source(service, request))

    async def figures(request: Request) -> Response:
        try:
            refuse_origin(service.origins, request.headers.get("origin"))
            await read_body(request, LARGEST_FIGURES)
        except HttpRefusal as refusal:
            return with_origin(problem(refusal), service.origins, request)
        return with_origin(json_response({"success": True}), service.origins, request)

    async def asked(request: Request) -> Response:
        return preflight(service.origins, request, "GET, POST")

    gets: dict[str, Callable[..., Response]] = {
        "/v1/projects/{key}/settings": settings,
        "/sourceConfig": source,
        "/sourceConfig/": source,
    }
    for path, endpoint in gets.items():
        app.add_api_route(path, endpoint, methods=["GET"], include_in_schema=False)
        app.add_api_route(path, asked, methods=["OPTIONS"], include_in_schema=False)
    app.add_api_route("/v1/m", figures, methods=["POST"], include_in_schema=False)
    app.add_api_route("/v1/m", asked, methods=["OPTIONS"], include_in_schema=False)


def _answered(service: Service, request: Request, make: Any) -> Response:
    try:
        answer: Response = make()
    except HttpRefusal as refusal:
        answer = problem(refusal)
    return with_origin(answer, service.origins, request)


def _settings(service: Service, request: Request, key: str) -> Response:
    """As Segment's CDN gives them (analytics-next, `LegacySettings`)."""
    writer_of(service, None, {"writeKey": key})
    scheme, host = _place(service, request)
    sends = {
        "apiKey": key,
        "apiHost": f"{host}/v1",
        "protocol": scheme,
        "type": "browser",
        "unbundledIntegrations": [],
        "addBundledMetadata": False,
        "maybeBundledConfigIds": {},
        "versionSettings": {"version": "4.4.7", "componentTypes": ["browser"]},
    }
    return json_response(
        {
            "integrations": {"Segment.io": sends},
            "plan": {"track": _ENABLED, "identify": _ENABLED, "group": _ENABLED},
            "edgeFunction": {},
            "analyticsNextEnabled": True,
            "middlewareSettings": {},
            "enabledMiddleware": {},
            "metrics": {"sampleRate": 0, "host": f"{host}/v1"},
            "legacyVideoPluginsEnabled": False,
            "remotePlugins": [],
        },
        headers=_CACHED,
    )


def _source(service: Service, request: Request) -> Response:
    """As RudderStack's control plane gives it: no destinations, and no reports of errors or figures."""
    key = given_secret(request.headers.get("authorization")) or request.query_params.get("writeKey") or ""
    writer_of(service, None, {"writeKey": key})
    scheme, host = _place(service, request)
    off = {"enabled": False}
    place = [{"url": f"{scheme}://{host}", "default": True}]
    source = {
        "id": "orchestrator",
        "name": "orchestrator",
        "writeKey": key,
        "enabled": True,
        "workspaceId": "orchestrator",
        "config": {"statsCollection": {"errors": off, "metrics": off}},
        "destinations": [],
        "connections": [],
        "dataplanes": {"US": place},
    }
    return json_response({"source": source}, headers=_CACHED)


def _place(service: Service, request: Request) -> tuple[str, str]:
    """Scheme and host under which events are taken: ours by the settings, or on the own machine that of the request."""
    own = urlsplit(service.base_url)
    if own.hostname in ("localhost", "127.0.0.1", "::1", None):
        return request.url.scheme, request.headers.get("host", own.netloc)
    return own.scheme, own.netloc + own.path.rstrip("/")
