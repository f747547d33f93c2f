"""Amazon SES (API v2): the message goes as the bytes that SMTP would carry, so that each of its headers arrives.

SES writes a Message-ID of its own. It takes no key: a call that is repeated sends the message again.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from orchestrator.channels.message_mark import MARK, mark_of
from orchestrator.channels.protocol import Answer, Outgoing
from orchestrator.channels.providers.adapter import WIDTH, Call, ProviderChannel, by_status, printable, reference_of
from orchestrator.channels.providers.email_parts import mime_of
from orchestrator.channels.providers.signing_aws import AwsAccess, signed_headers
from orchestrator.channels.providers.wire import ProviderWire, Reply

PATH: Final = "/v2/email/outbound-emails"
ACCOUNT: Final = frozenset(
    (
        "AccountSuspendedException",
        "SendingPausedException",
        "MailFromDomainNotVerifiedException",
        "LimitExceededException",
        "NotFoundException",
        "ConfigurationSetDoesNotExistException",
        "ConflictException",
    )
)
"""Errors that the next message would meet, too."""
THROTTLED: Final = frozenset(("TooManyRequestsException", "ThrottlingException", "Throttling"))


class SesChannel(ProviderChannel):
    """Mail through one account and region of Amazon SES."""

    provider = "Amazon SES"

    def __init__(
        self,
        wire: ProviderWire,
        access: AwsAccess,
        base: str,
        *,
        default_sender: str | None = None,
        configuration_set: str | None = None,
        width: int = WIDTH,
        rate: float | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__(wire, width, rate)
        self._access = access
        self._base = base
        self._url = f"{base}{PATH}"
        self._default_sender = default_sender
        self._configuration_set = configuration_set
        self._clock = clock

    def look(self) -> Call:
        """The account, as this region knows it (GetAccount)."""
        url = f"{self._base}/v2/email/account"
        return Call("GET", url, signed_headers(self._access, "GET", url, {}, b"", self._clock()))

    def trouble(self, said: Any) -> tuple[str, str] | None:
        """Whether sending is allowed, and to everybody."""
        if not isinstance(said, dict):
            return None
        if said.get("SendingEnabled") is False:
            return "it has paused this account's sending", "look at the account dashboard of SES"
        if said.get("ProductionAccessEnabled") is False:
            return "the account is in the sandbox: it sends to verified addresses only", "ask SES for production access"
        return None

    def request(self, message: Outgoing) -> Call:
        """See ProviderChannel."""
        mail = mime_of(message, self._default_sender)
        body: dict[str, object] = {
            "Content": {"Raw": {"Data": b64encode(mail.data).decode("ascii")}},
            "Destination": {"ToAddresses": [mail.to]},
            "EmailTags": [{"Name": MARK, "Value": mark_of(message.id)}],
        }
        if self._configuration_set is not None:
            body["ConfigurationSetName"] = self._configuration_set
        data = json.dumps(body).encode("ascii")
        headers = {"content-type": "application/json"}
        return Call(
            "POST", self._url, signed_headers(self._access, "POST", self._url, headers, data, self._clock()), data
        )

    def answer(self, reply: Reply, message: Outgoing) -> Answer:
        """See ProviderChannel."""
        found = reply.json()
        body = found if isinstance(found, dict) else {}
        if 200 <= reply.status < 300:
            return Answer("accepted", reference=reference_of(body.get("MessageId")))
        name = (reply.headers.get("x-amzn-errortype") or str(body.get("__type", ""))).split(":")[0].rpartition("#")[2]
        text = str(body.get("message") or body.get("Message") or "")
        said = f"{name}: {text}" if name else text
        if name in THROTTLED:
            daily = "daily" in text.lower()
            return Answer("retry", printable(f"{self.provider}: {said}"), after=reply.after, down=daily)
        if name in ACCOUNT or (name == "MessageRejected" and "not verified" in text):
            return Answer("retry", printable(f"{self.provider}: {said}"), after=reply.after, down=True)
        if reply.status == 400 and "suppression list" in text:
            return Answer("rejected", printable(f"{self.provider}: {said}"), ("bounce",))
        return by_status(reply, self.provider, said)
