"""What Vonage's SMS API posts: delivery receipts and incoming messages, as JSON or as a form, with a signature among
their fields.

https://developer.vonage.com/en/getting-started/concepts/signing-messages: `&name=value` of all fields but `sig` in the
order of the names, `&` and `=` in values written as `_`, and over that an HMAC with the signature secret; or, by the
method md5hash, the MD5 of it followed by the secret. Both have to be asked of its support for the SMS API.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import SplitResult

from orchestrator.channels.hooks.protocol import Heard, Hook, HookRefused, Part, Posted, Told, ToldKind
from orchestrator.channels.hooks.reading import (
    ClosedHook,
    clean,
    event_id,
    instant_in,
    json_of,
    same,
    secrets_of,
    text_in,
)
from orchestrator.channels.hooks.sms_reading import MOST_FIELDS, form_of, number_of
from orchestrator.channels.message_mark import id_of
from orchestrator.channels.options import ChannelOptions

PROVIDER: Final = "vonage"
METHODS: Final = ("sha256", "sha512", "sha1", "md5", "md5hash")
_STATUSES: Final[Mapping[str, ToldKind]] = {
    "delivered": "delivered", "accepted": "sent", "expired": "soft_bounce", "failed": "failed", "rejected": "failed",
}  # fmt: skip
MOST_PARTS: Final = 20
_NO_SUCH_NUMBER: Final = frozenset({"3", "9"})
"""Absent for good, or no number of anybody (its codes of errors in delivery receipts)."""
_NOT_NOW: Final = frozenset({"2", "7", "8", "12", "15"})
"""Absent for now, busy, the network, out of reach, no credit on the handset."""


class VonageHook:
    """Callbacks of one account, by its signature secrets and the method that is set for it."""

    provider = PROVIDER

    def __init__(self, secrets: Sequence[str], method: str = "sha256") -> None:
        self._secrets = tuple(secrets)
        self._method = method

    def read(self, posted: Posted) -> Heard:
        """See Hook."""
        fields = _fields(posted)
        shown = fields.pop("sig", "")
        if not shown:
            raise HookRefused(401, "it is not signed")
        made = [signature_of(secret, self._method, fields) for secret in self._secrets]
        if not any(same(shown.lower(), signature) for signature in made):
            raise HookRefused(403, "its signature is wrong")
        told = _told(fields)
        return Heard((told,) if told is not None else ())


def signature_of(secret: str, method: str, fields: Mapping[str, str]) -> str:
    """What Vonage writes into `sig`."""
    written = "".join(f"&{name}={fields[name].replace('&', '_').replace('=', '_')}" for name in sorted(fields))
    data = written.encode("utf-8", "surrogatepass")
    if method == "md5hash":
        return hashlib.md5(data + secret.encode(), usedforsecurity=False).hexdigest()
    return hmac.digest(secret.encode(), data, method).hex()


def hook_of(parts: SplitResult, options: ChannelOptions) -> Hook:
    """The reader of an account's callbacks, by `?hook=` (the signature secret) and `signed=` (the method)."""
    method = options.choice("signed", dict(zip(METHODS, METHODS, strict=True)), METHODS[0])
    secrets = secrets_of(options.text("hook") or "")
    return VonageHook(secrets, method) if secrets else ClosedHook(PROVIDER, "SIGNATURE_SECRET")


def _fields(posted: Posted) -> dict[str, str]:
    if not posted.body.lstrip().startswith(b"{"):
        return dict(form_of(posted.body))
    found = json_of(posted.body)
    if not isinstance(found, dict) or len(found) > MOST_FIELDS:
        raise HookRefused(400, "the body is no message of Vonage")
    fields = {}
    for name, value in found.items():
        if isinstance(value, (dict, list, float)) or value is None:
            raise HookRefused(400, "a field of the body is no text")
        fields[name] = value if isinstance(value, str) else str(value).lower() if value in (True, False) else str(value)
    return fields


def _part(fields: Mapping[str, str]) -> Part | None:
    """Which part of a longer text it is (`concat`)."""
    if (fields.get("concat") or "").lower() != "true":
        return None
    number, total = (fields.get(f"concat-{name}") or "" for name in ("part", "total"))
    if not all(text.isascii() and text.isdigit() and len(text) < 4 for text in (number, total)):
        return None
    if not 1 <= int(number) <= int(total) <= MOST_PARTS or int(total) == 1:
        return None
    return Part((fields.get("concat-ref") or "")[:40], int(number), int(total))


def _told(fields: Mapping[str, str]) -> Told | None:
    sid = fields.get("messageId") or fields.get("message-id")
    address = number_of(fields.get("msisdn"))
    if not sid:
        return None
    if "text" in fields and "status" not in fields:
        if address is None:
            return None
        came = {"at": f"{fields.get('message-timestamp')}Z"}  # in UTC, which it does not say
        at = instant_in(came, "at") or instant_in(dict(fields), "timestamp")
        id, text = event_id(sid, "reply"), clean(fields["text"])
        return Told("reply", "sms", id, address=address, at=at, text=text, part=_part(fields))
    kind = _STATUSES.get(fields.get("status") or "")
    code = fields.get("err-code") or "0"
    if kind is None:
        return None
    if kind in ("failed", "soft_bounce"):
        kind = "bounce" if code in _NO_SUCH_NUMBER else "soft_bounce" if code in _NOT_NOW else kind
    reason = None if kind in ("delivered", "sent") else clean(f"Vonage's error {code}")
    reference = text_in(dict(fields), "client-ref")
    return Told(kind, "sms", event_id(sid, fields["status"]), id_of(reference), address, reason=reason)
