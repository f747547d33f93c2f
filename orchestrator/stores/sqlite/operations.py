"""Operators' doings, and what concerns many customers at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from json import dumps as json_text
from typing import Any, Final

from orchestrator.core.inbox import JourneyOperated, ScheduleFired
from orchestrator.core.state import body_to_json
from orchestrator.core.view import Switches
from orchestrator.stores.instants import instant_or_none, micros
from orchestrator.stores.on_demand import causes_of
from orchestrator.stores.sqlite import fanout
from orchestrator.stores.sqlite.base import SqliteBase
from orchestrator.stores.sqlite.database import Database
from orchestrator.stores.sqlite.inbox import put_items
from orchestrator.stores.sqlite.loading import suppressed_among
from orchestrator.stores.sqlite.outbox import CLASSES
from orchestrator.stores.sqlite.switches import read_switches, write_switches

_LISTED: Final = ", ".join(f"'{klass}'" for klass in CLASSES)
_THAW: Final = f"""
UPDATE outbox INDEXED BY ix_outbox_ready SET frozen = 0
WHERE class IN ({_LISTED}) AND throttled IN (0, 1, 2) AND frozen = 1
"""
_RECALL: Final = """
UPDATE outbox SET throttled = CASE throttled WHEN 0 THEN 0 ELSE 2 END, frozen = 0, retry_at = 0,
    available_at = min(available_at, at)
WHERE (throttled = 1 OR frozen <> 0 OR available_at > at) AND lease_until IS NULL
  AND (:all OR channel IN (SELECT value FROM json_each(:channels))
       OR journey IN (SELECT value FROM json_each(:journeys)))
"""
_PARKED: Final = "SELECT shard, id FROM customers INDEXED BY ix_customers_parked WHERE parked IS NOT NULL"
_PARKED_FOR: Final = """
SELECT shard, id, external_id FROM customers INDEXED BY ix_customers_parked WHERE parked IS NOT NULL AND parked = ?
LIMIT ?
"""
_RESUME: Final = (
    "UPDATE customers SET parked = NULL, parked_detail = NULL, parked_at = NULL, next_due_at = ? "
    "WHERE shard = ? AND id = ?"
)
_UNPARK: Final = "UPDATE inbox SET parked = 0 WHERE shard = ? AND customer = ?"
_INSIDE: Final = """
SELECT DISTINCT shard, customer FROM enrollments INDEXED BY ix_enrollments_live WHERE live = 1 AND journey = ?
"""
_ZONES: Final = """
WITH RECURSIVE found (zone) AS (
    SELECT min(zone) FROM customers INDEXED BY ix_customers_zone
    UNION ALL
    SELECT (SELECT min(c.zone) FROM customers AS c INDEXED BY ix_customers_zone WHERE c.zone > found.zone)
    FROM found WHERE found.zone IS NOT NULL
)
SELECT zone FROM found WHERE zone IS NOT NULL
"""
"""From one zone to the next: one look-up each, however many customers there are."""
_MARK: Final = "INSERT INTO marks (name, at) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET at = excluded.at"
_TALLY: Final = (
    "INSERT INTO tallies (name, count, amount) VALUES (?, 1, 0) "
    "ON CONFLICT (name) DO UPDATE SET count = tallies.count + 1 RETURNING count"
)


def expand_fan_outs(c: sqlite3.Connection, now: datetime, budget: int) -> int:
    """The next chunk of fan-outs that are not done; see orchestrator.stores.sqlite.fanout."""
    return fanout.expand_fan_outs(c, now, budget)


class SuppressionList(Mapping[tuple[str, str], frozenset[str]]):
    """The suppression list as it is now: an address is looked up when it is asked for, for there may be millions.

    An installation that suppressed nobody yet is asked that once for the list, not for each message.
    """

    def __init__(self, db: Database, salt: str) -> None:
        self._db = db
        self._salt = salt
        self._any: bool | None = None

    def __getitem__(self, key: tuple[str, str]) -> frozenset[str]:
        with self._db.read() as c:
            causes = causes_of(lambda places: suppressed_among(c, places), self._salt, [key])[key]
        if not causes:
            raise KeyError(key)
        return causes

    def __iter__(self) -> Iterator[tuple[str, str]]:
        with self._db.read() as c:
            found = c.execute("SELECT DISTINCT channel, address FROM suppressions").fetchall()
        return iter([(channel, self._db.sealer.unmark(address)) for channel, address in found])

    def __len__(self) -> int:
        with self._db.read() as c:
            [count] = c.execute("SELECT count(*) FROM (SELECT DISTINCT channel, address FROM suppressions)").fetchone()
        return int(count)

    def __bool__(self) -> bool:
        if self._any is None:
            with self._db.read() as c:
                self._any = c.execute("SELECT 1 FROM suppressions LIMIT 1").fetchone() is not None
        return self._any


class SqliteOperations(SqliteBase):
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
            known = read_switches(c)
            switches = change(known)
            thawed = known.paused - switches.paused
            write_switches(c, switches)
            journeys = switches.stopped | switches.killed_journeys
            if switches.killed_all or switches.killed_channels or journeys:
                c.execute(
                    _RECALL,
                    {
                        "all": switches.killed_all,
                        "channels": _listed(switches.killed_channels),
                        "journeys": _listed(journeys),
                    },
                )
            if thawed:
                c.execute(_THAW)
        return switches

    def operate(self, journey: str, action: Any, now: datetime) -> int:
        """Tell everyone in a journey; `resume` also takes up the parked customers."""
        at = micros(now)
        with self.db.write() as c:
            if action == "resume":
                _unpark(c, at, c.execute(_PARKED).fetchall())
            inside = c.execute(_INSIDE, (journey,)).fetchall()
            body = body_to_json(JourneyOperated(journey, action))
            put_items(c, [(shard, customer, at, body) for shard, customer in inside])
        return len(inside)

    def take_up(self, reason: str, limit: int, now: datetime) -> Sequence[str]:
        """Take turns again for those who were parked for a reason."""
        with self.db.read() as c:
            if c.execute(_PARKED_FOR, (reason, 1)).fetchone() is None:
                return []
        with self.db.write() as c:
            found = c.execute(_PARKED_FOR, (reason, limit)).fetchall()
            _unpark(c, micros(now), [(shard, id) for shard, id, _ in found])
        return [external for _, _, external in found]

    def import_codes(self, offer: str, codes: Sequence[str]) -> int:
        """Add codes to an offer's imported pool, each one once for ever."""
        with self.db.write() as c:
            before = c.total_changes
            c.executemany(
                "INSERT OR IGNORE INTO codes (offer, code, given) VALUES (?, ?, 0)", [(offer, code) for code in codes]
            )
            return c.total_changes - before

    def suppressions(self) -> SuppressionList:
        """The suppression list, which is read as it is asked."""
        return SuppressionList(self.db, self.salt)

    def zones(self) -> Sequence[str]:
        """The zones in force among all customers."""
        with self.db.read() as c:
            return [zone for (zone,) in c.execute(_ZONES)]

    def fan_out(
        self, journey: str, trigger: int, occurrence: str, zone: str | None, segment: str | None, at: datetime
    ) -> int:
        """Tell whom an occurrence concerns, once. Where there are very many, returns how many were told at once; the
        others follow with the next turns."""
        name = f"schedule:{_listed((journey, str(trigger), occurrence))}:{zone or ''}"
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
            found = c.execute("SELECT at FROM marks WHERE name = ?", (name,)).fetchone()
        return instant_or_none(found[0]) if found is not None else None

    def tally(self, name: str) -> int:
        """Count one more. These names never meet those of the store's own counters."""
        with self.db.write() as c:
            return int(c.execute(_TALLY, (f"asked:{name}",)).fetchone()[0])


def _unpark(c: sqlite3.Connection, at: int, places: Sequence[tuple[int, int]]) -> None:
    c.executemany(_RESUME, [(at, *place) for place in places])
    c.executemany(_UNPARK, places)


def _listed(names: Iterable[str]) -> str:
    return json_text(list(names))
