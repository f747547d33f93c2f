"""What the providers of SMS want of a message, checked once: the number, who it is from by country, the text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from orchestrator.channels.message_mark import mark_of
from orchestrator.channels.protocol import Outgoing
from orchestrator.channels.providers.adapter import Refused
from orchestrator.core.addresses import country_of_phone
from orchestrator.errors import UsageError

LONGEST_TEXT: Final = 1600
"""Characters: ten segments, the most that any provider takes."""
LONGEST_SENDER: Final = 20
_number = re.compile(r"\+[1-9][0-9]{6,14}").fullmatch
_country = re.compile(r"[A-Z]{2}").fullmatch
_unprintable = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")


class Senders(NamedTuple):
    """Who texts are from: `by_country` where a country asks for a sender of its own, else the message's, else
    `default`."""

    default: str | None = None
    by_country: Mapping[str, str] = {}

    def of(self, message: Outgoing) -> str | None:
        """The sender of a message. Raises Refused for what no provider takes as one."""
        own = self.of_country(message.to)
        sender = own or message.sender or self.default
        if sender is not None and not (sender.isprintable() and len(sender) <= LONGEST_SENDER):
            raise Refused(f"the sender '{sender[:40]}' is no number, and no name of at most {LONGEST_SENDER} letters")
        return sender or None

    def of_country(self, to: str) -> str | None:
        """The sender that the number's country asks for; None: it asks for none."""
        return self.by_country.get(country_of_phone(to) or "") if self.by_country else None


def senders_of(text: str | None) -> Senders:
    """Senders from the option `from`: `+15550100`, or `+15550100,GB:Harbour,CN:10690001`. Raises UsageError."""
    default, by_country = None, {}
    for part in (text or "").split(","):
        country, colon, sender = part.strip().partition(":")
        if not colon:
            country, sender = "", country
        sender = sender.strip()
        if not sender and not colon:
            continue
        usable = 0 < len(sender) <= LONGEST_SENDER and sender.isprintable()
        if not usable or (colon and not _country(country)):
            raise UsageError(
                f"a channel's address says from={part[:40]}; expected a number or a name of at most {LONGEST_SENDER} "
                "letters, or COUNTRY:SENDER, with commas between them: from=+15550100,GB:Harbour",
                "bad_setting",
            )
        if not colon:
            default = sender
        else:
            by_country[country] = sender
    return Senders(default, by_country)


class SmsParts(NamedTuple):
    """A message in parts. `mark` is our id (message_mark)."""

    to: str
    text: str
    mark: str

    @property
    def digits(self) -> str:
        """The number without its plus."""
        return self.to[1:]


def sms_parts(message: Outgoing) -> SmsParts:
    """A message in parts. Raises Refused."""
    if not _number(message.to):
        raise Refused("the number has to be in international form, such as +351912345678")
    text = _unprintable.sub("", message.text.replace("\r\n", "\n")).encode("utf-8", "replace").decode("utf-8")
    if not text.strip():
        raise Refused("the text is empty")
    if len(text) > LONGEST_TEXT:
        raise Refused(f"the text has {len(text)} characters; at most {LONGEST_TEXT} can be sent")
    return SmsParts(message.to, text, mark_of(message.id))


class Approved(NamedTuple):
    """What the front matter says of a text that a provider had to approve beforehand."""

    template: str
    params: Mapping[str, str]
    signature: str | None


def approved(message: Outgoing, scheme: str, provider: str) -> Approved:
    """What stands under `provider:` in the template's front matter, or below it under the provider's scheme (where
    several providers know the text by different codes). Raises Refused where no template is named."""
    about: Any = message.provider or {}
    if isinstance(about.get(scheme), Mapping):
        about = about[scheme]
    template = about.get("template")
    if not template:
        raise Refused(
            f"{provider} sends approved texts only; name one in the template's front matter, "
            "provider: {template: ..., params: {...}}"
        )
    params = about.get("params") or {}
    if isinstance(params, Mapping):
        named = {str(name): _plain(value) for name, value in params.items()}
    elif isinstance(params, Sequence) and not isinstance(params, str):
        named = {str(number): _plain(value) for number, value in enumerate(params, 1)}
    else:
        raise Refused("`params` under `provider:` has to be a mapping or a list")
    signature = about.get("signature")
    return Approved(str(template), named, str(signature) if signature else None)


def _plain(value: object) -> str:
    text = "" if value is None else str(value)
    return _unprintable.sub("", text).encode("utf-8", "replace").decode("utf-8")
