"""From the token in a public address to the message it stands for."""

from __future__ import annotations

from typing import NamedTuple

from orchestrator.core.customer import Customer
from orchestrator.core.ledger import Message
from orchestrator.core.links import opened
from orchestrator.http.service import Service


class Linked(NamedTuple):
    """What a good token leads to. `customer` None: the profile is gone, and the message is not."""

    purpose: str
    row: Message
    customer: Customer | None


def linked(service: Service, token: str, *purposes: str) -> Linked | None:
    """The message that was signed for one of the purposes; None for any token that is not good, whatever is wrong.

    Every purpose is tried for every token, so that an answer takes as long whether or not the signature fits.
    """
    tried = [(purpose, opened(service.secret, purpose, token)) for purpose in purposes]
    found = next(((purpose, id) for purpose, id in tried if id is not None), None)
    if found is None:
        return None
    message = service.store.ledger(found[1])
    if message is None or not message.row.customer_id:  # it is not there any more, or its person was erased
        return None
    card = service.store.card(message.row.customer_id)
    return Linked(found[0], message.row, card.customer if card is not None else None)
