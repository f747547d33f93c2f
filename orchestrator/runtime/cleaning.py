"""One pass over all customers: what is to be said of their addresses, and, if asked for, put right."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from orchestrator.core.inbox import Identified
from orchestrator.insights.cleaning import Finding, findings_of
from orchestrator.runtime.ingest import ingest_once
from orchestrator.stores.protocol import Store

PAGE: Final = 1_000
"""Customers that are looked at together."""


def clean_customers(store: Store, now: datetime, apply: bool = False) -> Iterator[Finding]:
    """What is found, page by page. With `apply` what has one form takes it, in silence, as by an import."""
    after: str | None = ""
    while after is not None:
        page = store.export_page("customers", after, PAGE)
        found = [finding for row in page.rows for finding in findings_of(row)]
        if apply:
            traits: dict[str, dict[str, str]] = {}
            for finding in found:
                if finding.proposal is not None:
                    traits.setdefault(finding.customer, {})[finding.field] = finding.proposal
            if traits:
                ingest_once(store, [(id, Identified(given, silent=True)) for id, given in traits.items()], now)
        yield from found
        after = page.upto
