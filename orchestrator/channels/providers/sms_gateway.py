"""Any gateway that speaks the small JSON below: for providers without an adapter of their own, and those in the house.

    POST <its address>        Authorization: Basic ... or Bearer ...        Idempotency-Key: <id>
    {"id": "...", "to": "+351912345678", "from": "Harbour", "text": "...", "class": "promotional"}

`id` is the key: a second request with it sends nothing, and is answered as the first was. What it may answer:

    2xx                                            taken; {"reference": "its own id"} may say more
    2xx or 4xx  {"status": "rejected", "reason": "...", "code": "invalid_number"}    refused for good
    any         {"status": "retry", "reason": "...", "after": 30}          refused for now, and certainly not taken
    else        as RFC 9110 has it: 401, 403, 404 our configuration; 408, 425, 429, 503 later; other 4xx for good

`code` invalid_number puts the number on the suppression list. Its callbacks are read by channels/hooks/sms_gateway.py.
"""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any, Final

from orchestrator.channels.protocol import Answer, Outgoing
from orchestrator.channels.providers.adapter import WIDTH, Call, ProviderChannel, by_status, printable
from orchestrator.channels.providers.sms_parts import Senders, sms_parts
from orchestrator.channels.providers.wire import ProviderWire, Reply

NO_SUCH_NUMBER: Final = "invalid_number"
LONGEST_AFTER: Final = 86_400.0


class SmsGatewayChannel(ProviderChannel):
    """Texts through a gateway at `url`, by user and password, or by a bearer `token`."""

    idempotent = True
    provider = "the SMS gateway"

    def __init__(
        self,
        wire: ProviderWire,
        url: str,
        senders: Senders,
        *,
        basic: tuple[str, str] | None = None,
        token: str | None = None,
        width: int = WIDTH,
        rate: float | None = None,
    ) -> None:
        super().__init__(wire, width, rate)
        self._url = url
        self._senders = senders
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        elif basic is not None:
            pair = ":".join(basic).encode("utf-8")
            self._headers["Authorization"] = "Basic " + b64encode(pair).decode("ascii")

    def request(self, message: Outgoing) -> Call:
        """See ProviderChannel."""
        parts = sms_parts(message)
        body: dict[str, Any] = {"id": parts.mark, "to": parts.to, "text": parts.text}
        sender = self._senders.of(message)
        if sender is not None:
            body["from"] = sender
        if message.klass is not None:
            body["class"] = message.klass
        headers = {**self._headers, "Idempotency-Key": parts.mark}
        return Call("POST", self._url, headers, json.dumps(body, ensure_ascii=False).encode("utf-8"))

    def answer(self, reply: Reply, message: Outgoing) -> Answer:
        """See ProviderChannel."""
        found = reply.json()
        said: dict[str, Any] = found if isinstance(found, dict) else {}
        words = said.get("reason") if isinstance(said.get("reason"), str) else None
        reason = printable(f"{self.provider} answered {reply.status}" + (f": {words}" if words else ""))
        status, refused = said.get("status"), 400 <= reply.status < 500
        if status == "retry":
            after = said.get("after")
            if isinstance(after, (int, float)) and not isinstance(after, bool) and 0 <= after <= LONGEST_AFTER:
                return Answer("retry", reason, after=float(after))
            return Answer("retry", reason, after=reply.after)
        if status == "rejected" and (refused or 200 <= reply.status < 300):
            return Answer("rejected", reason, ("bounce",) if said.get("code") == NO_SUCH_NUMBER else ())
        if 200 <= reply.status < 300:
            reference = said.get("reference")
            return Answer("accepted", reference=reference if isinstance(reference, str) else None)
        return by_status(reply, self.provider, words)
