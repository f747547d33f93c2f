"""What a request to the tracking API does: each item is read, the good ones are taken in one transaction, and the
others are kept where people see them."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from starlette.responses import Response

from orchestrator.core.inbox import Identified
from orchestrator.core.linking import IdentityRules
from orchestrator.http.json_reading import ITEMS, Reading, read_document
from orchestrator.http.problems import HttpRefusal, busy, json_response, problem
from orchestrator.http.raw_body import unpacked
from orchestrator.http.segment_items import Alias, ItemRefused, anonymous_id, device_told, read_item, sending_of
from orchestrator.http.service import Service
from orchestrator.http.write_key import check_rate, writer_of
from orchestrator.runtime.ingest import Incoming, Told, ingest_once
from orchestrator.runtime.linking import act_on, new_links
from orchestrator.stores.identity_addresses import said_addresses
from orchestrator.stores.protocol import RefusedItem, Store, StoreBusy
from orchestrator.stores.protocol_identity import Link

LARGEST_BATCH: Final = 500 * 1024
LARGEST_ITEM: Final = 32 * 1024
"""Bytes, unpacked; the limits of Segment's API."""
MOST_BYTES: Final = 4
"""Bytes of a character in UTF-8."""
MOST_TOLD: Final = 100
"""Refused items of one request that are listed and kept; the others are counted."""
SOURCE: Final = "http"

_log = logging.getLogger(__name__)


class Request(NamedTuple):
    """A request as it came. `kind` None: a batch."""

    kind: str | None
    body: bytes
    encoding: str | None
    authorization: str | None


class Wrong(NamedTuple):
    """An item that was not taken: its place in the batch, its own id, and why."""

    position: int
    message_id: str | None
    code: str
    reason: str
    item: Any

    def as_dict(self) -> dict[str, Any]:
        """As it stands in an answer."""
        return {"position": self.position, "messageId": self.message_id, "code": self.code, "reason": self.reason}


def take(service: Service, request: Request) -> Response:
    """Answers only after the store has committed. Raises HttpRefusal for a request of which nothing can be read."""
    body = unpacked(request.body, request.encoding, LARGEST_BATCH)
    try:
        reading = read_document(body, len(body) > LARGEST_ITEM)
    except HttpRefusal as refusal:
        writer_of(service, request.authorization, None)
        now = service.journey_now()
        _keep(service.store, [RefusedItem(now, SOURCE, refusal.code, body[:2000].decode("ascii", "backslashreplace"))])
        raise
    writer = writer_of(service, request.authorization, reading.document)
    items = _items(request.kind, reading.document)
    check_rate(service, writer, len(items))
    source = writer.source or SOURCE
    try:
        with service.arrival() as now:
            wrong, taken, shards = _take_items(service, request.kind, items, reading, len(body), now, source)
    except StoreBusy:
        raise busy() from None
    if taken and shards != frozenset():
        service.nudge(shards)
    if wrong:
        service.count({"ingest:refused": len(wrong)})
    _keep(service.store, _kept(wrong, now, source))
    return _answer(wrong, taken)


def _items(kind: str | None, document: Any) -> Sequence[Any]:
    if kind is not None:
        return [document]
    items = document.get(ITEMS) if isinstance(document, dict) else None
    if not isinstance(items, list):
        detail = "a batch is an object with the list of its items under 'batch'"
        raise HttpRefusal(400, "no_batch", detail)
    return items


def _take_items(
    service: Service,
    kind: str | None,
    items: Sequence[Any],
    reading: Reading,
    size: int,
    now: datetime,
    source: str,
) -> tuple[list[Wrong], int, Collection[int] | None]:
    """What was not taken, how many items were taken (or known already), and the shards where they wait (None: not
    told)."""
    store = service.store
    shards: Collection[int] | None = None
    stages = frozenset(stage.name for stage in store.index.project.stages)
    rules = store.index.project.identity
    by_address = rules.by_address
    sending = sending_of(reading.document, now, stages, reading.fit, rules.never)
    measured = size > LARGEST_ITEM and (reading.longest is None or reading.longest * MOST_BYTES > LARGEST_ITEM)
    wrong: list[Wrong] = []
    good: list[Incoming | Told] = []
    places: list[int] = []
    links: list[Link] = []
    anonymous: set[str] = set()
    for position, item in enumerate(items):
        try:
            if measured:
                _check_size(item)
            read = read_item(item, kind, sending)
        except ItemRefused as error:
            wrong.append(Wrong(position, _id_of(item), error.code, error.reason, item))
            continue
        except RecursionError:
            reason = "values are nested too deeply"
            wrong.append(Wrong(position, _id_of(item), "nested_too_deeply", reason, None))
            continue
        if isinstance(read, Alias):
            if read.previous != read.customer:
                good.append(Told(read.customer, Identified({}, silent=True), read.message_id, sending.fit))
                places.append(position)
                links.append(Link("external", read.previous, read.customer, now))
        else:
            good.append(read)
            places.append(position)
            if by_address or "anonymousId" in item:
                _link(item, read, rules, now, links, anonymous)
            device = device_told(item, read, sending) if isinstance(read, Incoming) else None
            if device is not None:
                good.append(device)
                places.append(position)
    if good:
        fresh = new_links(store, links, now) if links else []
        counts = ingest_once(store, good, now, fresh, anonymous)
        if fresh:
            act_on(store, fresh, now)
        shards = counts.shards
        service.count({"ingest:accepted": counts.accepted, "ingest:duplicates": counts.duplicates})
        if counts.erased:
            service.count({"ingest:erased": counts.erased})
        if counts.violations:
            service.violations.note(source, counts.violations, now, store.index.project.personal)
        for number, reason in counts.refused:
            wrong.append(_refused(items, places[number], "refused", reason))
        wrong += _conflicts(items, good, places, counts.conflicts)
    wrong.sort(key=lambda one: one.position)
    return wrong, len(items) - len(wrong), None if links else shards


_AS_SENT: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _check_size(item: Any) -> None:
    text = _AS_SENT(item)
    size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
    if size > LARGEST_ITEM:
        raise ItemRefused("too_large", f"the item has {size:,} bytes; it may have {LARGEST_ITEM:,}")


def _conflicts(
    items: Sequence[Any], good: Sequence[Incoming | Told], places: Sequence[int], ids: Sequence[str]
) -> list[Wrong]:
    """The items whose id was known with another content: the last one with this id, as first wins."""
    if not ids:
        return []
    last = {item.message_id: place for item, place in zip(good, places, strict=True)}
    reason = "this messageId came before with another content; the first one stands"
    return [_refused(items, last[id], "conflict", reason) for id in dict.fromkeys(ids) if id in last]


def _link(
    item: Any, read: Incoming | Told, rules: IdentityRules, now: datetime, links: list[Link], anonymous: set[str]
) -> None:
    """What an item says of who is who: an anonymous id beside a user id is the same person's; so is an address, where
    the project says so."""
    beside = anonymous_id(item, read)
    if beside is not None:
        if beside == read.customer:
            if item.get("userId") != beside:  # some send the brand's own id in both places
                anonymous.add(beside)
        else:
            links.append(Link("anonymous", beside, read.customer, now))
    if type(read) is Told and isinstance(read.body, Identified) and rules.by_address:
        for kind, value in said_addresses(read.body.traits):
            if kind in rules.merge:
                links.append(Link(kind, value, read.customer, now))


def _refused(items: Sequence[Any], position: int, code: str, reason: str) -> Wrong:
    return Wrong(position, _id_of(items[position]), code, reason, items[position])


def _id_of(item: Any) -> str | None:
    found = item.get("messageId") if isinstance(item, dict) else None
    return found[:512] if isinstance(found, str) else None


def _kept(wrong: Sequence[Wrong], now: datetime, source: str) -> list[RefusedItem]:
    kept = []
    for one in wrong[:MOST_TOLD]:
        content = "" if one.item is None else _as_kept(one.item)
        reason = f"{one.code}: {one.reason}".encode("ascii", "backslashreplace").decode()
        kept.append(RefusedItem(now, source, reason, content[:2000]))
    if len(wrong) > MOST_TOLD:
        kept.append(RefusedItem(now, source, f"and {len(wrong) - MOST_TOLD:,} more items of the same request"))
    return kept


def _as_kept(item: Any) -> str:
    """In ASCII, so that every database can hold it."""
    try:
        return json.dumps(item)
    except RecursionError:  # it was just not too deep to be read
        return ""


def _keep(store: Store, items: Sequence[RefusedItem]) -> None:
    """What was taken is committed by now: that these cannot be kept must not make the client send all of it again."""
    if not items:
        return
    try:
        store.keep_refused(items)
    except StoreBusy:
        _log.warning("%d refused items could not be kept: the database is busy", len(items))


def _answer(wrong: Sequence[Wrong], taken: int) -> Response:
    told = [one.as_dict() for one in wrong[:MOST_TOLD]]
    if wrong and not taken:
        only = wrong[0]
        code, why = (only.code, only.reason) if len(wrong) == 1 else ("nothing_taken", "no item could be taken")
        return problem(HttpRefusal(400, code, why), told)
    if wrong:
        return json_response({"success": True, "accepted": taken, "refused": len(wrong), "errors": told})
    return json_response({"success": True})
