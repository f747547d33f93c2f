"""`/api/v1/journeys`: what is live, how many are in it, and what operators do to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from pydantic import Field

from orchestrator.core.inbox import EnrollmentRequested
from orchestrator.core.program import Journey
from orchestrator.core.view import Switches
from orchestrator.http.api import values
from orchestrator.http.api.arriving import Taken, customer_of, journey_named, told
from orchestrator.http.api.call import Answer, Call
from orchestrator.http.api.frame import Api
from orchestrator.http.api.overviews import overview_of
from orchestrator.http.problems import HttpRefusal
from orchestrator.insights.graph_model import graph_of

_OBJECTS: Final = {"type": "array", "items": {"type": "object"}}
_NO_JOURNEY: Final = {404: "There is no journey of this name"}


class JourneyShown(values.Shown):
    """A journey. Status: live, paused (nobody enters, who is in it stands still) or stopped. `killed`: nothing of it is
    sent. `running`, `parked`: enrollments that are not over."""

    id: str
    title: str
    version: str
    topic: str | None
    stage: str | None
    status: str
    killed: bool
    running: int
    parked: int


class StepCount(values.Shown):
    """How many enrollments stand on a step of a version."""

    version: str
    step: str
    count: int


class JourneyWhole(JourneyShown):
    """A journey, and where those stand who are in it."""

    triggers: list[str]
    holdout: float
    standing: list[StepCount]


class Operated(values.Shown):
    """What was done, and how many customers were told."""

    journey: str
    status: str
    customers: int


class Enrolling(values.Body):
    """Whom to enroll, and the values that become `entry.properties`."""

    customer: values.Id
    values_: dict[str, Any] = Field(default={}, alias="values")


def add_journeys_api(api: Api) -> None:
    """Reading and operating."""
    read: dict[str, Any] = {"tag": "journeys", "scope": "journeys:read"}
    write: dict[str, Any] = {"tag": "journeys", "scope": "journeys:write"}
    api.add("GET", "/journeys", _list, summary="List journeys", answer=JourneyShown, paged=True, **read)
    api.add("GET", "/journeys/{id}", _get, summary="Read a journey", answer=JourneyWhole, refusals=_NO_JOURNEY, **read)
    api.add(
        "GET", "/journeys/{id}/graph", _graph, summary="The picture of a journey", refusals=_NO_JOURNEY,
        answer={
            "type": "object",
            "required": ["journey", "nodes", "edges", "rules"],
            "properties": dict.fromkeys(("nodes", "edges", "rules"), _OBJECTS),
        }, **read,
    )  # fmt: skip
    for action, summary in (
        ("pause", "Let nobody in, and let who is in it stand still"),
        ("resume", "Let it go on"),
        ("stop", "End it for everybody who is in it"),
    ):
        api.add("POST", f"/journeys/{{id}}/{action}", _operating(action), summary=summary, answer=Operated,
                refusals=_NO_JOURNEY, **write)  # fmt: skip
    api.add(
        "POST", "/journeys/{id}/enrollments", _enroll, summary="Enroll a customer", body=Enrolling, answer=Taken,
        description="The journey's own rules decide: reentry, overlap, limits, holdout. The customer's timeline tells "
        "what became of it (`entered` or `refused`). An unknown customer is created.", status=202,
        refusals={**_NO_JOURNEY, 409: "The customer was erased lately, or the journey is paused or stopped"}, **write,
    )  # fmt: skip


def _counted(call: Call) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {}
    for (journey, status), count in overview_of(call.store).enrollments.items():
        counts.setdefault(journey, Counter())[status] += count
    return counts


def _shown(journey: Journey, switches: Switches, counts: Counter[str]) -> dict[str, Any]:
    return {
        "id": journey.id,
        "title": journey.title,
        "version": journey.version,
        "topic": journey.topic,
        "stage": journey.stage,
        "status": _status(journey.id, switches),
        "killed": switches.killed_all or journey.id in switches.killed_journeys,
        "running": counts["running"],
        "parked": counts["parked"],
    }


def _status(journey: str, switches: Switches) -> str:
    return "stopped" if journey in switches.stopped else "paused" if journey in switches.paused else "live"


def _list(call: Call) -> Answer:
    journeys = call.store.index.project.journeys
    after = "" if call.after is None else str(call.after[0])
    ids = sorted(id for id in journeys if id > after)[: call.limit + 1]
    switches, counts = call.store.switches(), _counted(call)
    return call.page(
        ids, lambda id: _shown(journeys[id], switches, counts.get(id, Counter())), lambda id: (id,)
    )  # fmt: skip


def _live(call: Call) -> Journey:
    journey_named(call, call.path["id"], live=True)
    return call.store.index.project.journeys[call.path["id"]]


def _get(call: Call) -> Answer:
    journey = _live(call)
    shown = _shown(journey, call.store.switches(), _counted(call).get(journey.id, Counter()))
    standing = [
        {"version": version, "step": step, "count": count}
        for (name, version, step), count in sorted(call.store.standing().items())
        if name == journey.id
    ]
    triggers = [trigger.id for trigger in journey.triggers]
    return Answer({**shown, "triggers": triggers, "holdout": journey.holdout, "standing": standing})


def _graph(call: Call) -> Answer:
    return Answer(graph_of(_live(call)).as_dict())


def _operating(action: str) -> Callable[[Call], Answer]:
    def throw(known: Switches, name: str) -> Switches:
        if action == "pause":
            return replace(known, paused=known.paused | {name})
        if action == "stop":
            return replace(known, stopped=known.stopped | {name})
        return replace(known, paused=known.paused - {name}, stopped=known.stopped - {name})

    def operate(call: Call) -> Answer:
        name, store = call.path["id"], call.store
        journey_named(call, name)
        switches = store.change_switches(lambda known: throw(known, name))
        told_of = store.operate(name, action, call.now) if action != "pause" else 0
        store.audit(call.real_at, call.actor, action, name)
        call.service.nudge()
        return Answer({"journey": name, "status": _status(name, switches), "customers": told_of})

    return operate


def _enroll(call: Call) -> Answer:
    journey = _live(call)
    status = _status(journey.id, call.store.switches())
    if status != "live":
        raise HttpRefusal(409, f"journey_{status}", f"the journey is {status}: nobody enters it")
    found = call.store.profile(call.body.customer)
    customer = found.id if found is not None else _whoever(call)
    asked = EnrollmentRequested(journey.id, call.body.values_, "api", call.once)
    return Answer(told(call, customer, asked), 202)


def _whoever(call: Call) -> str:
    """Whom the id means, or nobody yet."""
    try:
        return customer_of(call, call.body.customer).id
    except HttpRefusal:
        return str(call.body.customer)
