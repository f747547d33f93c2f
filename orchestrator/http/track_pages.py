"""`/c/...`: links that are counted on their way; `/o/...`: the picture whose loading says that a mail was opened.

A link leads to its target whatever else happens: whoever clicked wants to be there. Programs that follow links before
people do (scanners, previews) are led there as well, and are counted apart.
"""

from __future__ import annotations

import re
from base64 import b64decode
from contextlib import suppress
from typing import Final, Literal
from urllib.parse import quote, urlsplit, urlunsplit

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from orchestrator.core.identity import stable_hash
from orchestrator.core.inbox import Receipt
from orchestrator.core.links import clicked, opened, short_opened
from orchestrator.core.view import LoadedMessage
from orchestrator.errors import UsageError
from orchestrator.http.page import asked_language, page
from orchestrator.http.service import Service
from orchestrator.runtime.ingest import Told, ingest_once
from orchestrator.stores.protocol import StoreBusy

AT_ONCE: Final = 1.0
"""Seconds after a message was decided in which nobody has read it: what follows its links then is a program."""
PICTURE: Final = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_SAFE: Final = ":/?#[]@!$&'()*+,;=%~"
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
    "X-Content-Type-Options": "nosniff",
}
_program: Final = re.compile(
    r"bot\b|bot/|crawl|spider|slurp|preview|\bscan|facebookexternalhit|whatsapp/|skypeuri|telegram|barracuda|mimecast|proofpoint"
    r"|trendmicro|symantec|ironport|forcepoint|safelinks|googleimageproxy|headless|phantomjs|python|aiohttp|httpx|curl/|wget/"
    r"|go-http-client|java/|okhttp|libwww|apache-httpclient|axios|node-fetch|ruby|existence discovery|monitor",
    re.IGNORECASE,
).search
_proxy: Final = re.compile(r"^Mozilla/5\.0$|GoogleImageProxy|ggpht\.com|YahooMailProxy", re.IGNORECASE).search
"""Apple's Mail Privacy Protection loads every picture and says no more than `Mozilla/5.0`; the others load them when a
mail is shown, for whoever shows it."""


def add_track_routes(app: FastAPI, service: Service) -> None:
    """GET counts, HEAD does not."""

    def click(request: Request, token: str) -> Response:
        found = _target(service, token)
        if found is None:
            return _home(service, request)
        target, message = found
        if message is not None and not _by_program(service, request, message):
            _tell(service, message, "click", f"{target} {_minute(service)}", url=target)
        elif message is not None:
            _count(service, "tracking:programs")
        return _led(target)

    def open_(request: Request, token: str) -> Response:
        id = opened(service.secret, "open", token.removesuffix(".gif"))
        if id is not None and request.method == "GET":
            message = _message(service, id)
            agent = request.headers.get("user-agent", "")
            if message is not None and not _prefetched(request):
                hour = _minute(service) // 60
                _tell(service, message, "open", str(hour), proxy=_proxy(agent) is not None)
        return Response(PICTURE, 200, _HEADERS, "image/gif")

    app.add_api_route("/c/{token}", click, methods=["GET", "HEAD"], include_in_schema=False)
    app.add_api_route("/o/{token}", open_, methods=["GET", "HEAD"], include_in_schema=False)


def _target(service: Service, token: str) -> tuple[str, LoadedMessage | None] | None:
    """Where a token leads, and the message it stands in, as long as it is there."""
    long = clicked(service.secret, token)
    if long is not None:
        return long[1], _message(service, long[0])
    short = short_opened(service.secret, token)
    if short is None:
        return None
    message = next((m for m in service.store.messages_under(short.prefix) if short.fits(m.row.id)), None)
    target = service.renderer.target(message.row, short) if message is not None else None
    return (target, message) if target is not None else None


def _message(service: Service, id: str) -> LoadedMessage | None:
    """A database that is away keeps nobody from where the link leads."""
    try:
        return service.store.ledger(id)
    except StoreBusy:
        return None


def _led(target: str) -> Response:
    return Response(None, 302, {**_HEADERS, "Location": _location(target)})


def _location(target: str) -> str:
    """The target as a header holds it. Only what we signed, or what a template of ours says, comes here."""
    try:
        parts = urlsplit(target)
        host = parts.netloc if parts.netloc.isascii() else parts.netloc.encode("idna").decode("ascii")
        target = urlunsplit(parts._replace(netloc=host))
    except ValueError:  # not one that a program can take apart: browsers take more than we do
        pass
    return quote(target, safe=_SAFE, errors="replace")


def _home(service: Service, request: Request) -> Response:
    """For links that lead nowhere any more: the brand's site; without one, our page that says so."""
    try:
        home = service.store.index.project.brand.get("url") or ""
    except UsageError:
        home = ""
    if home.startswith(("https://", "http://")):
        return _led(home)
    return page("gone", asked_language(service, request), service, 404)


def _by_program(service: Service, request: Request, message: LoadedMessage) -> bool:
    if request.method == "HEAD" or _prefetched(request):
        return True
    agent = request.headers.get("user-agent", "")
    if not agent or _program(agent):
        return True
    since = (service.journey_now() - message.row.decided_at).total_seconds() / max(1.0, service.speed)
    return message.status == "queued" or since < AT_ONCE


def _prefetched(request: Request) -> bool:
    given = (request.headers.get(name, "") for name in ("purpose", "sec-purpose", "x-purpose", "x-moz"))
    return any(word in value.lower() for value in given for word in ("prefetch", "preview", "prerender"))


def _minute(service: Service) -> int:
    return int(service.real_now().timestamp()) // 60


def _tell(
    service: Service,
    message: LoadedMessage,
    kind: Literal["open", "click"],
    occasion: str,
    url: str | None = None,
    proxy: bool = False,
) -> None:
    """Through ingest; the same again within the same minute (hour, for opens) says nothing new."""
    row = message.row
    body = Receipt(kind, row.channel, row.id, url=url, proxy=proxy)
    same = f"t-{stable_hash(row.id, kind, occasion):016x}"
    try:
        with service.arrival() as now:
            ingest_once(service.store, [Told(row.customer_id, body, same)], now)
    except StoreBusy:
        return  # who clicked comes first; nobody waits for a figure
    service.nudge()


def _count(service: Service, name: str) -> None:
    with suppress(StoreBusy):
        service.count({name: 1})
