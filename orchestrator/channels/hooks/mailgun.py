"""What Mailgun says (webhooks), signed with the account's webhook signing key.

Its signature covers a time and a token, not what is said: whoever has seen one could say other things with it until
it is too old. TLS keeps it from being seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from hmac import digest
from typing import Any, Final

from orchestrator.channels.hooks.protocol import Heard, HookRefused, Posted, Told, ToldKind
from orchestrator.channels.hooks.reading import (
    address_in,
    check_fresh,
    event_id,
    instant_in,
    json_of,
    same,
    text_in,
    within,
)
from orchestrator.channels.message_mark import MARK, id_of

OLDEST: Final = timedelta(hours=9)
"""It tries to deliver an event for eight hours."""
_KINDS: Final[Mapping[str, ToldKind]] = {
    "accepted": "sent",
    "delivered": "delivered",
    "failed": "bounce",
    "rejected": "failed",
    "complained": "complaint",
    "unsubscribed": "unsubscribe",
    "opened": "open",
    "clicked": "click",
}
_FAILED: Final[Mapping[str, ToldKind]] = {
    "bounce": "bounce",
    "suppress-bounce": "bounce",
    "suppress-complaint": "complaint",
    "suppress-unsubscribe": "unsubscribe",
}
"""Why it failed for good; other reasons (`old`: it gave up) say nothing about the mailbox."""


class MailgunHook:
    """Events of Mailgun. `keys`: the signing keys (not the API key)."""

    provider = "mailgun"

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = tuple(keys)

    def read(self, posted: Posted) -> Heard:
        """See Hook."""
        body = json_of(posted.body)
        signed = [within(body, "signature", name) for name in ("timestamp", "token", "signature")]
        if not all(isinstance(value, str) and value for value in signed):
            raise HookRefused(401, "it is not signed")
        seconds, token, signature = signed
        covered = f"{seconds}{token}".encode("utf-8", "surrogatepass")
        found = [same(digest(key.encode(), covered, "sha256").hex(), signature) for key in self._keys]
        if not any(found):
            raise HookRefused(403, "its signature is wrong")
        check_fresh(posted, seconds, OLDEST)
        told = _told(within(body, "event-data"))
        return Heard(() if told is None else (told,))


def _told(event: Any) -> Told | None:
    kind = _KINDS.get(text_in(event, "event") or "")
    if kind is None:
        return None
    if kind == "bounce":
        if within(event, "severity") != "permanent":
            return None  # it still tries
        kind = _FAILED.get(text_in(event, "reason") or "", "soft_bounce")
        # 5.7: a policy refused it; the mailbox is there
        if kind == "bounce" and (text_in(event, "delivery-status", "enhanced-code") or "").startswith("5.7"):
            kind = "soft_bounce"
    elif kind == "open" and text_in(event, "client-info", "bot"):
        return None
    given = text_in(event, "id")
    parts = [text_in(event, name) for name in ("event", "recipient", "url")]
    return Told(
        kind,
        "email",
        event_id(given) if given else event_id(*parts, str(within(event, "timestamp"))[:40]),
        id_of(text_in(event, "user-variables", MARK)),
        address_in(event, "recipient"),
        instant_in(event, "timestamp"),
        url=text_in(event, "url") if kind == "click" else None,
        reason=text_in(event, "delivery-status", "message")
        or text_in(event, "delivery-status", "description")
        or text_in(event, "reject", "reason")
        or text_in(event, "reason"),
    )
