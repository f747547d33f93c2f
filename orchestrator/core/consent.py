"""The consent ledger: every choice of a person, where it came from, what was shown, and what proves it.

What holds now stands with the customer (`consents`, `consent_dates`), because guards and claims ask for it. The rules:

- An `out` closes at once, whatever its age. An `in` never opens what is `out` unless it is newer than the `out` and the
  person's own: said on a page, in a form, by text message, by the link of a double opt-in, to an operator. What others
  relay (traits, imports) has to say when it was chosen; what an import or the API relays needs a proof, too.
- An `in` with an end counts as none from that instant on; then it is `expired`, with a row of its own. Only a new
  choice, or what implies consent anew, opens it: traits that are repeated do not.
- What a law takes as consent (`implied`) opens nothing that is `out`, and shortens nothing.
- Of a topic with `opt_in: double`, an `in` by email or SMS is `pending` until the owner of the address confirmed it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from orchestrator.core.customer import Customer
from orchestrator.core.inbox import ConsentChanged, Identified
from orchestrator.core.time.iso import parse_instant

SOURCES: Final = ("api", "page", "import", "sms", "form", "journey", "operator", "confirm", "implied")
"""Where a choice may come from; `confirm` is the link of a double opt-in, `implied` what a law takes as consent."""
OWN: Final = frozenset({"", "page", "form", "sms", "confirm", "operator"})
"""Sources in which the person speaks. Nothing: a choice that came as such, without a word on where from."""
IMPLIED: Final = "implied"
EXPIRED: Final = "expired"
"""What holds once an `in` has ended, and the state of the row that says so."""
EVERY_TOPIC: Final = "*"
"""Stands in the ledger for the topic of who wants nothing at all on a channel, or wants it again. What then holds is on
the suppression list; the ledger keeps when it was said."""
PROVEN: Final = frozenset({"page", "sms", "confirm", "operator"})
"""Sources that prove that the address is the person's own, so that a double opt-in asks no more."""
CONFIRMED_BY_LINK: Final = frozenset({"email", "sms"})
"""Channels on which a double opt-in can ask."""
_TEXT: Final = ("source", "wording")
_INSTANTS: Final = ("expires_at", "at")
FIELDS: Final = ("state", "source", "wording", "proof", "expires_at", "at")
"""What a choice among traits may say."""


class Choice(NamedTuple):
    """A row of the ledger. `at` is when it was made, `noted_at` when the engine took it. `refused`: why it changed
    nothing (`opted_out` or `expired`: older than an opt-out or the end, or not the person's own), else None."""

    topic: str
    channel: str
    state: str
    at: datetime
    noted_at: datetime
    source: str = ""
    wording: str | None = None
    proof: Mapping[str, Any] | None = None
    expires_at: datetime | None = None
    refused: str | None = None


def has_ended(customer: Customer, place: tuple[str, str], at: datetime) -> bool:
    """Whether consent that was given for a time is over. Ask it only where the state is `in`."""
    ends_at = customer.consent_dates.get(place)
    return ends_at is not None and ends_at <= at


def state_at(customer: Customer, place: tuple[str, str], at: datetime) -> str | None:
    """What holds at an instant: in, out, pending, expired, or None: nothing was chosen, or it ended just now."""
    state = customer.consents.get(place)
    return None if state == "in" and customer.consent_dates and has_ended(customer, place, at) else state


def reopens(choice: ConsentChanged, out_at: datetime | None, relayed: bool) -> bool:
    """Whether an `in` opens again what is out, or has ended, since `out_at` (None: nobody knows). `relayed`: it came
    among traits."""
    if choice.source == IMPLIED:
        return False
    own = choice.source in OWN
    if choice.at is None:
        return own and not relayed
    return (own or bool(choice.proof)) and (out_at is None or choice.at > out_at)


def is_proven(choice: ConsentChanged) -> bool:
    """Whether a double opt-in need not ask: the address is known to be the person's, or the import has proof."""
    return choice.source in PROVEN or (choice.source == "import" and bool(choice.proof))


def choices_in(traits: Mapping[str, Any], silent: bool) -> Iterator[ConsentChanged]:
    """The choices of the trait `consents`: `{topic: {channel: in}}`, or a mapping of FIELDS in place of the state.
    Raises ValueError for what is shaped otherwise, in words for its sender."""
    given = traits.get("consents")
    if given is None:
        return
    if not isinstance(given, Mapping) or not all(isinstance(channels, Mapping) for channels in given.values()):
        raise ValueError("is not shaped {topic: {channel: in | out}}")
    default = "import" if silent else "api"
    for topic, channels in given.items():
        for channel, said in channels.items():
            yield _choice(str(topic), str(channel), said, default)


def closed_by(body: object) -> tuple[tuple[str, str], ...]:
    """The (topic, channel) pairs that something closes on its arrival, before any turn. Opt-outs among traits that
    journeys hear of come as choices of their own, too."""
    if isinstance(body, ConsentChanged):
        return ((body.topic, body.channel),) if body.state == "out" else ()
    if isinstance(body, Identified) and body.silent and "consents" in body.traits:
        return tuple([(c.topic, c.channel) for c in choices_in(body.traits, True) if c.state == "out"])
    return ()


def _choice(topic: str, channel: str, said: object, source: str) -> ConsentChanged:
    fields: dict[str, Any] = dict(said) if isinstance(said, Mapping) else {"state": said}
    state = fields.pop("state", None)
    if state not in ("in", "out"):
        raise ValueError("is not shaped {topic: {channel: in | out}}")
    unknown = fields.keys() - set(FIELDS)
    if unknown:
        raise ValueError(f"of {topic} by {channel} says '{min(unknown)}'; it may say {', '.join(FIELDS)}")
    for name in _TEXT:
        if not isinstance(fields.get(name, ""), (str, type(None))):
            raise ValueError(f"of {topic} by {channel}: `{name}` is no text")
    if (fields.get("source") or source) not in SOURCES:
        raise ValueError(f"of {topic} by {channel}: `source` is '{fields['source']}'; expected {', '.join(SOURCES)}")
    if not isinstance(fields.get("proof"), (Mapping, type(None))):
        raise ValueError(f"of {topic} by {channel}: `proof` is no object such as {{ip: 203.0.113.7}}")
    for name in _INSTANTS:
        value = fields.get(name)
        if isinstance(value, str):
            fields[name] = parse_instant(value)
        elif value is not None and not (isinstance(value, datetime) and value.tzinfo is not None):
            raise ValueError(f"of {topic} by {channel}: `{name}` is no instant with a zone")
    return ConsentChanged(topic, channel, state, **{**fields, "source": fields.get("source") or source})
