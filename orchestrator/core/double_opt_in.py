"""Double opt-in: the owner of an address is asked, by a message with a link, whether the choice is theirs.

The message goes through the ordinary ledger. It belongs to no journey that anybody wrote, carries no advertising, and
needs no consent: it is how consent is asked for. Nobody is asked more than once a day about one topic on one channel.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from orchestrator.core.addresses import address_of
from orchestrator.core.consent import CONFIRMED_BY_LINK, is_proven
from orchestrator.core.customer import Timer
from orchestrator.core.guard import forbidden
from orchestrator.core.identity import stable_hash
from orchestrator.core.inbox import ConsentChanged
from orchestrator.core.ledger import Message
from orchestrator.core.project import Topic
from orchestrator.errors import DecisionError

if TYPE_CHECKING:
    from orchestrator.core.turn import CustomerTurn

JOURNEY: Final = "double_opt_in"
"""What stands in the ledger for the journey of a message that asks."""
ASKED_AGAIN_AFTER: Final = timedelta(days=1)
GOOD_FOR: Final = timedelta(days=30)
"""A link that asked is worth nothing afterwards."""
_TIMER: Final = "confirm"


def has_to_confirm(turn: CustomerTurn, item: ConsentChanged) -> bool:
    """Whether an `in` is pending until the owner of the address confirmed it."""
    topic = turn.project.topics.get(item.topic)
    return (
        topic is not None
        and topic.confirm is not None
        and item.channel in CONFIRMED_BY_LINK
        and topic.klass != "transactional"
        and not is_proven(item)
    )


def ask(turn: CustomerTurn, item: ConsentChanged) -> None:
    """Write the message that asks, unless one was written within a day, or nothing can reach the address."""
    topic = turn.project.topics[item.topic]
    name = f"{item.topic}.{item.channel}"
    if (_TIMER, name) in turn.customer.timers:
        return
    address, reason = address_of(turn.customer, item.channel)
    if address is not None and (causes := turn.causes(item.channel, address)):
        reason = forbidden(causes, Topic(topic.id, "transactional"))
    locale = turn.customer.locale or turn.project.locale
    template = turn.project.templates.pick(item.channel, topic.confirm or "", locale)
    if reason is None and template is None:
        reason = "render_error"
    if address is None or template is None or reason is not None:
        turn.say("suppressed", {"channel": item.channel, "reason": reason}, values={"topic": item.topic})
        return
    scope = turn.scope_of(None)
    try:
        values: dict[str, Any] = {key: expr.evaluate(scope) for key, expr in template.uses}
    except DecisionError as error:
        turn.say("failed", {"reason": error.reason}, values={"topic": item.topic, "error": str(error)})
        return
    turn.set_timer(_TIMER, name, Timer(turn.t + ASKED_AGAIN_AFTER))
    zone = turn.zone(None).zone.key
    id = stable_hash(turn.view.salt, JOURNEY, turn.customer.id, name, turn.t.isoformat())
    turn.append_message(
        Message(
            f"{JOURNEY}.{id:016x}", turn.customer.id, "", JOURNEY, "", turn.customer.id, "ask", 1, item.channel,
            topic.id, "transactional", template.name, template.hash, template.locale, address.text, values, turn.t,
            turn.now, turn.next_seq(2), expires_at=turn.t + GOOD_FOR, survives_exit=True, zone=zone,
        )
    )  # fmt: skip


def let_ask_again(turn: CustomerTurn, name: str) -> None:
    """A day went by since the owner of an address was asked."""
    turn.set_timer(_TIMER, name, None)
