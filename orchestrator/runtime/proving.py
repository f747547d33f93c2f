"""The month's proof out of a store: every customer's sends, page by page, read only."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from orchestrator.core.claim import normal_of
from orchestrator.core.customer import Customer
from orchestrator.core.ledger import Message
from orchestrator.core.plus_addresses import binding, unmarked
from orchestrator.core.suppression import hashed_entry
from orchestrator.insights.proof import Proof, Prover
from orchestrator.stores.protocol import Store

PAGE = 1_000
"""Customers, and entries of the suppression list, that are read at once."""


def prove(store: Store, since: datetime, until: datetime) -> Proof:
    """The proof of hand-overs from `since` to before `until` (journey time). Something has to be deployed. Raises
    StoreBusy."""
    entries = _suppressions(store)

    def causes(row: Message, customer: Customer) -> Iterable[tuple[str, datetime]]:
        if not entries:
            return
        place = (row.channel, normal_of(row, customer))
        found = [*entries.get(place, ()), *entries.get(hashed_entry(store.salt, *place), ())]
        # What is about one plus-address is judged for that alone: who knows what the project said at that time?
        about = binding([cause for cause, _ in found], row.channel, row.to, True, store.salt)
        for cause, at in found:
            if cause in about:
                yield unmarked(cause), at

    prover = Prover(store.index.project, causes, since, until)
    upto: str | None = ""
    while upto is not None:
        page = store.sends(prover.reads_from, until, upto, PAGE)
        for sends in page.customers:
            prover.add(sends)
        upto = page.upto
    return prover.proof()


def _suppressions(store: Store) -> dict[tuple[str, str], list[tuple[str, datetime]]]:
    found: dict[tuple[str, str], list[tuple[str, datetime]]] = {}
    after = ("", "", "")
    while page := store.suppressed(after, PAGE):
        for entry in page:
            found.setdefault((entry.channel, entry.address), []).append((entry.cause, entry.at))
        after = page[-1][:3]
    return found
