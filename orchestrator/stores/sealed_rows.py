"""Rows of which only a part is personal: the rest stays JSON that a query can read.

What is hidden keeps its name with the value null, so that names keep their order; all hidden values stand together,
sealed, under a name of their own, `~`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from orchestrator.core.state import dumps, loads
from orchestrator.stores.sealing import Sealer

HIDDEN: Final = "~"
"""The name under which hidden values stand."""
TOLD: Final = frozenset({
    "reason", "channel", "status", "topic", "template", "branch", "split", "variant", "trigger", "offer", "queue",
    "edge", "name", "until", "due_at", "from_version", "to_version",
})  # fmt: skip
"""What a line of the journal says that is nothing a person said or is: never sealed, and kept after an erasure."""
STATE: Final = "customers.state"
EVENT: Final = "events.properties"
LINE: Final = "transitions.data"
DETAILS: Final = "transitions.details"
ENROLLMENT: Final = "enrollments.state"
MESSAGE: Final = "messages.row"
INBOX: Final = "inbox.body"
TASK: Final = "tasks.row"
REQUEST: Final = "requests.row"
PROOF: Final = "consent_log.proof"
MERGE: Final = "merges.snapshot"
DETAIL: Final = "customers.parked_detail"
END: Final = "dead_letters.reason"
REASON: Final = "refused.reason"
CONTENT: Final = "refused.content"
REPLY: Final = "replies.body"
EXAMPLES: Final = "violations.examples"
ANSWER: Final = "answers.body"
GROUP: Final = "groups.traits"
"""The columns that are sealed, as the first half of what a value is bound to; the other half is the row. A line of the
journal, an event, an item and a task are bound to their customer's internal id."""


def hidden_part(values: Mapping[str, Any], private: frozenset[str]) -> dict[str, Any]:
    """The values of these names, as far as they say anything."""
    return {name: value for name, value in values.items() if name in private and value is not None}


def without(values: Mapping[str, Any], hidden: Mapping[str, Any], token: str) -> dict[str, Any]:
    """The values of which some are hidden."""
    left = {name: None if name in hidden else value for name, value in values.items()}
    left[HIDDEN] = token
    return left


def event_properties(sealer: Sealer, owner: int, properties: Mapping[str, Any], private: frozenset[str]) -> str:
    """The properties of a past event. `owner`: its customer's internal id."""
    if HIDDEN in properties:  # nobody's but the store's
        properties = {name: value for name, value in properties.items() if name != HIDDEN}
    if sealer.seals and (hidden := hidden_part(properties, private)):
        return dumps(without(properties, hidden, sealer.seal(f"{EVENT}:{owner}", dumps(hidden))))
    return dumps(properties)


def line_data(sealer: Sealer, owner: int, data: Mapping[str, Any]) -> str:
    """What a line of the journal says."""
    if not sealer.seals:
        return dumps(data)
    hidden = {name: value for name, value in data.items() if name not in TOLD and value is not None}
    if not hidden:
        return dumps(data)
    return dumps(without(data, hidden, sealer.seal(f"{LINE}:{owner}", dumps(hidden))))


def opened(sealer: Sealer, context: str, values: dict[str, Any]) -> dict[str, Any]:
    """Values of which some may be hidden, in their order. Raises Unopened."""
    token = values.get(HIDDEN)
    if type(token) is str and token.startswith("~1"):
        hidden = loads(sealer.open(context, token))
        del values[HIDDEN]
        values.update(hidden)
    return values


def opened_row(sealer: Sealer, table: str, row: dict[str, Any], owner: int) -> dict[str, Any]:
    """A row of a table, by its columns, as it was before it was sealed; for those who look at whole tables. Raises
    Unopened."""
    for column, value in row.items():
        if not isinstance(value, str):
            continue
        context = f"{table}.{column}"
        if context in _MARKED:
            row[column] = sealer.unmark(value)
        elif context == EVENT:
            row[column] = dumps(opened(sealer, f"{context}:{owner}", loads(value)))
        elif context in _OF_OWNER or context in _OF_ROW:
            row[column] = sealer.open(f"{context}:{owner if context in _OF_OWNER else row['id']}", value)
    return row


_MARKED: Final = frozenset({"identifiers.value", "rights.address", "suppressions.address"})
_OF_OWNER: Final = frozenset({INBOX, TASK, PROOF, DETAILS})
_OF_ROW: Final = frozenset({MERGE, ENROLLMENT, MESSAGE, REQUEST, END})
