"""What WeChat and WeCom have in common: an access token for all calls, and answers whose number says what is wrong,
while their HTTP status is always 200."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

from orchestrator.channels.protocol import Answer, Outgoing
from orchestrator.channels.providers.adapter import WIDTH, Call, ProviderChannel, Refused, by_status, printable
from orchestrator.channels.providers.signing_jwt import KeptToken, Lease, TokenLate
from orchestrator.channels.providers.wire import Lost, NotSent, ProviderWire, Reply

EARLIER: Final = 300.0
"""Seconds before its end from which a token is not used any more."""
TOKEN_OVER: Final = frozenset({40001, 40014, 42001})
"""The access token is not good (any more): another one is asked for, once."""
OURS: Final = frozenset(
    {40002, 40013, 40056, 40125, 40164, 41002, 41004, 48001, 48002, 48004, 50001, 50002, 60020, 60011, 301002, 301007,
     89503, 89506, 89507}
)  # fmt: skip
"""Our account, its rights, or the list of addresses that may call: nobody's message will fare better."""
BUSY: Final = frozenset({-1, 45033, 6000})
QUOTAS: Final = {45009: 3_600.0, 45011: 60.0}
"""The calls of the day, or of the minute, are used up: come again after so many seconds."""


class NoToken(Exception):
    """There is no access token to be had just now."""


class WeixinChannel(ProviderChannel):
    """An account. `token_call` asks for an access token, `message_call` makes the request of one message."""

    def __init__(
        self,
        wire: ProviderWire,
        base: str,
        width: int = WIDTH,
        rate: float | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(wire, width, rate)
        self._base = base
        self._clock = clock
        self._token = KeptToken(self._asked, clock)

    def token_call(self) -> Call:
        """The request for an access token."""
        raise NotImplementedError

    def look(self) -> Call:
        """A token, which is the same for all who ask."""
        return self.token_call()

    def message_call(self, message: Outgoing) -> tuple[str, dict[str, Any]]:
        """Path and body of one message. Raises Refused."""
        raise NotImplementedError

    def by_number(self, number: int, words: str, said: Mapping[str, Any]) -> Answer:
        """What a number means that is neither 0 nor about the token, the account, or quotas: this message, for good."""
        return Answer("rejected", words)

    def taken(self, said: Mapping[str, Any]) -> Answer:
        """The answer to a message that was taken."""
        id = said.get("msgid")
        return Answer("accepted", reference=None if id is None else str(id))

    def _send_one(self, message: Outgoing) -> Answer:
        try:
            path, body = self.message_call(message)
        except Refused as error:
            return Answer("rejected", printable(str(error)))
        # These APIs show \uXXXX as it stands, so that the JSON has to be in UTF-8.
        data = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        answer = Answer("retry", f"{self.provider} takes no access token", down=True)
        for _ in range(2):
            try:
                token = self._token.get()
                url = f"{self._base}{path}?access_token={quote(token, safe='')}"
                reply = self._wire.call("POST", url, {"Content-Type": "application/json"}, data)
            except TokenLate as error:
                return Answer("retry", str(error), after=1.0)
            except (NotSent, NoToken) as error:
                return Answer("retry", printable(f"{self.provider} cannot be reached: {error}"), down=True)
            except Lost as error:
                return Answer("unknown", printable(f"no answer of {self.provider}: {error}"))
            number, said = _number(reply)
            if number not in TOKEN_OVER:
                return self._meant(reply, number, said)
            self._token.refused(token)
        return answer

    def _meant(self, reply: Reply, number: int | None, said: Mapping[str, Any]) -> Answer:
        if number is None:
            if 200 <= reply.status < 300:
                return Answer("unknown", f"{self.provider} answered something that cannot be read")
            return by_status(reply, self.provider)
        if number == 0:
            return self.taken(said)
        words = printable(f"{self.provider} answered {number}: {said.get('errmsg') or 'no reason'}")
        if number in QUOTAS:
            return Answer("retry", words, after=QUOTAS[number], down=True)
        if number in OURS:
            return Answer("retry", words, down=True)
        if number in BUSY:
            return Answer("retry", words)
        return self.by_number(number, words, said)

    def _asked(self) -> Lease:
        now = self._clock()
        try:
            reply = self._wire.call(*self.token_call())
        except Lost as error:
            raise NoToken(str(error)) from None
        number, said = _number(reply)
        token, lasts = said.get("access_token"), said.get("expires_in")
        if number not in (0, None) or not isinstance(token, str) or not token:
            raise NoToken(f"no access token ({number or reply.status}: {said.get('errmsg') or 'no reason'})")
        seconds = float(lasts) if isinstance(lasts, (int, float)) and not isinstance(lasts, bool) else 7_200.0
        return Lease(token, now + max(seconds - EARLIER, 1.0))


def _number(reply: Reply) -> tuple[int | None, Mapping[str, Any]]:
    """The errcode of an answer, and all it says; None: it has none."""
    said = reply.json()
    if not isinstance(said, Mapping):
        return None, {}
    number = said.get("errcode")
    return (number if isinstance(number, int) and not isinstance(number, bool) else None), said
