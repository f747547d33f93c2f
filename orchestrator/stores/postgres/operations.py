"""Operators' doings, and what concerns many customers at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from json import dumps as json_text
from typing import Any, Final

from orchestrator.core.inbox import JourneyOperated, ScheduleFired
from orchestrator.core.state import body_to_json
from orchestrator.core.view import Switches
from orchestrator.stores.instants import instant_or_none, micros
from orchestrator.stores.postgres import arrays, fanout
from orchestrator.stores.postgres.base import PostgresBase
from orchestrator.stores.postgres.database import Connection
from orchestrator.stores.postgres.inbox import put_items
from orchestrator.stores.postgres.outbox import CLASSES
from orchestrator.stores.postgres.switches import read_switches, write_switches
from orchestrator.stores.postgres.timers import wake

_LISTED: Final = ", ".join(f"'{klass}'" for klass in CLASSES)
_THAW: Final = f"""
UPDATE outbox SET frozen = 0 WHERE seq IN (
    SELECT seq FROM outbox WHERE class IN ({_LISTED}) AND throttled IN (0, 1, 2) AND frozen = 1 ORDER BY seq FOR UPDATE)
"""
_RECALL: Final = """
UPDATE outbox SET throttled = CASE throttled WHEN 0 THEN 0 ELSE 2 END, frozen = 0, retry_at = 0,
    available_at = least(available_at, at)
WHERE seq IN (
    SELECT seq FROM outbox
    WHERE (throttled = 1 OR frozen <> 0 OR available_at > at) AND lease_until IS NULL
      AND (%s::int = 1 OR channel = ANY(%s::text[]) OR journey = ANY(%s::text[]))
    ORDER BY seq FOR UPDATE)
"""
_ONE_AT_A_TIME: Final = (
    "SELECT pg_advisory_xact_lock(hashtextextended('orchestrator switches', 0))",
    "SELECT value FROM meta WHERE name = 'switches' FOR UPDATE",
)
"""The row may not be there yet."""
PARKED: Final = "SELECT shard, id, external_id FROM customers WHERE parked IS NOT NULL ORDER BY shard, id"
PARKED_FOR: Final = """
SELECT shard, id, external_id FROM customers WHERE parked IS NOT NULL AND parked = %s ORDER BY parked_at, id LIMIT %s
"""
_RESUME: Final = """
UPDATE customers AS c SET parked = NULL, parked_detail = NULL, parked_at = NULL
FROM unnest(%s::bigint[], %s::bigint[]) AS j (shard, id)
WHERE c.shard = j.shard AND c.id = j.id AND c.parked IS NOT NULL
"""
_UNPARK: Final = """
UPDATE inbox AS i SET parked = 0 FROM unnest(%s::bigint[], %s::bigint[]) AS j (shard, id)
WHERE i.shard = j.shard AND i.customer = j.id AND i.parked <> 0
"""
INSIDE: Final = (
    "SELECT DISTINCT shard, customer FROM enrollments WHERE live = 1 AND journey = %s ORDER BY shard, customer"
)
_AT_ONCE: Final = 10_000
"""Customers who are told of an operation by one statement."""
ZONES: Final = """
WITH RECURSIVE found (zone) AS (
    (SELECT zone FROM customers ORDER BY zone LIMIT 1)
    UNION ALL
    SELECT (SELECT c.zone FROM customers AS c WHERE c.zone > found.zone ORDER BY c.zone LIMIT 1)
    FROM found WHERE found.zone IS NOT NULL
)
SELECT zone FROM found WHERE zone IS NOT NULL
"""
"""From one zone to the next: one look-up each, however many customers there are."""
_IMPORT: Final = """
INSERT INTO codes (offer, code, given)
SELECT %s, code, 0 FROM unnest(%s::text[]) WITH ORDINALITY AS j (code, n) ORDER BY n
ON CONFLICT (offer, code) DO NOTHING
"""
_MARK: Final = "INSERT INTO marks (name, at) VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET at = excluded.at"
_MARKED: Final = "SELECT at FROM marks WHERE name = %s"
_TALLY: Final = """
INSERT INTO tallies (name, count, amount) VALUES (%s, 1, 0)
ON CONFLICT (name) DO UPDATE SET count = tallies.count + 1 RETURNING count
"""


class PostgresOperations(PostgresBase):
    """Switches, stop and resume, pools of codes, fan-outs, marks and tallies."""

    def switches(self) -> Switches:
        """What operators switched off."""
        with self.db.read() as c:
            return read_switches(c)

    def set_switches(self, switches: Switches) -> None:
        """Throw switches. What waits, and is stopped or killed now, is claimed and cancelled at once."""
        self.change_switches(lambda known: switches)

    def change_switches(self, change: Callable[[Switches], Switches]) -> Switches:
        """Throw what `change` makes of them, while nobody else does."""
        with self.db.write() as c:
            for lock in _ONE_AT_A_TIME:
                c.execute(lock)
            known = read_switches(c)
            switches = change(known)
            thawed = known.paused - switches.paused
            write_switches(c, switches)
            journeys = switches.stopped | switches.killed_journeys
            if switches.killed_all or switches.killed_channels or journeys:
                channels = arrays.texts(sorted(switches.killed_channels))
                c.execute(_RECALL, (int(switches.killed_all), channels, arrays.texts(sorted(journeys))))
            if thawed:
                c.execute(_THAW)
        return switches

    def operate(self, journey: str, action: Any, now: datetime) -> int:
        """Tell everyone in a journey; `resume` also takes up the parked customers."""
        at = micros(now)
        with self.db.write() as c:
            if action == "resume":
                _unpark(c, at, c.execute(PARKED).fetchall())
            inside = c.execute(INSIDE, (journey,)).fetchall()
            body = body_to_json(JourneyOperated(journey, action))
            for begin in range(0, len(inside), _AT_ONCE):
                put_items(c, [(shard, id, at, body) for shard, id in inside[begin : begin + _AT_ONCE]])
        return len(inside)

    def take_up(self, reason: str, limit: int, now: datetime) -> Sequence[str]:
        """Take turns again for those who were parked for a reason."""
        with self.db.write() as c:
            found = c.execute(PARKED_FOR, (reason, limit)).fetchall()
            _unpark(c, micros(now), found)
        return sorted(external for _, _, external in found)

    def import_codes(self, offer: str, codes: Sequence[str]) -> int:
        """Add codes to an offer's imported pool, each one once for ever."""
        with self.db.write() as c:
            return c.execute(_IMPORT, (offer, arrays.texts(codes))).rowcount

    def zones(self) -> Sequence[str]:
        """The zones in force among all customers."""
        with self.db.read() as c:
            return [zone for (zone,) in c.execute(ZONES).fetchall()]

    def fan_out(
        self, journey: str, trigger: int, occurrence: str, zone: str | None, segment: str | None, at: datetime
    ) -> int:
        """Tell whom an occurrence concerns, once. Where there are very many, returns how many were told at once; the
        others follow with the next turns."""
        name = f"schedule:{json_text([journey, str(trigger), occurrence])}:{zone or ''}"
        with self.db.write() as c:
            body = ScheduleFired(journey, trigger, occurrence)
            return fanout.begin_fan_out(c, name, body, at, zone, segment) or 0

    def mark(self, name: str, at: datetime | None = None) -> datetime | None:
        """Read or set a named instant."""
        if at is not None:
            with self.db.write() as c:
                c.execute(_MARK, (name, micros(at)))
            return at
        with self.db.read() as c:
            found = c.execute(_MARKED, (name,)).fetchone()
        return instant_or_none(found[0]) if found is not None else None

    def tally(self, name: str) -> int:
        """Count one more. These names never meet those of the store's own counters."""
        with self.db.write() as c:
            row = c.execute(_TALLY, (f"asked:{name}",)).fetchone()
        assert row is not None
        return int(row[0])


def _unpark(c: Connection, at: int, found: Sequence[tuple[Any, ...]]) -> None:
    """Take turns again for these. Their shards are locked first, as in a turn."""
    if not found:
        return
    wake(c, [(shard, id, at) for shard, id, _ in found])
    places = arrays.ints([shard for shard, _, _ in found]), arrays.ints([id for _, id, _ in found])
    c.execute(_RESUME, places)
    c.execute(_UNPARK, places)
