"""Braze: exports of users by segment (JSON Lines) or from the dashboard (CSV), subscription groups included."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from orchestrator.runtime.others_rows import YES, Chosen, Closed, Given, Happened, Reader, attribute_name, word_of

_NOTHING: Final = frozenset({
    "brazeid", "userid", "randombucket", "devices", "pushtokens", "apps", "useraliases", "lastcoordinates",
    "attributedcampaign", "attributedsource", "attributedadgroup", "attributedad", "uninstalledat", "cardsclicked",
    "sessioncount", "inapppurchases", "numberofgooglepushtokens", "unsubscribedfromemailsat",
})  # fmt: skip
"""Columns that say nothing of a person that could be used here."""


class Braze(Reader):
    """`opted_in` is consent; `subscribed`, which everybody is until something happens, is none."""

    system = "braze"
    IDS = ("externalid", "externaluserid", "userid")
    EMAIL = ("email", "emailaddress")
    PHONE = ("phone", "phonenumber")
    TRAITS: Mapping[str, tuple[str, ...]] = {
        "country": ("country",), "locale": ("language", "locale"), "timezone": ("timezone",),
        "created_at": ("createdat",),
    }  # fmt: skip
    OWN = _NOTHING | {
        "emailsubscribe", "emailsubscriptionstate", "pushsubscribe", "pushsubscriptionstate", "emailoptedinat",
        "emailunsubscribedat", "emailhardbouncedat", "emailhardbounced", "emailmarkedspamat", "emailmarkedspam",
        "emailspamreportedat", "pushoptedinat", "pushunsubscribedat", "subscriptiongroups", "smssubscribe",
        "customattributes", "customevents", "purchases", "campaignsreceived", "canvasesreceived", "invalidphone",
    }  # fmt: skip

    def closed(self, given: Given, email: str | None, phone: str | None, file: str) -> Iterable[Closed]:
        """By what happened to the address, and by the state of the channel."""
        groups = _groups(given)
        if email:
            if _is(given, "emailmarkedspamat", "emailmarkedspam", "emailspamreportedat"):
                yield Closed("email", email, "complained")
            elif _is(given, "emailhardbouncedat", "emailhardbounced"):
                yield Closed("email", email, "bounced")
            elif self._state(given, "email") == "unsubscribed":
                yield Closed("email", email, "opted_out")
        for channel in ("sms", "whatsapp"):
            if phone and groups[channel] == {"unsubscribed"}:
                yield Closed(channel, phone, "opted_out")
        if phone and word_of(given, "smssubscribe") == "unsubscribed":
            yield Closed("sms", phone, "opted_out")
        if phone and _is(given, "invalidphone"):
            yield Closed("sms", phone, "bounced")

    def chosen(
        self, given: Given, email: str | None, phone: str | None, file: str, closed: set[str]
    ) -> Iterable[Chosen]:
        """Opt-ins and opt-outs; of subscription groups, one that is left closes the channel's topic."""
        for channel in ("email", "push"):
            state = self._state(given, channel)
            if channel in closed or state == "unsubscribed":
                yield Chosen(channel, "out", self.first_instant(given, f"{channel}unsubscribedat"), self.proof(given))
            elif state == "opted_in":
                at = self.first_instant(given, f"{channel}optedinat")
                yield Chosen(channel, "in", at, self.proof(given, state=f"{channel}subscribe"))
        groups = _groups(given)
        for channel in ("sms", "whatsapp"):
            if channel in closed or "unsubscribed" in groups[channel]:
                yield Chosen(channel, "out", None, self.proof(given))
            elif "subscribed" in groups[channel]:
                yield Chosen(channel, "in", None, self.proof(given, groups="subscriptiongroups"))

    def _state(self, given: Given, channel: str) -> str:
        state = word_of(given, f"{channel}subscribe", f"{channel}subscriptionstate")
        if not state and _is(given, f"{channel}unsubscribedat"):
            return "unsubscribed"
        return {"optedin": "opted_in", "unsubscribe": "unsubscribed"}.get(state, state)

    def happened(self, given: Given, file: str) -> Iterable[Happened]:
        """Of an event of its own, a purchase or a campaign, an export has the first and the last time alone."""
        for column, prefix in (("customevents", ""), ("purchases", "purchased")):
            for said in _listed(given, column):
                name = prefix or attribute_name(str(said.get("name") or ""))
                properties = {"count": said.get("count"), **({"product": said.get("name")} if prefix else {})}
                instants = {at for key in ("first", "last") if (at := self.instant(said.get(key) or "")) is not None}
                yield from (Happened(name, at, properties) for at in sorted(instants))
        for column, name in (("campaignsreceived", "campaign_received"), ("canvasesreceived", "canvas_received")):
            for said in _listed(given, column):
                at = self.instant(said.get("last_received") or said.get("last_received_message") or "")
                if at is not None:
                    yield Happened(name, at, {"campaign": said.get("name"), **_plain(said.get("engaged"))})

    def attribute(self, short: str, column: str, value: Any) -> Iterable[tuple[str, Any]]:
        """Columns of the dashboard's exports stand for custom attributes."""
        return [(attribute_name(column), value)]

    def _traits(self, given: Given, email: str | None, phone: str | None) -> dict[str, Any]:
        traits = super()._traits(given, email, phone)
        for column, value in _object(given, "customattributes").items():
            if value is not None and value != "":
                name = attribute_name(str(column))
                self._told(f"custom_attributes.{column}", name)
                traits[name] = self._typed(name, value)
        return traits


def _is(given: Given, *columns: str) -> bool:
    """Whether one of these is an instant, or true."""
    for column in columns:
        if column in given:
            value = given[column][1]
            if value is True or (
                isinstance(value, str) and (value.strip().lower() in YES or value[:2] in ("19", "20"))
            ):
                return True
    return False


def _loaded(given: Given, column: str) -> Any:
    value = given[column][1] if column in given else None
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    return value


def _listed(given: Given, column: str) -> list[Mapping[str, Any]]:
    value = _loaded(given, column)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _object(given: Given, column: str) -> Mapping[str, Any]:
    value = _loaded(given, column)
    return value if isinstance(value, dict) else {}


def _plain(value: Any) -> dict[str, Any]:
    return (
        {str(name): one for name, one in value.items() if isinstance(one, (bool, int, str))}
        if isinstance(value, dict)
        else {}
    )


def _groups(given: Given) -> Mapping[str, set[str]]:
    """The states of a person's subscription groups, by channel."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for group in _listed(given, "subscriptiongroups"):
        state = str(group.get("status") or group.get("subscription_state") or "").lower()
        found[str(group.get("channel") or "").lower()].add(state)
    return found
