"""Takes what a stream brings into the inbox: read, commit here, then tell the broker.

A process that dies in between reads the same records again, and each is known by its id: exactly one effect. Nothing is
read ahead of what is written, so that a slow database slows the reading, and memory holds one batch.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from threading import Event
from typing import Final, NamedTuple

from orchestrator.runtime.ingest import Incoming, IngestCounts, Told
from orchestrator.runtime.linked_ingest import ingest_linked
from orchestrator.runtime.violations import ViolationBook
from orchestrator.sources.protocol import Record, Stream, StreamGone
from orchestrator.sources.reading import Poison, Reader, Said
from orchestrator.stores.protocol import RefusedItem, Store, StoreBusy
from orchestrator.stores.protocol_identity import Link

BATCH: Final = 500
WAIT_S: Final = 1.0
FIRST_PAUSE_S: Final = 0.2
LONGEST_PAUSE_S: Final = 15.0
LAG_EVERY: Final = timedelta(seconds=5)
KEPT: Final = 2_000
MOST_BROKEN: Final = 20
"""Records in a row that may break a transaction, each alone, before it is called our own mistake."""
MOST_KEPT: Final = 100
"""Poisonous records of one batch that are kept; the others are counted."""
FIGURE: Final = "stream:"

log = logging.getLogger(__name__)


class Consumed(NamedTuple):
    """What one pass did. `poison`: records of which something could not be taken."""

    records: int = 0
    accepted: int = 0
    duplicates: int = 0
    poison: int = 0
    shards: frozenset[int] | None = frozenset()


class Consumer:
    """One reader of a stream. `count` adds to the installation's figures, `nudge` says that something came in."""

    def __init__(
        self,
        store: Store,
        stream: Stream,
        reader: Reader,
        *,
        journey_now: Callable[[], datetime],
        real_now: Callable[[], datetime],
        count: Callable[[Mapping[str, int]], None],
        nudge: Callable[[frozenset[int] | None], None],
        violations: ViolationBook,
        batch: int = BATCH,
    ) -> None:
        self._store = store
        self._stream = stream
        self._reader = reader
        self._journey_now = journey_now
        self._real_now = real_now
        self._count = count
        self._nudge = nudge
        self._violations = violations
        self._batch = batch
        self._broken = 0
        """Records in a row that could not be stored, each alone."""
        self._lag_at: datetime | None = None
        self.lag: int | None = None

    def consume_once(self, within: float = WAIT_S) -> Consumed:
        """One batch: read, take, mark as read. Raises StreamGone; StoreBusy, and then the records come again."""
        records = self._stream.read(self._batch, within)
        if not records:
            return Consumed()
        try:
            done, poison = self._take(records)
            self._keep(poison)
        except BaseException:
            self._stream.again(records)
            raise
        self._stream.commit(records)
        told = {
            "records": done.records,
            "accepted": done.accepted,
            "duplicates": done.duplicates,
            "poison": done.poison,
        }
        figures = {f"{FIGURE}{self._stream.name}:{name}": count for name, count in told.items() if count}
        figures |= {"ingest:accepted": done.accepted, "ingest:duplicates": done.duplicates}
        self._count({name: count for name, count in figures.items() if count})
        if done.accepted and done.shards != frozenset():
            self._nudge(done.shards)
        return done

    def run(self, stop: Event) -> None:
        """Take batches until `stop` is set; what is under way is finished. Waits longer and longer while it cannot."""
        pause = FIRST_PAUSE_S
        while not stop.is_set():
            try:
                self.consume_once()
                self._look_at_lag()
                pause = FIRST_PAUSE_S
            except (StoreBusy, StreamGone) as error:
                log.warning("nothing can be taken from %s just now: %s", self._stream.name, error)
                stop.wait(pause)
                pause = min(pause * 2, LONGEST_PAUSE_S)

    def _take(self, records: Sequence[Record]) -> tuple[Consumed, list[Poison]]:
        now, real = self._journey_now(), self._real_now()
        project = self._store.index.project
        stages, never = frozenset(stage.name for stage in project.stages), project.identity.never
        links: list[Link] = []
        anonymous: set[str] = set()
        poison: list[Poison] = []
        items: list[Incoming | Told] = []
        owners: list[Record] = []
        unread = 0
        for record in records:
            try:
                said = self._reader.read(record, _arrival(record, now, real), stages, never)
            except Exception:
                unread += 1
                if unread > MOST_BROKEN:
                    raise
                log.exception("the record %s cannot be read, and is passed over", record.id)
                said = Said((), [("exception", "it cannot be read; see the log")])
            items += said.items
            owners += [record] * len(said.items)
            links += said.links
            anonymous.update(said.anonymous)
            poison += [Poison(record, f"{code}: {why}") for code, why in said.left]
        counts, more = self._ingest(items, owners, now, links, anonymous)
        if self._broken == len(items) > 1:
            raise RuntimeError("nothing of a whole batch could be stored: it is not the records that are broken")
        poison += more
        if counts.violations:
            self._violations.note(f"stream/{self._stream.name}", counts.violations, now, project.personal)
        bad = len({one.record.id for one in poison})
        return Consumed(len(records), counts.accepted, counts.duplicates, bad, counts.shards), poison

    def _ingest(
        self,
        items: Sequence[Incoming | Told],
        owners: Sequence[Record],
        now: datetime,
        links: Sequence[Link],
        anonymous: Collection[str],
    ) -> tuple[IngestCounts, list[Poison]]:
        """In one transaction; where that fails for what is in it, in halves, so that one of them stops nobody."""
        try:
            counts = ingest_linked(self._store, items, now, links, anonymous)
            if counts.accepted:
                self._broken = 0
            return counts, [Poison(owners[place], f"refused: {why}") for place, why in counts.refused]
        except StoreBusy:
            raise
        except Exception:
            if len(items) == 1:
                self._broken += 1
                if self._broken > MOST_BROKEN:
                    raise
                log.exception("the record %s cannot be taken, and is passed over", owners[0].id)
                return IngestCounts(), [Poison(owners[0], "exception: it cannot be stored; see the log")]
        half = len(items) // 2
        first, poison = self._ingest(items[:half], owners[:half], now, links, anonymous)
        second, more = self._ingest(items[half:], owners[half:], now, links, anonymous)
        return _both(first, second), poison + more

    def _keep(self, poison: Sequence[Poison]) -> None:
        if not poison:
            return
        at, source = self._journey_now(), f"stream/{self._stream.name}"
        kept = [
            RefusedItem(
                at, source, f"{one.record.id}: {one.reason}"[:500].encode("ascii", "backslashreplace").decode(),
                one.record.value[:KEPT].decode("ascii", "backslashreplace"),
            )
            for one in poison[:MOST_KEPT]
        ]  # fmt: skip
        if len(poison) > MOST_KEPT:
            kept.append(RefusedItem(at, source, f"and {len(poison) - MOST_KEPT:,} more of the same batch"))
        self._store.keep_refused(kept)

    def _look_at_lag(self) -> None:
        now = self._real_now()
        if self._lag_at is None or now - self._lag_at >= LAG_EVERY:
            self._lag_at = now
            self.lag = self._stream.lag()


def _arrival(record: Record, now: datetime, real: datetime) -> datetime:
    """When what the record says arrived: as the clients' clocks are corrected by it, at its writing, not at its
    reading, which may be days later. In journey time."""
    if record.at is None or record.at > real:
        return now
    return now - (real - record.at)


def _both(one: IngestCounts, other: IngestCounts) -> IngestCounts:
    shards = None if one.shards is None or other.shards is None else one.shards | other.shards
    return IngestCounts(
        one.accepted + other.accepted, one.duplicates + other.duplicates, one.conflicts + other.conflicts, (),
        one.violations + other.violations, shards, one.erased + other.erased,
    )  # fmt: skip
