"""The floor of workload W on PostgreSQL: the same rows in the same tables with the same indexes, by pure SQL.

What the engine wrote is laid out beforehand, in batches of 10,000 customers. Then two sessions insert, update and
delete it again in tables of their own (another schema of the same database, made by the same migrations), in the order
of the workload: events in, first turn, second turn, claim, settlement. Nothing is looked for, decided, rendered or
encoded, nobody is locked, and what the engine writes to keep its processes apart (rows of shards, of turns under way,
of counters) is left out.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any, Final

import psycopg

from orchestrator.stores.migrate import upgrade

BATCH: Final = 10_000
SESSIONS: Final = 2
_BEFORE: Final = ("customers", "identifiers", "consents")
_COPIES: Final = ("events", "enrollments", "entries", "messages")
_FIRST: Final = "t.type IN ('entered', 'waiting')"
_LAST: Final = "t.type IN ('branched', 'completed')"
_SENT: Final = "t.type = 'message'"

Statement = tuple[str, str]
"""A name, for its share of the time, and SQL with one value: the batch."""


class PostgresFloor:
    """Tables that get the customers whom the engine has dealt with, slice by slice. `seconds` counts real ones."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.seconds = 0.0
        self.by_statement: dict[str, float] = {}
        with self._session() as c:
            c.execute("CREATE SCHEMA floor")
            c.execute("CREATE SCHEMA staged")
        upgrade(f"{url}&options=-csearch_path%3Dfloor")
        self._batches = 0

    def create(self) -> None:
        """Customers are there before the workload begins."""
        with self._session() as c:
            for table in _BEFORE:
                c.execute(f"INSERT INTO floor.{table} SELECT * FROM public.{table}".encode())

    def prepare(self) -> None:
        """Lay out the customers who are new since the last time, and all that happened to them."""
        with self._session() as c:
            self._batches = self._lay_out(c)

    def take(self) -> None:
        """Write them."""
        for statements in _PHASES:
            self._phase(statements, self._batches)

    def _phase(self, statements: Sequence[Statement], batches: int) -> None:
        began = time.monotonic()
        failed: list[BaseException] = []

        def work(session: int) -> None:
            try:
                with self._session() as c:
                    c.execute("SET search_path = floor")
                    for batch in range(session, batches, SESSIONS):
                        self._batch(c, statements, batch)
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=work, args=(session,)) for session in range(SESSIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.seconds += time.monotonic() - began
        if failed:
            raise failed[0]

    def _batch(self, c: psycopg.Connection[Any], statements: Sequence[Statement], batch: int) -> None:
        with c.transaction():
            for name, statement in statements:
                began = time.monotonic()
                c.execute(statement.encode(), (batch,))
                self.by_statement[name] = self.by_statement.get(name, 0.0) + time.monotonic() - began

    def _lay_out(self, c: psycopg.Connection[Any]) -> int:
        """Rows by batch, beside the workload's time; customers were there before. Returns how many batches."""
        c.execute("DROP SCHEMA staged CASCADE")
        c.execute("CREATE SCHEMA staged")
        c.execute(
            f"""CREATE UNLOGGED TABLE staged.everybody AS
            SELECT new.shard, customer, c.external_id,
                ((row_number() OVER (ORDER BY new.shard, customer) - 1) / {BATCH})::int AS batch,
                ((row_number() OVER (ORDER BY customer * 7919 % 100003) - 1) / {BATCH})::int AS came
            FROM (SELECT DISTINCT shard, customer FROM public.events EXCEPT SELECT shard, customer FROM floor.events)
                AS new JOIN public.customers AS c ON c.shard = new.shard AND c.id = new.customer""".encode()
        )
        c.execute("CREATE UNIQUE INDEX ON staged.everybody (shard, customer)")
        for table in (*_COPIES, "transitions"):
            c.execute(
                f"""CREATE UNLOGGED TABLE staged.{table} AS SELECT e.batch, e.came, e.external_id, t.*
                FROM staged.everybody AS e JOIN public.{table} AS t ON t.shard = e.shard AND t.customer = e.customer
                ORDER BY e.batch, t.shard, t.customer""".encode()
            )
            c.execute(f"CREATE INDEX ON staged.{table} (batch)".encode())
        c.execute("CREATE INDEX ON staged.events (came)")
        c.execute("ANALYZE staged.everybody")
        row = c.execute("SELECT max(batch) + 1 FROM staged.everybody").fetchone()
        assert row is not None
        return int(row[0])

    def _session(self) -> psycopg.Connection[Any]:
        # The plans of the engine: statistics of tables that just grew would mislead the planner.
        options = "-c enable_hashjoin=off -c enable_mergejoin=off -c jit=off -c statement_timeout=0 -c work_mem=64MB"
        return psycopg.connect(self._url, autocommit=True, options=options)


def _copied(table: str, columns: str, where: str = "true", name: str = "") -> Statement:
    taken = ", ".join(f"t.{column.strip()}" for column in columns.split(","))
    sql = f"INSERT INTO {table} ({columns}) SELECT {taken} FROM staged.{table} AS t WHERE t.batch = %s AND {where}"
    return name or f"insert {table}", sql


_EVENTS: Final = "shard, customer, name, at, seq, id, properties"
_ENROLLMENTS: Final = (
    "shard, customer, id, journey, version, key, status, reason, ended_by_rule, step, entered_at, ended_at, due_at, "
    "live, seq, state"
)
_TRANSITIONS: Final = "shard, customer, at, seq, n, type, journey, version, key, step, enrollment, data, details"
_MESSAGES: Final = (
    "shard, customer, id, journey, enrollment, step, channel, topic, class, template, address, at, seq, status, "
    "opened_at, clicked_at, row"
)
_MINE: Final = "t.batch = %s AND {0}.shard = t.shard AND {0}.customer = t.customer"
_INGEST: Final[Sequence[Statement]] = (
    (
        "insert seen",
        (
            "INSERT INTO seen (message_id, received_at, content) SELECT t.id, t.at, t.seq FROM staged.events AS t "
            "WHERE t.came = %s"
        ),
    ),
    (
        "insert inbox",
        (
            "INSERT INTO inbox (shard, customer, external_id, received_at, parked, body) SELECT t.shard, t.customer, "
            "t.external_id, t.at, 0, '[\"event\",\"' || t.id || '\",\"' || t.name || '\",' || t.properties || ']' "
            "FROM staged.events AS t WHERE t.came = %s"
        ),
    ),
)
_FIRST_TURN: Final[Sequence[Statement]] = (
    ("delete inbox", f"DELETE FROM inbox AS i USING staged.events AS t WHERE {_MINE.format('i')}"),
    _copied("events", _EVENTS),
    (
        "insert enrollments",
        (
            f"INSERT INTO enrollments ({_ENROLLMENTS}) SELECT t.shard, t.customer, t.id, t.journey, t.version, t.key, "
            "'running', NULL, 0, t.step, t.entered_at, NULL, t.entered_at, 1, t.seq, t.state "
            "FROM staged.enrollments AS t WHERE t.batch = %s"
        ),
    ),
    _copied("entries", "shard, customer, journey, key, state"),
    _copied("transitions", _TRANSITIONS, _FIRST),
    (
        "insert due",
        (
            "INSERT INTO due (shard, customer, at) SELECT t.shard, t.customer, t.at FROM staged.events AS t "
            "WHERE t.batch = %s"
        ),
    ),
)
_SECOND_TURN: Final[Sequence[Statement]] = (
    (
        "update enrollments",
        (
            "UPDATE enrollments AS e SET status = t.status, live = 0, due_at = NULL, state = t.state || ' ' "
            f"FROM staged.enrollments AS t WHERE {_MINE.format('e')} AND e.id = t.id"
        ),
    ),
    _copied("messages", _MESSAGES),
    (
        "insert outbox",
        (
            "INSERT INTO outbox (id, shard, customer, journey, channel, class, throttled, at, available_at, retry_at, "
            "frozen, told, fence, begun, uncertain) SELECT t.id, t.shard, t.customer, t.journey, t.channel, t.class, "
            "0, t.at, t.at, 0, 0, 0, 0, 0, 0 FROM staged.messages AS t WHERE t.batch = %s"
        ),
    ),
    _copied("transitions", _TRANSITIONS, _LAST),
    (
        "update entries",
        (
            "UPDATE entries AS e SET state = t.state FROM staged.entries AS t "
            f"WHERE {_MINE.format('e')} AND e.journey = t.journey AND e.key = t.key"
        ),
    ),
    ("delete due", f"DELETE FROM due AS d USING staged.events AS t WHERE {_MINE.format('d')}"),
)
_CLAIM: Final[Sequence[Statement]] = (
    (
        "update outbox",
        (
            "UPDATE outbox AS o SET lease_until = o.at, fence = o.fence + 1 FROM staged.messages AS t "
            f"WHERE {_MINE.format('o')}"
        ),
    ),
)
_SETTLE: Final[Sequence[Statement]] = (
    ("delete outbox", f"DELETE FROM outbox AS o USING staged.messages AS t WHERE {_MINE.format('o')}"),
    (
        "update messages",
        f"UPDATE messages AS m SET status = 'sent' FROM staged.messages AS t WHERE {_MINE.format('m')} AND m.id = t.id",
    ),
    _copied("transitions", _TRANSITIONS, _SENT),
)
_PHASES: Final = (_INGEST, _FIRST_TURN, _SECOND_TURN, _CLAIM, _SETTLE)
ROWS: Final = """
SELECT relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables WHERE schemaname = %s
"""


def written(url: str, schema: str) -> dict[str, tuple[int, int, int]]:
    """Rows inserted, updated and deleted in each table of a schema so far."""
    with psycopg.connect(url, autocommit=True) as c:
        return {name: (ins, upd, gone) for name, ins, upd, gone in c.execute(ROWS, (schema,)).fetchall()}
