"""`/api/v1/events`: events of the brand's own servers, and what a customer did."""

from __future__ import annotations

from typing import Any, Final

from pydantic import Field

from orchestrator.core.transition import jsonable
from orchestrator.http.api import values
from orchestrator.http.api.arriving import arrive, customer_of
from orchestrator.http.api.call import Answer, Call
from orchestrator.http.api.frame import Api
from orchestrator.http.problems import HttpRefusal
from orchestrator.runtime.ingest import Incoming

MOST_EVENTS: Final = 500
LARGEST: Final = 1024 * 1024


class EventNew(values.Body):
    """Something that a customer did. Under the same `id` an event is taken once."""

    customer: values.Id
    name: values.Id
    properties: dict[str, Any] = Field(default={})
    at: values.Instant | None = Field(default=None, description="When it happened; by default now. Never in the future")
    id: values.Id | None = None


class EventsNew(values.Body):
    """Some events."""

    events: list[EventNew] = Field(min_length=1, max_length=MOST_EVENTS)


class EventFault(values.Shown):
    """An event that was not taken, by its place in the request."""

    position: int
    code: str
    detail: str


class EventsTaken(values.Shown):
    """What became of them. Conflicts are events whose id came before with another content: the first one stands."""

    accepted: int
    duplicates: int
    erased: int
    conflicts: list[str]
    errors: list[EventFault]


class EventShown(values.Shown):
    """Something that a customer did."""

    id: str
    name: str
    at: values.InstantShown
    properties: dict[str, Any]


def add_events_api(api: Api) -> None:
    """Sending and reading."""
    api.add(
        "POST", "/events", _send, scope="events:write", tag="events", summary="Send events", body=EventsNew,
        description="Those that can be taken are taken in one transaction; the others are listed. Segment's SDKs send "
        "to `/v1/...` with a write key instead.", answer=EventsTaken, status=202, longest_body=LARGEST,
    )  # fmt: skip
    api.add(
        "GET", "/customers/{id}/events", _list, scope="customers:read", tag="events", summary="Events of a customer",
        description="The latest first.", answer=EventShown, paged=True,
        query=(values.text("name", "Only events of this name"),),
    )  # fmt: skip


def _send(call: Call) -> Answer:
    items = [
        Incoming(one.customer, one.name, one.properties, one.at, one.id or f"{call.once}-{place}")
        for place, one in enumerate(call.body.events)
    ]
    counts = arrive(call, items)
    errors = [{"position": place, "code": "refused", "detail": why} for place, why in counts.refused]
    if errors and len(errors) == len(items):
        raise HttpRefusal(422, "nothing_taken", f"no event could be taken; the first: {counts.refused[0][1]}")
    return Answer(
        {
            "accepted": counts.accepted,
            "duplicates": counts.duplicates,
            "erased": counts.erased,
            "conflicts": list(counts.conflicts),
            "errors": errors,
        },
        202,
    )


def _list(call: Call) -> Answer:
    customer = customer_of(call).id
    found = call.store.happened(customer, call.query["name"], call.after, call.limit + 1)
    return call.page(found, _shown, lambda one: (one.micros, one.seq))


def _shown(one: Any) -> dict[str, Any]:
    properties = jsonable(dict(one.properties))
    return {"id": one.id, "name": one.name, "at": values.shown(one.at), "properties": properties}
