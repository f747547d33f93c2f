"""`deliver_once` and `requests_once`: everything that leaves the engine, outside of any turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from orchestrator.channels.protocol import Answer, Caller, Channel, Outgoing
from orchestrator.core.claim import Claimed, ClaimVerdict, check_claim, normal_of
from orchestrator.core.inbox import Body, Receipt, Replied
from orchestrator.core.ledger import UNSENT, Message
from orchestrator.core.transition import Transition
from orchestrator.runtime.breaker import count_render_error
from orchestrator.stores.protocol import Settlement, Store

LIMIT = 500
"""Messages in one claim."""


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


class MessageRenderer(Protocol):
    """Renders a ledger row from its frozen values."""

    def render(self, row: Message) -> Rendered:
        """The texts. Raises RenderError (with `reason`) when the template cannot be filled."""


class DeliveryCounts(NamedTuple):
    """What one pass did."""

    handed_over: int = 0
    suppressed: int = 0
    held: int = 0
    failed: int = 0


def deliver_once(
    store: Store,
    channels: Mapping[str, Channel],
    renderer: MessageRenderer,
    now: datetime,
    limit: int = LIMIT,
    render_errors: type[Exception] | tuple[type[Exception], ...] = (),
) -> DeliveryCounts:
    """Claim queued messages, check each again, render, hand over, settle."""
    delivery = _Delivery(store, channels, renderer, now, render_errors)
    claimed = store.claim_messages(now, limit)
    for message in claimed:
        # One by one and settled at once: a bounce of the first message must stop the second to the same address.
        store.settle_messages([delivery.deliver(message)], now)
    return DeliveryCounts(*delivery.counts)


class _Delivery:
    def __init__(
        self, store: Store, channels: Mapping[str, Channel], renderer: Any, now: datetime, errors: Any
    ) -> None:
        self.store = store
        self.channels = channels
        self.renderer = renderer
        self.now = now
        self.errors = errors
        self.counts = [0, 0, 0, 0]
        self.project = store.index.project
        self.tell_sent = "message_sent" in store.index.listened

    def deliver(self, claimed: Claimed) -> Settlement:
        """One message from claim to settlement."""
        store, row = self.store, claimed.row
        verdict = check_claim(claimed, self.project, store.switches(), store.suppressions(), store.salt, self.now)
        if verdict.action == "send":
            try:
                rendered = self.renderer.render(row)
            except self.errors as error:
                self.counts[3] += 1
                tripped = {"tripped": "the journey is paused"} if count_render_error(store, row) else {}
                return self._suppressed(row, "render_error", {"error": str(error), **tripped})
            return self._hand_over(claimed, rendered)
        if verdict.action == "suppress":
            assert verdict.reason is not None
            return self._suppressed(row, verdict.reason)
        return self._kept(row, verdict)

    def _kept(self, row: Message, verdict: ClaimVerdict) -> Settlement:
        self.counts[2] += 1
        lines = (
            []
            if verdict.action == "freeze"
            else [_line(row, self.now, "held", {"reason": verdict.reason, "until": verdict.until_at})]
        )
        return Settlement(row.id, row.customer_id, "queued", lines, verdict.until_at)

    def _suppressed(self, row: Message, reason: str, values: Mapping[str, Any] | None = None) -> Settlement:
        self.counts[1] += 1
        at = _said_at(row, self.now)
        lines = [_line(row, at, "suppressed", {"channel": row.channel, "reason": reason}, values=values)]
        coupon = self._released(row, at, lines)
        return Settlement(row.id, row.customer_id, "suppressed", lines, release_coupon=coupon)

    def _hand_over(self, claimed: Claimed, rendered: Rendered) -> Settlement:
        row = claimed.row
        out = Outgoing(
            row.id,
            row.channel,
            row.to,
            rendered.subject,
            rendered.text,
            rendered.html,
            rendered.from_,
            rendered.reply_to,
        )
        channel = self.channels[row.channel]
        answer = channel.send([out])[0]
        if answer.outcome == "unknown" and row.klass != "promotional":
            answer = channel.send([out])[0]  # once more: a second copy is better than none
        self.counts[0] += 1
        at = _said_at(row, self.now)
        lines = [_line(row, at, "message", _texts(row, rendered))]
        return self._settled(claimed, answer, at, lines)

    def _settled(self, claimed: Claimed, answer: Answer, at: datetime, lines: list[Transition]) -> Settlement:
        row = claimed.row
        if answer.outcome == "accepted" and not answer.receipts and not self.tell_sent:  # as nearly always
            return Settlement(row.id, row.customer_id, "sent", lines, None, True)
        receipts: list[Body] = [Receipt(kind, row.channel, row.id) for kind in answer.receipts]  # type: ignore[arg-type]
        if answer.outcome == "rejected":
            data = {"channel": row.channel, "status": "rejected", "reason": "provider_rejected"}
            lines.append(_line(row, at, "outcome", data, 1, {"answer": answer.reason}))
            coupon = self._released(row, at, lines)
            receipts.append(Receipt("failed", row.channel, row.id))
            listened = "message_failed" in self.store.index.listened
            return Settlement(
                row.id,
                row.customer_id,
                "rejected",
                lines,
                None,
                True,
                receipts if listened else (),
                coupon,
            )
        if answer.outcome == "unknown":
            data = {"channel": row.channel, "status": "unknown", "reason": "unknown_outcome"}
            lines.append(_line(row, at, "outcome", data, 1))
            return Settlement(row.id, row.customer_id, "unknown", lines, None, True, receipts)
        if self.tell_sent:
            receipts.insert(0, Receipt("sent", row.channel, row.id))
        suppress = None
        for kind in answer.receipts:
            cause = {"bounce": "bounced", "complaint": "complained"}.get(kind)
            if cause is not None:
                suppress = (row.channel, normal_of(row, claimed.customer), cause)
        return Settlement(row.id, row.customer_id, "sent", lines, None, True, receipts, None, suppress)

    def _released(self, row: Message, at: datetime, lines: list[Transition]) -> str | None:
        """The message is certainly unsent: its coupon is taken back. Returns the coupon's id, if it had one."""
        if row.coupon is None:
            return None
        card = self.store.card(row.customer_id)
        coupon = next((c for c in card.coupons if c.id == row.coupon), None) if card is not None else None
        if card is None or coupon is None or coupon.status != "issued":
            return None
        others = [m for m in card.messages if m.row.coupon == row.coupon and m.row.id != row.id]
        if any(message.status not in UNSENT for message in others):
            return None  # it went, or may still go, on another channel
        lines.append(_line(row, at, "released", {"offer": coupon.offer, "code": coupon.code}, 1))
        return coupon.id


def _said_at(row: Message, now: datetime) -> datetime:
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


def _line(
    row: Message,
    at: datetime,
    type_: str,
    data: Mapping[str, Any],
    after: int = 0,
    values: Mapping[str, Any] | None = None,
) -> Transition:
    return Transition(
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


def hold_line(row: Message, now: datetime, until_at: datetime) -> Transition:
    """The one line that says that a message waits for its journey's throttle."""
    return _line(row, _said_at(row, now), "held", {"reason": "send_limit", "until": until_at})


def requests_once(store: Store, caller: Caller, now: datetime, limit: int = LIMIT) -> int:
    """Make the calls that steps asked for; the answers go to the inbox. Returns how many were settled."""
    replies: list[tuple[Any, Body]] = []
    requests: Sequence[Any] = store.claim_requests(now, limit)
    for request in requests:
        cached = store.cached_reply(request.url, now) if request.cache is not None else None
        if cached is not None:
            answer: tuple[int | None, Any, str | None] = (cached[0], cached[1], None)
        else:
            answer = caller.call(request)
            status, body, _ = answer
            if request.cache is not None and status is not None and 200 <= status < 300:
                store.keep_reply(request.url, status, body, now + request.cache)
        replies.append((request, Replied(request.id, *answer)))
    store.settle_requests(replies, now)
    return len(replies)
