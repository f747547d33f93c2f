"""The floor of workload W' on SQLite: the same rows, written by statements that know everything beforehand.

What the engine wrote is copied into a file of its own, table by table in the order of the workload, a thousand
customers at once, in as many transactions as the engine makes, with the same indexes: events in, turn, turn, delivery.
What is left out is all that thinks: nothing is decided, rendered, encoded or decoded. So no engine on these tables can
be faster.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Final

from orchestrator.stores.migrate import upgrade
from orchestrator.stores.sqlite.database import PAGES_BEFORE_CHECKPOINT

BATCH: Final = 1_000
_MINE: Final = "(SELECT shard, customer FROM mine)"
_FIRST_LINES: Final = "t.type IN ('entered', 'waiting')"
_LAST_LINES: Final = "t.type IN ('branched', 'completed')"


class Floor:
    """A file that gets the customers whom the engine has dealt with in another one, slice by slice."""

    def __init__(self, filled: Path, empty: Path) -> None:
        upgrade(empty)
        self._c = c = sqlite3.connect(empty, isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "cache_size=-65536", "temp_store=MEMORY"):
            c.execute(f"PRAGMA {pragma}")
        c.execute(f"PRAGMA wal_autocheckpoint={PAGES_BEFORE_CHECKPOINT}")
        c.execute("ATTACH ? AS done", (str(filled),))
        c.execute("CREATE TEMP TABLE everybody (n INTEGER PRIMARY KEY, shard INTEGER, customer INTEGER)")
        columns = "shard INTEGER, customer INTEGER, PRIMARY KEY (shard, customer)"
        c.execute(f"CREATE TEMP TABLE mine ({columns}) WITHOUT ROWID")
        self._last = 0
        self.seconds = 0.0
        """CPU so far."""

    def take(self) -> None:
        """Copy the customers who are new since the last time, and all that happened to them."""
        c = self._c
        batches = range(0, self._prepare(), BATCH)
        started = time.process_time()
        for statements in (_ingest(), _first_turn(c), _second_turn(c), _claim(), _settle(c)):
            for first in batches:
                c.execute("BEGIN IMMEDIATE")
                c.execute("DELETE FROM mine")
                chosen = "INSERT INTO mine SELECT shard, customer FROM everybody WHERE n BETWEEN ? AND ?"
                c.execute(chosen, (first + 1, first + BATCH))
                for statement in statements:
                    c.execute(statement).fetchall()
                c.execute("COMMIT")
        self.seconds += time.process_time() - started
        for table in ("events", "enrollments", "entries", "messages", "transitions"):
            [[ours], [theirs]] = (c.execute(f"SELECT count(*) FROM {db}.{table}").fetchall() for db in ("main", "done"))
            assert ours == theirs, (table, ours, theirs)

    def close(self) -> None:
        """Give back the file."""
        self._c.close()

    def _prepare(self) -> int:
        """Customers are there before the workload begins. Returns how many are new."""
        c, after = self._c, (self._last,)
        c.execute("INSERT INTO main.customers SELECT * FROM done.customers WHERE id > ?", after)
        for table in ("identifiers", "consents"):
            c.execute(f"INSERT INTO main.{table} SELECT * FROM done.{table} WHERE customer > ?", after)
        c.execute("DELETE FROM everybody")
        new = "SELECT shard, id FROM done.customers WHERE id > ? ORDER BY id * 7919 % 100003"
        c.execute(f"INSERT INTO everybody (shard, customer) {new}", after)
        [self._last] = c.execute("SELECT max(id) FROM done.customers").fetchone()
        return int(c.execute("SELECT count(*) FROM everybody").fetchone()[0])


def _each(table: str, alias: str = "t", key: str = "customer") -> str:
    return f"mine CROSS JOIN {table} AS {alias} ON {alias}.shard = mine.shard AND {alias}.{key} = mine.customer"


_PROFILES: Final = f"""SELECT k.*, n.* FROM {_each("main.customers", "k", "id")}
CROSS JOIN main.consents AS n ON n.shard = k.shard AND n.customer = k.id"""


def _copied(c: sqlite3.Connection, table: str, where: str = "1") -> str:
    names = [f'"{row[1]}"' for row in c.execute(f"PRAGMA done.table_info({table})")]
    taken = ", ".join(f"t.{name}" for name in names)
    return f"INSERT INTO main.{table} ({', '.join(names)}) SELECT {taken} FROM {_each(f'done.{table}')} WHERE {where}"


def _ingest() -> list[str]:
    """Events in: seen once, and into the inbox."""
    return [
        f"INSERT INTO seen (message_id, received_at, content) SELECT t.id, t.at, t.seq FROM {_each('done.events')}",
        f"""INSERT INTO inbox (shard, customer, external_id, received_at, parked, body)
        SELECT t.shard, t.customer, k.external_id, t.at, 0, t.properties FROM {_each("done.events")}
        CROSS JOIN done.customers AS k ON k.shard = t.shard AND k.id = t.customer""",
    ]


def _first_turn(c: sqlite3.Connection) -> list[str]:
    """Everyone enters, and waits."""
    return [
        _PROFILES,
        f"SELECT t.* FROM {_each('main.inbox')}",
        f"DELETE FROM main.inbox WHERE (shard, customer) IN {_MINE}",
        _copied(c, "events"),
        _copied(c, "enrollments"),
        _copied(c, "entries"),
        _copied(c, "transitions", _FIRST_LINES),
        f"UPDATE main.customers SET next_due_at = created_at WHERE (shard, id) IN {_MINE}",
    ]


def _second_turn(c: sqlite3.Connection) -> list[str]:
    """The wait is over: a condition, a message, the end."""
    return [
        _PROFILES,
        f"SELECT t.* FROM {_each('main.enrollments')}",
        f"""UPDATE main.enrollments SET status = 'completed', live = 0, due_at = NULL, state = state || ' '
        WHERE (shard, customer) IN {_MINE}""",
        _copied(c, "messages"),
        f"""INSERT INTO outbox (id, shard, customer, journey, channel, "class", throttled, at, available_at, retry_at,
        frozen, told, fence, begun, uncertain)
        SELECT t.id, t.shard, t.customer, t.journey, t.channel, t."class", 0, t.at, t.at, 0, 0, 0, 0, 0, 0
        FROM {_each("done.messages")}""",
        _copied(c, "transitions", _LAST_LINES),
        f"UPDATE main.entries SET state = state WHERE (shard, customer) IN {_MINE}",
        f"UPDATE main.customers SET next_due_at = NULL WHERE (shard, id) IN {_MINE}",
    ]


def _claim() -> list[str]:
    """Messages are claimed in their order, as nobody knows whose they are."""
    return [
        f"""SELECT o.*, m.*, k.* FROM main.outbox AS o
        CROSS JOIN main.messages AS m ON m.shard = o.shard AND m.customer = o.customer AND m.id = o.id
        CROSS JOIN main.customers AS k ON k.shard = o.shard AND k.id = o.customer
        WHERE o.lease_until IS NULL ORDER BY o.seq LIMIT {BATCH}""",
        f"""UPDATE main.outbox SET lease_until = at, fence = fence + 1
        WHERE seq IN (SELECT seq FROM main.outbox WHERE lease_until IS NULL ORDER BY seq LIMIT {BATCH})""",
    ]


def _settle(c: sqlite3.Connection) -> list[str]:
    return [
        f"DELETE FROM main.outbox WHERE id IN (SELECT t.id FROM {_each('main.messages')})",
        f"UPDATE main.messages SET status = 'sent' WHERE (shard, customer) IN {_MINE}",
        _copied(c, "transitions", "t.type = 'message'"),
    ]
