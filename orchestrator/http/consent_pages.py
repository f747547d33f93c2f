"""`/u/...`: unsubscribe and preferences. Only POST acts; mail programs and link scanners may look as often as they
like (RFC 8058)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, NamedTuple

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from orchestrator.core.customer import Customer
from orchestrator.core.inbox import ConsentChanged
from orchestrator.core.ledger import Message
from orchestrator.core.links import token as signed
from orchestrator.core.program import Channel
from orchestrator.core.project import Topic
from orchestrator.http.forms import read_form
from orchestrator.http.languages import Language
from orchestrator.http.links import Linked, linked
from orchestrator.http.page import asked_language, page, root_of
from orchestrator.http.service import Service
from orchestrator.runtime.ingest import ingest_once

_ADDRESSES: Final[Mapping[str, str]] = {"email": "email", "sms": "phone", "whatsapp": "phone"}
"""Channels and the field of the profile without which nothing can reach a customer there."""


class Choice(NamedTuple):
    """One box of the preferences: what comes about a topic on a channel."""

    field: str
    topic: Topic
    channel: Channel
    chosen: bool


def add_consent_routes(app: FastAPI, service: Service) -> None:
    """GET and HEAD show, POST acts."""

    def show(request: Request, token: str) -> Response:
        found = linked(service, token, "unsubscribe", "preferences")
        language = _language(service, request, found)
        if found is None:
            return page("gone", language, service, 404)
        return _shown(service, found, language, root_of(request))

    async def act(request: Request, token: str) -> Response:
        form = await read_form(request)
        return await run_in_threadpool(_act, service, request, token, form)

    app.add_api_route("/u/{token}", show, methods=["GET", "HEAD"], include_in_schema=False)
    app.add_api_route("/u/{token}", act, methods=["POST"], include_in_schema=False)


def _act(service: Service, request: Request, token: str, form: Mapping[str, str]) -> Response:
    found = linked(service, token, "unsubscribe", "preferences")
    language = _language(service, request, found)
    if found is None:
        return page("gone", language, service, 404)
    root = root_of(request)
    row, customer = found.row, found.customer
    if customer is None:
        return page("gone", language, service, 404)
    if form.get("act") == "all" or (found.purpose == "unsubscribe" and row.klass == "transactional"):
        stopped = _everything(service)
        _tell(service, customer, [ConsentChanged(topic.id, row.channel, "out") for topic in stopped])
        return _done(service, found, language, root, stopped)
    if found.purpose == "preferences":
        _tell(service, customer, _changed(_choices(service, customer, row), form))
        return _preferences(service, found, language, form)
    # Whatever else is posted here means no: a mail program's one click, our button, or a form that was cut off.
    _tell(service, customer, [ConsentChanged(row.topic, row.channel, "out")])
    return _done(service, found, language, root)


def _tell(service: Service, customer: Customer, changes: Iterable[ConsentChanged]) -> None:
    """Through ingest, whose transaction makes an opt-out effective at once.

    An opt-out is always told: an opt-in that was chosen before and is not decided yet must not outlive it.
    """
    news = [c for c in changes if c.state == "out" or customer.consents.get((c.topic, c.channel)) != "in"]
    if news:
        with service.arrival() as now:
            ingest_once(service.store, [(customer.id, change) for change in news], now)
        service.nudge()


def _everything(service: Service) -> list[Topic]:
    """Today's topics that somebody can be unsubscribed from."""
    return [topic for topic in service.store.index.project.topics.values() if topic.klass != "transactional"]


def _choices(service: Service, customer: Customer, row: Message) -> list[Choice]:
    """Every topic on every channel on which the customer can be reached, with what holds now."""
    project = service.store.index.project
    channels = [channel for channel in (*project.channels, row.channel) if _reachable(customer, channel)]
    choices = []
    for topic in project.topics.values():
        if topic.klass == "transactional":
            continue
        for channel in dict.fromkeys([*channels, row.channel]):
            state = customer.consents.get((topic.id, channel))
            chosen = state == "in" or (state is None and topic.klass == "service")
            choices.append(Choice(f"{topic.id}.{channel}", topic, channel, chosen))
    return choices


def _reachable(customer: Customer, channel: str) -> bool:
    field = _ADDRESSES.get(channel)
    return field is not None and getattr(customer, field) is not None


def _changed(choices: Iterable[Choice], form: Mapping[str, str]) -> list[ConsentChanged]:
    """The boxes that differ from what they showed. `<field>.was` says that a box was on the page, and how it stood:
    a topic that was deployed since, or a choice made elsewhere meanwhile, is left alone."""
    changes = []
    for choice in choices:
        was = form.get(f"{choice.field}.was")
        wanted = choice.field in form
        if was is None or wanted == (was == "in"):
            continue
        state: Literal["in", "out"] = "in" if wanted else "out"
        changes.append(ConsentChanged(choice.topic.id, choice.channel, state))
    return changes


def _shown(service: Service, found: Linked, language: Language, root: str) -> Response:
    if found.customer is None:
        return page("gone", language, service, 404)
    if found.purpose == "preferences":
        return _preferences(service, found, language)
    row = found.row
    out = found.customer.consents.get((row.topic, row.channel)) == "out"
    return page("unsubscribe", language, service, **_about(service, found, root), out=out)


def _done(
    service: Service, found: Linked, language: Language, root: str, stopped: Iterable[Topic] | None = None
) -> Response:
    """What was done, exactly. `stopped`: these topics, on the channel; None: the message's own."""
    names = None if stopped is None else [topic.title or topic.id for topic in stopped]
    return page("unsubscribed", language, service, **_about(service, found, root), stopped=names)


def _preferences(
    service: Service, found: Linked, language: Language, saved: Mapping[str, str] | None = None
) -> Response:
    """The boxes. After saving they stand as they were posted: an opt-in is stored by the customer's next turn."""
    customer, row = found.customer, found.row
    assert customer is not None
    topics: dict[str, dict[str, Any]] = {}
    for choice in _choices(service, customer, row):
        if saved is not None and f"{choice.field}.was" in saved:
            choice = choice._replace(chosen=choice.field in saved)
        name = choice.topic.title or choice.topic.id
        topics.setdefault(choice.topic.id, {"name": name, "choices": []})["choices"].append(choice)
    groups = list(topics.values())
    return page("preferences", language, service, topics=groups, channel=row.channel, saved=saved is not None)


def _about(service: Service, found: Linked, root: str) -> dict[str, Any]:
    row = found.row
    topic = service.store.index.project.topics.get(row.topic)
    return {
        "topic": (topic.title if topic is not None else "") or row.topic,
        "channel": row.channel,
        "transactional": row.klass == "transactional",
        "preferences": f"{root}/u/{signed(service.secret, 'preferences', row.id)}",
    }


def _language(service: Service, request: Request, found: Linked | None) -> Language:
    locale = found.customer.locale if found is not None and found.customer is not None else None
    return asked_language(service, request, locale or (found.row.locale if found is not None else None))
