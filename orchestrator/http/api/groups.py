"""`/api/v1/groups`: companies, accounts, households; what is known of them, and who is in them."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from orchestrator.core.inbox import Grouped
from orchestrator.core.transition import jsonable
from orchestrator.http.api import values
from orchestrator.http.api.arriving import Taken, customer_of, told
from orchestrator.http.api.call import Answer, Call, unknown
from orchestrator.http.api.frame import Api
from orchestrator.http.problems import HttpRefusal
from orchestrator.runtime.groups import GroupRefused, change_group
from orchestrator.stores.protocol_groups import Group


class GroupShown(values.Shown):
    """A group. `traits`: what was told of it; every member has them as `customer.group`."""

    id: values.Id
    traits: dict[str, Any]
    changed_at: values.InstantShown


class GroupCounted(GroupShown):
    """A group, with the number of its members."""

    members: int


class GroupChange(values.Body):
    """What changes of a group; what is left out stays, null takes a trait away."""

    traits: dict[values.Name, Any] = Field(default={})


class GroupMemberShown(values.Shown):
    """A customer in a group, since that was said last."""

    customer: values.Id
    joined_at: values.InstantShown


def add_groups_api(api: Api) -> None:
    """Groups and their members."""
    common: dict[str, Any] = {"tag": "groups"}
    member: dict[str, Any] = {
        "scope": "customers:write", "answer": Taken, "status": 202,
        "refusals": {404: "There is no such group, or nobody has this id", 409: "The customer was erased lately"},
    }  # fmt: skip
    api.add(
        "GET", "/groups", _list, scope="customers:read", summary="List groups", answer=GroupShown, paged=True,
        description="In the order of their ids.", query=(values.text("prefix", "Only those whose ids begin so"),),
        **common,
    )  # fmt: skip
    api.add(
        "GET", "/groups/{id}", _get, scope="customers:read", summary="Read a group", answer=GroupCounted,
        refusals={404: "There is no such group"}, **common,
    )  # fmt: skip
    api.add(
        "PATCH", "/groups/{id}", _change, scope="customers:write", summary="Create or change a group",
        description="Its members hear of it within seconds, however many they are.", answer=GroupCounted,
        body=GroupChange, versioned=True, refusals={422: "This cannot be kept"}, **common,
    )  # fmt: skip
    api.add(
        "GET", "/groups/{id}/members", _members, scope="customers:read", summary="Customers in a group",
        description="In an order of the database's own.", answer=GroupMemberShown, paged=True,
        refusals={404: "There is no such group"}, **common,
    )  # fmt: skip
    api.add(
        "PUT", "/groups/{id}/members/{customer}", _join, summary="Put a customer into a group",
        description="The group is the customer's `customer.group` from then on.", **member, **common,
    )  # fmt: skip
    api.add(
        "DELETE", "/groups/{id}/members/{customer}", _leave, summary="Take a customer out of a group",
        description="Where it was `customer.group`, the one before takes its place.", **member, **common,
    )  # fmt: skip


def group_shown(group: Group) -> dict[str, Any]:
    """The document of a group."""
    return {"id": group.id, "traits": jsonable(dict(group.traits)), "changed_at": values.shown(group.changed_at)}


def _counted(call: Call, group: Group) -> dict[str, Any]:
    return {**group_shown(group), "members": call.store.group_size(group.id)}


def _known(call: Call) -> Group:
    found = call.store.group(call.path["id"])
    if found is None:
        raise unknown("unknown_group", "nobody told of such a group")
    return found


def _list(call: Call) -> Answer:
    after = "" if call.after is None else str(call.after[0])
    found = call.store.groups(call.query["prefix"] or "", after, call.limit + 1)
    return call.page(found, group_shown, lambda group: (group.id,))


def _get(call: Call) -> Answer:
    return Answer(_counted(call, _known(call)))


def _change(call: Call) -> Answer:
    known = call.store.group(call.path["id"])
    if known is not None:
        call.must_match(_counted(call, known))
    with call.service.arrival() as now:
        try:
            changed = change_group(call.store, call.path["id"], call.body.traits, now)
        except GroupRefused as error:
            raise HttpRefusal(422, "bad_traits", str(error)) from None
    return Answer(_counted(call, changed))


def _members(call: Call) -> Answer:
    after = None if call.after is None else tuple(call.after)
    place: Any = after[0] if after is not None and isinstance(after[0], str) else after
    found = call.store.group_members(_known(call).id, place, call.limit + 1)
    return call.page(
        found,
        lambda member: {"customer": member.customer, "joined_at": values.shown(member.joined_at)},
        lambda member: (member.place,) if isinstance(member.place, str) else member.place,
    )


def _join(call: Call) -> Answer:
    return _moved(call, "joined")


def _leave(call: Call) -> Answer:
    return _moved(call, "left")


def _moved(call: Call, what: Any) -> Answer:
    group, customer = _known(call), customer_of(call, call.path["customer"])
    return Answer(told(call, customer.id, Grouped(group.id, {}, what)), 202)
