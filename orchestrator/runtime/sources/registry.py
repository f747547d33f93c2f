"""Which sources there are, by the scheme of their URL; and what a verified request of one does to the installation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from orchestrator.core.provider_urls import provider_urls
from orchestrator.errors import UsageError
from orchestrator.runtime.ingest import IngestCounts
from orchestrator.runtime.linked_ingest import ingest_linked
from orchestrator.runtime.sources import cloudevents, shopify, stripe, woocommerce
from orchestrator.runtime.sources.options import SourceUrl, source_url
from orchestrator.runtime.sources.protocol import Came, Parse, Read, Source
from orchestrator.stores.protocol import RefusedItem, Store

MAKERS: Final[Mapping[str, tuple[Callable[[SourceUrl], Source], Sequence[str]]]] = {
    "shopify": (shopify.Shopify, shopify.OPTIONS),
    "woocommerce": (woocommerce.WooCommerce, woocommerce.OPTIONS),
    "stripe": (stripe.Stripe, stripe.OPTIONS),
    "cloudevents": (cloudevents.CloudEvents, cloudevents.OPTIONS),
}
"""How a source of each scheme is made, and its own options."""
KEPT: Final = 2_000


class Taken(NamedTuple):
    """What one request did."""

    read: Read
    counts: IngestCounts
    erased: int = 0


def sources_of(setting: str | None) -> dict[str, Source]:
    """The sources of ORCHESTRATOR_SOURCES by name: URLs with blanks between them. Raises UsageError."""
    found: dict[str, Source] = {}
    for url in provider_urls(setting) if setting and setting.strip() else ():
        scheme = url.partition("://")[0].lower()
        known = MAKERS[scheme][1] if scheme in MAKERS else ()
        parts = source_url(url, tuple(MAKERS), known)
        if parts.name in found:
            what = f"two sources of ORCHESTRATOR_SOURCES are called {parts.name}"
            raise UsageError(f"{what}; each needs a name of its own", "bad_setting")
        found[parts.name] = MAKERS[parts.scheme][0](parts)
    return found


def take_once(store: Store, source: Source, came: Came, parse: Parse, now: datetime) -> Taken:
    """Do what a verified request says: what it tells comes into the inbox in one transaction, what it wants forgotten
    goes, what could not be read is kept. Raises SourceRefused, StoreBusy."""
    read = source.read(came, parse, now)
    counts = ingest_linked(store, read.items, now)
    actor, erased = f"source {source.name}", 0
    for customer in read.erase:
        erased += store.erase(customer, now, came.at, actor) is not None
    for note in read.notes:
        store.audit(came.at, actor, note.action, note.detail)
    left = [f"{code}: {why}" for code, why in read.left] + [f"refused: {why}" for _, why in counts.refused]
    if left:
        content = came.body[:KEPT].decode("ascii", "backslashreplace")
        store.keep_refused([RefusedItem(now, f"sources/{source.name}", why[:500], content) for why in left[:100]])
    return Taken(read, counts, erased)
