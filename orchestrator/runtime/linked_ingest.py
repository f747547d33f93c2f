"""`ingest_linked`: what arrives, taken together with what it says of who is who (orchestrator.runtime.linking)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from orchestrator.core.inbox import Identified
from orchestrator.runtime.ingest import Incoming, IngestCounts, Told, ingest_once, unstorable
from orchestrator.runtime.linking import act_on, new_links
from orchestrator.stores.identity_addresses import said_addresses
from orchestrator.stores.protocol import Store
from orchestrator.stores.protocol_identity import Link


def ingest_linked(
    store: Store,
    items: Sequence[Incoming | Told],
    now: datetime,
    links: Sequence[Link] = (),
    anonymous: Collection[str] = (),
) -> IngestCounts:
    """As `ingest_once`, and acts on links: those given, and addresses, where the project says that whoever has the same
    one is one person: that is how a shop's guest and its customer meet."""
    rules = store.index.project.identity
    said = list(links)
    if rules.by_address:
        said += [
            Link(kind, value, item.customer, now)
            for item in items
            if isinstance(item, Told) and isinstance(item.body, Identified)
            for kind, value in said_addresses(item.body.traits)
            if kind in rules.merge
        ]
    if said:  # before anything is looked up: what no database keeps is refused with its item, item by item
        said = [link for link in said if unstorable((link.value, link.customer), {}) is None]
    fresh = new_links(store, said, now) if said else []
    counts = ingest_once(store, items, now, fresh, anonymous)
    if fresh:
        act_on(store, fresh, now)
    return counts
