"""Bringing every row of a database to the key that seals now, or back to plain text, while everybody goes on working.

Tables are read page by page; what is not as it would be written now is written again, a few rows a transaction. Whoever
stops in the middle begins anew and finds most of it done. A row that somebody holds just now is left for the next pass.
One text of SQL for both databases, as in orchestrator.stores.erasing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, NamedTuple

from orchestrator.stores.erasures import Run
from orchestrator.stores.protocol import StoreBusy
from orchestrator.stores.renewing import TABLES, Table
from orchestrator.stores.sealing import LOOKUP, ROTATED, KeyRing, Unopened, key_of

PAGE: Final = 500
"""Rows that are looked at together."""
BATCH: Final = 50
"""Rows that one transaction writes."""
PASSES: Final = 5
"""Over all tables, for rows that were held or written meanwhile."""
UNREADABLE: Final = ""
"""In place of a key's id: rows that no key opens."""
_LOCK: Final = " FOR UPDATE SKIP LOCKED"
_GET: Final = "SELECT value FROM meta WHERE name = ?"
_SET: Final = "UPDATE meta SET value = ? WHERE name = ?"

Open = Callable[[], AbstractContextManager[Run]]
"""Opens what statements run in: a look, or a transaction."""


class Progress(NamedTuple):
    """How far a pass is: `looked_at` rows of `table` so far, of which `renewed` were written."""

    table: str
    looked_at: int
    renewed: int


class Rotated(NamedTuple):
    """What a rotation did. `closed`: rows by (id of the missing key, table), UNREADABLE for those no key opens;
    `held`: rows that somebody held to the end; `needed`: ids of the keys that the database still needs."""

    renewed: Mapping[str, int]
    closed: Mapping[tuple[str, str], int]
    held: int
    needed: frozenset[str]


class Rotation:
    """One run. `personal`: names of attributes and properties that are sealed; `shared`: whether other processes may
    hold rows (PostgreSQL)."""

    def __init__(self, look: Open, write: Open, ring: KeyRing, personal: frozenset[str], shared: bool) -> None:
        self._look = look
        self._write = write
        self._ring = ring
        self._personal = personal
        self._lock = _LOCK if shared else ""
        self._renewed: Counter[str] = Counter()
        self._closed: Counter[tuple[str, str]] = Counter()
        self._held = 0

    def run(self, tell: Callable[[Progress], None] = lambda progress: None) -> Rotated:
        """Renew everything, telling how far it is after every page. Raises StoreBusy when the database is away."""
        with self._write() as run:
            run("DELETE FROM replies")  # a cache: what is fetched again is sealed
        for _ in range(PASSES):
            before = self._renewed.total()
            self._closed.clear()
            self._held = 0
            for table in TABLES:
                self._table(table, tell)
            if self._renewed.total() == before and not self._held:
                break
        needed = {id for id, _ in self._closed if id}
        done = not self._closed and not self._held
        with self._write() as run:
            kept = run(_GET, LOOKUP).fetchone()
            if kept is not None and done:
                self._note_the_end(run, kept[0])
                kept = run(_GET, LOOKUP).fetchone()
        if kept is not None:
            needed.add(key_of(kept[0]) or UNREADABLE)
        if self._ring.sealing is not None:
            needed.add(self._ring.sealing)
        return Rotated(dict(self._renewed), dict(self._closed), self._held, frozenset(needed - {UNREADABLE}))

    def _note_the_end(self, run: Run, kept: str) -> None:
        """The look-up key is sealed anew last of all: until then the key before is needed."""
        run("DELETE FROM meta WHERE name = ?", ROTATED)
        if self._ring.seals:
            if not kept.startswith(self._ring.begin):
                context = f"meta.{LOOKUP}"
                run(_SET, self._ring.seal(context, self._ring.open(context, kept)), LOOKUP)
            run("INSERT INTO meta (name, value) VALUES (?, ?)", ROTATED, self._ring.sealing)
        else:
            run("DELETE FROM meta WHERE name = ?", LOOKUP)

    def _table(self, table: Table, tell: Callable[[Progress], None]) -> None:
        looked_at = 0
        for rows in self._pages(table):
            stale = []
            for row in rows:
                try:
                    if table.renew(self._ring, self._personal, row) is not None:
                        stale.append(row[: len(table.key)])
                except Unopened as error:
                    self._closed[error.key_id or UNREADABLE, table.name] += 1
            batch = 1 if table.found_by_value else BATCH
            for first in range(0, len(stale), batch):
                self._renew(table, stale[first : first + batch])
            looked_at += len(rows)
            tell(Progress(table.name, looked_at, self._renewed[table.name]))

    def _pages(self, table: Table) -> Iterator[Sequence[tuple[Any, ...]]]:
        order, columns = ", ".join(table.key), ", ".join((*table.key, *table.columns))
        begin = f"SELECT {columns} FROM {table.name}"
        where = f"WHERE {table.only}" if table.only else "WHERE 1 = 1"
        marks = ", ".join("?" * len(table.key))
        last: tuple[Any, ...] | None = None
        while True:
            with self._look() as run:
                if last is None:
                    rows = run(f"{begin} {where} ORDER BY {order} LIMIT {PAGE}").fetchall()
                else:
                    after = f"AND ({order}) > ({marks})"
                    rows = run(f"{begin} {where} {after} ORDER BY {order} LIMIT {PAGE}", *last).fetchall()
            if rows:
                yield rows
            if len(rows) < PAGE:
                return
            last = tuple(rows[-1][: len(table.key)])

    def _renew(self, table: Table, keys: Sequence[tuple[Any, ...]]) -> None:
        """Whoever locks rows never waits for others while it holds some, so that nobody is kept in a circle."""
        mine = " AND ".join(f"{name} = ?" for name in table.key)
        columns = ", ".join((*table.key, *table.columns))
        done = held = 0
        try:
            with self._write() as run:
                for key in keys:
                    row = run(f"SELECT {columns} FROM {table.name} WHERE {mine}{self._lock}", *key).fetchone()
                    if row is None:
                        held += self._lock != ""
                        continue
                    done += self._write_row(run, table, mine, key, row)
        except StoreBusy:
            done, held = 0, len(keys)
        self._renewed[table.name] += done
        self._held += held

    def _write_row(self, run: Run, table: Table, mine: str, key: tuple[Any, ...], row: tuple[Any, ...]) -> int:
        try:
            new = table.renew(self._ring, self._personal, row)
        except Unopened:  # counted when it was looked at
            return 0
        if new is None:
            return 0
        if table.found_by_value and self._stands(run, table, key, new):
            run(f"DELETE FROM {table.name} WHERE {mine}", *key)
        else:
            run(f"UPDATE {table.name} SET {', '.join(f'{name} = ?' for name in new)} WHERE {mine}", *new.values(), *key)
        return 1

    def _stands(self, run: Run, table: Table, key: tuple[Any, ...], new: Mapping[str, Any]) -> bool:
        """Whether the row stands already as it would be written: who wrote it knew no other."""
        wanted = [new.get(name, value) for name, value in zip(table.key, key, strict=True)]
        mine = " AND ".join(f"{name} = ?" for name in table.key)
        return run(f"SELECT 1 FROM {table.name} WHERE {mine}", *wanted).fetchone() is not None
