"""Twilio's Messages API. It takes no key of ours: a call that is repeated sends the message again.

Which of its errors (https://www.twilio.com/docs/api/errors) is about one message, and which about the account, is a
table below; what it does not name is read by its HTTP status.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

from orchestrator.channels.protocol import Answer, Outgoing
from orchestrator.channels.providers.adapter import WIDTH, Call, ProviderChannel, by_status, printable
from orchestrator.channels.providers.sms_parts import Senders, sms_parts
from orchestrator.channels.providers.wire import ProviderWire, Reply

BASE: Final = "https://api.twilio.com"
MARK: Final = "m"
"""The parameter of the status callback's address that holds our id."""
NO_SUCH_NUMBER: Final = frozenset({21211, 21214, 21217, 21614, 30005, 30006})
"""The number cannot exist, is not in service, or is a landline."""
REFUSED: Final = frozenset({21408, 21602, 21604, 21605, 21610, 21612, 21617, 21619, 21635, 30004, 30007, 30034, 63003})
"""This message: a country that is not open, a blocked or unsubscribed number, a text that is empty or too long."""
STOPPED: Final = 21610
LATER: Final = frozenset({14107, 20429, 21611, 30001, 30022, 63018})
"""Too many at once, or a full queue."""
ACCOUNT: Final = frozenset(
    {
        20003, 20005, 20006, 20008, 20403, 20404, 21212, 21603, 21606, 21607, 21609, 21659, 21660, 21701, 21703, 21704,
        21705,
    }
)  # fmt: skip
"""The credentials, the account, the sender or the callback's address: the next message would meet them, too."""


class TwilioChannel(ProviderChannel):
    """Texts through one account. `service`: a Messaging Service that chooses the sender, where the country does not
    ask for one. `callback`: where Twilio tells what becomes of a message."""

    provider = "Twilio"

    def __init__(
        self,
        wire: ProviderWire,
        account: str,
        user: str,
        password: str,
        senders: Senders,
        *,
        base: str = BASE,
        service: str | None = None,
        callback: str | None = None,
        width: int = WIDTH,
        rate: float | None = None,
    ) -> None:
        super().__init__(wire, width, rate)
        self._headers = {
            "Authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode("ascii"),
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        self._url = f"{base}/2010-04-01/Accounts/{quote(account, safe='')}/Messages.json"
        self._senders = senders
        self._service = service
        self._callback = callback

    def look(self) -> Call:
        """The account's last message: an API key may not read the account itself."""
        return Call("GET", f"{self._url}?PageSize=1", self._headers)

    def request(self, message: Outgoing) -> Call:
        """See ProviderChannel."""
        parts = sms_parts(message)
        form = {"To": parts.to, "Body": parts.text}
        if self._service is not None:
            form["MessagingServiceSid"] = self._service
        sender = self._senders.of(message) if self._service is None else self._senders.of_country(message.to)
        if sender is not None:
            form["From"] = sender
        if self._callback is not None:
            joined = "&" if urlsplit(self._callback).query else "?"
            form["StatusCallback"] = f"{self._callback}{joined}{MARK}={parts.mark}"
        return Call("POST", self._url, self._headers, urlencode(form).encode("ascii"))

    def answer(self, reply: Reply, message: Outgoing) -> Answer:
        """See ProviderChannel."""
        said = reply.json()
        said = said if isinstance(said, dict) else {}
        taken = 200 <= reply.status < 300
        code = said.get("error_code" if taken else "code")
        words = f"{said.get('error_message' if taken else 'message') or 'it gave no reason'}"
        if taken and (said.get("status") not in ("failed", "undelivered") or not isinstance(code, int)):
            reference = said.get("sid")
            return Answer("accepted", reference=reference if isinstance(reference, str) else None)
        reason = printable(f"Twilio answered {code}: {words}")
        if code in NO_SUCH_NUMBER:
            return Answer("rejected", reason, ("bounce",))
        if code in LATER:
            return Answer("retry", reason, after=reply.after, down=code != 21611)
        if code in ACCOUNT:
            return Answer("retry", reason, after=reply.after, down=True)
        if code in REFUSED or taken:
            return Answer("rejected", reason)
        return by_status(reply, self.provider, words if said else None)
