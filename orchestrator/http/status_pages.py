"""`GET /`, `/messages/{id}` and `/customers/{id}`: plain pages for those who run the installation.

Nothing here asks who is looking: the server is bound to loopback, and `hosts` keeps foreign names out. They read, and
change nothing. The console with users and roles takes their place later.
"""

from __future__ import annotations

import math
from collections import Counter
from datetime import datetime
from typing import Any, Final, NamedTuple
from urllib.parse import quote
from zoneinfo import ZoneInfo

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from orchestrator.core.ledger import Message
from orchestrator.core.view import LoadedMessage, Switches
from orchestrator.errors import UsageError
from orchestrator.http.customer_page import customer_page
from orchestrator.http.hosts import is_own_host
from orchestrator.http.languages import Language
from orchestrator.http.page import asked_language, page, root_of
from orchestrator.http.service import Service
from orchestrator.http.view_pages import mailed
from orchestrator.http.words import CHANNELS
from orchestrator.insights.sentences import local_text
from orchestrator.runtime.alarms import quota_troubles
from orchestrator.runtime.canary import held
from orchestrator.stores.protocol import Overview, ParkedCustomer, Store
from orchestrator.templating.failure import RenderError

LAST_MESSAGES: Final = 20
LAST_REFUSED: Final = 20
MOST_PARKED: Final = 50
REFRESH_S: Final = 5
"""Seconds between two looks at the status page."""


class JourneyRow(NamedTuple):
    """A journey as the status page shows it. `state` is a key of our words."""

    id: str
    title: str
    version: str
    state: str
    running: int
    parked: int
    held: int = 0
    """Those of `running` whom a canary holds before their first step."""


class Trouble(NamedTuple):
    """Something that is out of order. `what` is a key of our words; `seconds` until it is tried again."""

    what: str
    name: str
    reason: str
    seconds: int | None = None


class MessageRow(NamedTuple):
    """A message as the status page lists it. `subject` None: it has none, or cannot be rendered."""

    message: LoadedMessage
    href: str
    at: str
    subject: str | None


def add_status_routes(app: FastAPI, service: Service) -> None:
    """Each of them is read only."""

    def status(request: Request) -> Response:
        refused = _foreign(service, request)
        return refused if refused is not None else _status(service, request)

    def message(request: Request, id: str) -> Response:
        refused = _foreign(service, request)
        return refused if refused is not None else _message(service, request, id)

    def body(request: Request, id: str) -> Response:
        refused = _foreign(service, request)
        return refused if refused is not None else _body(service, request, id)

    def customer(request: Request, id: str) -> Response:
        refused = _foreign(service, request)
        return refused if refused is not None else customer_page(service, request, id)

    def find(request: Request, id: str = "") -> Response:
        refused = _foreign(service, request)
        root = root_of(request)
        where = f"{root}/customers/{quote(id.strip(), safe='', errors='replace')}" if id.strip() else f"{root}/"
        return refused if refused is not None else RedirectResponse(where, 303)

    paths = (
        ("/", status),
        ("/messages/{id:path}/body", body),
        ("/messages/{id:path}", message),
        ("/customers", find),
        ("/customers/{id:path}", customer),
    )
    for path, endpoint in paths:
        app.add_api_route(path, endpoint, methods=["GET", "HEAD"], include_in_schema=False)


def _foreign(service: Service, request: Request) -> Response | None:
    if is_own_host(request.headers.get("host"), service.base_url):
        return None
    return page("nothing", asked_language(service, request), service, 421, key="wrong_host", values={})


def _status(service: Service, request: Request) -> Response:
    language = asked_language(service, request)
    store = service.store
    try:
        project = store.index.project
    except UsageError:
        return page("nothing", language, service, 503, key="not_ready", values={})
    overview, switches, zone = store.overview(), store.switches(), project.timezone
    now, real = service.journey_now(), service.real_now()
    refresh = request.query_params.get("refresh") != "off"
    by_kind: dict[str, Any] = {
        "messages": sorted(overview.messages.items()),
        "coupons": sorted(overview.coupons.items()),
        "tasks": sorted(overview.tasks_open.items()),
    }
    return page(
        "status", language, service, root=root_of(request),
        overview=overview, journeys=_journeys(store, switches, overview), now=local_text(now, zone), zone=str(zone),
        real=None if service.speed == 1 and abs((now - real).total_seconds()) < 60 else local_text(real, zone),
        speed=f"{service.speed:g}", oldest=_local(overview.oldest_at, zone), refresh=REFRESH_S if refresh else None,
        latest=[_row(service, found, zone) for found in store.latest_messages(LAST_MESSAGES)],
        parked=[(one, _local(one.parked_at, zone), _resume(store, one)) for one in overview.parked[:MOST_PARKED]],
        parked_left=max(0, len(overview.parked) - MOST_PARKED),
        troubles=_troubles(service, language),
        refused=[(one, _local(one.at, zone)) for one in store.refused(LAST_REFUSED)],
        customer_href=customer_href, **by_kind,
    )  # fmt: skip


def _troubles(service: Service, language: Language) -> list[Trouble]:
    """Channels whose circuit is not closed, lanes whose last pass failed, and what else is worth knowing first."""
    channels = CHANNELS[language]
    noted = [Trouble("is_notice", name, why) for name, why in service.degraded().items()]
    found = noted + [
        Trouble("is_channel", channels.get(name, name), circuit.reason or "", math.ceil(circuit.probe_in) or None)
        for name, circuit in service.circuits().items()
        if circuit.state != "closed"
    ]
    found += [Trouble("is_notice", t.name, t.what) for t in quota_troubles(service.store, service.real_now())]
    return found + [Trouble("is_lane", lane.name, lane.last_error or "") for lane in service.lanes() if lane.failing]


def _journeys(store: Store, switches: Switches, overview: Overview) -> list[JourneyRow]:
    rows = []
    canaries = {canary.journey for canary in switches.canaries}
    waiting = held(store) if canaries else Counter[str]()
    for journey in sorted(store.index.project.journeys.values(), key=lambda journey: journey.id):
        state = "live"
        if journey.id in switches.stopped:
            state = "stopped"
        elif journey.id in switches.paused:
            state = "paused"
        elif journey.id in switches.killed_journeys or switches.killed_all:
            state = "killed"
        elif journey.id in canaries:
            state = "canary"
        counts = [overview.enrollments.get((journey.id, status), 0) for status in ("running", "parked")]
        known = (journey.id, journey.title, journey.version, state)
        rows.append(JourneyRow(*known, counts[0], counts[1], waiting[journey.id]))
    return rows


def _resume(store: Store, parked: ParkedCustomer) -> str:
    """The command that takes this customer up again: of a journey that it is in, where one is known."""
    card = store.card(parked.customer)
    inside = [e.journey for e in card.enrollments if not e.ended] if card is not None else []
    journeys = [*inside, *sorted(store.index.project.journeys)]
    return f"orchestrator resume {journeys[0] if journeys else 'JOURNEY'}"


def _row(service: Service, found: LoadedMessage, zone: ZoneInfo) -> MessageRow:
    row = found.row
    try:
        rendered = service.renderer.render(row)
        subject = rendered.subject or rendered.text.strip()[:80]
    except RenderError:
        subject = None
    return MessageRow(found, _message_href(row), local_text(row.decided_at, zone), subject)


def _message(service: Service, request: Request, id: str) -> Response:
    language = asked_language(service, request)
    found = service.store.ledger(id)
    if found is None:
        return page("nothing", language, service, 404, key="unknown_message", values={"id": id})
    zone = service.store.index.project.timezone
    row, rendered, error = found.row, None, None
    try:
        rendered = service.renderer.render(row)
    except RenderError as failure:
        error = str(failure)
    times = {"decided": row.decided_at, "opened": found.opened_at, "clicked": found.clicked_at}
    return page(
        "message", language, service, root=root_of(request), message=found, row=row, rendered=rendered, error=error,
        times={name: local_text(at, zone) for name, at in times.items() if at is not None},
        body_href=f"{_message_href(row)}/body", customer_href=customer_href,
    )  # fmt: skip


def _body(service: Service, request: Request, id: str) -> Response:
    language = asked_language(service, request)
    found = service.store.ledger(id)
    if found is None:
        return page("nothing", language, service, 404, key="unknown_message", values={"id": id})
    return mailed(service, found.row, language)


def customer_href(id: str) -> str:
    """Where a customer's page is, below the root."""
    return f"/customers/{quote(id, safe='', errors='replace')}"


def _message_href(row: Message) -> str:
    return f"/messages/{quote(row.id, safe='', errors='replace')}"


def _local(at: datetime | None, zone: ZoneInfo) -> str | None:
    return None if at is None else local_text(at, zone)
