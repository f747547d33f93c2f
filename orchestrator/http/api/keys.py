"""`/api/v1/keys`: keys that make, list and revoke keys. The secret of a key is told once, when it is made."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from orchestrator.http.api import values
from orchestrator.http.api.call import Answer, Call, unknown
from orchestrator.http.api.frame import Api
from orchestrator.http.problems import HttpRefusal
from orchestrator.runtime.keys import KeyWanted, make_key, revoke_key
from orchestrator.runtime.scopes import SCOPES
from orchestrator.stores.protocol_api import Key


class KeyShown(values.Shown):
    """A key. `prefix`: its first characters. `rate`: requests (events, of a write key) a second; null: no limit."""

    id: str
    prefix: str
    name: str
    kind: str
    scopes: list[str]
    rate: float | None
    source: str | None
    created_at: values.InstantShown
    used_at: values.InstantShown | None
    expires_at: values.InstantShown | None
    revoked_at: values.InstantShown | None


class KeyMade(KeyShown):
    """A new key, with its secret: keep it now, nobody can read it again. Null where the same write is sent again."""

    key: str | None


class KeyNew(values.Body):
    """A key to make. A write key sends events and may stand in pages; an api key is secret, and has scopes."""

    name: values.Name
    kind: Literal["api", "write"] = "api"
    scopes: list[Literal[tuple(SCOPES)]] = Field(default=[], max_length=len(SCOPES))  # type: ignore[valid-type]
    rate: float | None = Field(default=None, gt=0, le=1_000_000)
    source: values.Name | None = None
    expires_at: values.Instant | None = None


def add_keys_api(api: Api) -> None:
    """Listing, making, revoking."""
    common: dict[str, Any] = {"tag": "keys", "scope": "keys:write"}

    def make(call: Call) -> Answer:
        return _make(api, call)

    def revoke(call: Call) -> Answer:
        return _revoke(api, call)

    api.add("GET", "/keys", _list, summary="List keys", answer=values.items_of(KeyShown), **common)
    api.add(
        "POST", "/keys", make, summary="Make a key", answer=KeyMade, body=KeyNew, status=201,
        description="It may have scopes only that the key which makes it has; a write key needs events:write.",
        refusals={403: "It would have a scope that the caller has not"}, **common,
    )  # fmt: skip
    api.add("DELETE", "/keys/{id}", revoke, summary="Revoke a key", answer=KeyShown,
            description="It opens nothing any more within two seconds.", **common)  # fmt: skip


def _list(call: Call) -> Answer:
    return Answer({"items": [key_shown(key) for key in call.store.all_keys()]})


def key_shown(key: Key) -> dict[str, Any]:
    """The document of a key."""
    shown: dict[str, Any] = {}
    for name, value in key._asdict().items():
        if name != "hash":
            shown[name] = values.shown(value) if isinstance(value, datetime) else value
    return {**shown, "scopes": list(key.scopes)}


def _make(api: Api, call: Call) -> Answer:
    body = call.body
    beyond = sorted(scope for scope in body.scopes if not call.may(scope))
    if beyond:
        raise HttpRefusal(403, "missing_scope", f"this key lacks the scope {beyond[0]}, and cannot give it to another")
    if body.kind == "write" and not call.may("events:write"):
        detail = "this key lacks the scope events:write, and cannot make a key that sends events"
        raise HttpRefusal(403, "missing_scope", detail)
    if body.kind == "write" and body.scopes:
        raise HttpRefusal(422, "write_key_with_scopes", "a write key sends events and nothing else: leave out scopes")
    if body.expires_at is not None and body.expires_at <= call.real_at:
        raise HttpRefusal(422, "expired", "expires_at is over already")
    wanted = KeyWanted(body.name, body.kind, tuple(body.scopes), body.rate, body.source, body.expires_at)
    key, secret = make_key(call.store, wanted, call.real_at, call.actor)
    api.ring.forget()
    return Answer({**key_shown(key), "key": secret}, 201, again={**key_shown(key), "key": None})


def _revoke(api: Api, call: Call) -> Answer:
    key = revoke_key(call.store, call.path["id"], call.real_at, call.actor)
    if key is None:
        raise unknown("unknown_key", "there is no key of this id; /api/v1/keys lists them")
    api.ring.forget()
    return Answer(key_shown(key))
