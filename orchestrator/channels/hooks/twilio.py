"""What Twilio posts: status callbacks and incoming messages, signed with the account's auth token.

https://www.twilio.com/docs/usage/security: HMAC-SHA1 over the address as Twilio was given it, followed by the names and
values of the form in the order of the names, in base64.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from hmac import digest
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from orchestrator.channels.hooks.protocol import Heard, Hook, HookRefused, Posted, Told, ToldKind
from orchestrator.channels.hooks.reading import ClosedHook, clean, event_id, same, secrets_of
from orchestrator.channels.hooks.sms_reading import form_of, number_of
from orchestrator.channels.message_mark import id_of
from orchestrator.channels.options import ChannelOptions
from orchestrator.channels.providers.twilio import MARK, NO_SUCH_NUMBER, STOPPED

PROVIDER: Final = "twilio"
SIGNATURE: Final = "x-twilio-signature"
_XML: Final = "text/xml; charset=utf-8"
_NOTHING_TO_SAY: Final = b'<?xml version="1.0" encoding="UTF-8"?><Response/>'
_STATUSES: Final[Mapping[str, ToldKind]] = {
    "sent": "sent", "delivered": "delivered", "undelivered": "failed", "failed": "failed",
}  # fmt: skip
"""Others (queued, sending, read ...) say nothing that anybody waits for."""
_NOT_NOW: Final = frozenset({30002, 30003, 30008, 30017, 30024})
"""The handset is off or out of reach, or the carrier failed."""
_WHATSAPP: Final = "whatsapp:"


class TwilioHook:
    """Callbacks of one account. `tokens`: its auth tokens (two while one is being replaced)."""

    provider = PROVIDER

    def __init__(self, tokens: Sequence[str]) -> None:
        self._tokens = tuple(tokens)

    def read(self, posted: Posted) -> Heard:
        """See Hook."""
        shown = posted.headers.get(SIGNATURE)
        if not shown:
            raise HookRefused(401, "it is not signed")
        fields = form_of(posted.body)
        made = [signature_of(token, url, fields) for token in self._tokens for url in _addresses(posted.url)]
        if not any(same(shown, signature) for signature in made):
            raise HookRefused(403, "its signature is wrong")
        form = dict(fields)
        if "Body" in form and form.get("SmsStatus", "received") == "received":
            told = _reply(form)
            return Heard((told,) if told is not None else (), _NOTHING_TO_SAY, _XML)
        told = _status(form, posted.url)
        return Heard((told,) if told is not None else ())


def signature_of(token: str, url: str, fields: Iterable[tuple[str, str]]) -> str:
    """What Twilio writes into its header for a form posted to an address."""
    written = "".join(name + value for name, value in sorted(set(fields)))
    return b64encode(digest(token.encode(), f"{url}{written}".encode("utf-8", "surrogatepass"), "sha1")).decode("ascii")


def hook_of(parts: SplitResult, options: ChannelOptions) -> Hook:
    """The reader of an account's callbacks. One that sends by an API key has to say the auth token: `?hook=`."""
    given = secrets_of(options.text("hook") or "")
    password = unquote(parts.password or "")
    if not given and (unquote(parts.username or "").startswith("SK") or not password):
        return ClosedHook(PROVIDER, "AUTH_TOKEN")
    return TwilioHook(given or (password,))


def _addresses(url: str) -> tuple[str, ...]:
    """The address, and the other way of writing it where the port is the usual one."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return (url,)
    usual = {"https": 443, "http": 80}.get(parts.scheme)
    if usual is None or parts.hostname is None or port not in (None, usual):
        return (url,)
    host = parts.netloc.removesuffix(f":{usual}")
    return tuple(parts._replace(netloc=netloc).geturl() for netloc in (host, f"{host}:{usual}"))


def _reply(form: Mapping[str, str]) -> Told | None:
    sid = form.get("MessageSid") or form.get("SmsSid")
    channel, address = _whose(form.get("From"))
    if not sid or address is None:
        return None
    return Told("reply", channel, event_id(sid, "reply"), address=address, text=clean(form.get("Body") or ""))


def _status(form: Mapping[str, str], url: str) -> Told | None:
    sid, status = form.get("MessageSid") or form.get("SmsSid"), form.get("MessageStatus") or form.get("SmsStatus") or ""
    if not sid or status not in _STATUSES:
        return None
    kind, code = _STATUSES[status], _number(form.get("ErrorCode"))
    if kind == "failed" and code is not None:
        if code in NO_SUCH_NUMBER:
            kind = "bounce"
        elif code in _NOT_NOW:
            kind = "soft_bounce"
        elif code == STOPPED:
            kind = "unsubscribe"
    mark = dict(parse_qsl(urlsplit(url).query, max_num_fields=50)).get(MARK)
    channel, address = _whose(form.get("To"))
    reason = f"Twilio's error {code}" if code is not None else None
    return Told(kind, channel, event_id(sid, status), id_of(mark), address, reason=reason)


def _whose(written: str | None) -> tuple[str, str | None]:
    text = written or ""
    if text.startswith(_WHATSAPP):
        return "whatsapp", number_of(text.removeprefix(_WHATSAPP))
    return "sms", number_of(text)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 10 else None
