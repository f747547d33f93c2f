"""`/api/v1/customers/{id}/enrollments`: passages through journeys, why they went as they did, and taking somebody out.

An enrollment is found by its customer: rows of customers stand together, and no index knows enrollments alone.
"""

from __future__ import annotations

from typing import Any

from orchestrator.core.enrollment import Enrollment
from orchestrator.core.inbox import JourneyOperated
from orchestrator.core.transition import jsonable, line_of
from orchestrator.http.api import values
from orchestrator.http.api.arriving import Taken, customer_of, told
from orchestrator.http.api.call import Answer, Call, unknown
from orchestrator.http.api.frame import Api
from orchestrator.http.problems import HttpRefusal
from orchestrator.insights.local_time import local_time_of
from orchestrator.insights.why import story_text, tell
from orchestrator.stores.instants import micros


class EnrollmentShown(values.Shown):
    """A passage through a version of a journey. Status: running, parked, completed or exited. `due_at`: when the engine
    comes back to it (null: only on an event)."""

    id: str
    customer: str
    journey: str
    version: str
    key: str
    trigger: str
    status: str
    reason: str | None
    step: str | None
    entered_at: values.InstantShown
    ended_at: values.InstantShown | None
    due_at: values.InstantShown | None
    until: values.InstantShown | None
    held_out: bool
    converted_at: values.InstantShown | None
    entry: dict[str, Any]


class Sentence(values.Shown):
    """What happened, and on what grounds."""

    at: values.InstantShown
    text: str
    because: list[str]


class Passage(values.Shown):
    """One way through the journey; without a key: what happened at its door."""

    key: str | None
    version: str | None
    told: list[Sentence]


class Chapter(values.Shown):
    """All of one journey."""

    journey: str | None
    title: str | None
    passages: list[Passage]


class Story(values.Shown):
    """What happened to a customer, in sentences; `text` is the whole as people read it."""

    customer: str
    timezone: str
    timezone_of: str | None
    journeys: list[Chapter]
    text: str


def add_enrollments_api(api: Api) -> None:
    """Reading, telling, and taking out."""
    read: dict[str, Any] = {"tag": "enrollments", "scope": "journeys:read"}
    base = "/customers/{id}/enrollments"
    api.add("GET", base, _list, summary="Enrollments of a customer", answer=EnrollmentShown, paged=True,
            description="The latest first.", **read)  # fmt: skip
    api.add("GET", base + "/{enrollment}", _get, summary="Read an enrollment", answer=EnrollmentShown, **read)
    api.add(
        "POST", base + "/{enrollment}/exit", _exit, summary="Take a customer out of a journey", answer=Taken,
        description="It ends within seconds, with the reason `unenrolled`; what is queued is not sent.", status=202,
        tag="enrollments", scope="journeys:write", versioned=True, refusals={409: "It has ended already"},
    )  # fmt: skip
    api.add(
        "GET", "/customers/{id}/why", _why, summary="Why things happened to a customer", answer=Story,
        query=(values.text("journey", "Only of this journey", 200),), **read,
    )  # fmt: skip


def _shown(e: Enrollment) -> dict[str, Any]:
    entry = e.entry.get("properties")
    return {
        "id": e.id,
        "customer": e.customer_id,
        "journey": e.journey,
        "version": e.version,
        "key": e.key,
        "trigger": e.trigger,
        "status": e.status,
        "reason": e.reason,
        "step": e.step,
        "entered_at": values.shown(e.entered_at),
        "ended_at": values.shown(e.ended_at),
        "due_at": values.shown(e.due_at),
        "until": values.shown(e.until_at),
        "held_out": e.held_out,
        "converted_at": values.shown(e.converted_at),
        "entry": jsonable(dict(entry)) if isinstance(entry, dict) else {},
    }


def _list(call: Call) -> Answer:
    found = call.store.passages(customer_of(call).id, call.after, call.limit + 1)
    return call.page(found, _shown, lambda e: (micros(e.entered_at), e.id))


def _found(call: Call) -> Enrollment:
    found = call.store.passage(customer_of(call).id, call.path["enrollment"])
    if found is None:
        raise unknown("unknown_enrollment", "this customer has no enrollment of this id (any more)")
    return found


def _get(call: Call) -> Answer:
    return Answer(_shown(_found(call)))


def _exit(call: Call) -> Answer:
    found = _found(call)
    call.must_match(_shown(found))
    if found.ended:
        raise HttpRefusal(409, "ended", "this enrollment has ended already")
    taken = told(call, found.customer_id, JourneyOperated(found.journey, "exit", found.id))
    call.store.audit(call.real_at, call.actor, "exit", f"{found.journey} {found.id}")
    return Answer(taken, 202)


def _why(call: Call) -> Answer:
    customer, project = customer_of(call), call.store.index.project
    lines = []
    for one in call.store.journal(customer.id):
        line = line_of(one)
        if one.values:
            line["values"] = line_of(one._replace(data={"v": dict(one.values)}))["v"]
        lines.append(line)
    local = local_time_of(customer, project.timezone)
    story = tell(lines, customer.id, local, call.query["journey"], project.journeys)
    titles = {name: journey.title for name, journey in project.journeys.items()}
    return Answer({**story.as_dict(titles), "text": story_text(story, titles)})
