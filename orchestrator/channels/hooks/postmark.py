"""What Postmark says (webhooks). It signs nothing: its URL holds a user and a password, which it shows each time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from orchestrator.channels.hooks.protocol import Told, ToldKind
from orchestrator.channels.hooks.reading import (
    TokenHook,
    address_in,
    event_id,
    instant_in,
    text_in,
    within,
)
from orchestrator.channels.message_mark import id_of

FIELD: Final = "orchestrator"
_RECORDS: Final[Mapping[str, tuple[ToldKind, str]]] = {
    "Delivery": ("delivered", "DeliveredAt"),
    "Bounce": ("soft_bounce", "BouncedAt"),
    "SpamComplaint": ("complaint", "BouncedAt"),
    "Open": ("open", "ReceivedAt"),
    "Click": ("click", "ReceivedAt"),
    "SubscriptionChange": ("unsubscribe", "ChangedAt"),
}
"""What each record means, and where its time is."""
_BOUNCES: Final[Mapping[str, ToldKind | None]] = {
    "HardBounce": "bounce",
    "BadEmailAddress": "bounce",
    "ManuallyDeactivated": "bounce",
    "SpamComplaint": "complaint",
    "Unsubscribe": "unsubscribe",
    "Subscribe": None,
    "AutoResponder": None,
    "AddressChange": None,
    "OpenRelayTest": None,
    "ChallengeVerification": None,
    "Transient": None,  # it still tries
}
"""What each type of bounce means; all others are soft bounces."""
_REASONS: Final[Mapping[str, ToldKind]] = {"HardBounce": "bounce", "SpamComplaint": "complaint"}
"""Why an address is written to no more, where it is not that the person asked for it."""


class PostmarkHook(TokenHook):
    """Events of Postmark. Its token is `user:password`, as in the URL that it was given."""

    provider = "postmark"

    def told(self, event: Any) -> Told | None:
        """See TokenHook."""
        return _told(event)


def _told(event: Any) -> Told | None:
    record = text_in(event, "RecordType") or ""
    if record not in _RECORDS:
        return None
    found, time = _RECORDS[record]
    kind: ToldKind | None = found
    detail = text_in(event, "Type") or text_in(event, "SuppressionReason")
    if record == "Bounce":
        kind = _BOUNCES.get(detail or "", "soft_bounce")
    elif record == "SubscriptionChange":
        kind = _REASONS.get(detail or "", "unsubscribe") if within(event, "SuppressSending") is True else None
    if kind is None:
        return None
    address = address_in(event, "Recipient") or address_in(event, "Email")
    id, at, link = text_in(event, "MessageID"), text_in(event, time), text_in(event, "OriginalLink")
    return Told(
        kind,
        "email",
        event_id(record, detail, id, text_in(event, "ID"), address, at, link),
        _our_id(within(event, "Metadata")),
        address,
        instant_in(event, time),
        url=link if kind == "click" else None,
        reason=text_in(event, "Details") or text_in(event, "Description") or detail,
    )


def _our_id(metadata: Any) -> str | None:
    """Our id from its pieces: `orchestrator`, `orchestrator_1`, ..."""
    mark, number, piece = "", 0, text_in(metadata, FIELD)
    while piece is not None and number < 10:
        mark, number = mark + piece, number + 1
        piece = text_in(metadata, f"{FIELD}_{number}")
    return id_of(mark)
