"""What customers of a memory store were sent, for reports: found by looking at everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from orchestrator.core.sends import Contact, CustomerSends, Withheld
from orchestrator.core.transition import Transition
from orchestrator.stores.memory_record import CustomerRecord
from orchestrator.stores.protocol import SendsPage


def sends_of(
    records: Mapping[str, CustomerRecord],
    journal: Sequence[Transition],
    since: datetime,
    until: datetime,
    after: str,
    limit: int,
) -> SendsPage:
    """A page of customers."""
    ids = sorted(id for id in records if id > after)[:limit]
    lines: dict[str, list[Transition]] = {id: [] for id in ids}
    for line in journal:
        if since <= line.at < until and line.type in ("message", "suppressed") and line.customer in lines:
            lines[line.customer].append(line)
    found = [_sends(records[id], sorted(lines[id], key=lambda line: (line.at, line.seq))) for id in ids]
    return SendsPage(found, ids[-1] if len(ids) == limit else None)


def _sends(record: CustomerRecord, lines: Sequence[Transition]) -> CustomerSends:
    by_seq = {message.row.seq: message for message in record.messages}
    return CustomerSends(
        record.customer,
        tuple(
            Contact(by_seq[line.seq].row, line.at, by_seq[line.seq].status)
            for line in lines
            if line.type == "message" and line.seq in by_seq
        ),
        tuple(
            Withheld(line.at, line.data.get("channel"), str(line.data.get("reason", "")))
            for line in lines
            if line.type == "suppressed"
        ),
        tuple(record.choices),
    )
