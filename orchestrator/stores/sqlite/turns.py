"""Turns on SQLite: one write transaction from `load` to `save`, so that nobody else decides on the same rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from orchestrator.core.changes import Changes
from orchestrator.core.view import Pools, View
from orchestrator.stores.instants import micros
from orchestrator.stores.protocol import SaveRefused, StoreBusy
from orchestrator.stores.sealing import CLOSED, Unopened
from orchestrator.stores.sqlite.asked_messages import load_messages
from orchestrator.stores.sqlite.catalogs import SqliteCatalogs
from orchestrator.stores.sqlite.choosing import Chosen, Neighbours, choose_among
from orchestrator.stores.sqlite.database import is_busy
from orchestrator.stores.sqlite.inbox import internal_ids
from orchestrator.stores.sqlite.loading import load_customers, load_suppressions
from orchestrator.stores.sqlite.operations import expand_fan_outs
from orchestrator.stores.sqlite.outbox import read_switches
from orchestrator.stores.sqlite.pools import load_pools
from orchestrator.stores.sqlite.saving import Claimed, park, rows_of
from orchestrator.stores.sqlite.suspects import Suspects

_ORDINAL: Final = "SELECT value FROM meta WHERE name = 'ordinal'"
_NUMBERED: Final = """
INSERT INTO meta (name, value) VALUES ('ordinal', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value
"""
_REFUSED: Final = (sqlite3.IntegrityError, sqlite3.DataError, OverflowError, TypeError, ValueError)
"""What no second try can mend: a constraint, a value that is too long, too large or of no kind that is stored."""


@dataclass(slots=True)
class Claim:
    """The claim of one `load`."""

    customers: dict[str, Claimed] = field(default_factory=dict)
    attempt: int | None = None


class SqliteTurns(SqliteCatalogs):
    """The part of the store that turns ask."""

    _claim: Claim | None = None
    _ordinal: int = 0
    _suspects: Suspects | None = None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._neighbours = Neighbours()

    def load(
        self, now: datetime, budget: int, only: Sequence[str] | None = None, shards: Sequence[int] | None = None
    ) -> View:
        """The customers that are due, in the order of their ids, with all they need. Raises StoreBusy."""
        index = self.index
        if self.db.holding:  # whose claim ends by this, is due still
            self._neighbours.forget()
            self._end(commit=True)
        c = self.db.hold()
        try:
            suspects = self._recovered(c, micros(now))
            expand_fan_outs(c, now, budget)
            if only is not None:
                self._neighbours.forget()
                chosen = choose_among(c, micros(now), budget, only)
            else:  # a simulation takes customers exactly as memory does
                chosen = suspects.choose(c, micros(now), budget, self._neighbours if self.db.durable else None)
            self._claim = Claim()
            if chosen and self.db.durable:
                self._claim.attempt = suspects.begin(c, chosen, micros(now))
                self.db.commit_and_hold()  # before the decisions: what kills the process is found by it
            view = View(
                ordinal=self._next_ordinal(c),
                salt=self.salt,
                index=index,
                versions=self._versions,
                customers=(),
                switches=read_switches(c),
                pools=load_pools(c, index.project, now) if chosen else Pools(),
                forced=self._forced,
                catalogs=self._catalogs(c) if chosen else {},
            )
            view.suppressions = load_suppressions(c, self.db, self.salt, view)
            self._load_customers(c, view, chosen, now)
        except BaseException:
            self._end(commit=False)
            raise
        if not chosen:
            self._end(commit=True)
        return view

    def _load_customers(self, c: sqlite3.Connection, view: View, chosen: list[Chosen], now: datetime) -> None:
        view.customers = []
        if not chosen:
            return
        assert self._claim is not None
        try:
            due = self._read_customers(c, view, chosen, now)
        except Unopened:
            self._park_closed(c, view, chosen, now)
            due = self._read_customers(c, view, chosen, now)
        claimed = self._claim.customers
        for (external, shard, id), record, due_at in zip(chosen, view.customers, due, strict=True):
            claimed[external] = Claimed(shard, id, record, due_at)

    def _read_customers(
        self, c: sqlite3.Connection, view: View, chosen: list[Chosen], now: datetime
    ) -> list[int | None]:
        """Raises Unopened."""
        if not chosen:
            view.customers = []
            return []
        view.customers, due = load_customers(c, self.db, chosen)
        load_messages(c, chosen, view.customers, view.index, now)
        return due

    def _park_closed(self, c: sqlite3.Connection, view: View, chosen: list[Chosen], now: datetime) -> None:
        """Whoever has a row that no key opens is parked, and holds up nobody else."""
        self._neighbours.forget()
        for place in list(chosen):
            try:
                self._read_customers(c, view, [place], now)
            except Unopened as error:
                park(c, (place.shard, place.id), CLOSED, str(error), micros(now))
                chosen.remove(place)

    def save(self, changes: Changes) -> None:
        """Apply a turn. Raises SaveRefused and StoreBusy; nothing was done then, and the claim is over."""
        if not self.db.holding or self._claim is None:
            raise StoreBusy("the claim of this turn is over; nothing was written, and it is taken again")
        try:
            self._save(self.db.writer, changes, self._claim.customers)
        except _REFUSED as error:
            self._neighbours.forget()
            self._end(commit=True)
            raise SaveRefused(f"{type(error).__name__}: {error}") from error
        except BaseException as error:
            self._neighbours.forget()
            self._end(commit=False)
            if is_busy(error):
                raise StoreBusy(str(error)) from error
            raise
        self._end(commit=True)
        if self._drained is not None:
            for change in changes.customers:
                self._drained += change.transitions

    def _save(self, c: sqlite3.Connection, changes: Changes, claimed: Mapping[str, Claimed]) -> None:
        project, together = self.index.project, self.db.durable
        rows = rows_of(changes, claimed, self._versions, project, together, self.db.sealer)
        keys = {external: (place.shard, place.id) for external, place in claimed.items()} if rows.requests else {}
        # A savepoint costs a copy of each page that is written after it, so there is one only where something stands
        # that must outlive a refused turn.
        untouched = self.db.untouched
        if not untouched:
            c.execute("SAVEPOINT turn")
        try:
            rows.write(c, keys)
            if self.index.interests:
                self._note_interests(c, changes, claimed)
            c.execute(_NUMBERED, (str(changes.ordinal),))
        except BaseException:
            if untouched:
                self.db.undo_and_hold()
            elif c.in_transaction:  # what else this thread wrote during the claim stands
                c.execute("ROLLBACK TO turn")
                c.execute("RELEASE turn")
            raise
        if not untouched:
            c.execute("RELEASE turn")

    def abandon(self) -> None:
        """End the claim without doing anything."""
        self._neighbours.forget()
        self._end(commit=True)

    def park(self, customer: str, reason: str, detail: str, now: datetime) -> None:
        """Take no turn for a customer until someone resumes it."""
        with self.db.write() as c:
            self._neighbours.forget()
            key = internal_ids(c, [customer]).get(customer)
            if key is not None:
                park(c, key, reason, detail, micros(now))

    def _end(self, commit: bool) -> None:
        """End this thread's claim, if it has one. `commit` keeps what it wrote besides the turn."""
        if not self.db.holding:
            return
        claim, self._claim = self._claim, None
        if claim is not None and claim.attempt is not None and self._suspects is not None:
            try:
                if commit:
                    self._suspects.over(self.db.writer, claim.attempt)
            except sqlite3.Error:
                commit = False
                raise
            finally:
                if not commit:
                    self._suspects.undone(claim.attempt)
                    self.db.release(commit=False)
        self.db.release(commit)

    def _recovered(self, c: sqlite3.Connection, now: int) -> Suspects:
        if self._suspects is None:
            self._suspects = Suspects.found(c, now)
        return self._suspects

    def _count_ordinal(self, c: sqlite3.Connection) -> int:
        """A number of its own for something that writes rows of customers, and is no turn."""
        ordinal = self._next_ordinal(c)
        c.execute(_NUMBERED, (str(ordinal),))
        return ordinal

    def _next_ordinal(self, c: sqlite3.Connection) -> int:
        """One more than any turn before this one, in this process or in the file."""
        found = c.execute(_ORDINAL).fetchone()
        self._ordinal = max(self._ordinal, int(found[0]) if found is not None else 0) + 1
        return self._ordinal
