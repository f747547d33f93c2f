"""Everything that a turn wants done, as rows: made for all customers first, then written by a handful of statements."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from orchestrator.core.changes import NOTHING_TAKEN, Changes, CustomerChanges, TakeFromPools
from orchestrator.core.customer import Customer
from orchestrator.core.enrollment import Enrollment
from orchestrator.core.goals import goal_is_open
from orchestrator.core.ledger import Coupon, Message, Request
from orchestrator.core.program import Journey
from orchestrator.core.project import Project
from orchestrator.core.state import dumps
from orchestrator.core.time.zone_in_force import zone_in_force
from orchestrator.core.view import CustomerView
from orchestrator.stores.instants import instant, micros
from orchestrator.stores.records import (
    CHOICE,
    Choices,
    choice_row,
    choices_by,
    choices_text,
    chose_anew,
    enrollment_state,
    entries_state,
    message_columns,
    state_of,
)
from orchestrator.stores.sealed_rows import DETAIL, HIDDEN, event_properties
from orchestrator.stores.sealing import Sealer, sealer_of
from orchestrator.stores.segment_rows import JOINED, LEFT, Moves, note_moves
from orchestrator.stores.sqlite import outbox, pools, requests, rights, tallies, writing
from orchestrator.stores.sqlite.writing import INSTANT, NEVER, TEXT

SEQS_A_TURN: Final = 100_000
"""Places that one customer may take in one turn, as in the journal."""
_TURNED: Final = f"UPDATE customers SET state = ?, created_at = ?, next_due_at = {INSTANT} WHERE shard = ? AND id = ?"
_MOVED: Final = "UPDATE customers SET zone = ? WHERE shard = ? AND id = ?"
"""Apart from the others, because it is rare, and costs an entry of an index."""
_DUE: Final = f"UPDATE customers SET next_due_at = {INSTANT} WHERE shard = ? AND id = ?"
_PARK: Final = """
UPDATE customers SET parked = ?, parked_detail = ?, parked_at = ?, next_due_at = NULL WHERE shard = ? AND id = ?
"""
_PARK_ITEMS: Final = "UPDATE inbox SET parked = 1 WHERE shard = ? AND customer = ?"
_CONSENTS: Final = """
INSERT INTO consents (shard, customer, state) VALUES (?, ?, ?)
ON CONFLICT (shard, customer) DO UPDATE SET state = excluded.state
"""
_CHOICE: Final = f"INSERT INTO consent_log ({CHOICE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_CONSUMED: Final = "DELETE FROM inbox WHERE seq = ?"
_ENROLLMENT: Final = f"""
INSERT INTO enrollments (shard, customer, id, journey, version, key, status, reason, ended_by_rule, step, entered_at,
                         ended_at, due_at, live, seq, state)
VALUES (?, ?, ?, ?, ?, ?, ?, {TEXT}, ?, {TEXT}, ?, {INSTANT}, {INSTANT}, ?, ?, ?)
ON CONFLICT (shard, customer, id) DO UPDATE
SET status = excluded.status, reason = excluded.reason, ended_by_rule = excluded.ended_by_rule, step = excluded.step,
    ended_at = excluded.ended_at, due_at = excluded.due_at, live = excluded.live, state = excluded.state
"""
_WENT_ON: Final = f"""
UPDATE enrollments
SET status = ?, reason = {TEXT}, ended_by_rule = ?, step = {TEXT}, ended_at = {INSTANT}, due_at = {INSTANT}, live = ?,
    state = ?
WHERE shard = ? AND customer = ? AND id = ?
"""
"""Of an enrollment that the turn was given."""
_MIGRATED: Final = "UPDATE enrollments SET version = ? WHERE shard = ? AND customer = ? AND id = ?"
"""A deploy moved it: seldom, so that others need not write what stays as it is."""
_ENTRY: Final = """
INSERT INTO entries (shard, customer, journey, key, state) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (shard, customer, journey, key) DO UPDATE SET state = excluded.state
"""
_ENTERED_AGAIN: Final = "UPDATE entries SET state = ? WHERE shard = ? AND customer = ? AND journey = ? AND key = ?"
EVENT: Final = "INSERT INTO events (shard, customer, name, at, seq, id, properties) VALUES (?, ?, ?, ?, ?, ?, ?)"
_MESSAGE: Final = """
INSERT INTO messages (shard, customer, id, journey, enrollment, step, channel, topic, class, template, address, at, seq,
                      status, row)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'queued', ?)
"""
_OPENED: Final = "UPDATE messages SET opened_at = coalesce(opened_at, ?) WHERE shard = ? AND customer = ? AND id = ?"
_CLICKED: Final = "UPDATE messages SET clicked_at = coalesce(clicked_at, ?) WHERE shard = ? AND customer = ? AND id = ?"
_STATUS_NOW: Final = "SELECT channel, status FROM messages WHERE shard = ? AND customer = ? AND id = ?"
_STATUS: Final = "UPDATE messages SET status = ? WHERE shard = ? AND customer = ? AND id = ?"


@dataclass(slots=True)
class Claimed:
    """A customer of a claim: its key, and what was read of it that a save compares with."""

    shard: int
    id: int
    view: CustomerView
    next_due_at: int | None
    opted_out: dict[tuple[str, str], tuple[str, int | None]] = field(default_factory=dict)
    """Opt-outs that came since."""


class Rows:
    """The rows of one save."""

    def __init__(
        self, ordinal: int, versions: Mapping[tuple[str, str], Journey], project: Project, sealer: Sealer
    ) -> None:
        self._versions = versions
        self._project = project
        self._sealer = sealer
        self._base = ordinal * SEQS_A_TURN
        self.turned: list[tuple[Any, ...]] = []
        self.moved: list[tuple[Any, ...]] = []
        self.due: list[tuple[Any, ...]] = []
        self.parked: list[tuple[Any, ...]] = []
        self.consents: list[tuple[Any, ...]] = []
        self.rights: list[tuple[tuple[int, int], Choices, Choices]] = []
        self.choices: list[tuple[Any, ...]] = []
        self.consumed: list[tuple[int]] = []
        self.enrollments: list[tuple[Any, ...]] = []
        self.went_on: list[tuple[Any, ...]] = []
        self.migrated: list[tuple[Any, ...]] = []
        self.entries: list[tuple[Any, ...]] = []
        self.entered_again: list[tuple[Any, ...]] = []
        self.events: list[tuple[Any, ...]] = []
        self.ledger: list[tuple[Any, ...]] = []
        self.queued: list[tuple[Any, ...]] = []
        self.marks: list[tuple[str, int, tuple[int, int, str]]] = []
        self.requests: list[Request] = []
        self.coupons: list[tuple[Any, ...]] = []
        self.released: list[Coupon] = []
        self.tasks: list[tuple[Any, ...]] = []
        self.suppressed: list[tuple[str, str, str, int]] = []
        self.taken: list[tuple[TakeFromPools, int]] = []
        self.transitions: list[tuple[Any, ...]] = []
        self.moves = Moves([], [])

    def add(self, change: CustomerChanges, claimed: Claimed) -> None:
        """One customer's changes. Raises TypeError, ValueError or OverflowError for what no row can hold."""
        shard, id, view = claimed.shard, claimed.id, claimed.view
        if change.transitions:
            self.transitions += writing.transition_rows(change.transitions, self._sealer, shard, id)
        if change.parked is not None:
            self.parked.append(
                (
                    change.parked,
                    self._sealer.seal(f"{DETAIL}:{id}", change.detail or ""),
                    micros(change.transitions[-1].at),
                    shard,
                    id,
                )
            )
            return
        if change.consumed:
            self.consumed += [(seq,) for seq in change.consumed]
        due_at = NEVER if change.next_due_at is None else micros(change.next_due_at)
        if change.customer is not None:
            self._customer(change.customer, claimed, due_at)
            if change.customer.segments is not view.customer.segments:
                note_moves(self.moves, (shard, id), view, change)
        elif due_at != (NEVER if claimed.next_due_at is None else claimed.next_due_at):
            self.due.append((due_at, shard, id))
        joined: Mapping[str, Any] | None = None
        text: str | None = None
        sealer = self._sealer
        if change.events:
            for n, (at, name, joined, event_id) in enumerate(change.events):
                if sealer.seals or HIDDEN in joined:
                    kept = event_properties(sealer, id, joined, self._project.personal)
                else:
                    kept = text = dumps(joined)
                self.events.append((shard, id, name, micros(at), self._base + n, event_id, kept))
        if change.enrollments:
            known = {e.id: e.version for e in view.enrollments}
            for n, e in enumerate(change.enrollments):
                if e.id in known:
                    self._go_on(e, shard, id)
                    if e.version != known[e.id]:
                        self.migrated.append((e.version, shard, id, e.id))
                else:
                    self._enter(e, shard, id, self._base + n, text if e.entry.get("properties") is joined else None)
        if change.entries:
            for place, record in change.entries.items():
                if place in view.entries:
                    self.entered_again.append((entries_state(record), shard, id, *place))
                else:
                    self.entries.append((shard, id, *place, entries_state(record)))
        if change.messages:
            for m in change.messages:
                self._message(m, shard, id)
        self._seldom(change, (shard, id))

    def _seldom(self, change: CustomerChanges, key: tuple[int, int]) -> None:
        """What few turns want."""
        for mark in change.marks:
            self.marks.append((mark.mark, micros(mark.at), (*key, mark.message_id)))
        for n, coupon in enumerate(change.coupons):
            self.coupons.append(writing.coupon_row(coupon, *key, self._base + n))
            if coupon.status == "released":
                self.released.append(coupon)
        for n, task in enumerate(change.tasks):
            self.tasks.append(writing.task_row(task, self._sealer, *key, self._base + n))
        for n, choice in enumerate(change.choices):
            self.choices.append((*key, self._base + n, *choice_row(choice, self._sealer, key[1])))
        for order in change.suppress:
            self.suppressed.append((order.channel, order.address, order.cause, micros(order.at)))
        if change.taken is not NOTHING_TAKEN and change.taken != NOTHING_TAKEN:
            self.taken.append((change.taken, micros(change.taken_at)))

    def _customer(self, customer: Customer, claimed: Claimed, due_at: int) -> None:
        key, before = (claimed.shard, claimed.id), claimed.view.customer
        moved = (customer.timezone, customer.phone, customer.country) != (
            before.timezone, before.phone, before.country,
        )  # fmt: skip
        if moved:
            self.moved.append((self._zone(customer), *key))
        state = state_of(customer, self._sealer, self._project.personal)
        self.turned.append((state, micros(customer.created_at), due_at, *key))
        if chose_anew(before, customer):
            consents = {**choices_by(customer), **claimed.opted_out}
            self.consents.append((*key, choices_text(consents)))
            # What came during the turn was written down when it came.
            self.rights.append((key, {**choices_by(before), **claimed.opted_out}, consents))

    def _zone(self, c: Customer) -> str:
        return zone_in_force(None, c.timezone, c.phone, c.country, self._project.timezone).zone.key

    def _enter(self, e: Enrollment, shard: int, id: int, seq: int, properties: str | None) -> None:
        ended_at, due_at = e.ended_at, e.due_at
        self.enrollments.append(
            (
                shard, id, e.id, e.journey, e.version, e.key, e.status, e.reason or "", 1 if e.ended_by_rule else 0,
                e.step or "", micros(e.entered_at), NEVER if ended_at is None else micros(ended_at),
                NEVER if due_at is None else micros(due_at), self._live(e), seq,
                enrollment_state(e, self._sealer, properties),
            )
        )  # fmt: skip

    def _go_on(self, e: Enrollment, shard: int, id: int) -> None:
        ended_at, due_at = e.ended_at, e.due_at
        self.went_on.append(
            (
                e.status, e.reason or "", 1 if e.ended_by_rule else 0, e.step or "",
                NEVER if ended_at is None else micros(ended_at), NEVER if due_at is None else micros(due_at),
                self._live(e), enrollment_state(e, self._sealer), shard, id, e.id,
            )
        )  # fmt: skip

    def _message(self, m: Message, shard: int, id: int) -> None:
        """A row of the ledger, and one on its way."""
        at = micros(m.at)
        address, row = message_columns(m, self._sealer)
        self.ledger.append(
            (
                shard, id, m.id, m.journey, m.enrollment_id, m.step, m.channel, m.topic, m.klass, m.template,
                address, at, m.seq, row,
            )
        )  # fmt: skip
        available_at = at if m.decided_at is m.at else micros(m.decided_at)
        self.queued.append((m.id, shard, id, m.journey, m.channel, m.klass, 1 if m.throttled else 0, at, available_at))

    def _live(self, e: Enrollment) -> int:
        """1: a turn may still have to look at it."""
        if not e.ended:
            return 1
        goal, settings = self._versions[e.journey, e.version].goal, self._project.settings
        return 1 if goal_is_open(goal, e, e.ended_at or e.entered_at, settings) or e.standing == "reply" else 0

    def write(self, c: sqlite3.Connection, internal: Mapping[str, tuple[int, int]]) -> None:
        """Write everything, in the transaction of the claim."""
        for sql, rows in (
            (_CONSUMED, self.consumed),
            (_TURNED, self.turned),
            (_MOVED, self.moved),
            (_DUE, self.due),
            (_PARK, self.parked),
            (_PARK_ITEMS, [row[3:] for row in self.parked]),
            (_CONSENTS, self.consents),
            (_CHOICE, self.choices),
            (_ENROLLMENT, self.enrollments),
            (_WENT_ON, self.went_on),
            (_MIGRATED, self.migrated),
            (_ENTRY, self.entries),
            (_ENTERED_AGAIN, self.entered_again),
            (EVENT, self.events),
            (_MESSAGE, self.ledger),
            (writing.COUPON, self.coupons),
            (writing.TASK, self.tasks),
            (JOINED, self.moves.joined),
            (LEFT, self.moves.left),
        ):
            if rows:
                c.executemany(sql, rows)
        if self.queued:
            outbox.queue_messages(c, self.queued)
        for mark in self.marks:
            _mark(c, *mark)
        if self.requests:
            requests.queue_requests(c, self.requests, internal)
        for coupon in self.released:
            pools.release_code(c, coupon)
        for choices in self.rights:
            rights.write(c, *choices)
        for row in self.suppressed:
            writing.suppress(c, *row)
        for taken, at in self.taken:
            pools.take(c, taken, self._project, instant(at))
        if self.transitions:
            writing.insert_transitions(c, self.transitions)


def rows_of(
    changes: Changes,
    claimed: Mapping[str, Claimed],
    versions: Mapping[tuple[str, str], Journey],
    project: Project,
    together: bool,
    sealer: Sealer,
) -> Rows:
    """The rows of a turn. `together`: messages are queued as their customers lie in the file, so that their deliveries
    write neighbours; else in the order of the customers' ids, as in memory."""
    rows = Rows(changes.ordinal, versions, project, sealer)
    keyed = [(claimed[change.customer_id], change) for change in changes.customers]
    keyed.sort(key=lambda pair: (pair[0].shard, pair[0].id))  # as the rows lie in the file
    for place, change in keyed:
        rows.add(change, place)
    if not together and rows.queued:
        customer_of = {(place.shard, place.id): change.customer_id for place, change in keyed}
        rows.queued.sort(key=lambda row: customer_of[row[1:3]])
    for change in changes.customers:
        if change.requests:
            rows.requests += change.requests
    return rows


def park(c: sqlite3.Connection, key: tuple[int, int], reason: str, detail: str, at: int) -> None:
    """Take no turn for a customer: neither its timers nor its items are found any more."""
    c.execute(_PARK, (reason, sealer_of(c).seal(f"{DETAIL}:{key[1]}", detail), at, *key))
    c.execute(_PARK_ITEMS, key)


def _mark(c: sqlite3.Connection, mark: str, at: int, key: tuple[int, int, str]) -> None:
    """What a receipt said about a message."""
    if mark == "opened":
        c.execute(_OPENED, (at, *key))
    elif mark == "clicked":
        c.execute(_CLICKED, (at, *key))
    else:
        found = c.execute(_STATUS_NOW, key).fetchone()
        if found is not None:
            channel, before = found
            c.execute(_STATUS, (mark, *key))
            tallies.count_messages(c, {(channel, before): -1, (channel, mark): 1} if mark != before else {})
