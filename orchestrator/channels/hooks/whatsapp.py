"""What WhatsApp says (Cloud API webhooks): what became of messages, and what people write.

Signed with the app's secret over the body (X-Hub-Signature-256). A GET asks once, with the word that was agreed on,
whether this address is ours.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from orchestrator.channels.hooks.protocol import Heard, HookRefused, Posted, Told, ToldKind
from orchestrator.channels.hooks.reading import (
    MOST_EVENTS,
    event_id,
    instant_in,
    json_of,
    same,
    text_in,
    within,
)
from orchestrator.channels.message_mark import id_of

_STATUSES: Final[Mapping[str, ToldKind]] = {
    "sent": "sent",
    "delivered": "delivered",
    "read": "open",
    "failed": "failed",
}
_STOPPED: Final = ("131050",)
"""They asked WhatsApp for no more marketing messages of this business."""
_TEXTS: Final = (
    ("text", "body"),
    ("button", "text"),
    ("interactive", "button_reply", "title"),
    ("interactive", "list_reply", "title"),
    ("image", "caption"),
    ("video", "caption"),
    ("document", "caption"),
    ("reaction", "emoji"),
)
"""Where the words of a message stand, by its type."""
LONGEST_CHALLENGE: Final = 500


class WhatsappHook:
    """One app. `secrets` sign its callbacks, `verify` is the agreed word; messages of other numbers than `number_id`
    are not ours."""

    provider = "whatsapp"
    answers_get = True

    def __init__(self, secrets: Sequence[str], verify: str | None = None, number_id: str | None = None) -> None:
        self._secrets = tuple(secret.encode() for secret in secrets)
        self._verify = verify
        self._number_id = number_id

    def read(self, posted: Posted) -> Heard:
        """See Hook."""
        if posted.method == "GET":
            return self._confirmed(posted)
        self._check(posted)
        body = json_of(posted.body)
        return Heard(tuple(self._told(body)))

    def _check(self, posted: Posted) -> None:
        scheme, _, shown = posted.headers.get("x-hub-signature-256", "").partition("=")
        if scheme != "sha256" or not shown:
            raise HookRefused(401, "it has no signature (X-Hub-Signature-256)")
        found = [same(shown, hmac.digest(secret, posted.body, "sha256").hex()) for secret in self._secrets]
        if not any(found):
            raise HookRefused(403, "its signature is wrong")

    def _confirmed(self, posted: Posted) -> Heard:
        try:
            query = parse_qs(urlsplit(posted.url).query, max_num_fields=50)
        except ValueError:
            raise HookRefused(400, "its query cannot be read") from None
        word, challenge = query.get("hub.verify_token", [""])[0], query.get("hub.challenge", [""])[0]
        if self._verify is None or query.get("hub.mode") != ["subscribe"] or not same(word, self._verify):
            raise HookRefused(403, "it does not know the word of ?verify=")
        if not (challenge.isascii() and challenge.isprintable() and 0 < len(challenge) <= LONGEST_CHALLENGE):
            raise HookRefused(400, "it asks nothing that can be answered")
        return Heard(answer=challenge.encode("ascii"))

    def _told(self, body: Any) -> Iterator[Told]:
        count = 0
        for change in (change for entry in _listed(body, "entry") for change in _listed(entry, "changes")):
            value = within(change, "value")
            number = text_in(value, "metadata", "phone_number_id")
            if self._number_id is not None and number is not None and number != self._number_id:
                continue
            for reader, name in ((_status, "statuses"), (_message, "messages"), (_preference, "user_preferences")):
                for item in _listed(value, name):
                    count += 1
                    if count > MOST_EVENTS:
                        return
                    told = reader(item)
                    if told is not None:
                        yield told


def _status(item: Any) -> Told | None:
    kind = _STATUSES.get(text_in(item, "status") or "")
    if kind is None:
        return None
    code = text_in(item, "errors", 0, "code")
    reason = text_in(item, "errors", 0, "error_data", "details") or text_in(item, "errors", 0, "title")
    if kind == "failed" and code in _STOPPED:
        kind = "unsubscribe"
    return Told(
        kind,
        "whatsapp",
        event_id("status", text_in(item, "id"), text_in(item, "status"), text_in(item, "timestamp")),
        id_of(text_in(item, "biz_opaque_callback_data")),
        _phone(item, "recipient_id"),
        instant_in(item, "timestamp"),
        reason=f"{code}: {reason or 'no reason'}" if code is not None else reason,
    )


def _message(item: Any) -> Told | None:
    address = _phone(item, "from")
    if address is None:
        return None
    text = next((found for path in _TEXTS if (found := text_in(item, *path)) is not None), None)
    kind = text_in(item, "type") or "unknown"
    id = text_in(item, "id")
    at = instant_in(item, "timestamp")
    return Told("reply", "whatsapp", event_id("message", id, address), None, address, at, text or f"[{kind[:40]}]")


def _preference(item: Any) -> Told | None:
    """Somebody pressed "stop" for marketing messages in WhatsApp itself."""
    address = _phone(item, "wa_id")
    if address is None or text_in(item, "value") != "stop":
        return None
    id = event_id("preference", address, text_in(item, "category"), text_in(item, "timestamp"))
    reason = text_in(item, "detail")
    return Told("unsubscribe", "whatsapp", id, None, address, instant_in(item, "timestamp"), reason=reason)


def _phone(item: Any, name: str) -> str | None:
    digits = text_in(item, name)
    if digits is None or not (digits.isascii() and digits.isdigit() and 5 <= len(digits) <= 20):
        return None
    return f"+{digits}"


def _listed(value: Any, name: str) -> list[Any]:
    found = within(value, name)
    return found if isinstance(found, list) else []
