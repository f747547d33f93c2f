"""What providers and readers say about a message: delivered, opened, clicked, answered, bounced, complained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.core.addresses import address_of
from orchestrator.core.inbox import Receipt
from orchestrator.core.ledger import Message
from orchestrator.core.reply_words import keyword_of
from orchestrator.core.transition import Transition

if TYPE_CHECKING:
    from orchestrator.core.turn import CustomerTurn

_EVENTS = {"sent": "message_sent", "delivered": "message_delivered", "failed": "message_failed"}


def take_receipt(turn: CustomerTurn, item: Receipt) -> None:
    """Note it in the ledger, draw the consequences, and make the built-in event."""
    row = next((m.row for m in turn.messages if m.row.id == item.message_id), None)
    match item.kind:
        case "open":
            if row is not None:
                turn.mark_message(row.id, "opened", opened_at=turn.t)
            _event(turn, f"{item.channel}_opened", row, item, {"proxy": True} if item.proxy else {})
        case "click":
            if row is not None:
                turn.mark_message(row.id, "clicked", clicked_at=turn.t)
            _event(turn, f"{item.channel}_clicked", row, item, {"url": item.url})
        case "reply":
            _reply(turn, row, item)
        case "bounce" | "complaint":
            status = "bounced" if item.kind == "bounce" else "complained"
            if row is not None:
                turn.mark_message(row.id, status, status=status)
                _outcome(turn, row, status)
                found, _ = address_of(turn.customer, row.channel, row.to)
                if found is not None:
                    turn.suppress(row.channel, found.normal, status)
            _event(turn, "message_failed", row, item, {"reason": status})
        case "sent" | "delivered" | "failed":
            _event(turn, _EVENTS[item.kind], row, item, {})


def _outcome(turn: CustomerTurn, row: Message, status: str) -> None:
    turn.out.transitions.append(
        Transition(
            turn.t,
            turn.customer.id,
            row.seq + 1,
            "outcome",
            row.journey,
            row.version,
            row.key,
            row.step,
            {"channel": row.channel, "status": status},
            row.enrollment_id,
        )
    )


def _reply(turn: CustomerTurn, row: Message | None, item: Receipt) -> None:
    """What was written becomes an event. A STOP was obeyed when it arrived: that waits for no turn."""
    text = (item.text or "").strip()
    _event(turn, f"{item.channel}_received", row, item, {"text": text, "keyword": keyword_of(text)})


def _event(turn: CustomerTurn, name: str, row: Message | None, item: Receipt, extra: dict[str, Any]) -> None:
    properties: dict[str, Any] = {"channel": item.channel, **extra}
    if row is not None:
        properties |= {
            "message": row.id,
            "template": row.template,
            "journey": row.journey,
            "step": row.step,
            "topic": row.topic,
        }
    turn.emit_event(name, properties, turn.occasion(name, str(item.message_id)))
