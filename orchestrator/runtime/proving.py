"""The month's proof out of a store: every customer's sends, page by page, read only."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from orchestrator.core.suppression import hashed_entry
from orchestrator.insights.proof import Proof, Prover
from orchestrator.stores.protocol import Store

PAGE = 1_000
"""Customers, and entries of the suppression list, that are read at once."""


def prove(store: Store, since: datetime, until: datetime) -> Proof:
    """The proof of hand-overs from `since` to before `until` (journey time). Something has to be deployed. Raises
    StoreBusy."""
    entries = _suppressions(store)

    def causes(channel: str, address: str) -> Iterable[tuple[str, datetime]]:
        plain = entries.get((channel, address), ())
        return (*plain, *entries.get(hashed_entry(store.salt, channel, address), ())) if entries else ()

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
