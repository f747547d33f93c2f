"""`/api/v1/customers`: who they are, found by their ids; made, changed, exported and erased."""

from __future__ import annotations

from typing import Any, Final

from pydantic import Field

from orchestrator.core.addresses import stored_address
from orchestrator.core.customer import RESERVED, Customer
from orchestrator.core.devices import ATTRIBUTE as DEVICES
from orchestrator.core.devices import DEVICE_TRAITS
from orchestrator.core.inbox import Identified
from orchestrator.core.inbox_feed import ATTRIBUTE as DISMISSED
from orchestrator.core.transition import jsonable
from orchestrator.http.api import values
from orchestrator.http.api.arriving import Taken, customer_of, told
from orchestrator.http.api.call import Answer, Call
from orchestrator.http.api.frame import Api
from orchestrator.http.problems import HttpRefusal

_OWN: Final = frozenset({
    *RESERVED, *DEVICE_TRAITS, DEVICES, DISMISSED, "stage", "tags", "consents", "created_at", "group",
})  # fmt: skip
"""Names that are no attribute of the brand's."""


class CustomerShown(values.Shown):
    """A customer."""

    id: values.Id
    created_at: values.InstantShown
    email: str | None
    phone: str | None
    timezone: str | None
    locale: str | None
    country: str | None
    currency: str | None
    stage: str | None
    attributes: dict[str, Any]
    tags: list[str]
    segments: list[str]
    consents: dict[str, dict[str, str]] = Field(description="By topic and channel: in, out, pending or expired")


class CustomerChange(values.Body):
    """What changes of a customer; what is left out stays. Null clears a field or an attribute."""

    email: values.Text | None = None
    phone: values.Text | None = None
    timezone: values.Text | None = None
    locale: values.Text | None = None
    country: values.Text | None = None
    currency: values.Text | None = None
    stage: values.Text | None = None
    attributes: dict[values.Name, Any] = Field(default={})
    tags: list[values.Text] | None = Field(default=None, max_length=1_000, description="In place of those there are")


class CustomerNew(CustomerChange):
    """A customer, who may be known already."""

    id: values.Id


class Certificate(values.Shown):
    """The proof of an erasure: keep it. The audit log holds its digest."""

    digest: str


def add_customers_api(api: Api) -> None:
    """Customers themselves; what belongs to them stands in customer_parts."""
    common: dict[str, Any] = {"tag": "customers"}
    api.add(
        "GET", "/customers", _list, scope="customers:read", summary="List customers", answer=CustomerShown, paged=True,
        description="In the order of their ids. A search by address looks at 20,000 customers a page: a page may be "
        "empty and have a `next_cursor` all the same.",
        query=(
            values.text("prefix", "Only those whose ids begin so"),
            values.text("email", "Only those with this e-mail address"),
            values.text("phone", "Only those with this phone number"),
        ), refusals={422: "Two searches at once, or no address that anything could be sent to"},
        **common,
    )  # fmt: skip
    api.add(
        "POST", "/customers", _make, scope="customers:write", summary="Create or change a customer", answer=Taken,
        body=CustomerNew, status=202, refusals={409: "The customer was erased lately"}, **common,
    )  # fmt: skip
    api.add(
        "GET", "/customers/{id}", _get, scope="customers:read", summary="Read a customer", answer=CustomerShown,
        description="By the brand's own id, or any other identifier.", **common,
    )  # fmt: skip
    api.add(
        "PATCH", "/customers/{id}", _change, scope="customers:write", summary="Change a customer", answer=Taken,
        body=CustomerChange, status=202, versioned=True, refusals={409: "The customer was erased lately"}, **common,
    )  # fmt: skip
    api.add(
        "DELETE", "/customers/{id}", _erase, scope="customers:erase", summary="Erase a customer for good",
        description="Everything that names the person goes, everywhere and at once; addresses stay suppressed as "
        "hashes. Nobody can undo it.", answer=Certificate, **common,
    )  # fmt: skip
    api.add(
        "GET", "/customers/{id}/export", _export, scope="customers:read", summary="Everything stored about a customer",
        answer={"type": "object"}, refusals={409: "This database cannot be exported from"}, **common,
    )  # fmt: skip


def customer_shown(c: Customer) -> dict[str, Any]:
    """The document of a customer."""
    consents: dict[str, dict[str, str]] = {}
    for (topic, channel), state in sorted(c.consents.items()):
        consents.setdefault(topic, {})[channel] = state
    return {
        "id": c.id,
        "created_at": values.shown(c.created_at),
        **{name: getattr(c, name) for name in RESERVED},
        "stage": c.stage,
        "attributes": jsonable(dict(c.attributes)),
        "tags": list(c.tags),
        "segments": sorted(c.segments),
        "consents": consents,
    }


def _list(call: Call) -> Answer:
    after = "" if call.after is None else str(call.after[0])
    wanted = [(kind, call.query[kind]) for kind in ("email", "phone") if call.query[kind] is not None]
    if not wanted:
        rows = call.store.profiles(call.query["prefix"] or "", after, call.limit + 1)
        return call.page(rows, customer_shown, lambda c: (c.id,))
    if len(wanted) == 2 or call.query["prefix"] is not None:
        raise HttpRefusal(422, "one_search", "give one of prefix, email and phone")
    [(kind, text)] = wanted
    address = stored_address("email" if kind == "email" else "sms", text, call.store.index.project.country)
    if address is None:
        raise HttpRefusal(422, "bad_address", f"{kind}: this is no address that anything could be sent to")
    found, end = call.store.reached_by(kind, address.normal, after, call.limit)
    return call.listed([customer_shown(c) for c in found], None if end is None else (end,))


def _get(call: Call) -> Answer:
    return Answer(customer_shown(customer_of(call)))


def _make(call: Call) -> Answer:
    return Answer(told(call, call.body.id, Identified(_traits(call, call.body))), 202)


def _change(call: Call) -> Answer:
    customer = customer_of(call)
    call.must_match(customer_shown(customer))
    return Answer(told(call, customer.id, Identified(_traits(call, call.body))), 202)


def _traits(call: Call, body: CustomerChange) -> dict[str, Any]:
    """The traits that a body changes. Raises HttpRefusal (422)."""
    own = sorted(_OWN & body.attributes.keys())
    if own:
        detail = f"{own[0]!a} is no attribute: it stands beside `attributes`, or has a route of its own"
        raise HttpRefusal(422, "reserved_attribute", detail)
    traits: dict[str, Any] = dict(body.attributes)
    for name in (*RESERVED, "stage"):
        if name in body.model_fields_set:
            traits[name] = getattr(body, name)
    if body.tags is not None:
        traits["tags"] = body.tags
    stages = {stage.name for stage in call.store.index.project.stages}
    if traits.get("stage") is not None and traits["stage"] not in stages:
        known = ", ".join(sorted(stages)) or "none"
        raise HttpRefusal(422, "unknown_stage", f"there is no such stage in project.yaml; there is {known}")
    return traits


def _erase(call: Call) -> Answer:
    from orchestrator.runtime.plus_addresses import kept_apart

    customer, store = customer_of(call), call.store
    done = store.erase(customer.id, call.now, call.real_at, call.actor, kept_apart(store))
    if done is None:
        raise HttpRefusal(404, "unknown_customer", "somebody else erased this customer just now")
    return Answer(done.as_dict())


def _export(call: Call) -> Answer:
    from orchestrator.wiring.person import everything_about

    customer = customer_of(call)
    try:
        found = everything_about(call.store, customer.id)
    except TypeError:
        raise HttpRefusal(409, "kept_in_memory", "a store in memory is not exported; use a database") from None
    if found is None:
        raise HttpRefusal(404, "unknown_customer", "somebody else erased this customer just now")
    call.store.audit(call.real_at, call.actor, "customer export", customer.id)
    return Answer(found)
