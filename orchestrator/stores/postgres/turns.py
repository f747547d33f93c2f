"""Turns on PostgreSQL: one transaction from `load` to `save`, which holds the rows of its shards.

The lock of a shard's row is lease and fence in one: nobody else decides for its customers, and when the server ends a
session that was silent for too long, its COMMIT fails.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import psycopg

from orchestrator.core.changes import Changes
from orchestrator.core.view import Pools, View
from orchestrator.stores.instants import micros
from orchestrator.stores.postgres import suspects, timers
from orchestrator.stores.postgres.asked_messages import load_messages
from orchestrator.stores.postgres.catalogs import PostgresCatalogs
from orchestrator.stores.postgres.choosing import Chosen, choose, choose_among, choose_everywhere, claim_shards
from orchestrator.stores.postgres.database import Connection, is_busy, is_refused
from orchestrator.stores.postgres.fanout import expand_fan_outs
from orchestrator.stores.postgres.inbox import internal_ids
from orchestrator.stores.postgres.loading import Before, load_before, load_customers, suppressions_of
from orchestrator.stores.postgres.pools import TurnPools, load_pools
from orchestrator.stores.postgres.saving import Claimed, Rows, rows_of
from orchestrator.stores.postgres.suspects import Attempt, Found
from orchestrator.stores.postgres.switches import read_switches
from orchestrator.stores.protocol import SaveRefused, StoreBusy
from orchestrator.stores.sealing import CLOSED, Unopened

_REFUSED: Final = (OverflowError, TypeError, ValueError)
"""What no second try can mend, and the driver or we notice before the database does."""
_SEARCHES: Final = 4
"""Claims of one `load`: shards that somebody else just emptied, and turns that never ended, are followed by another."""


@dataclass(slots=True)
class Claim:
    """What one thread holds between `load` and its end."""

    shards: list[int] = field(default_factory=list)
    customers: dict[str, Claimed] = field(default_factory=dict)
    attempt: int | None = None
    pools: TurnPools | None = None


class _Own(threading.local):
    """What each thread has for itself."""

    claim: Claim | None = None
    suspects_next: bool = False


class PostgresTurns(PostgresCatalogs):
    """The part of the store that turns ask."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._own = _Own()
        self._undone: list[int] = []
        """Attempts of this process that ended while the database was away."""

    def load(
        self, now: datetime, budget: int, only: Sequence[str] | None = None, shards: Sequence[int] | None = None
    ) -> View:
        """The customers that are due, in the order of their ids, with all they need. `shards`: only in these, as far as
        nobody else holds them. Raises StoreBusy."""
        index = self.index
        self._end(commit=True)
        self._forgive(None)
        expand_fan_outs(self.db, now, budget)
        try:
            chosen = self._claimed(micros(now), budget, only, shards)
            claim = self._own.claim
            if claim is None or not chosen:
                self._end(commit=True)
                with self.db.read() as c:
                    return View(load_before(c).ordinal, self.salt, index, self._versions, [], forced=self._forced)
            c = self.db.writer
            before = load_before(c)
            view = View(
                ordinal=before.ordinal,
                salt=self.salt,
                index=index,
                versions=self._versions,
                customers=[],
                switches=read_switches(c),
                pools=Pools(),
                forced=self._forced,
                catalogs=self._catalogs(c),
            )
            view.suppressions = suppressions_of(self.db, not before.any_suppressions, self.salt, view)
            claim.pools = load_pools(c, index.project, now, customers=len(chosen))
            view.pools = claim.pools.view
            try:
                due = self._read_customers(c, view, chosen, before, now)
            except Unopened:
                self._park_closed(c, view, chosen, before, now)
                due = self._read_customers(c, view, chosen, before, now)
            for place, record, due_at in zip(chosen, view.customers, due, strict=True):
                claim.customers[place.external_id] = Claimed(place.shard, place.id, record, due_at)
        except BaseException as error:
            self._end(commit=False)
            _raise_busy(error)
            raise
        if not view.customers:
            self._end(commit=True)
        return view

    def _claimed(self, now: int, budget: int, only: Sequence[str] | None, shards: Sequence[int] | None) -> list[Chosen]:
        """Where there is work, begin the transaction, claim and choose; the claim is this thread's then."""
        for _ in range(_SEARCHES if self.db.durable else 0):
            with self.db.read() as c:
                found = suspects.search(c, now)
            if found.nothing:
                return []
            c = self.db.hold()
            self._own.claim = claim = Claim()
            chosen = self._choose(c, claim, found, now, budget, only, shards)
            if chosen or not claim.shards:
                return chosen
            self._end(commit=True)  # what was found is over already: once more
        if self.db.durable:
            return []
        c = self.db.hold()
        self._own.claim = Claim()
        return choose_everywhere(c, now, budget) if only is None else choose_among(c, now, budget, only)[1]

    def _choose(
        self,
        c: Connection,
        claim: Claim,
        work: Found,
        now: int,
        budget: int,
        only: Sequence[str] | None,
        named: Sequence[int] | None,
    ) -> list[Chosen]:
        waiting = [attempt for attempt in work.attempts if not attempt.begun]
        found: tuple[Attempt, list[Chosen]] | None = None
        chosen: list[Chosen] = []
        self._own.suspects_next = not self._own.suspects_next
        if only is not None:
            claim.shards, chosen = choose_among(c, now, budget, only)
        elif waiting and self._own.suspects_next:
            found = suspects.choose_suspects(c, waiting, now, budget)
        if only is None and found is None:
            without = {shard for attempt in waiting for shard in attempt.shards}
            claim.shards = claim_shards(c, now, without, work.waiting, named)
            chosen = choose(c, claim.shards, now, budget)
            if waiting and not claim.shards:
                found = suspects.choose_suspects(c, waiting, now, budget)
        group: Attempt | None = None
        if found is not None:
            group, chosen = found
            claim.shards = list(group.shards)
        left = suspects.left_over(c, work.attempts, claim.shards)
        if left:
            for attempt in left:
                suspects.take_apart(c, attempt, now)
            return []
        if chosen:
            claim.attempt = suspects.begin(self.db, claim.shards, now, group)
            if claim.attempt is None:
                return []
        return chosen

    def _read_customers(
        self, c: Connection, view: View, chosen: list[Chosen], before: Before, now: datetime
    ) -> list[int | None]:
        """Raises Unopened."""
        if not chosen:
            view.customers = []
            return []
        view.customers, due, parked = load_customers(c, self.db, chosen, before)
        if any(parked):
            self._put_aside(c, view, chosen, due, parked)
        load_messages(c, chosen, view.customers, view.index, now)
        return due

    def _park_closed(self, c: Connection, view: View, chosen: list[Chosen], before: Before, now: datetime) -> None:
        """Whoever has a row that no key opens is parked, and holds up nobody else."""
        for place in list(chosen):
            try:
                self._read_customers(c, view, [place], before, now)
            except Unopened as error:
                timers.park(c, [((place.shard, place.id), CLOSED, str(error), micros(now))])
                chosen.remove(place)

    def _put_aside(
        self, c: Connection, view: View, chosen: list[Chosen], due: list[int | None], parked: list[bool]
    ) -> None:
        """Items that came while their customers were being parked wait with the others."""
        places = [place for place, is_parked in enumerate(parked) if is_parked]
        timers.park_items(c, [(chosen[place].shard, chosen[place].id) for place in places])
        customers = list(view.customers)
        for place in reversed(places):
            del customers[place], chosen[place], due[place]
        view.customers = customers

    def save(self, changes: Changes) -> None:
        """Apply a turn. Raises SaveRefused and StoreBusy; nothing was done then, and the claim is over. When the answer
        to the commit was lost, StoreBusy is all that is known: what was done is not found due again."""
        claim = self._own.claim
        if not self.db.holding or claim is None:
            raise StoreBusy("the claim of this turn is over; nothing was written, and it is taken again")
        if self.db.failed:  # a decision asked for something, and did not get it: what it made of that is void
            self._end(commit=False)
            raise StoreBusy("the database failed during the decisions of this turn; nothing was written")
        try:
            rows = rows_of(changes, claim.customers, self._versions, self.index.project, self.db.sealer)
            self._save(self.db.writer, rows, claim)
            if self.index.interests:
                self._note_interests(self.db.writer, changes, claim.customers)
        except BaseException as error:
            refused = is_refused(error) or isinstance(error, _REFUSED)
            self._end(commit=refused)
            if refused:
                raise SaveRefused(f"{type(error).__name__}: {error}") from error
            _raise_busy(error)
            raise
        self._end(commit=True)
        if self._drained is not None:
            for change in changes.customers:
                self._drained += change.transitions

    def _save(self, c: Connection, rows: Rows, claim: Claim) -> None:
        internal = {external: (place.shard, place.id) for external, place in claim.customers.items()}
        assert claim.pools is not None
        c.execute("SAVEPOINT turn")
        try:
            try:
                rows.write(c, internal, claim.pools, careful=False)
            except psycopg.errors.UniqueViolation:
                c.execute("ROLLBACK TO turn")
                rows.write(c, internal, claim.pools, careful=True)
        except BaseException:
            if not c.closed:  # what else this thread wrote during the claim stands
                c.execute("ROLLBACK TO turn")
            raise

    def abandon(self) -> None:
        """End the claim without doing anything."""
        self._end(commit=True)

    def park(self, customer: str, reason: str, detail: str, now: datetime) -> None:
        """Take no turn for a customer until someone resumes it."""
        with self.db.write() as c:
            key = internal_ids(c, [customer]).get(customer)
            if key is not None:
                timers.lock_shards(c, [key[0]])
                timers.park(c, [(key, reason, detail, micros(now))])
                timers.close_shards(c, [key[0]])

    def _end(self, commit: bool) -> None:
        """End this thread's claim, if it has one. `commit` keeps what it wrote. Raises StoreBusy, where it should."""
        claim, self._own.claim = self._own.claim, None
        if not self.db.holding:
            return
        attempt = claim.attempt if claim is not None else None
        try:
            if commit and claim is not None:
                if claim.shards or claim.customers:
                    timers.close_shards(
                        self.db.writer, claim.shards or {place.shard for place in claim.customers.values()}
                    )
                if attempt is not None:
                    suspects.over(self.db.writer, attempt)
            self.db.release(commit)
        except BaseException as error:
            self.db.release(False)
            self._forgive(attempt)
            _raise_busy(error)
            raise
        if not commit:
            self._forgive(attempt)

    def _forgive(self, attempt: int | None) -> None:
        """A turn ended without a word in the database, but its process is still there: nobody is a suspect for that."""
        if attempt is not None:
            self._undone.append(attempt)
        while self._undone:
            try:
                with self.db.write(apart=True) as c:
                    suspects.over(c, self._undone[-1])
            except StoreBusy:
                return  # when it is back, and before anybody is suspected
            self._undone.pop()

    def _count_ordinal(self, c: Connection) -> int:
        """A number of its own for something that writes rows of customers, and is no turn."""
        found = c.execute("SELECT nextval('turn_ordinals')").fetchone()
        assert found is not None
        return int(found[0])


def _raise_busy(error: BaseException) -> None:
    if is_busy(error):
        raise StoreBusy(f"the database cannot be used just now ({error}); it is tried again") from error
