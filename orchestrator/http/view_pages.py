"""`/v/...`: a message in the browser, the same bytes as mailed; `/assets/...`: the pictures in it."""

from __future__ import annotations

from typing import Final

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from orchestrator.core.ledger import Message
from orchestrator.http.languages import Language
from orchestrator.http.links import linked
from orchestrator.http.page import asked_language, page
from orchestrator.http.service import Service
from orchestrator.templating.failure import RenderError

MAIL_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self' http: https: data:; style-src 'unsafe-inline' http: https:; "
        "font-src http: https: data:; form-action 'none'; base-uri 'none'; frame-ancestors 'self'; "
        "sandbox allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation"
    ),
    "Cache-Control": "private, no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}
"""A mail may look as it likes and do nothing: no scripts, no forms, and an origin of its own."""
_ASSET_HEADERS: Final = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Access-Control-Allow-Origin": "*",
}


def add_view_routes(app: FastAPI, service: Service) -> None:
    """Read only."""

    def view(request: Request, token: str) -> Response:
        found = linked(service, token, "view")
        if found is None:
            return page("gone", asked_language(service, request), service, 404)
        locale = found.customer.locale if found.customer is not None else found.row.locale
        return mailed(service, found.row, asked_language(service, request, locale))

    def asset(request: Request, digits: str, name: str) -> Response:
        found = service.asset(digits, name) if len(digits) >= 12 else None
        if found is None:
            return Response("no such file\n", 404, media_type="text/plain")
        headers = {**_ASSET_HEADERS, "ETag": f'"{found.content_hash}"'}
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(None, 304, headers)
        return Response(found.data, 200, headers, found.media_type)

    app.add_api_route("/v/{token}", view, methods=["GET", "HEAD"], include_in_schema=False)
    app.add_api_route("/assets/{digits}/{name:path}", asset, methods=["GET", "HEAD"], include_in_schema=False)


def mailed(service: Service, row: Message, language: Language) -> Response:
    """The message as it was handed over: its HTML, or its text where it has none."""
    try:
        rendered = service.renderer.render(row)
    except RenderError:
        return page("gone", language, service, 410, text="view_gone")
    if rendered.html is not None:
        return Response(rendered.html.encode(), 200, MAIL_HEADERS, "text/html; charset=utf-8")
    return Response(rendered.text.encode(), 200, MAIL_HEADERS, "text/plain; charset=utf-8")
