"""`GET /customers/{id}`: one customer's profile, and the story of what happened and why."""

from __future__ import annotations

from typing import Any, Final
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response

from orchestrator.core.customer import Customer
from orchestrator.core.transition import Transition, jsonable, line_of
from orchestrator.errors import UsageError
from orchestrator.http.page import asked_language, page, root_of
from orchestrator.http.service import Service
from orchestrator.insights.local_time import local_time_of
from orchestrator.insights.sentences import local_text, shown
from orchestrator.insights.why import tell

MOST_LINES: Final = 1_000
"""Entries of the journal that one page tells about; the last ones."""


def customer_page(service: Service, request: Request, id: str) -> Response:
    """The page; 404 for an id that nobody has."""
    language = asked_language(service, request)
    card = service.store.card(id)
    if card is None or card.customer is None:
        return page("nothing", language, service, 404, key="unknown_customer", values={"id": id})
    project = service.store.index.project
    try:
        journal: list[Transition] | None = service.store.journal(id)
    except UsageError:
        journal = None
    local = local_time_of(card.customer, project.timezone)
    story = tell(_lines(journal or []), id, local, journeys=project.journeys)
    titles = {journey.id: journey.title for journey in project.journeys.values()}
    return page(
        "customer", language, service, root=root_of(request), card=card, customer=card.customer,
        profile=_profile(card.customer, local.zone), story=story, titles=titles, kept=journal is not None,
        cut=MOST_LINES if len(journal or []) > MOST_LINES else None,
        local=lambda at: local_text(at, local.zone),
    )  # fmt: skip


def _lines(journal: list[Transition]) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    for transition in journal[-MOST_LINES:]:
        line = line_of(transition)
        if transition.values:
            line["values"] = {name: jsonable(value) for name, value in transition.values.items()}
        lines.append(line)
    return lines


def _profile(customer: Customer, zone: ZoneInfo) -> list[tuple[str, str]]:
    """What is known, as (name, text); names are those of the language."""
    known: list[tuple[str, object]] = [
        (name, getattr(customer, name))
        for name in ("email", "phone", "locale", "timezone", "country", "currency", "stage")
    ]
    rows = [(name, str(value)) for name, value in known if value is not None]
    rows.append(("created_at", local_text(customer.created_at, zone)))
    attributes = sorted(customer.attributes.items())
    rows += [(name, value if isinstance(value, str) else shown(value, zone)) for name, value in attributes]
    return rows
