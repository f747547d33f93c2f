"""The application: every route of this version, and what is answered where none fits or something fails."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from orchestrator import __version__
from orchestrator.errors import UsageError
from orchestrator.http.api.describe import paths_of
from orchestrator.http.api.frame import PREFIX, Api
from orchestrator.http.api.routes import add_api_routes
from orchestrator.http.browser_routes import add_browser_routes
from orchestrator.http.consent_pages import add_consent_routes
from orchestrator.http.coupon_pages import add_coupon_routes
from orchestrator.http.form_pages import add_form_routes
from orchestrator.http.hook_routes import add_hook_routes
from orchestrator.http.inbox_routes import add_inbox_routes
from orchestrator.http.ingest_routes import add_ingest_routes
from orchestrator.http.page import asked_language, page
from orchestrator.http.probes import add_probe_routes
from orchestrator.http.problems import RETRY_AFTER_S, HttpRefusal, busy, problem
from orchestrator.http.service import Service
from orchestrator.http.source_routes import add_source_routes
from orchestrator.http.status_pages import add_status_routes
from orchestrator.http.survey_pages import add_survey_routes
from orchestrator.http.track_pages import add_track_routes
from orchestrator.http.view_pages import add_view_routes
from orchestrator.stores.protocol import StoreBusy

_MACHINES: Final = (
    "/v1/", "/beacon/", "/sourceConfig", "/api/", "/hooks/", "/inbox/", "/openapi.json", "/healthz", "/readyz",
    "/metrics",
)  # fmt: skip
"""Paths whose errors are problem details; those of all others are pages."""

_SIGNED: Final = ("/u/", "/s/", "/v/", "/k/")
"""Whatever is wrong with an address below these is answered alike."""


def make_app(service: Service) -> FastAPI:
    """An ASGI application over a running installation. It starts and stops nothing."""
    app = FastAPI(
        title="Orchestrator",
        version=__version__,
        summary="Customer journeys: events in, messages out",
        openapi_url="/openapi.json",
        docs_url=None,  # these pages would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    add_ingest_routes(app, service)
    add_browser_routes(app, service)
    add_source_routes(app, service)
    add_hook_routes(app, service)
    add_consent_routes(app, service)
    add_survey_routes(app, service)
    add_form_routes(app, service)
    add_coupon_routes(app, service)
    add_inbox_routes(app, service)
    add_view_routes(app, service)
    add_track_routes(app, service)
    add_probe_routes(app, service)
    add_status_routes(app, service)
    api = add_api_routes(app, service)
    _add_failures(app, service)
    _describe(app, api)
    return app


def _add_failures(app: FastAPI, service: Service) -> None:
    def no_route(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        headers = dict(error.headers or {})
        if _for_machines(request):
            code = "no_such_address" if error.status_code == 404 else HTTPStatus(error.status_code).name.lower()
            return problem(HttpRefusal(error.status_code, code, _words(request, error), headers))
        if error.status_code == 404 and request.url.path.startswith(_SIGNED):
            return _with(headers, page("gone", asked_language(service, request), service, 404))
        return _with(headers, _nothing(service, request, error.status_code, "unknown_page"))

    def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, HttpRefusal)
        if _for_machines(request):
            return problem(error)
        answer = page("gone", asked_language(service, request), service, error.status)
        return _with(error.headers, answer)

    def unavailable(request: Request, error: Exception) -> Response:
        refusal = busy()
        if isinstance(error, UsageError):  # nothing is deployed yet
            refusal = HttpRefusal(503, error.code, str(error), {"Retry-After": str(RETRY_AFTER_S)})
        if _for_machines(request):
            return problem(refusal)
        shown = page("trouble", asked_language(service, request), service, 503, key="busy")
        return _with(refusal.headers, shown)

    def failed(request: Request, error: Exception) -> Response:
        if _for_machines(request):
            return problem(HttpRefusal(500, "internal", "the mistake is ours; it is in the server's log"))
        return page("trouble", asked_language(service, request), service, 500, key="failed")

    app.add_exception_handler(HTTPException, no_route)
    app.add_exception_handler(HttpRefusal, refused)
    app.add_exception_handler(StoreBusy, unavailable)
    app.add_exception_handler(UsageError, unavailable)
    app.add_exception_handler(Exception, failed)


def _for_machines(request: Request) -> bool:
    return request.url.path.startswith(_MACHINES)


def _words(request: Request, error: HTTPException) -> str:
    if error.status_code == 404:
        return "there is nothing at this address; /openapi.json lists what there is"
    return str(error.detail)


def _nothing(service: Service, request: Request, status: int, key: str) -> Response:
    return page("nothing", asked_language(service, request), service, status, key=key, values={})


def _with(headers: Any, answer: Response) -> Response:
    answer.headers.update(headers)
    return answer


def _describe(app: FastAPI, api: Api) -> None:
    """FastAPI learns of routes and security schemes from parameters; ours are read from the raw request."""
    made = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is not None:
            return app.openapi_schema
        schema = made()
        paths, models = paths_of(api.operations, PREFIX)
        schema.setdefault("paths", {}).update(paths)
        components = schema.setdefault("components", {})
        components.setdefault("schemas", {}).update(models)
        components.setdefault("securitySchemes", {}).update(_SECURITY)
        return schema

    app.openapi = described  # type: ignore[method-assign]


_SECURITY: Final[dict[str, Any]] = {
    "writeKey": {
        "type": "http",
        "scheme": "basic",
        "description": "The write key as user name, without a password; or as writeKey in the body",
    },
    "apiKey": {"type": "http", "scheme": "bearer", "description": "A key of `orchestrator keys add --api`"},
    "apiKeyBasic": {"type": "http", "scheme": "basic", "description": "The same key as user name"},
}
