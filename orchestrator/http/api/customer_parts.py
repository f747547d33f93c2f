"""`/api/v1/customers/{id}/...`: what belongs to a customer: the past, enrollments, messages, coupons, tasks."""

from __future__ import annotations

from typing import Any

from orchestrator.core.ledger import Coupon
from orchestrator.core.scores import Scores
from orchestrator.core.steps.people import OWNER
from orchestrator.core.transition import jsonable, line_of
from orchestrator.http.api import values
from orchestrator.http.api.arriving import customer_of
from orchestrator.http.api.call import Answer, Call
from orchestrator.http.api.frame import Api
from orchestrator.http.api.groups import GroupShown, group_shown
from orchestrator.http.api.messages import MessageShown, message_shown
from orchestrator.http.api.tasks import TaskShown, task_shown
from orchestrator.stores.instants import micros
from orchestrator.stores.protocol_lists import Happened, Written

_EVENT, _LINE = 0, 1
"""In the key of a timeline: of one instant, the journal's lines come after the events (and are listed before them)."""


class Moment(values.Shown):
    """Something in a customer's life: an `event`, or a `decision` (a line of the journal)."""

    at: values.InstantShown
    kind: str
    name: str
    data: dict[str, Any]


class GivenCoupon(values.Shown):
    """A code that was given to a customer. Status: issued, released, redeemed or void."""

    offer: str
    code: str
    status: str
    issued_at: values.InstantShown
    expires_at: values.InstantShown | None
    journey: str | None
    order_id: str | None


class Names(values.Shown):
    """Where a customer stands."""

    segments: list[str]
    stage: str | None
    tags: list[str]


class Standing(values.Shown):
    """What a customer's scores are now, as time fades them; and who of staff looks after one."""

    scores: dict[str, float]
    owner: str | None


class IdentifierShown(values.Shown):
    """A name of a customer. Kinds: external (the brand's own id), anonymous, email, phone."""

    kind: str
    value: str


def add_customer_parts_api(api: Api) -> None:
    """Reading alone; consents have a module of their own."""
    common: dict[str, Any] = {"tag": "customers", "scope": "customers:read"}
    api.add(
        "GET", "/customers/{id}/timeline", _timeline, summary="What happened to a customer", answer=Moment, paged=True,
        description="Events and decisions, the latest first.", **common,
    )  # fmt: skip
    api.add(
        "GET", "/customers/{id}/messages", _messages, summary="Messages to a customer", answer=MessageShown, paged=True,
        description="The latest first.", tag="customers", scope="messages:read",
    )  # fmt: skip
    api.add("GET", "/customers/{id}/coupons", _coupons, summary="Coupons of a customer",
            answer=values.items_of(GivenCoupon), **common)  # fmt: skip
    api.add("GET", "/customers/{id}/tasks", _tasks, summary="Tasks about a customer", answer=values.items_of(TaskShown),
            tag="customers", scope="tasks:read")  # fmt: skip
    api.add("GET", "/customers/{id}/segments", _segments, summary="Segments, stage and tags of a customer",
            answer=Names, **common)  # fmt: skip
    api.add("GET", "/customers/{id}/scores", _scores, summary="Scores and owner of a customer",
            description="The scores of this instant; they stand beside the customer's document, because time alone "
            "changes them.", answer=Standing, **common)  # fmt: skip
    api.add("GET", "/customers/{id}/groups", _groups, summary="Groups of a customer",
            description="The one that was told of last, which is `customer.group`, comes first.",
            answer=values.items_of(GroupShown), **common)  # fmt: skip
    api.add("GET", "/customers/{id}/identifiers", _identifiers, summary="All ids of a customer",
            answer=values.items_of(IdentifierShown), **common)  # fmt: skip


def _timeline(call: Call) -> Answer:
    customer = customer_of(call).id
    before = call.after
    events_before = lines_before = None
    if before is not None:
        at, kind, seq, n = before
        events_before = (at, seq) if kind == _EVENT else (at + 1, -1)  # those of the instant itself come yet
        lines_before = (at, seq, n) if kind == _LINE else (at, -1, -1)
    events = call.store.happened(customer, None, events_before, call.limit + 1)
    lines = call.store.written(customer, lines_before, call.limit + 1)
    both: list[Happened | Written] = sorted([*events, *lines], key=_place, reverse=True)
    return call.page(both[: call.limit + 1], _moment, _place)


def _place(one: Happened | Written) -> tuple[int, int, int, int]:
    return (one.micros, _EVENT, one.seq, 0) if isinstance(one, Happened) else (one.micros, _LINE, one.seq, one.n)


def _moment(one: Happened | Written) -> dict[str, Any]:
    if isinstance(one, Happened):
        data = {"id": one.id, "properties": jsonable(dict(one.properties))}
        return {"at": values.shown(one.at), "kind": "event", "name": one.name, "data": data}
    line = line_of(one.line)
    data = {name: value for name, value in line.items() if name not in ("at", "type", "customer")}
    return {"at": line["at"], "kind": "decision", "name": one.line.type, "data": data}


def _messages(call: Call) -> Answer:
    customer = customer_of(call).id
    found = call.store.messages_of(customer, call.after, call.limit + 1)
    return call.page(found, message_shown, lambda m: (micros(m.row.at), m.row.id))


def coupon_shown(coupon: Coupon) -> dict[str, Any]:
    """The document of a coupon."""
    return {
        "offer": coupon.offer,
        "code": coupon.code,
        "status": coupon.status,
        "issued_at": values.shown(coupon.issued_at),
        "expires_at": values.shown(coupon.expires_at),
        "journey": coupon.journey,
        "order_id": coupon.order_id,
    }


def _coupons(call: Call) -> Answer:
    return Answer({"items": [coupon_shown(coupon) for coupon in call.store.coupons_of(customer_of(call).id)]})


def _tasks(call: Call) -> Answer:
    return Answer({"items": [task_shown(task) for task in call.store.tasks_of(customer_of(call).id)]})


def _segments(call: Call) -> Answer:
    customer = customer_of(call)
    return Answer({"segments": sorted(customer.segments), "stage": customer.stage, "tags": list(customer.tags)})


def _scores(call: Call) -> Answer:
    customer = customer_of(call)
    owner = customer.attributes.get(OWNER)
    scores = Scores(call.store.index.project.scores, customer.scores).totals(call.now)
    return Answer({"scores": scores, "owner": owner if isinstance(owner, str) else None})


def _groups(call: Call) -> Answer:
    return Answer({"items": [group_shown(group) for group in call.store.groups_of(customer_of(call).id)]})


def _identifiers(call: Call) -> Answer:
    found = call.store.identifiers(customer_of(call).id)
    return Answer({"items": [{"kind": kind, "value": value} for kind, value in found]})
