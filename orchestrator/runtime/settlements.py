"""What became of a claimed message, as the row, the journal and the inbox are told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Protocol

from orchestrator.channels.protocol import Answer
from orchestrator.core.claim import Claimed, ClaimVerdict, normal_of
from orchestrator.core.devices import REMOVE
from orchestrator.core.inbox import Body, Identified, Receipt
from orchestrator.core.ledger import UNSENT, Message
from orchestrator.core.plus_addresses import keeps_apart, put_as
from orchestrator.core.transition import Transition, transition
from orchestrator.stores.protocol import Settlement, Store

_settlement: Callable[[tuple[Any, ...]], Settlement] = partial(tuple.__new__, Settlement)
"""A settlement from all its fields in their order, without the calls that `Settlement(...)` takes."""


class Rendered(Protocol):
    """A message's texts."""

    @property
    def subject(self) -> str | None: ...
    @property
    def text(self) -> str: ...
    @property
    def html(self) -> str | None: ...
    @property
    def from_(self) -> str | None: ...
    @property
    def reply_to(self) -> str | None: ...


class Settler:
    """Makes settlements at one instant of journey time."""

    def __init__(self, store: Store, now: datetime) -> None:
        self._store = store
        self._now = now
        self._apart = keeps_apart(store.index.project.channels)
        listened = store.index.listened
        self._tell_sent = "message_sent" in listened
        self._tell_failed = "message_failed" in listened

    def kept(self, claimed: Claimed, verdict: ClaimVerdict) -> Settlement:
        """It stays in the queue: held until an instant, or frozen while its journey is paused."""
        row = claimed.row
        lines = []
        if verdict.action != "freeze":
            lines.append(line_of_row(row, self._now, "held", {"reason": verdict.reason, "until": verdict.until_at}))
        return Settlement(
            row.id,
            row.customer_id,
            "queued",
            lines,
            verdict.until_at,
            fence=claimed.fence,
            uncertain=claimed.uncertain,
        )

    def given_back(self, claimed: Claimed, retry_at: datetime) -> Settlement:
        """It was not tried: it stays in the queue until a real instant, and nobody needs to know."""
        row = claimed.row
        return Settlement(
            row.id, row.customer_id, "queued", fence=claimed.fence, retry_at=retry_at, uncertain=claimed.uncertain
        )

    def unchecked(self, claimed: Claimed, error: str, retry_at: datetime) -> Settlement:
        """The claim's checks failed: it stays in the queue until a real instant. The journal hears of the first time,
        and then ever more rarely."""
        row = claimed.row
        lines = []
        if claimed.fence & (claimed.fence - 1) == 0:  # of the claims 1, 2, 4, 8...
            data = {"channel": row.channel, "reason": "check_failed"}
            lines.append(line_of_row(row, said_at(row, self._now), "retried", data, 0, {"error": error}))
        return self.given_back(claimed, retry_at)._replace(transitions=lines)

    def refused_for_now(self, claimed: Claimed, answer: Answer, retry_at: datetime, again: bool = False) -> Settlement:
        """The provider refused it for now, or its answer was lost and it knows our id. `again`: it may have gone
        before, which stays so. The journal hears of the first time only: a day has many."""
        row = claimed.row
        lines = []
        if claimed.first_tried_at is None:
            data = {"channel": row.channel, "reason": "provider_busy"}
            lines.append(line_of_row(row, said_at(row, self._now), "retried", data, 0, {"error": answer.reason}))
        lost = answer.outcome == "unknown"
        return Settlement(
            row.id,
            row.customer_id,
            "queued",
            lines,
            fence=claimed.fence,
            retry_at=retry_at,
            uncertain=lost or again or claimed.uncertain,
            untaken=not lost,
        )

    def suppressed(self, claimed: Claimed, reason: str, values: Mapping[str, Any] | None = None) -> Settlement:
        """It is not sent."""
        row = claimed.row
        at = said_at(row, self._now)
        lines = [line_of_row(row, at, "suppressed", {"channel": row.channel, "reason": reason}, values=values)]
        coupon = self._released(row, at, lines)
        return Settlement(row.id, row.customer_id, "suppressed", lines, release_coupon=coupon, fence=claimed.fence)

    def answered(self, claimed: Claimed, rendered: Rendered | None, answer: Answer, again: bool = False) -> Settlement:
        """It was handed over, and this is final. `rendered` None: its texts are not known any more. `again`: it may
        have gone before, which is counted.

        Whoever may have a message is never said not to have it: what is refused after that is unknown, with its slot
        and its coupon; that there is no such mailbox is believed all the same.
        """
        row, fence = claimed.row, claimed.fence
        at = said_at(row, self._now)
        lines = [] if rendered is None else [line_of_row(row, at, "message", _texts(row, rendered))]
        if again:
            lines.append(line_of_row(row, at, "retried", {"channel": row.channel, "reason": "unknown_outcome"}, 1))
        if answer.outcome == "accepted":
            if not answer.receipts and not self._tell_sent and not answer.gone:  # as nearly always
                return _settlement(
                    (row.id, row.customer_id, "sent", lines, None, True, (), None, None, fence, None, False, False)
                )
            receipts = _receipts(row, answer)
            if self._tell_sent:
                receipts.insert(0, Receipt("sent", row.channel, row.id))
            cause = self._cause(claimed, answer)
            return Settlement(row.id, row.customer_id, "sent", lines, None, True, receipts, None, cause, fence)
        if answer.outcome == "unknown" or again or claimed.uncertain:
            data = {"channel": row.channel, "status": "unknown", "reason": "unknown_outcome"}
            lines.append(line_of_row(row, at, "outcome", data, 1, {"answer": answer.reason} if answer.reason else None))
            receipts, cause = _receipts(row, answer), self._cause(claimed, answer)
            return Settlement(row.id, row.customer_id, "unknown", lines, None, True, receipts, None, cause, fence)
        return self._rejected(claimed, answer, at, lines)

    def _rejected(self, claimed: Claimed, answer: Answer, at: datetime, lines: list[Transition]) -> Settlement:
        """Refused for good; where there is no such mailbox, nothing is sent there any more."""
        row = claimed.row
        data = {"channel": row.channel, "status": "rejected", "reason": "provider_rejected"}
        lines.append(line_of_row(row, at, "outcome", data, 1, {"answer": answer.reason}))
        coupon = self._released(row, at, lines)
        receipts: list[Body] = [Receipt("failed", row.channel, row.id)] if self._tell_failed else []
        receipts += _forgotten(answer)
        cause = self._cause(claimed, answer)
        return Settlement(
            row.id, row.customer_id, "rejected", lines, None, True, receipts, coupon, cause, claimed.fence
        )

    def _cause(self, claimed: Claimed, answer: Answer) -> tuple[str, str, str] | None:
        """What goes on the suppression list by this answer."""
        found, row = None, claimed.row
        for kind in answer.receipts:
            cause = {"bounce": "bounced", "complaint": "complained"}.get(kind)
            if cause is not None:
                put = put_as(cause, row.channel, row.to, self._apart, self._store.salt)
                found = (row.channel, normal_of(row, claimed.customer), put)
        return found

    def _released(self, row: Message, at: datetime, lines: list[Transition]) -> str | None:
        """The message is certainly unsent: its coupon is taken back. Returns the coupon's id, if it had one."""
        if row.coupon is None:
            return None
        card = self._store.card(row.customer_id)
        coupon = next((c for c in card.coupons if c.id == row.coupon), None) if card is not None else None
        if card is None or coupon is None or coupon.status != "issued":
            return None
        others = [m for m in card.messages if m.row.coupon == row.coupon and m.row.id != row.id]
        if any(message.status not in UNSENT for message in others):
            return None  # it went, or may still go, on another channel
        lines.append(line_of_row(row, at, "released", {"offer": coupon.offer, "code": coupon.code}, 1))
        return coupon.id


def _receipts(row: Message, answer: Answer) -> list[Body]:
    told: list[Body] = [Receipt(kind, row.channel, row.id) for kind in answer.receipts]  # type: ignore[arg-type]
    return told + _forgotten(answer)


def _forgotten(answer: Answer) -> list[Body]:
    """Devices that are gone are taken out of the profile by an arrival of their own, as an app would have it done."""
    return [Identified({REMOVE: list(answer.gone)})] if answer.gone else []


def said_at(row: Message, now: datetime) -> datetime:
    """The instant of the decision when the message goes in the same breath, else the actual one."""
    return row.at if row.decided_at == now else now


def _texts(row: Message, rendered: Rendered) -> dict[str, Any]:
    return {
        "channel": row.channel,
        "topic": row.topic,
        "template": row.template,
        "to": row.to,
        "subject": rendered.subject,
        "text": rendered.text,
        "html": rendered.html,
    }


def line_of_row(
    row: Message,
    at: datetime,
    type_: str,
    data: Mapping[str, Any],
    after: int = 0,
    values: Mapping[str, Any] | None = None,
) -> Transition:
    """A line about a message, in its place (`after` counts from the decision's own line)."""
    return transition(
        (
            at,
            row.customer_id,
            row.seq + after,
            type_,
            row.journey,
            row.version,
            row.key,
            row.step,
            data,
            row.enrollment_id,
            values or {},
        )
    )
