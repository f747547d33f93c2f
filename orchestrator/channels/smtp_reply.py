"""What a mail server's reply means for the message (RFC 5321, RFC 3463): gone, refused for good, or to be tried again.

2xx to the message: accepted; the server's own id is kept.
4xx: retry. 5xx: rejected.
5xx with x.1.1, x.1.2, x.1.3, x.1.6 or x.1.10, to the recipient: rejected, and there is no such mailbox: a hard bounce.
421, and all that is about the log-in (454 4.7.x, 530, 534, 535, 538, x.7.8): retry, and any other message would fare
alike.
"""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple, TypeAlias

from orchestrator.channels.protocol import Answer

Stage: TypeAlias = Literal["hello", "sender", "recipient", "message"]
"""What the reply answers: the greeting and the log-in, MAIL, RCPT, or DATA and the text."""

LONGEST_SHOWN: Final = 300
BAD_MAILBOX: Final = frozenset({(1, 1), (1, 2), (1, 3), (1, 6), (1, 10)})
"""Bad mailbox, bad system, bad syntax, moved without a new address, a domain that takes no mail (RFC 7505)."""
_LOCKED_OUT: Final = frozenset({530, 534, 535, 538})
_enhanced = re.compile(r"\s*([245])\.(\d{1,3})\.(\d{1,3})(?!\S)").match
_queued_as = re.compile(r"(?:queued\s+as|\bid\s*[=:])\s*<?([\w.@+/-]{2,120})", re.IGNORECASE).search


class Reply(NamedTuple):
    """A server's reply: its code (-1: unreadable), and its text on one line."""

    code: int
    text: str

    @property
    def enhanced(self) -> tuple[int, int] | None:
        """Subject and detail of the enhanced status code, as far as there is one that fits the code."""
        found = _enhanced(self.text)
        if found is None or int(found[1]) != self.code // 100:
            return None
        return int(found[2]), int(found[3])

    def __str__(self) -> str:
        return f"{self.code} {self.text}".strip()[:LONGEST_SHOWN]


def reply_of(code: int, text: bytes | str) -> Reply:
    """A reply as it came, its text made fit to be shown and stored."""
    decoded = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    shown = "".join(c if c.isprintable() else " " for c in decoded)
    return Reply(code, " ".join(shown.split())[:LONGEST_SHOWN])


def answer_of(reply: Reply, stage: Stage) -> Answer:
    """What a reply that is no success leads to."""
    code, enhanced = reply.code, reply.enhanced
    said = f"the mail server said: {reply}"
    if _account_or_server(code, enhanced) or (stage == "hello"):
        return Answer("retry", said, down=True)
    if 400 <= code < 500:
        return Answer("retry", said)
    if 500 <= code < 600:
        if stage == "recipient" and enhanced in BAD_MAILBOX:
            return Answer("rejected", f"no such mailbox; {said}", ("bounce",))
        return Answer("rejected", said)
    if stage == "message":
        return Answer("unknown", f"the mail server's reply cannot be understood: {reply}")
    return Answer("retry", f"the mail server's reply cannot be understood: {reply}", down=True)


def accepted(reply: Reply) -> Answer:
    """The server took the message; its own id of it is in the text, where it says one."""
    found = _queued_as(reply.text)
    return Answer("accepted", reference=found[1] if found is not None else None)


def _account_or_server(code: int, enhanced: tuple[int, int] | None) -> bool:
    if code == 421 or code in _LOCKED_OUT:
        return True
    return enhanced == (7, 8) or (code == 454 and (enhanced is None or enhanced[0] == 7))
