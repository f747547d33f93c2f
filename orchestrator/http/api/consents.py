"""`/api/v1/customers/{id}/consents` and `/api/v1/suppressions`: what people chose, with its proof, and whom nothing may
be written to."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import Field

from orchestrator.core.consent import SOURCES, Choice
from orchestrator.core.inbox import ConsentChanged
from orchestrator.core.program import CHANNELS
from orchestrator.core.transition import jsonable
from orchestrator.http.api import values
from orchestrator.http.api.arriving import Taken, customer_of, told
from orchestrator.http.api.call import Answer, Call
from orchestrator.http.api.frame import Api
from orchestrator.http.problems import HttpRefusal
from orchestrator.stores.protocol import Suppressed

CAUSES: Final = ("suppressed", "unsubscribed", "complained", "bounced")
"""Causes that the API may give."""


class ChoiceNew(values.Body):
    """What a person chose for one topic on one channel."""

    topic: values.Name
    channel: Literal[CHANNELS]  # type: ignore[valid-type]
    state: Literal["in", "out"]
    source: Literal[SOURCES] = Field(default="api", description="Where it was said")  # type: ignore[valid-type]
    wording: values.Text | None = Field(default=None, description="The text that was shown")
    proof: dict[str, Any] | None = Field(default=None, description="Whatever proves it: ip, user_agent, url ...")
    at: values.Instant | None = Field(default=None, description="When it was chosen; by default now")
    expires_at: values.Instant | None = Field(default=None, description="When consent that was implied ends")


class ChoicesNew(values.Body):
    """Some choices."""

    choices: list[ChoiceNew] = Field(min_length=1, max_length=200)


class ConsentsShown(values.Shown):
    """What holds, by topic and channel: in, out, pending (of a double opt-in) or expired."""

    customer: values.Id
    consents: dict[str, dict[str, str]]


class ChoiceShown(values.Shown):
    """A row of the consent ledger. `refused`: why it changed nothing."""

    topic: str
    channel: str
    state: str
    at: values.InstantShown
    noted_at: values.InstantShown
    source: str
    wording: str | None
    proof: dict[str, Any] | None
    expires_at: values.InstantShown | None
    refused: str | None


class SuppressionShown(values.Shown):
    """An entry of the suppression list. `hashed`: `address` is a hash, of somebody who was erased or imported so."""

    channel: str
    address: str
    cause: str
    at: values.InstantShown
    hashed: bool


class SuppressionNew(values.Body):
    """An address that nothing may be written to."""

    channel: Literal["email", "sms", "whatsapp"]
    address: values.Id
    cause: Literal[CAUSES] = "suppressed"  # type: ignore[valid-type]


class SuppressionDone(values.Shown):
    """The address as it is compared, and whether it stood there already."""

    channel: str
    address: str
    cause: str
    known: bool


class Lifted(values.Shown):
    """Which causes were taken off the list."""

    channel: str
    address: str
    removed: list[str]


def add_consents_api(api: Api) -> None:
    """Choices and suppressions."""
    read: dict[str, Any] = {"tag": "consents", "scope": "consents:read"}
    write: dict[str, Any] = {"tag": "consents", "scope": "consents:write"}
    api.add("GET", "/customers/{id}/consents", _get, summary="What a customer chose", answer=ConsentsShown, **read)
    api.add(
        "PUT", "/customers/{id}/consents", _put, summary="Note choices of a customer", answer=Taken, body=ChoicesNew,
        description="Choices that are not named stay. An `out` closes before the answer; an `in` never opens what is "
        "out unless it is newer and has a proof (docs/consent.md).", status=202, versioned=True,
        refusals={409: "The customer was erased lately"}, **write,
    )  # fmt: skip
    api.add(
        "GET", "/customers/{id}/consent-log", _log, summary="The consent ledger of a customer",
        description="Every choice, as it was taken, with what proves it.", answer=values.items_of(ChoiceShown), **read,
    )  # fmt: skip
    api.add(
        "GET", "/suppressions", _list, summary="List suppressions", answer=SuppressionShown, paged=True,
        description="In an order of the database's own.", **read,
    )  # fmt: skip
    api.add(
        "POST", "/suppressions", _suppress, summary="Suppress an address", answer=SuppressionDone, body=SuppressionNew,
        description="Nothing that is claimed from now on is written to it.", status=201, **write,
    )  # fmt: skip
    api.add(
        "DELETE", "/suppressions/{channel}/{address}", _lift, summary="Write to an address again",
        description="All causes are taken off.", answer=Lifted, **write,
    )  # fmt: skip


def _consents(call: Call) -> dict[str, Any]:
    customer = customer_of(call)
    found: dict[str, dict[str, str]] = {}
    for (topic, channel), state in sorted(customer.consents.items()):
        found.setdefault(topic, {})[channel] = state
    return {"customer": customer.id, "consents": found}


def _get(call: Call) -> Answer:
    return Answer(_consents(call))


def _put(call: Call) -> Answer:
    document = _consents(call)
    call.must_match(document)
    topics = call.store.index.project.topics
    bodies = []
    for place, choice in enumerate(call.body.choices):
        if choice.topic not in topics:
            known = ", ".join(sorted(topics)) or "none"
            detail = f"/choices/{place}/topic: project.yaml has no topic {choice.topic[:60]!a}; there is {known}"
            raise HttpRefusal(422, "unknown_topic", detail)
        fields = {name: getattr(choice, name) for name in ChoiceNew.model_fields}
        bodies.append(ConsentChanged(**fields))
    return Answer(told(call, document["customer"], *bodies), 202)


def _log(call: Call) -> Answer:
    return Answer({"items": [_choice(one) for one in call.store.consent_log(customer_of(call).id)]})


def _choice(one: Choice) -> dict[str, Any]:
    said: dict[str, Any] = jsonable(one._asdict())
    return said


def _list(call: Call) -> Answer:
    after = ("", "", "") if call.after is None else (str(call.after[0]), str(call.after[1]), str(call.after[2]))
    found = call.store.suppressed(after, call.limit + 1)
    return call.page(found, _shown, lambda one: (one.channel, one.address, one.cause))


def _shown(one: Suppressed) -> dict[str, Any]:
    channel = one.channel.lstrip("#")
    hashed = channel != one.channel
    return {
        "channel": channel, "address": one.address, "cause": one.cause, "at": values.shown(one.at), "hashed": hashed,
    }  # fmt: skip


def _address(channel: str, text: str, status: int) -> Any:
    from orchestrator.core.addresses import stored_address

    found = stored_address(channel, text, None) if channel in CHANNELS else None
    if found is None:
        raise HttpRefusal(status, "bad_address", "this is no address that anything could be sent to on this channel")
    return found


def _suppress(call: Call) -> Answer:
    from orchestrator.core.plus_addresses import put_as, told_of
    from orchestrator.runtime.plus_addresses import kept_apart

    body, store = call.body, call.store
    address = _address(body.channel, body.address, 422)
    apart = kept_apart(store)
    normal = told_of(body.channel, address, apart)
    put = put_as(body.cause, body.channel, address.text, apart, store.salt)
    known = put in store.suppressions().get((body.channel, address.normal), frozenset())
    if not known:
        store.suppress([(body.channel, address.normal, put)], call.now)
        store.audit(call.real_at, call.actor, "suppress", f"{body.channel} {normal}: {body.cause}")
    return Answer({"channel": body.channel, "address": normal, "cause": body.cause, "known": known}, 201)


def _lift(call: Call) -> Answer:
    from orchestrator.core.plus_addresses import reasons, told_of
    from orchestrator.runtime.bounces import lift_suppressions
    from orchestrator.runtime.plus_addresses import kept_apart

    channel, store = call.path["channel"], call.store
    address = _address(channel, call.path["address"], 404)
    apart = kept_apart(store)
    normal = told_of(channel, address, apart)
    known = store.suppressions().get((channel, address.normal), frozenset())
    causes = sorted(reasons(known, channel, address.text, apart, store.salt))
    if not causes:
        raise HttpRefusal(404, "not_suppressed", "this address is not suppressed on this channel")
    lift_suppressions(store, channel, address.text)
    store.audit(call.real_at, call.actor, "unsuppress", f"{channel} {normal}: {', '.join(causes)}")
    return Answer({"channel": channel, "address": normal, "removed": causes})
