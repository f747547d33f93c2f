"""What the API puts into customers' inboxes: through the same door as events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestrator.core.customer import Customer
from orchestrator.core.inbox import Body
from orchestrator.http.api import values
from orchestrator.http.api.call import Call, unknown
from orchestrator.http.api.overviews import overview_of
from orchestrator.http.problems import HttpRefusal
from orchestrator.runtime.ingest import Incoming, IngestCounts, Told, ingest_once


class Taken(values.Shown):
    """Something was taken, and is acted on within seconds."""

    customer: values.Id
    message_id: str
    duplicate: bool


def arrive(call: Call, items: Sequence[Incoming | Told]) -> IngestCounts:
    """Put items into inboxes, each once, in one transaction."""
    with call.service.arrival() as now:
        counts = ingest_once(call.store, items, now)
    if counts.accepted and counts.shards != frozenset():
        call.service.nudge(counts.shards)
    call.service.count({"ingest:accepted": counts.accepted, "ingest:duplicates": counts.duplicates})
    return counts


def told(call: Call, customer: str, *bodies: Body) -> dict[str, Any]:
    """Put these into one customer's inbox. Returns the document of `Taken`. Raises HttpRefusal."""
    ids = [call.once if number == 0 else f"{call.once}-{number}" for number in range(len(bodies))]
    counts = arrive(call, [Told(customer, body, id) for body, id in zip(bodies, ids, strict=True)])
    if counts.refused:
        raise HttpRefusal(422, "refused", counts.refused[0][1])
    if counts.erased:
        raise HttpRefusal(409, "erased", "this customer was erased lately; the id is not taken again for a while")
    if counts.conflicts:
        raise HttpRefusal(409, "conflict", "the same write came before with another content; the first one stands")
    return {"customer": customer, "message_id": call.once, "duplicate": counts.duplicates > 0}


def customer_of(call: Call, given: str | None = None) -> Customer:
    """The customer that the path's `id` means: the brand's own id, or any identifier. Raises HttpRefusal (404)."""
    id = call.path["id"] if given is None else given
    found = call.store.profile(id)
    if found is None:
        resolve = getattr(call.store, "resolve", None)
        other = resolve(id) if resolve is not None else None
        found = call.store.profile(other) if other is not None else None
    if found is None:
        raise unknown("unknown_customer", "nobody has this id; a customer is known from the first event on")
    return found


def journey_named(call: Call, name: str, live: bool = False) -> None:
    """Raises HttpRefusal (404) for a journey that is not deployed (and, unless it has to be, has nobody in it)."""
    known = set(call.store.index.project.journeys)
    if name in known:
        return
    if not live:
        known |= {journey for journey, _ in overview_of(call.store).enrollments}
        if name in known:
            return
    from orchestrator.core.expression.nearest import nearest

    raise unknown("unknown_journey", "there is no journey of this name", nearest(name, known))
