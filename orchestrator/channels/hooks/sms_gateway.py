"""What a gateway of the house posts to /hooks/sms_gateway, signed as Standard Webhooks describes it.

    webhook-id: 01J...    webhook-timestamp: 1772445600    webhook-signature: v1,BASE64(HMAC-SHA256(id.timestamp.body))
    {"type": "delivered", "id": "<ours>", "to": "+351912345678", "at": "2026-03-02T10:00:00Z"}

or a list of such. `type` is delivered, failed, bounce (no such number), soft_bounce, or reply with `from` and `text`.
`?hook=whsec_...` is the secret in base64; any other text is the secret itself.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import timedelta
from hmac import digest
from typing import Any, Final
from urllib.parse import SplitResult

from orchestrator.channels.hooks.protocol import Heard, Hook, HookRefused, Posted, Told, ToldKind
from orchestrator.channels.hooks.reading import (
    ClosedHook,
    check_fresh,
    decoded,
    event_id,
    events_of,
    instant_in,
    json_of,
    same,
    secrets_of,
    text_in,
)
from orchestrator.channels.hooks.sms_reading import number_of
from orchestrator.channels.message_mark import id_of
from orchestrator.channels.options import ChannelOptions

PROVIDER: Final = "sms_gateway"
FRESH_FOR: Final = timedelta(minutes=5)
_KINDS: Final[Mapping[str, ToldKind]] = {
    "sent": "sent", "delivered": "delivered", "failed": "failed", "bounce": "bounce", "soft_bounce": "soft_bounce",
    "reply": "reply",
}  # fmt: skip


class SmsGatewayHook:
    """Callbacks of one gateway."""

    provider = PROVIDER

    def __init__(self, secrets: Sequence[str]) -> None:
        self._keys = tuple(key_of(secret) for secret in secrets)

    def read(self, posted: Posted) -> Heard:
        """See Hook."""
        id, time, shown = (posted.headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
        if not (id and time and shown):
            raise HookRefused(401, "it is not signed")
        made = [signature_of(key, id, time, posted.body) for key in self._keys]
        if not any(same(one, other) for one in shown.split(" ")[:10] for other in made):
            raise HookRefused(403, "its signature is wrong")
        check_fresh(posted, time, FRESH_FOR, FRESH_FOR)
        found = (_told(event, id, n) for n, event in enumerate(events_of(json_of(posted.body))))
        return Heard(tuple(told for told in found if told is not None))


def signature_of(key: bytes, id: str, time: str, body: bytes) -> str:
    """What stands in `webhook-signature`."""
    head = f"{id}.{time}.".encode("utf-8", "surrogatepass")
    return "v1," + b64encode(digest(key, head + body, "sha256")).decode("ascii")


def key_of(secret: str) -> bytes:
    """The key that a secret stands for."""
    coded = secret.removeprefix("whsec_")
    return decoded(coded) if coded != secret and decoded(coded) else secret.encode()


def hook_of(parts: SplitResult, options: ChannelOptions) -> Hook:
    """The reader of a gateway's callbacks, by `?hook=`."""
    secrets = secrets_of(options.text("hook") or "")
    return SmsGatewayHook(secrets) if secrets else ClosedHook(PROVIDER, "whsec_SECRET")


def _told(event: Any, id: str, number: int) -> Told | None:
    kind = _KINDS.get(text_in(event, "type") or "")
    if kind is None:
        return None
    address = number_of(text_in(event, "from" if kind == "reply" else "to"))
    text = text_in(event, "text") if kind == "reply" else None
    if kind == "reply" and address is None:
        return None
    message_id, at, reason = id_of(text_in(event, "id")), instant_in(event, "at"), text_in(event, "reason")
    return Told(kind, "sms", event_id(id, number), message_id, address, at, text, reason=reason)
