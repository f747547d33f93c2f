"""What providers and readers say about a message: delivered, opened, clicked, answered, bounced, complained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from orchestrator.core.addresses import BY_NUMBER, address_of
from orchestrator.core.consent import EVERY_TOPIC
from orchestrator.core.inbox import ConsentChanged, Receipt
from orchestrator.core.ledger import Message
from orchestrator.core.reply_words import intent_of, keyword_of
from orchestrator.core.transition import Transition

if TYPE_CHECKING:
    from orchestrator.core.turn import CustomerTurn

LONGEST_KEPT: Final = 160
"""Characters of a STOP that the ledger keeps."""
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
                    turn.suppress(row.channel, found, status)
            _event(turn, "message_failed", row, item, {"reason": status})
        case "unsubscribe" | "resubscribe":
            source = "sms" if item.channel in BY_NUMBER and item.text is None else "page" if item.text else ""
            _note_all(turn, item, "in" if item.kind == "resubscribe" else "out", source, item.text)
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
    """What was written becomes an event. A STOP was obeyed when it arrived: that waits for no turn; here it comes into
    the consent ledger."""
    text = (item.text or "").strip()
    intent = intent_of(text) if item.channel in BY_NUMBER else None
    if intent == "stop" or intent == "start":
        _note_all(turn, item, "in" if intent == "start" else "out", "sms", None, {"text": text[:LONGEST_KEPT]})
    _event(turn, f"{item.channel}_received", row, item, {"text": text, "keyword": keyword_of(text)})


def _note_all(
    turn: CustomerTurn,
    item: Receipt,
    state: Literal["in", "out"],
    source: str,
    wording: str | None,
    proof: Mapping[str, Any] | None = None,
) -> None:
    """Nothing at all is to come on a channel, or may again: a row of the ledger. It closes and opens nothing by itself:
    the address does, on the suppression list."""
    known = {**({"message": item.message_id} if item.message_id is not None else {}), **(proof or {})}
    choice = ConsentChanged(EVERY_TOPIC, item.channel, state, source, wording, known or None)
    arrived_at = turn.arrived_at
    turn.note_choice(choice, state, arrived_at if item.at is None else min(item.at, arrived_at))


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
