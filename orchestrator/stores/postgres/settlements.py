"""What became of claimed messages, written for a batch by a handful of statements.

A row is ours as long as it has the fence of our claim: what it takes off the queue, and what it keeps there, a
settlement finds by that alone. Everything else is written for those that were ours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from orchestrator.core.ledger import Coupon
from orchestrator.core.state import body_to_json, from_json
from orchestrator.core.transition import Transition
from orchestrator.stores.instants import micros, micros_or_none
from orchestrator.stores.postgres import addressees, arrays, dead_letters, tallies
from orchestrator.stores.postgres.base import PostgresBase
from orchestrator.stores.postgres.copying import copy_rows
from orchestrator.stores.postgres.database import Connection
from orchestrator.stores.postgres.inbox import internal_ids, put_items
from orchestrator.stores.postgres.pools import release_codes
from orchestrator.stores.postgres.writing import suppress, write_coupons, write_transitions
from orchestrator.stores.protocol import ANSWERED_ON, BAD_ENDS, Settlement, reason_of

QUEUED: Final = """
SELECT o.id, o.seq, o.shard, o.customer, o.fence, o.throttled, o.journey, o.channel
FROM unnest(%s::text[]) AS j (id)
JOIN messages AS m ON m.id = j.id
JOIN outbox AS o ON o.shard = m.shard AND o.customer = m.customer AND o.id = m.id
"""
_SETTLED_BEFORE: Final = """
SELECT m.id, m.shard, m.customer, m.journey, m.channel, m.status
FROM unnest(%s::text[]) AS j (id) JOIN messages AS m ON m.id = j.id
"""
OVER: Final = """
WITH gone AS (
    DELETE FROM outbox AS o USING unnest(%s::bigint[], %s::bigint[], %s::text[]) AS j (seq, fence, status)
    WHERE o.seq = j.seq AND o.fence = j.fence
    RETURNING o.seq, o.shard, o.customer, o.id, j.status
), settled AS (
    UPDATE messages AS m SET status = gone.status FROM gone
    WHERE m.shard = gone.shard AND m.customer = gone.customer AND m.id = gone.id AND m.status = 'queued'
    RETURNING gone.seq
)
SELECT seq, 0, shard, customer FROM gone UNION ALL SELECT seq, 1, 0, 0 FROM settled
"""
"""A receipt may have been quicker than the settlement: what it said of the message stands."""
_MOVED: Final = """
UPDATE messages SET status = %s WHERE id = %s AND status = 'queued' RETURNING 1
"""
"""Of a message whose customer became part of another one while this waited for it, and which it sees only now."""
KEPT: Final = """
UPDATE outbox AS o
SET lease_until = NULL, uncertain = j.uncertain, begun = greatest(o.begun - j.untaken, 0), frozen = j.frozen,
    retry_at = j.retry_at, available_at = coalesce(j.available_at, o.available_at),
    told = CASE o.told WHEN 2 THEN 0 ELSE o.told END
FROM unnest(%s::bigint[], %s::bigint[], %s::int[], %s::int[], %s::int[], %s::bigint[], %s::bigint[])
    AS j (seq, fence, uncertain, untaken, frozen, retry_at, available_at)
WHERE o.seq = j.seq AND o.fence = j.fence
RETURNING o.seq, o.shard, o.customer
"""
_STATUS: Final = "UPDATE messages SET status = %s WHERE shard = %s AND customer = %s AND id = %s"
_LANDED: Final = "DELETE FROM in_flight WHERE seq = ANY(%s::bigint[])"
_COUPON: Final = "SELECT row FROM coupons WHERE shard = %s AND customer = %s AND id = %s FOR UPDATE"
PAUSED: Final = 1
REFUSED_FOR_NOW: Final = 2
"""Values of outbox.frozen."""
_MOST_LEASES: Final = 100_000
"""Claims of this process that are remembered at most; others are looked up."""


class Leased(NamedTuple):
    """Where a message stands before its settlement. `seq` 0: it is on its way no more."""

    id: str
    seq: int
    shard: int
    customer: int
    fence: int
    throttled: int
    journey: str
    channel: str
    status: str = "queued"


_Settled = list[tuple[Settlement, Leased]]


class PostgresSettlements(PostgresBase):
    """The end of a claim."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._leases: dict[str, Leased] = {}
        """What this process claimed and did not settle yet: a settlement finds its rows without looking for them."""

    def remember(self, leases: Iterable[Leased]) -> None:
        """These were claimed by this process."""
        if len(self._leases) > _MOST_LEASES:
            self._leases.clear()
        for leased in leases:
            self._leases[leased.id] = leased

    def settle_messages(self, settlements: Sequence[Settlement], now: datetime) -> None:
        """Write what became of claimed messages; those that somebody else claimed since are left alone."""
        if not settlements:
            return
        with self.db.write() as c:
            valid = self._ours(c, self._placed(c, settlements))
            told = _write_out(c, valid, now)
        for settled in settlements:  # after the commit: one that failed is tried again
            self._leases.pop(settled.message_id, None)
        self._drain(told)

    def _placed(self, c: Connection, settlements: Sequence[Settlement]) -> _Settled:
        """Each settlement with where its message stands; those that nobody knows, or somebody else claimed, are left
        out."""
        known = {}
        for settled in settlements:
            leased = self._leases.get(settled.message_id)
            if leased is not None and leased.fence == settled.fence:
                known[leased.id] = leased
        unknown = [s.message_id for s in settlements if s.message_id not in known]
        if unknown:
            known.update((row[0], Leased(*row)) for row in c.execute(QUEUED, (arrays.texts(unknown),)).fetchall())
            missing = [s.message_id for s in settlements if s.fence == 0 and s.message_id not in known]
            if missing:
                for id, shard, customer, journey, channel, status in c.execute(
                    _SETTLED_BEFORE, (arrays.texts(missing),)
                ).fetchall():
                    known[id] = Leased(id, 0, shard, customer, 0, 0, journey, channel, status)
        asked = ((s, known.get(s.message_id)) for s in settlements)
        return [(s, row) for s, row in asked if row is not None and s.fence in (0, row.fence)]

    def _ours(self, c: Connection, placed: _Settled) -> _Settled:
        """Write the rows of the queue and the ledger. Returns those that had the fence that they were settled with."""
        keeping = [(s, row) for s, row in placed if s.status == "queued" and row.seq]
        ending = {row.seq: (s, row) for s, row in placed if s.status != "queued" and row.seq}  # twice: the last stands
        now_at: dict[int, tuple[int, int]] = {}
        over = _take_off(c, ending.values(), now_at)
        ours = _keep(c, keeping, now_at) | over.keys()
        placed = [(s, _where(row, now_at)) for s, row in placed]
        before = {row.id: (s, row) for s, row in placed if s.status != "queued" and not row.seq}
        for s, row in before.values():  # settled before, by somebody who did not ask whose claim it was
            c.execute(_STATUS, (s.status, row.shard, row.customer, row.id))
        landed = sorted(row.seq for s, row in placed if row.seq in ours and row.throttled)
        if landed:
            c.execute(_LANDED, (arrays.ints(landed),))
        valid = [(s, row) for s, row in placed if (row.seq in ours if row.seq else s.status != "queued")]
        if all(over.values()):
            return valid
        return [(s, row if over.get(row.seq, True) else row._replace(status=s.status)) for s, row in valid]

    def record(self, transitions: Sequence[Transition]) -> None:
        """Append lines to the journal."""
        if not transitions:
            return
        with self.db.write() as c:
            write_transitions(c, transitions, internal_ids(c, [t.customer for t in transitions]))
        self._drain(transitions)

    def _drain(self, told: Iterable[Transition]) -> None:
        if self._drained is not None:
            self._drained.extend(told)


def _where(row: Leased, now_at: Mapping[int, tuple[int, int]]) -> Leased:
    """A row as it stands now, should its customer have been merged since it was claimed."""
    shard, customer = now_at.get(row.seq, (row.shard, row.customer))
    return row if customer == row.customer else row._replace(shard=shard, customer=customer)


def _take_off(
    c: Connection, ending: Iterable[tuple[Settlement, Leased]], now_at: dict[int, tuple[int, int]]
) -> dict[int, bool]:
    """These are on their way no more. Returns those that were ours, with whether the ledger was waiting for it."""
    ending = list(ending)
    found = [(row.seq, row.fence, s.status) for s, row in ending]
    if not found:
        return {}
    seqs, fences, statuses = zip(*found, strict=True)
    gone = c.execute(OVER, (arrays.ints(seqs), arrays.ints(fences), arrays.texts(statuses))).fetchall()
    now_at.update((seq, (shard, customer)) for seq, settled, shard, customer in gone if not settled)
    over = dict(sorted((seq, settled == 1) for seq, settled, *_ in gone))
    for s, row in ending:
        if over.get(row.seq) is False and now_at[row.seq] != (row.shard, row.customer):
            over[row.seq] = c.execute(_MOVED, (s.status, row.id)).fetchone() is not None
    return over


def _keep(c: Connection, keeping: _Settled, now_at: dict[int, tuple[int, int]]) -> set[int]:
    """These stay: until an instant of the journey's time or of real time, or until a pause ends. Returns those that
    were ours."""
    rows: list[tuple[int | None, ...]] = []
    for s, row in keeping:
        frozen = REFUSED_FOR_NOW if s.retry_at is not None else PAUSED if s.available_at is None else 0
        retry_at = micros(s.retry_at) if s.retry_at is not None else 0
        available_at = micros_or_none(s.available_at) if s.retry_at is None else None
        rows.append((row.seq, row.fence, s.uncertain, s.untaken, frozen, retry_at, available_at))
    if not rows:
        return set()
    columns = [arrays.ints(column) for column in zip(*rows, strict=True)]
    kept = c.execute(KEPT, columns).fetchall()
    now_at.update((seq, (shard, customer)) for seq, shard, customer in kept)
    return {seq for seq, _, _ in kept}


def _write_out(c: Connection, valid: _Settled, now: datetime) -> Sequence[Transition]:
    """Everything beside the rows themselves. Returns the lines that were written."""
    told = [line for settled, _ in valid for line in settled.transitions]
    if told:
        write_transitions(c, told, {s.customer_id: (row.shard, row.customer) for s, row in valid})
    at = micros(now)
    copy_rows(
        c, "handed_over (journey, at)", [(row.journey, at) for s, row in valid if s.handed_over and row.throttled]
    )
    ended = [(s, row) for s, row in valid if s.status != "queued"]
    answerable = [(row.shard, row.customer, row.id) for s, row in ended if row.channel in ANSWERED_ON and s.handed_over]
    if answerable:
        addressees.written_to(c, answerable)
    suppressed = sorted({(*s.suppress, at) for s, _ in ended if s.suppress is not None})
    if suppressed:
        suppress(c, suppressed)
    items = [(row.shard, row.customer, at, body_to_json(body)) for s, row in ended for body in s.receipts]
    if items:
        put_items(c, items)
    bad = [(s, row) for s, row in ended if s.status in BAD_ENDS]
    dead_letters.keep(c, [(row.id, row.shard, row.customer, s.status, row.fence, reason_of(s)) for s, row in bad], at)
    carried = sorted({(row.shard, row.customer, s.release_coupon) for s, row in ended if s.release_coupon is not None})
    if carried:
        _take_back(c, carried)
    tallies.count_messages(c, _moved(ended))
    return told


def _moved(ended: _Settled) -> Counter[tuple[str, str]]:
    moved: Counter[tuple[str, str]] = Counter()
    status: dict[str, str] = {}
    for s, row in ended:
        moved[row.channel, status.get(row.id, row.status)] -= 1
        moved[row.channel, s.status] += 1
        status[row.id] = s.status
    return moved


def _take_back(c: Connection, carried: Sequence[tuple[int, int, str]]) -> None:
    """The messages are certainly unsent: their coupons are nobody's any more."""
    released = []
    for place in carried:
        found = c.execute(_COUPON, place).fetchone()
        coupon = from_json(Coupon, found[0]) if found is not None else None
        if coupon is not None and coupon.status == "issued":
            released.append((coupon._replace(status="released"), place))
    if released:
        write_coupons(c, [(coupon, shard, customer, 0) for coupon, (shard, customer, _) in released])
        release_codes(c, [coupon for coupon, _ in released])
