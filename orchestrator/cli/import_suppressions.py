"""Suppressions out of a table: our own export, those of Klaviyo, Braze, Mailchimp and SendGrid, or a plain list.

Columns are recognised by their names, whatever their case and signs. A row's cause is read from its words, else from
the instants that it has, else it is `suppressed`: nothing at all is written to that address.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from orchestrator.core.addresses import Address, stored_address
from orchestrator.core.plus_addresses import put_as, unmarked
from orchestrator.core.suppression import HASHED
from orchestrator.definitions.mapping_rows import RowUnusable
from orchestrator.definitions.table_readers import Row
from orchestrator.runtime.imports import ImportCounts

if TYPE_CHECKING:
    from orchestrator.stores.protocol import Store

CAUSES: Final = ("bounced", "complained", "opted_out", "stopped", "suppressed")
"""Why nothing may be written to an address; see `orchestrator suppressions --help`."""
CHANNELS: Final = ("email", "sms", "push", "whatsapp", "wechat", "inbox")
_ADDRESS: Final[Mapping[str, tuple[str, ...]]] = {
    "email": ("address", "email", "emailaddress", "recipient", "recipientemail", "profileemail"),
    "sms": ("phone", "phonenumber", "phonenumbere164", "mobile"),
}
_WORDS: Final = ("cause", "reason", "suppressionreason", "unsubreason", "type", "status", "suppressiontype")
_CAUSE_OF: Final = (
    (re.compile(r"spam|abuse|complain|junk"), "complained"),
    (re.compile(r"bounce|invalid|clean|hard|does not exist|unknown|not found|no such|\b5\.1\.\d|\b550\b"), "bounced"),
    (re.compile(r"unsub|opt.?out|opted|user.?suppressed|revoked"), "opted_out"),
)
_INSTANTS: Final = (
    (("spamreportedat", "markedspamat", "emailmarkedspamat", "markedasspamat"), "complained"),
    (("cleantime", "hardbouncedat", "emailhardbouncedat", "bouncedat"), "bounced"),
    (("unsubtime", "unsubscribedat", "emailunsubscribedat", "optouttime"), "opted_out"),
)
"""Columns that are filled where it happened: Braze, Mailchimp."""
_formula = re.compile(r"'*[=+@\t\r-]").match
"""With what cells begin that a spreadsheet would compute, and those that were made harmless already."""
_NUMBERS: Final = ("sms", "whatsapp")
"""Channels on which a plus begins a phone number, with which no program computes."""
_is_hash = re.compile(r"[0-9a-f]{64}").fullmatch
_is_mark = re.compile(r"\+[0-9a-f]{8}").fullmatch


class Suppressions:
    """A row is an address, and why nothing may be written to it. Nothing is ever lifted by a table.

    `apart`: plus-addresses are. A cause that an export has for one address of a mailbox is about all of it, unless it
    stands on the list: nobody can tell which one it was.
    """

    def __init__(self, apart: bool, salt: str) -> None:
        self._apart, self._salt = apart, salt

    def prepare(self, path: Path) -> None:
        """Nothing has to be known before."""

    def made_of(self, row: Row) -> list[Any]:
        """(channel, normalised address, cause, what is put) of each address in the row; nothing where the list has
        either."""
        given = {re.sub(r"[^a-z0-9]", "", str(name).lower()): value for name, value in row.items()}
        channel = str(given.get("channel") or "").strip().lower()
        found = []
        for kind, columns in _ADDRESS.items():
            text = next((str(given[name]).strip() for name in columns if given.get(name) not in (None, "")), "")
            if text:
                found.append((channel or kind, text))
        if not found:
            raise RowUnusable("it has no address; expected a column `email`, `phone`, or `channel` and `address`")
        cause = _cause(given)
        return list(dict.fromkeys(self.entry(*place, cause) for place in found))

    def write(self, store: Store, made: list[Any], now: datetime, trigger: bool) -> ImportCounts:
        """On the list at once; those that stand there already are counted as known."""
        list_ = store.suppressions()
        fresh = {
            (channel, text, put): None
            for channel, text, cause, put in dict.fromkeys(made)
            if not {cause, put} & set(list_.get((channel, text), ()))
        }
        store.suppress([*fresh], now)
        return ImportCounts(len(fresh), len(made) - len(fresh))

    def entry(self, channel: str, text: str, cause: str) -> tuple[str, str, str, str]:
        """(channel, normalised address, cause, what is put) of an address as it is written. Raises RowUnusable."""
        if channel.startswith(HASHED):
            return channel, _hashed_address(channel, text), cause, cause
        address = _address(channel, text)
        if cause != unmarked(cause):
            return channel, address.normal, cause, unmarked(cause)
        put = put_as(cause, channel, address.text, self._apart, self._salt)
        return channel, address.normal, put, put


def inert(channel: str, address: str) -> str:
    """An address as what no spreadsheet takes for a formula; an import reads it as it was."""
    return f"'{address}" if _formula(address) and not (channel in _NUMBERS and address[0] == "+") else address


def _hashed_address(channel: str, text: str) -> str:
    """Raises RowUnusable."""
    if channel.removeprefix(HASHED) not in CHANNELS:
        raise _no_channel(channel)
    if not _is_hash(text):
        raise RowUnusable(f"a hashed entry has 64 hexadecimal digits, not `{text[:40]}`")
    return text


def _no_channel(channel: str) -> RowUnusable:
    return RowUnusable(f"there is no channel `{channel[:40]}`; there are {', '.join(CHANNELS)}")


def _address(channel: str, text: str) -> Address:
    """Raises RowUnusable."""
    if text.startswith("'") and _formula(text):
        text = text[1:]
    if channel not in CHANNELS:
        raise _no_channel(channel)
    if len(text) > 512:
        raise RowUnusable("its address is longer than 512 characters")
    address = stored_address(channel, text, None)
    if address is None:
        raise RowUnusable(f"`{text[:60]}` is no address on {channel}")
    return address


def _cause(given: Mapping[str, Any]) -> str:
    said = str(given.get("cause") or "").strip().lower()
    if said in CAUSES or (unmarked(said) in CAUSES and _is_mark(said[len(unmarked(said)) :])):
        return said
    words = " ".join(str(given[name]) for name in _WORDS if given.get(name) not in (None, "")).lower()
    for pattern, cause in _CAUSE_OF:
        if words and pattern.search(words):
            return cause
    for columns, cause in _INSTANTS:
        if any(given.get(name) not in (None, "") for name in columns):
            return cause
    return "suppressed"
