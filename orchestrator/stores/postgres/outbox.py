"""Messages on their way: queued in the order of their decisions, claimed for a lease, written down before they go.

A claim takes rows that nobody has locked, so that claimers never wait for each other. In its transaction it locks the
consents of those whom it may write to: an opt-out changes that row, and so comes before the claim, which then sees it,
or after the claim's end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from orchestrator.core.claim import Claimed, normal_of
from orchestrator.core.customer import Customer
from orchestrator.core.ledger import Message
from orchestrator.core.view import Switches
from orchestrator.stores.instants import instant_or_none, micros
from orchestrator.stores.on_demand import causes_of
from orchestrator.stores.postgres import arrays, switches, tallies
from orchestrator.stores.postgres.copying import copy_rows
from orchestrator.stores.postgres.database import Connection
from orchestrator.stores.postgres.loading import suppressed_among
from orchestrator.stores.postgres.settlements import Leased, PostgresSettlements
from orchestrator.stores.postgres.suppression_list import Causes, SuppressionList
from orchestrator.stores.postgres.throttles import PostgresThrottles
from orchestrator.stores.records import MESSAGE, customer_of, message_of
from orchestrator.stores.sealing import Unopened

LEASE: Final = timedelta(seconds=60)
"""Real time for which a claimed message is nobody else's."""
CLASSES: Final = ("promotional", "service", "transactional")
_QUEUE: Final = (
    "outbox (id, shard, customer, journey, channel, class, throttled, at, available_at, retry_at, frozen, told, fence, "
    "begun, uncertain)"
)
ASIDE: Final = timedelta(minutes=10)
"""Real time after which a message that no key opens is looked at again."""
PUT_ASIDE: Final = "UPDATE outbox SET frozen = 2, retry_at = %s, lease_until = NULL WHERE seq = ANY(%s::bigint[])"
WAKE: Final = """
UPDATE outbox SET frozen = 0 WHERE seq IN (
    SELECT seq FROM outbox WHERE frozen = 2 AND retry_at <= %(real)s ORDER BY retry_at LIMIT %(n)s
    FOR UPDATE SKIP LOCKED)
"""
_LANE: Final = """
SELECT * FROM (
    SELECT seq, available_at FROM outbox
    WHERE class = '{klass}' AND throttled = {throttled} AND frozen = 0 AND available_at <= %(now)s
      AND (lease_until IS NULL OR lease_until <= %(real)s)
    ORDER BY available_at, seq LIMIT %(n)s FOR UPDATE SKIP LOCKED
) AS {klass}_{throttled}
"""


def _claim(*classes: str) -> str:
    lanes = " UNION ALL ".join(_LANE.format(klass=klass, throttled=n) for klass in classes for n in (0, 2))
    return f"""
WITH free AS (SELECT * FROM ({lanes}) AS found ORDER BY available_at, seq LIMIT %(n)s)
UPDATE outbox AS o SET fence = o.fence + 1, lease_until = %(until)s FROM free WHERE o.seq = free.seq
RETURNING {_LEASED}
"""


_LEASED: Final = (
    "o.available_at, o.seq, o.id, o.shard, o.customer, o.class, o.fence, o.throttled, o.begun, o.uncertain, "
    "o.first_tried_at"
)
CLAIM: Final[dict[str | None, str]] = {None: _claim(*CLASSES), **{klass: _claim(klass) for klass in CLASSES}}
"""Those that no throttle holds, of a class or of all, in the order of their instants."""
_CLAIM_THROTTLED: Final = f"""
UPDATE outbox AS o SET fence = o.fence + 1, lease_until = %s WHERE seq = ANY(%s::bigint[]) RETURNING {_LEASED}
"""
CONSENTS: Final = """
SELECT k.shard, k.customer
FROM unnest(%s::bigint[], %s::bigint[]) AS j (shard, customer)
JOIN consents AS k ON k.shard = j.shard AND k.customer = j.customer
ORDER BY k.shard, k.customer FOR SHARE OF k
"""
_NO_CHOICES: Final = """
INSERT INTO consents (shard, customer, state)
SELECT shard, customer, '[]' FROM unnest(%s::bigint[], %s::bigint[]) AS j (shard, customer) ORDER BY shard, customer
ON CONFLICT (shard, customer) DO NOTHING
"""
DETAILS: Final = f"""
SELECT j.n, c.id, c.external_id, c.created_at, c.state, k.state, CASE WHEN e.ended_by_rule <> 0 THEN e.reason END,
    {MESSAGE}
FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) WITH ORDINALITY AS j (shard, customer, id, n)
CROSS JOIN LATERAL (
    SELECT * FROM messages AS m WHERE m.shard = j.shard AND m.customer = j.customer AND m.id = j.id OFFSET 0
) AS m
JOIN customers AS c ON c.shard = j.shard AND c.id = j.customer
LEFT JOIN consents AS k ON k.shard = j.shard AND k.customer = j.customer
LEFT JOIN LATERAL (
    SELECT * FROM enrollments AS e WHERE e.shard = j.shard AND e.customer = j.customer AND e.id = m.enrollment OFFSET 0
) AS e ON true
ORDER BY j.n
"""
"""OFFSET 0 keeps the planner from looking through all messages and enrollments of a customer for the one. What is
nobody's has no row."""
_DROP: Final = """
WITH gone AS (DELETE FROM outbox WHERE seq = ANY(%s::bigint[]) RETURNING shard, customer, id), landed AS (
    DELETE FROM in_flight WHERE seq = ANY(%s::bigint[])
)
UPDATE messages AS m SET status = 'suppressed' FROM gone
WHERE m.shard = gone.shard AND m.customer = gone.customer AND m.id = gone.id AND m.status = 'queued' RETURNING m.channel
"""
BEGIN: Final = """
UPDATE outbox AS o SET begun = o.begun + 1, uncertain = 1, lease_until = %(until)s,
    first_tried_at = coalesce(o.first_tried_at, %(real)s)
FROM unnest(%(seqs)s::bigint[], %(fences)s::bigint[]) AS j (seq, fence) WHERE o.seq = j.seq AND o.fence = j.fence
RETURNING o.id, o.seq, o.throttled
"""
BEGIN_BY_ID: Final = """
UPDATE outbox AS o SET begun = o.begun + 1, uncertain = 1, lease_until = %(until)s,
    first_tried_at = coalesce(o.first_tried_at, %(real)s)
FROM unnest(%(ids)s::text[], %(fences)s::bigint[]) AS j (id, fence)
JOIN messages AS m ON m.id = j.id
WHERE o.shard = m.shard AND o.customer = m.customer AND o.id = j.id AND o.fence = j.fence
RETURNING o.id, o.seq, o.throttled
"""
_STAY_IN_FLIGHT: Final = "UPDATE in_flight SET lease_until = %s WHERE seq = ANY(%s::bigint[])"


def queue_messages(c: Connection, messages: Sequence[tuple[Message, tuple[int, int]]]) -> None:
    """Put new ledger rows on their way, each with its customer's (shard, id)."""
    copy_rows(
        c,
        _QUEUE,
        [
            (
                m.id, *key, m.journey, m.channel, m.klass, int(m.throttled), micros(m.at), micros(m.decided_at), 0, 0,
                0, 0, 0, 0,
            )
            for m, key in messages
        ],
    )  # fmt: skip
    tallies.count_messages(c, Counter((message.channel, "queued") for message, _ in messages))


def read_switches(c: Connection) -> Switches:
    """What is switched off at the instant of this statement."""
    return switches.read_switches(c)


class PostgresOutbox(PostgresThrottles, PostgresSettlements):
    """The part of the store that deliveries ask."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._causes = Causes()

    def claim_messages(
        self, now: datetime, limit: int, real_at: datetime | None = None, klass: str | None = None
    ) -> Sequence[Claimed]:
        """Queued messages, oldest first, as far as throttles allow. The lease is in real time."""
        real = real_at or now
        until = micros(real + LEASE)
        at = {"now": micros(now), "real": micros(real)}
        with self.db.write() as c:
            c.execute(WAKE, {**at, "n": max(limit, 1_000)})
            leased = sorted(c.execute(CLAIM[klass], {**at, "n": limit, "until": until}).fetchall())
            if len(leased) < limit:
                seqs = self._let_through(c, now, at, limit - len(leased), klass, until)
                place = {seq: n for n, seq in enumerate(seqs)}
                found = c.execute(_CLAIM_THROTTLED, (until, arrays.ints(seqs))).fetchall() if seqs else []
                leased += sorted(found, key=lambda row: place[row[1]])
            if not leased:
                return []
            _lock_consents(c, leased)
            shards, customers, ids = zip(*[(row[3], row[4], row[2]) for row in leased], strict=True)
            asked = (arrays.ints(shards), arrays.ints(customers), arrays.texts(ids))
            rows = c.execute(DETAILS, asked).fetchall()
            if len(rows) < len(leased):
                _drop_nobodys(c, leased, {n for n, *_ in rows})
            claimed, closed = self._claims(leased, rows)
            if closed:
                c.execute(PUT_ASIDE, (micros(real + ASIDE), arrays.ints(closed)))
            causes = self._causes_for(c, claimed)
        self._causes.know(causes)
        return claimed

    def _claims(
        self, leased: Sequence[tuple[Any, ...]], rows: Sequence[tuple[Any, ...]]
    ) -> tuple[list[Claimed], list[int]]:
        """What was claimed, and the places in the queue of what no key opens."""
        customers: dict[int, Customer] = {}
        found, leases, closed = [], [], []
        sealer = self.db.sealer
        for n, id, external, created_at, state, consents, ended_by, *columns in rows:
            _, seq, _, shard, _, _, fence, throttled, begun, uncertain, first_at = leased[n - 1]
            try:
                customer = customers.get(id)
                if customer is None:
                    customer = customers[id] = customer_of(sealer, external, created_at, state, consents)
                m = message_of(sealer, *columns)
            except Unopened:
                closed.append(seq)
                continue
            found.append(Claimed(m, customer, ended_by, fence, begun, uncertain == 1, instant_or_none(first_at)))
            leases.append(Leased(m.id, seq, shard, id, fence, throttled, m.journey, m.channel))
        self.remember(leases)
        return found, closed

    def _causes_for(self, c: Connection, claimed: Sequence[Claimed]) -> Mapping[tuple[str, str], frozenset[str]] | None:
        """What the suppression list says of the addresses of these, as the claim saw it; None: it is empty."""
        row = c.execute("SELECT EXISTS (SELECT 1 FROM suppressions)").fetchone()
        if row is None or not row[0]:
            return None
        asked = {(claim.row.channel, normal_of(claim.row, claim.customer)) for claim in claimed}
        return causes_of(lambda places: suppressed_among(c, places), self.salt, asked)

    def suppressions(self) -> SuppressionList:
        """The suppression list. While this thread holds claimed messages, it knows their addresses from the claim."""
        return SuppressionList(self.db, self.salt, self._causes.known(self._leases))

    def settle_messages(self, settlements: Sequence[Any], now: datetime) -> None:
        """Write what became of claimed messages; those that somebody else claimed since are left alone."""
        super().settle_messages(settlements, now)
        for settled in settlements:
            if settled.suppress is not None:
                self._causes.add(*settled.suppress)

    def begin_hand_over(self, claimed: Sequence[Claimed], real_at: datetime) -> frozenset[str]:
        """Committed before anything leaves. What another claimed since has a higher fence, and is not ours."""
        if not claimed:
            return frozenset()
        leases = [self._leases.get(message.row.id) for message in claimed]
        until = micros(real_at + LEASE)
        asked: dict[str, Any] = {"until": until, "real": micros(real_at)}
        asked["fences"] = arrays.ints([message.fence for message in claimed])
        with self.db.write() as c:
            if None in leases:
                asked["ids"] = arrays.texts([message.row.id for message in claimed])
                found = c.execute(BEGIN_BY_ID, asked).fetchall()
            else:
                asked["seqs"] = arrays.ints([lease.seq for lease in leases if lease is not None])
                found = c.execute(BEGIN, asked).fetchall()
            flying = sorted(seq for _, seq, throttled in found if throttled)
            if flying:
                c.execute(_STAY_IN_FLIGHT, (until, arrays.ints(flying)))
        return frozenset(id for id, _, _ in found)


def _lock_consents(c: Connection, leased: Sequence[tuple[Any, ...]]) -> None:
    """Until the claim's end nobody whom it may write to opts out. Transactional messages need no consent; who never
    chose anything gets a row without choices, because what is not there cannot be locked."""
    asked = sorted({(row[3], row[4]) for row in leased if row[5] != "transactional"})
    if not asked:
        return
    known = set(c.execute(CONSENTS, _pairs(asked)).fetchall())
    missing = [place for place in asked if place not in known]
    if missing:
        c.execute(_NO_CHOICES, _pairs(missing))
        c.execute(CONSENTS, _pairs(missing))


def _drop_nobodys(c: Connection, leased: Sequence[tuple[Any, ...]], known: Collection[int]) -> None:
    """Messages whose customer is not there, which nothing of ours leaves behind: one of them must not hold up the
    others. `known`: the places of all others among the leased, from 1."""
    seqs = arrays.ints(sorted(lease[1] for n, lease in enumerate(leased, 1) if n not in known))
    gone: Counter[tuple[str, str]] = Counter()
    for (channel,) in c.execute(_DROP, (seqs, seqs)).fetchall():
        gone[channel, "queued"] -= 1
        gone[channel, "suppressed"] += 1
    tallies.count_messages(c, gone)


def _pairs(places: Sequence[tuple[int, int]]) -> tuple[str, str]:
    return arrays.ints([shard for shard, _ in places]), arrays.ints([customer for _, customer in places])
