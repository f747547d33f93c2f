"""Vonage's SMS API. It takes no key of ours, and answers 200 whatever became of the message: what it said stands in a
code for each of its segments (https://developer.vonage.com/en/api/sms, "SMS status codes")."""

from __future__ import annotations

from base64 import b64encode
from hashlib import blake2b
from typing import Any, Final
from urllib.parse import urlencode

from orchestrator.channels.message_mark import mark_of
from orchestrator.channels.protocol import Answer, Outgoing
from orchestrator.channels.providers.adapter import WIDTH, Call, ProviderChannel, Refused, by_status, printable
from orchestrator.channels.providers.sms_parts import Senders, sms_parts
from orchestrator.channels.providers.wire import ProviderWire, Reply
from orchestrator.core.gsm import beyond_gsm

BASE: Final = "https://rest.nexmo.com"
LONGEST_REFERENCE: Final = 100
"""Characters of `client-ref`."""
SENT: Final = "0"
LATER: Final = frozenset({"1", "10"})
"""Too many at once."""
LOST: Final = frozenset({"5"})
"""It failed within, and may have gone."""
ACCOUNT: Final = frozenset({"2", "4", "8", "9", "11", "14", "15", "23", "32"})
"""The credentials, the credit, the sender or the callback's address: the next message would meet them, too."""
NO_SUCH_NUMBER: Final = frozenset({"33"})
"""The number was given back."""


class VonageChannel(ProviderChannel):
    """Texts through one account. `callback`: where Vonage tells what becomes of a message (None: where its console
    says)."""

    provider = "Vonage"

    def __init__(
        self,
        wire: ProviderWire,
        key: str,
        secret: str,
        senders: Senders,
        *,
        base: str = BASE,
        callback: str | None = None,
        width: int = WIDTH,
        rate: float | None = None,
    ) -> None:
        super().__init__(wire, width, rate)
        self._account = {"api_key": key, "api_secret": secret}
        self._base = base
        self._url = f"{base}/sms/json"
        self._senders = senders
        self._callback = {"callback": callback} if callback is not None else {}

    def look(self) -> Call:
        """What the account has left."""
        pair = f"{self._account['api_key']}:{self._account['api_secret']}"
        headers = {"Authorization": "Basic " + b64encode(pair.encode()).decode("ascii"), "Accept": "application/json"}
        return Call("GET", f"{self._base}/account/get-balance", headers)

    def request(self, message: Outgoing) -> Call:
        """See ProviderChannel."""
        parts = sms_parts(message)
        sender = self._senders.of(message)
        if sender is None:
            raise Refused("Vonage wants a sender: from= in its address, or `from` of the channel in project.yaml")
        form = {
            **self._account,
            "to": parts.digits,
            "from": sender.removeprefix("+"),
            "text": parts.text,
            "type": "text" if not beyond_gsm(parts.text) else "unicode",
            "client-ref": reference_of(message.id),
            "status-report-req": "1",
            **self._callback,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        return Call("POST", self._url, headers, urlencode(form).encode("ascii"))

    def answer(self, reply: Reply, message: Outgoing) -> Answer:
        """See ProviderChannel."""
        said = reply.json()
        found = said.get("messages") if isinstance(said, dict) else None
        segments: list[dict[str, Any]] = [s for s in found if isinstance(s, dict)] if isinstance(found, list) else []
        if not segments:
            if 200 <= reply.status < 300:
                return Answer("unknown", "Vonage answered without saying what became of the message")
            return by_status(reply, self.provider)
        failed = [segment for segment in segments if str(segment.get("status")) != SENT]
        if len(failed) < len(segments):  # a part of it went: it cannot be sent again
            reference = next((s.get("message-id") for s in segments if s not in failed), None)
            return Answer("accepted", reference=reference if isinstance(reference, str) else None)
        code = str(failed[0].get("status"))
        reason = printable(f"Vonage answered {code}: {failed[0].get('error-text') or 'it gave no reason'}")
        if code in LATER:
            return Answer("retry", reason, after=reply.after, down=True)
        if code in ACCOUNT:
            return Answer("retry", reason, down=True)
        if code in LOST:
            return Answer("unknown", reason)
        return Answer("rejected", reason, ("bounce",) if code in NO_SUCH_NUMBER else ())


def reference_of(id: str) -> str:
    """Our id as it fits into `client-ref`: one that is too long leads back to no message."""
    mark = mark_of(id)
    return mark if len(mark) <= LONGEST_REFERENCE else f"-h{blake2b(mark.encode()).hexdigest()[:40]}"
