"""What a webhook is told of the journal: which lines, in which words, and under which id.

The id of a batch is made of the ids of its lines: whoever is told it twice finds the same one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from orchestrator.channels.http_outgoing import LARGEST_BODY
from orchestrator.channels.protocol import Caller
from orchestrator.core.expression.scope import NoFacts, Scope
from orchestrator.core.ledger import Request
from orchestrator.core.time.iso import format_instant
from orchestrator.core.transition import Transition, jsonable, line_of
from orchestrator.core.webhooks import Webhook
from orchestrator.errors import DecisionError
from orchestrator.stores.protocol_exports import FeedLine
from orchestrator.stores.sealed_rows import TOLD

TOLD_OF: Final[Mapping[str, frozenset[str]]] = {"goal": TOLD | {"value"}}
"""What a line says that is nothing a person said or is, where that is more than TOLD, by its type."""
_UTC: Final = ZoneInfo("UTC")
_FACTS: Final = NoFacts()


class Receiver(NamedTuple):
    """Where a webhook's batches go, and what makes its calls and signs them."""

    url: str
    caller: Caller


class Batch(NamedTuple):
    """Lines that go together. `read`: how many lines of the journal they are from; `body` is their JSON."""

    lines: Sequence[FeedLine]
    read: int
    body: str

    @property
    def ids(self) -> list[str]:
        """The lines' ids."""
        return [line.id for line in self.lines]


def is_told(webhook: Webhook, id: str, line: Transition) -> bool:
    """Whether a webhook hears of a line. One for which its condition has no answer is not told."""
    if line.type not in webhook.lines:
        return False
    if webhook.where is None:
        return True
    seen = {
        "journey": line.journey, "version": line.version, "key": line.key, "step": line.step, **line.data,
        "id": id, "at": line.at, "type": line.type, "customer": line.customer or None,
    }  # fmt: skip
    scope = Scope({}, now=line.at, zone=_UTC, facts=_FACTS, results={"line": seen})
    try:
        return bool(webhook.where.evaluate(scope))
    except DecisionError:
        return False


def shown(webhook: Webhook, id: str, line: Transition) -> dict[str, Any]:
    """A line as it is told: the keys of `simulate --json`, with its id."""
    if not webhook.personal:
        kept = TOLD_OF.get(line.type, TOLD)
        line = line._replace(data={name: value for name, value in line.data.items() if name in kept})
    said = {"id": id, **line_of(line)}
    if not line.customer:
        del said["customer"]  # erased since
    return said


def cut_batch(webhook: Webhook, found: Sequence[FeedLine], at: datetime, number: int) -> Batch | None:
    """The first batch of these lines of the journal: as many as one call takes; None: there is nothing to tell."""
    picked = [(place, line) for place, line in enumerate(found, 1) if is_told(webhook, *line)]
    if not picked:
        return None
    room = webhook.batch
    while True:
        taken = picked[:room]
        body = body_of(webhook, [line for _, line in taken], at, number)
        if len(body) <= LARGEST_BODY or len(taken) == 1:
            read = taken[-1][0] if len(taken) < len(picked) else len(found)
            return Batch([line for _, line in taken], read, body)
        room = len(taken) // 2


def body_of(webhook: Webhook, lines: Sequence[FeedLine], at: datetime, number: int) -> str:
    """The JSON of a call, in ASCII. `at`: when it is made, in real time."""
    data = {"webhook": webhook.name, "batch": number, "lines": [shown(webhook, *line) for line in lines]}
    return json.dumps(
        jsonable({"type": "journal.lines", "timestamp": format_instant(at), "data": data}), separators=(",", ":")
    )


def id_of(webhook: str, ids: Sequence[str]) -> str:
    """The `webhook-id` of a batch: the same for the same lines."""
    digest = blake2b(digest_size=16)
    for id in ids:
        digest.update(f"{id}\n".encode())
    return f"{webhook}_{digest.hexdigest()}"


def request_of(webhook: Webhook, url: str, id: str, body: str, at: datetime) -> Request:
    """The call."""
    kind = {"content-type": "application/json"}
    return Request(id, "", "", "webhooks", 1, "webhook", "POST", url, kind, body, webhook.timeout, None, at)
