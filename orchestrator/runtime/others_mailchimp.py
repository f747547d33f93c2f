"""Mailchimp: exports of an audience, a file for each of subscribed, unsubscribed, cleaned and other contacts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Final

from orchestrator.runtime.others_rows import Chosen, Closed, Given, Reader, text_of, word_of

_STATUS: Final = ("status", "emailmarketingstatus", "emailmarketing", "emailsubscriptionstatus", "memberstatus")
_GONE: Final = frozenset({"unsubscribed", "cleaned", "archived", "deleted"})
_named: Final = re.compile(r"(non-?_?subscribed|transactional|unsubscribed|cleaned|archived|subscribed)").match


class Mailchimp(Reader):
    """A contact's state is that of its row, else of its file; a file that says nothing gives no consent."""

    system = "mailchimp"
    IDS = ()
    EMAIL = ("emailaddress", "email")
    PHONE = ("smsphonenumber", "phonenumber", "phone")
    TRAITS: Mapping[str, tuple[str, ...]] = {
        "country": ("country", "cc"), "locale": ("language",), "timezone": ("timezone",), "tags": ("tags",),
        "created_at": ("optintime", "confirmtime"),
    }  # fmt: skip
    OWN = frozenset({
        *_STATUS, "leid", "euid", "memberrating", "optinip", "confirmip", "latitude", "longitude", "gmtoff",
        "dstoff", "region", "lastchanged", "notes", "unsubtime", "unsubcampaigntitle", "unsubcampaignid",
        "unsubreason", "unsubreasonother", "cleantime", "cleancampaigntitle", "cleancampaignid", "smsstatus",
        "smsmarketingstatus",
    })  # fmt: skip

    def closed(self, given: Given, email: str | None, phone: str | None, file: str) -> Iterable[Closed]:
        """Cleaned addresses bounced; unsubscribed ones opted out, or complained."""
        state = _state(given, file)
        if email and state in _GONE:
            abuse = "abuse" in (text_of(given, ("unsubreason",)) or "").lower()
            causes = {"cleaned": "bounced", "unsubscribed": "complained" if abuse else "opted_out"}
            yield Closed("email", email, causes.get(state, "suppressed"))
        if phone and word_of(given, "smsstatus", "smsmarketingstatus") in ("unsubscribed", "opted_out"):
            yield Closed("sms", phone, "opted_out")

    def chosen(
        self, given: Given, email: str | None, phone: str | None, file: str, closed: set[str]
    ) -> Iterable[Chosen]:
        """By e-mail; of text messages an export tells an opt-out for certain."""
        if "email" in closed:
            yield Chosen("email", "out", self.first_instant(given, "unsubtime", "cleantime"), self.proof(given))
        elif _state(given, file) == "subscribed":
            at = self.first_instant(given, "confirmtime", "optintime")
            yield Chosen("email", "in", at, self.proof(given, ip="optinip", confirmed_from="confirmip"))
        if "sms" in closed:
            yield Chosen("sms", "out", None, self.proof(given))


def _state(given: Given, file: str) -> str:
    if "cleantime" in given:
        return "cleaned"
    if "unsubtime" in given:
        return "unsubscribed"
    said = word_of(given, *_STATUS)
    if said:
        return said
    for part in reversed(PurePosixPath(file.lower()).parts):
        if (found := _named(part)) is not None:
            return found[1]
    return ""
