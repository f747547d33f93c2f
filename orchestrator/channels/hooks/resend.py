"""What Resend says (webhooks), signed as Svix and the Standard Webhooks do."""

from __future__ import annotations

from base64 import b64decode, b64encode
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
from orchestrator.errors import UsageError

OLDEST: Final = timedelta(minutes=5)
"""Each attempt is signed anew."""
MOST_SIGNATURES: Final = 20
_KINDS: Final[Mapping[str, ToldKind]] = {
    "email.sent": "sent",
    "email.delivered": "delivered",
    "email.bounced": "bounce",
    "email.suppressed": "bounce",
    "email.complained": "complaint",
    "email.opened": "open",
    "email.clicked": "click",
    "email.failed": "failed",
}


class ResendHook:
    """Events of Resend. `secrets`: signing secrets (`whsec_...`). Raises UsageError for any other."""

    provider = "resend"

    def __init__(self, secrets: Sequence[str]) -> None:
        self._keys = tuple(_key(secret) for secret in secrets)

    def read(self, posted: Posted) -> Heard:
        """See Hook."""
        id, seconds, shown = (
            posted.headers.get(f"svix-{name}") or posted.headers.get(f"webhook-{name}") or ""
            for name in ("id", "timestamp", "signature")
        )
        if not (id and seconds and shown):
            raise HookRefused(401, "it is not signed")
        covered = f"{id}.{seconds}.".encode("utf-8", "surrogatepass") + posted.body
        expected = [f"v1,{b64encode(digest(key, covered, 'sha256')).decode('ascii')}" for key in self._keys]
        found = [same(one, other) for one in shown.split(" ")[:MOST_SIGNATURES] for other in expected]
        if not any(found):
            raise HookRefused(403, "its signature is wrong")
        check_fresh(posted, seconds, OLDEST)
        told = _told(json_of(posted.body), id)
        return Heard(() if told is None else (told,))


def _told(event: Any, id: str) -> Told | None:
    kind = _KINDS.get(text_in(event, "type") or "")
    if kind is None:
        return None
    data = within(event, "data")
    if text_in(event, "type") == "email.bounced" and within(data, "bounce", "type") != "Permanent":
        kind = "soft_bounce"
    return Told(
        kind,
        "email",
        event_id(id),
        id_of(_tag(within(data, "tags"))),
        address_in(data, "to", 0) or address_in(data, "to"),
        instant_in(event, "created_at"),
        url=text_in(data, "click", "link") if kind == "click" else None,
        reason=text_in(data, "bounce", "message")
        or text_in(data, "failed", "reason")
        or text_in(data, "suppressed", "message"),
    )


def _tag(tags: Any) -> str | None:
    """The mark among the tags: an object of names, or a list of names and values."""
    if isinstance(tags, dict):
        return text_in(tags, MARK)
    for tag in tags[:50] if isinstance(tags, list) else ():
        if within(tag, "name") == MARK:
            return text_in(tag, "value")
    return None


def _key(secret: str) -> bytes:
    try:
        found = b64decode(secret.removeprefix("whsec_").replace(" ", "+"), validate=True)
    except ValueError:
        found = b""
    if len(found) < 16:
        raise UsageError(
            "the address with resend: says hook=..., which is no signing secret (whsec_...)", "bad_setting"
        )
    return found
