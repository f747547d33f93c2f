"""What SendGrid says (Event Webhook), signed with its key of an elliptic curve."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from orchestrator.channels.hooks.protocol import Heard, HookRefused, Posted, Told, ToldKind
from orchestrator.channels.hooks.reading import (
    address_in,
    check_fresh,
    decoded,
    event_id,
    events_of,
    instant_in,
    json_of,
    text_in,
    within,
)
from orchestrator.channels.message_mark import MARK, id_of
from orchestrator.errors import UsageError

SIGNATURE: Final = "x-twilio-email-event-webhook-signature"
TIMESTAMP: Final = "x-twilio-email-event-webhook-timestamp"
OLDEST: Final = timedelta(hours=25)
"""It tries to deliver events for a day."""
_KINDS: Final[Mapping[str, ToldKind]] = {
    "processed": "sent",
    "delivered": "delivered",
    "bounce": "bounce",
    "dropped": "failed",
    "spamreport": "complaint",
    "unsubscribe": "unsubscribe",
    "group_unsubscribe": "unsubscribe",
    "open": "open",
    "click": "click",
}
"""Others (`deferred`: it still tries) are of no consequence."""
_DROPPED: Final[Mapping[str, ToldKind]] = {
    "bounced address": "bounce",
    "invalid": "bounce",
    "spam reporting address": "complaint",
    "unsubscribed address": "unsubscribe",
}
"""Why it did not even try, where the address is on a list of its own."""
_NO_MAILBOX: Final = frozenset(("", "invalid address", "unclassified"))


class SendGridHook:
    """Events of SendGrid. `keys`: the verification keys, as its page shows them. Raises UsageError for any other."""

    provider = "sendgrid"

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = tuple(_key(text) for text in keys)

    def read(self, posted: Posted) -> Heard:
        """See Hook."""
        signature, seconds = posted.headers.get(SIGNATURE, ""), posted.headers.get(TIMESTAMP, "")
        if not signature or not seconds:
            raise HookRefused(401, "it is not signed (its Signed Event Webhook has to be on)")
        if not any(_verifies(key, decoded(signature), seconds, posted.body) for key in self._keys):
            raise HookRefused(403, "its signature is wrong")
        check_fresh(posted, seconds, OLDEST)
        told = (_told(event) for event in events_of(json_of(posted.body)))
        return Heard(tuple(one for one in told if one is not None))


def _told(event: Any) -> Told | None:
    kind = _KINDS.get(text_in(event, "event") or "")
    reason = text_in(event, "reason")
    if kind == "bounce":
        blocked = within(event, "type") == "blocked"
        known = (text_in(event, "bounce_classification") or "").lower() in _NO_MAILBOX
        kind = "bounce" if known and not blocked else "soft_bounce"
    elif kind == "failed":
        kind = _DROPPED.get((reason or "").strip().lower(), "failed")
    elif kind == "open" and within(event, "sg_machine_open") is True:
        return None  # a mail program that loads pictures ahead; nobody has opened anything
    if kind is None:
        return None
    given = text_in(event, "sg_event_id")
    parts = [text_in(event, name) for name in ("event", "sg_message_id", "email", "timestamp", "url")]
    return Told(
        kind,
        "email",
        event_id(given) if given else event_id(*parts),
        id_of(text_in(event, MARK)),
        address_in(event, "email"),
        instant_in(event, "timestamp"),
        url=text_in(event, "url") if kind == "click" else None,
        reason=reason,
    )


def _key(text: str) -> EllipticCurvePublicKey:
    try:
        # A `+` in a URL is read as a blank, and a key is often pasted as it stands.
        found = load_der_public_key(b64decode(text.replace(" ", "+"), validate=True))
    except (ValueError, UnsupportedAlgorithm):
        found = None
    if not isinstance(found, EllipticCurvePublicKey):
        raise UsageError("the address with sendgrid: says hook=..., which is no verification key", "bad_setting")
    return found


def _verifies(key: EllipticCurvePublicKey, signature: bytes, seconds: str, body: bytes) -> bool:
    try:
        key.verify(signature, seconds.encode("utf-8", "surrogatepass") + body, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True
