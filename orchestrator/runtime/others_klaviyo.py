"""Klaviyo: exports of profiles, lists and segments, of suppressed profiles, and of the events of a metric."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from orchestrator.runtime.others_rows import (
    YES,
    Chosen,
    Closed,
    Given,
    Happened,
    Reader,
    attribute_name,
    text_of,
    word_of,
    words_in,
)

_STATE: Final[Mapping[str, tuple[str, ...]]] = {
    "email": ("emailmarketingconsent", "emailconsent", "emailmarketingstatus", "emailmarketing", "emailstatus"),
    "sms": ("smsmarketingconsent", "smsconsent", "smsmarketingstatus", "smsmarketing", "smsstatus"),
    "whatsapp": ("whatsappmarketingconsent", "whatsappconsent"),
    "push": ("mobilepushmarketingconsent", "pushmarketingconsent", "pushconsent", "mobilepushconsent"),
}
_AT: Final[Mapping[str, tuple[str, ...]]] = {
    channel: tuple(
        f"{column}{ending}" for column in columns for ending in ("timestamp", "date", "at", "lastupdated", "updatedat")
    )
    for channel, columns in _STATE.items()
}
_REASONS: Final = (
    "emailsuppressions", "emailsuppressionreason", "emailsuppressionreasons", "suppressionreason",
    "suppressionreasons", "suppressions", "suppressed", "emailsuppressed", "emailsuppressedreason",
    "emailmarketingsuppressionreason",
)  # fmt: skip
_CAUSES: Final = (
    (re.compile(r"spam|complain|abuse"), "complained"),
    (re.compile(r"bounce|invalid"), "bounced"),
    (re.compile(r"unsub|user|opt"), "opted_out"),
)
IN: Final = frozenset({"subscribed", "double_opt_in", "single_opt_in", "opted_in", *YES})
OUT: Final = frozenset({"unsubscribed", "opted_out", "suppressed"})
_EVENT: Final = ("event", "eventname", "metric", "metricname")
_EVENT_AT: Final = ("timestamp", "eventtimestamp", "datetime", "eventdatetime", "eventtime", "eventdate")
_EVENT_OWN: Final = frozenset(
    {"eventid", "uuid", "id", "klaviyoid", "profileid", "email", "emailaddress", "externalid"}
)


class Klaviyo(Reader):
    """A state other than the ones that are known gives no consent; every reason of a suppression closes."""

    system = "klaviyo"
    IDS = ("externalid", "yourid")
    EMAIL = ("email", "emailaddress", "profileemail")
    PHONE = ("phonenumber", "phone")
    TRAITS: Mapping[str, tuple[str, ...]] = {
        "country": ("country",), "locale": ("locale", "language"), "timezone": ("timezone",), "tags": ("tags",),
        "created_at": ("profilecreatedon", "createdon", "created", "dateadded", "firstactive"),
    }  # fmt: skip
    OWN = frozenset(
        {
            *(name for names in (*_STATE.values(), *_AT.values(), _REASONS) for name in names),
            "emailsuppressionstimestamp", "emailsuppressiontimestamp", "suppressedat", "suppressedon", "klaviyoid",
            "profileid", "id", "consent", "consentmethod", "consentform", "ipaddress",
        }
    )  # fmt: skip

    def closed(self, given: Given, email: str | None, phone: str | None, file: str) -> Iterable[Closed]:
        """By the reason of a suppression, the state of a channel, or because the file lists nobody else."""
        if email:
            reason = " ".join(word.lower() for column in _REASONS for word in words_in(text_of(given, (column,)) or ""))
            state = word_of(given, *_STATE["email"])
            if reason and reason not in ("false", "no", "0", "none", "n/a"):
                cause = next((cause for pattern, cause in _CAUSES if pattern.search(reason)), "suppressed")
                yield Closed("email", email, cause)
            elif state in OUT:
                yield Closed("email", email, "opted_out")
            elif "suppress" in file.lower() and "unsuppress" not in file.lower():
                yield Closed("email", email, "suppressed")
        for channel in ("sms", "whatsapp"):
            if phone and word_of(given, *_STATE[channel]) in OUT:
                yield Closed(channel, phone, "opted_out")

    def chosen(
        self, given: Given, email: str | None, phone: str | None, file: str, closed: set[str]
    ) -> Iterable[Chosen]:
        """What the columns of consent say."""
        for channel, columns in _STATE.items():
            state = word_of(given, *columns)
            at = self.first_instant(given, *_AT[channel])
            proof = self.proof(given, method="consentmethod", form="consentform", ip="ipaddress", state=columns[0])
            if channel in closed or state in OUT:
                yield Chosen(channel, "out", at, proof)
            elif state in IN:
                yield Chosen(channel, "in", at, proof)

    def _traits(self, given: Given, email: str | None, phone: str | None) -> dict[str, Any]:
        if text_of(given, _EVENT) and self.first_instant(given, *_EVENT_AT) is not None:
            return {"email": email} if email else {}  # its columns tell of the event
        return super()._traits(given, email, phone)

    def happened(self, given: Given, file: str) -> Iterable[Happened]:
        """A row that names a metric and an instant is an event."""
        name, at = text_of(given, _EVENT), self.first_instant(given, *_EVENT_AT)
        if name and at is not None:
            own = {*_EVENT, *_EVENT_AT, *_EVENT_OWN, *self.PHONE}
            properties = {attribute_name(column): value for short, (column, value) in given.items() if short not in own}
            yield Happened(attribute_name(name), at, properties)
