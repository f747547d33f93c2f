"""How people are told of troubles of the installation: by mail, a signed webhook, a group chat. Outside of journeys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, Final

from orchestrator.channels.chat_notices import ChatNotices
from orchestrator.channels.protocol import Caller, Channel, Outgoing
from orchestrator.core.ledger import Request
from orchestrator.core.transition import jsonable

LONGEST_CALL: Final = timedelta(seconds=10)
LONGEST_SUBJECT: Final = 200


def _id(alert: Any, to: str) -> str:
    """The same on every try, so that a second copy can be told from another alert."""
    return "alert-" + blake2b(f"{alert.id}\x1f{to}".encode()).hexdigest()[:24]


class MailAlerts:
    """To one address, through the installation's own mail channel."""

    def __init__(self, channel: Channel, address: str, sender: str | None, brand: str) -> None:
        self._channel = channel
        self._address = address
        self._sender = sender
        self._brand = brand

    @property
    def name(self) -> str:
        """`mail:` and the address."""
        return f"mail:{self._address}"

    def tell(self, alert: Any) -> str | None:
        """One mail."""
        subject = f"[{self._brand}] {alert.headline}"[:LONGEST_SUBJECT]
        mail = Outgoing(
            _id(alert, self._address), "email", self._address, subject, alert.text, sender=self._sender,
            at=datetime.now(UTC),
        )  # fmt: skip
        try:
            [answer] = self._channel.send([mail])
        except Exception as error:  # an adapter's own bug keeps nobody from being told another way
            return f"{type(error).__name__}: {error}"
        return (answer.reason or "no reason was given") if answer.outcome == "retry" else None


class WebhookAlerts:
    """To one URL, signed as Standard Webhooks says, under the rules for calls outside."""

    def __init__(self, caller: Caller, url: str, brand: str) -> None:
        self._caller = caller
        self._url = url
        self._brand = brand

    name = "webhook"

    def tell(self, alert: Any) -> str | None:
        """One call; any answer but a 2xx is tried again."""
        at = datetime.now(UTC)
        trouble = alert.trouble
        data = {
            "incident": trouble.name, "installation": self._brand, "what": trouble.what, "where": trouble.where,
            "next": trouble.then, "since": alert.since, "last_seen_at": alert.ended_at,
        }  # fmt: skip
        kind = "alert.opened" if alert.ended_at is None else "alert.resolved"
        body = jsonable({"type": kind, "timestamp": at, "data": {k: v for k, v in data.items() if v not in (None, "")}})
        id = _id(alert, self._url)
        call = Request(id, "", "", "alert", 1, "webhook", "POST", self._url, {}, body, LONGEST_CALL, None, at)
        status, _, error = self._caller.call(call)
        if status is not None and 200 <= status < 300:
            return None
        return error or f"the answer was {status}"


class ChatAlerts:
    """To one group chat."""

    def __init__(self, chat: ChatNotices, brand: str) -> None:
        self._chat = chat
        self._brand = brand

    @property
    def name(self) -> str:
        """Its kind, its host, and some digits of its address."""
        return f"chat:{self._chat.place.shown}"

    def tell(self, alert: Any) -> str | None:
        """One notice; what was not taken is tried again."""
        text = f"[{self._brand}] {alert.headline}"[:LONGEST_SUBJECT]
        return self._chat.write(_id(alert, self._chat.place.shown), f"{text}\n\n{alert.text}")
