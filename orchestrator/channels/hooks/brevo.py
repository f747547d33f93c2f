"""What Brevo says (transactional webhooks). It signs nothing: it shows a token, which its webhook was given."""

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
)
from orchestrator.channels.message_mark import MARK, id_of

_KINDS: Final[Mapping[str, ToldKind]] = {
    "request": "sent",
    "delivered": "delivered",
    "hard_bounce": "bounce",
    "invalid_email": "bounce",
    "soft_bounce": "soft_bounce",
    "blocked": "failed",
    "error": "failed",
    "spam": "complaint",
    "complaint": "complaint",
    "unsubscribed": "unsubscribe",
    "opened": "open",
    "unique_opened": "open",
    "click": "click",
}
"""Others are of no consequence: `deferred` (it still tries), `proxy_open` (nobody has opened anything)."""


class BrevoHook(TokenHook):
    """Events of Brevo. A first opening is told twice, as `opened` and as `unique_opened`; both have one id."""

    provider = "brevo"

    def told(self, event: Any) -> Told | None:
        """See TokenHook."""
        return _told(event)


def _told(event: Any) -> Told | None:
    name = text_in(event, "event") or ""
    kind = _KINDS.get(name)
    if kind is None:
        return None
    address, link = address_in(event, "email"), text_in(event, "link")
    time = text_in(event, "ts_event") or text_in(event, "ts_epoch") or text_in(event, "ts")
    return Told(
        kind,
        "email",
        event_id(name.removeprefix("unique_"), text_in(event, "message-id"), address, time, link),
        id_of((text_in(event, "X-Mailin-custom") or "").removeprefix(f"{MARK}:")),
        address,
        instant_in(event, "ts_event") or instant_in(event, "ts_epoch") or instant_in(event, "ts"),
        url=link if kind == "click" else None,
        reason=text_in(event, "reason"),
    )
