"""A document in Segment's shape that did not come by HTTP: one item, or a batch of them, as a stream carries it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from orchestrator.core.inbox import Identified
from orchestrator.http.json_reading import ITEMS
from orchestrator.http.segment_items import Alias, ItemRefused, anonymous_id, device_told, read_item, sending_of
from orchestrator.runtime.ingest import Incoming, Told
from orchestrator.stores.protocol_identity import Link


def items_of(
    document: Any, now: datetime, stages: frozenset[str], never: frozenset[str] = frozenset()
) -> tuple[Sequence[Incoming | Told], Sequence[tuple[str, str]], Sequence[Link], Collection[str]]:
    """The items of a document that arrived at `now`; what could not be taken of it, as (code, reason); what it says of
    who is who; which customers are anonymous. `never`: ids that are nobody's."""
    sending = sending_of(document, now, stages, False, never)
    inside = document.get(ITEMS) if isinstance(document, dict) else None
    good: list[Incoming | Told] = []
    left: list[tuple[str, str]] = []
    links: list[Link] = []
    anonymous: set[str] = set()
    for item in inside if isinstance(inside, list) else [document]:
        try:
            read = read_item(item, None, sending)
        except ItemRefused as error:
            left.append((error.code, error.reason))
            continue
        except RecursionError:
            left.append(("nested_too_deeply", "values are nested too deeply"))
            continue
        if isinstance(read, Alias):
            if read.previous != read.customer:
                good.append(Told(read.customer, Identified({}, silent=True), read.message_id))
                links.append(Link("external", read.previous, read.customer, now))
            continue
        good.append(read)
        beside = anonymous_id(item, read)
        if beside is not None and beside != read.customer:
            links.append(Link("anonymous", beside, read.customer, now))
        elif beside is not None and item.get("userId") != beside:  # some send the brand's own id in both places
            anonymous.add(beside)
        device = device_told(item, read, sending) if isinstance(read, Incoming) else None
        if device is not None:
            good.append(device)
    return good, left, links, anonymous
