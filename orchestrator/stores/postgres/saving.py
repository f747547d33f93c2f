"""Everything that a turn wants done, as rows: made for all customers first, then written by a handful of statements."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.core.changes import Changes, CustomerChanges, TakeFromPools
from orchestrator.core.customer import Customer
from orchestrator.core.enrollment import Enrollment
from orchestrator.core.goals import goal_is_open
from orchestrator.core.ledger import Coupon, Message, Request, Task
from orchestrator.core.program import Journey
from orchestrator.core.project import Project
from orchestrator.core.time.zone_in_force import zone_in_force
from orchestrator.core.view import CustomerView
from orchestrator.stores.instants import micros, micros_or_none
from orchestrator.stores.postgres import consents, members, outbox, pools, requests, tallies, timers, writing
from orchestrator.stores.postgres.arrays import ints, texts
from orchestrator.stores.postgres.copying import NULL, copy_rows
from orchestrator.stores.postgres.database import Connection
from orchestrator.stores.postgres.timers import Key
from orchestrator.stores.protocol import StoreBusy
from orchestrator.stores.records import (
    CHOICE,
    choice_row,
    choices_by,
    chose_anew,
    enrollment_state,
    entries_state,
    message_columns,
    state_of,
)
from orchestrator.stores.sealed_rows import event_properties
from orchestrator.stores.sealing import Sealer
from orchestrator.stores.segment_rows import Moves, note_moves

SEQS_A_TURN: Final = 100_000
"""Places that one customer may take in one turn, as in the journal."""
_CONSUMED: Final = "DELETE FROM inbox WHERE seq = ANY(%s::bigint[])"
_TURNED: Final = """
UPDATE customers SET state = j.state, created_at = j.created_at
FROM unnest(%s::int[], %s::bigint[], %s::text[], %s::bigint[]) AS j (shard, id, state, created_at)
WHERE customers.shard = j.shard AND customers.id = j.id
"""
_MOVED: Final = """
UPDATE customers SET zone = j.zone FROM unnest(%s::int[], %s::bigint[], %s::text[]) AS j (shard, id, zone)
WHERE customers.shard = j.shard AND customers.id = j.id
"""
"""Apart from the others, because it is rare, and costs an entry in every index."""
_ENROLLMENT: Final = (
    "enrollments (shard, customer, id, journey, version, key, status, reason, ended_by_rule, step, entered_at, "
    "ended_at, due_at, live, seq, state)"
)
_WENT_ON: Final = """
UPDATE enrollments
SET status = j.status, reason = j.reason, ended_by_rule = j.ended_by_rule, step = j.step, ended_at = j.ended_at,
    due_at = j.due_at, live = j.live, state = j.state
FROM unnest(%s::int[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::int[], %s::text[], %s::bigint[],
            %s::bigint[], %s::int[], %s::text[])
    AS j (shard, customer, id, status, reason, ended_by_rule, step, ended_at, due_at, live, state)
WHERE enrollments.shard = j.shard AND enrollments.customer = j.customer AND enrollments.id = j.id
"""
"""Of enrollments that the turn was given."""
_MIGRATED: Final = """
UPDATE enrollments SET version = j.version
FROM unnest(%s::int[], %s::bigint[], %s::text[], %s::text[]) AS j (shard, customer, id, version)
WHERE enrollments.shard = j.shard AND enrollments.customer = j.customer AND enrollments.id = j.id
"""
"""Of enrollments that a deploy moved: seldom, so that others need not write what stays as it is."""
_STANDING: Final = """
SELECT e.shard, e.customer, e.id FROM unnest(%s::int[], %s::bigint[], %s::text[]) AS j (shard, customer, id)
JOIN enrollments AS e ON e.shard = j.shard AND e.customer = j.customer AND e.id = j.id
"""
"""The same trigger taken twice names the same enrollment, and one that ended long ago is not loaded."""
_ENTERED_AGAIN: Final = """
UPDATE entries SET state = j.state
FROM unnest(%s::int[], %s::bigint[], %s::text[], %s::text[], %s::text[]) AS j (shard, customer, journey, key, state)
WHERE entries.shard = j.shard AND entries.customer = j.customer AND entries.journey = j.journey AND entries.key = j.key
"""
EVENTS: Final = "events (shard, customer, name, at, seq, id, properties)"
_MESSAGES: Final = (
    "messages (shard, customer, id, journey, enrollment, step, channel, topic, class, template, address, at, seq, "
    "status, row)"
)
_SEEN_BY_THEM: Final = """
UPDATE messages SET opened_at = coalesce(messages.opened_at, j.opened_at),
    clicked_at = coalesce(messages.clicked_at, j.clicked_at)
FROM unnest(%s::int[], %s::bigint[], %s::text[], %s::bigint[], %s::bigint[])
    AS j (shard, customer, id, opened_at, clicked_at)
WHERE messages.shard = j.shard AND messages.customer = j.customer AND messages.id = j.id
"""
_STATUSES: Final = """
SELECT m.shard, m.customer, m.id, m.channel, m.status
FROM unnest(%s::int[], %s::bigint[], %s::text[]) AS j (shard, customer, id)
JOIN messages AS m ON m.shard = j.shard AND m.customer = j.customer AND m.id = j.id
ORDER BY m.shard, m.customer, m.id FOR UPDATE OF m
"""
_STATUS: Final = """
UPDATE messages SET status = j.status
FROM unnest(%s::int[], %s::bigint[], %s::text[], %s::text[]) AS j (shard, customer, id, status)
WHERE messages.shard = j.shard AND messages.customer = j.customer AND messages.id = j.id
"""

_MessageKey = tuple[int, int, str]


@dataclass(slots=True)
class Claimed:
    """A customer of a claim: its key, and what was read of it that a save compares with."""

    shard: int
    id: int
    view: CustomerView
    next_due_at: int | None


class Rows:
    """The rows of one save."""

    def __init__(
        self, ordinal: int, versions: Mapping[tuple[str, str], Journey], project: Project, sealer: Sealer
    ) -> None:
        self._versions = versions
        self._project = project
        self._sealer = sealer
        self._base = ordinal * SEQS_A_TURN
        self.turned: list[tuple[int, int, str, int]] = []
        self.moved: list[tuple[int, int, str]] = []
        self.due: list[tuple[Key, int | None, int | None]] = []
        self.parked: list[tuple[Key, str, str, int]] = []
        self.consents: list[consents.Change] = []
        self.consumed: list[int] = []
        self.enrollments: list[tuple[Any, ...]] = []
        self.went_on: list[tuple[Any, ...]] = []
        self.migrated: list[tuple[Any, ...]] = []
        self.entries: list[tuple[Any, ...]] = []
        self.entered_again: list[tuple[Any, ...]] = []
        self.events: list[tuple[Any, ...]] = []
        self.ledger: list[tuple[Any, ...]] = []
        self.messages: list[tuple[Message, Key]] = []
        self.marks: list[tuple[str, int, _MessageKey]] = []
        self.requests: list[Request] = []
        self.coupons: list[tuple[Coupon, int, int, int]] = []
        self.tasks: list[tuple[Task, int, int, int]] = []
        self.choices: list[tuple[Any, ...]] = []
        self.suppressed: list[tuple[str, str, str, int]] = []
        self.taken: list[tuple[TakeFromPools, int]] = []
        self.transitions: list[tuple[Any, ...]] = []
        self.moves = Moves([], [])

    def add(self, change: CustomerChanges, claimed: Claimed) -> None:
        """One customer's changes. Raises TypeError, ValueError or OverflowError for what no row can hold."""
        key = (claimed.shard, claimed.id)
        self.transitions += writing.transition_rows(change.transitions, self._sealer, *key)
        if change.parked is not None:
            self.parked.append((key, change.parked, change.detail or "", micros(change.transitions[-1].at)))
            return
        self.consumed += change.consumed
        self._customer(change, claimed, key)
        if change.enrollments:
            known = {e.id: e.version for e in claimed.view.enrollments}
            for n, e in enumerate(change.enrollments):
                if e.id in known:
                    self.went_on.append((*key, e.id, *self._progress(e)))
                    if e.version != known[e.id]:
                        self.migrated.append((*key, e.id, e.version))
                else:
                    self.enrollments.append(self._entered(e, key, self._base + n))
        for place, record in change.entries.items():
            rows = self.entered_again if place in claimed.view.entries else self.entries
            rows.append((*key, *place, entries_state(record)))
        for n, past in enumerate(change.events):
            properties = event_properties(self._sealer, key[1], past.properties, self._project.personal)
            self.events.append((*key, past.name, micros(past.at), self._base + n, past.id, properties))
        for m in change.messages:
            self.ledger.append(_ledger_row(m, key, self._sealer))
            self.messages.append((m, key))
        if change.marks:
            self.marks += [(mark.mark, micros(mark.at), (*key, mark.message_id)) for mark in change.marks]
        if change.requests:
            self.requests += change.requests
        if change.coupons:
            self.coupons += [(coupon, *key, self._base + n) for n, coupon in enumerate(change.coupons)]
        if change.tasks:
            self.tasks += [(task, *key, self._base + n) for n, task in enumerate(change.tasks)]
        for n, choice in enumerate(change.choices):
            row = tuple([NULL if value is None else value for value in choice_row(choice, self._sealer, key[1])])
            self.choices.append((*key, self._base + n, *row))
        for order in change.suppress:
            self.suppressed.append((order.channel, order.address, order.cause, micros(order.at)))
        if change.taken != ((), (), (), ()):
            self.taken.append((change.taken, micros(change.taken_at)))

    def _customer(self, change: CustomerChanges, claimed: Claimed, key: Key) -> None:
        due_at = micros_or_none(change.next_due_at)
        if due_at != claimed.next_due_at:
            self.due.append((key, claimed.next_due_at, due_at))
        customer, before = change.customer, claimed.view.customer
        if customer is None:
            return
        moved = (customer.timezone, customer.phone, customer.country) != (
            before.timezone, before.phone, before.country,
        )  # fmt: skip
        if moved:
            self.moved.append((*key, self._zone(customer)))
        self.turned.append(
            (*key, state_of(customer, self._sealer, self._project.personal), micros(customer.created_at))
        )
        if customer.segments is not before.segments:
            note_moves(self.moves, key, claimed.view, change)
        if chose_anew(before, customer):
            self.consents.append(consents.Change(*key, choices_by(before), choices_by(customer)))

    def _zone(self, c: Customer) -> str:
        return zone_in_force(None, c.timezone, c.phone, c.country, self._project.timezone).zone.key

    def _progress(self, e: Enrollment) -> tuple[Any, ...]:
        return (
            e.status, e.reason, e.ended_by_rule, e.step, micros_or_none(e.ended_at), micros_or_none(e.due_at),
            self._live(e), enrollment_state(e, self._sealer),
        )  # fmt: skip

    def _entered(self, e: Enrollment, key: Key, seq: int) -> tuple[Any, ...]:
        return (
            *key, e.id, e.journey, e.version, e.key, e.status, NULL if e.reason is None else e.reason,
            int(e.ended_by_rule), NULL if e.step is None else e.step, micros(e.entered_at),
            NULL if e.ended_at is None else micros(e.ended_at), NULL if e.due_at is None else micros(e.due_at),
            int(self._live(e)), seq, enrollment_state(e, self._sealer),
        )  # fmt: skip

    def _live(self, e: Enrollment) -> bool:
        if not e.ended:
            return True
        goal, settings = self._versions[e.journey, e.version].goal, self._project.settings
        return goal_is_open(goal, e, e.ended_at or e.entered_at, settings) or e.standing == "reply"

    def write(self, c: Connection, internal: Mapping[str, Key], turn_pools: pools.TurnPools, careful: bool) -> None:
        """Write everything, in the transaction of the claim. `careful`: some new row may stand there already."""
        self._consume(c)
        for sql, rows, makers in (
            (_TURNED, self.turned, (ints, ints, texts, ints)),
            (_MOVED, self.moved, (ints, ints, texts)),
            (_WENT_ON, self.went_on, (ints, ints, texts, texts, texts, ints, texts, ints, ints, ints, texts)),
            (_MIGRATED, self.migrated, (ints, ints, texts, texts)),
            (_ENTERED_AGAIN, self.entered_again, (ints, ints, texts, texts, texts)),
        ):
            if rows:
                c.execute(sql, columns(rows, makers))
        timers.set_timers(c, self.due)
        timers.park(c, self.parked)
        consents.write(c, self.consents)
        copy_rows(c, _ENROLLMENT, self._not_standing(c) if careful else self.enrollments)
        copy_rows(c, "entries (shard, customer, journey, key, state)", self.entries)
        copy_rows(c, EVENTS, self.events)
        copy_rows(c, f"consent_log ({CHOICE})", self.choices)
        copy_rows(c, _MESSAGES, self.ledger)
        if self.messages:
            outbox.queue_messages(c, self.messages)
        if self.marks:
            _mark(c, self.marks)
        if self.requests:
            requests.queue_requests(c, self.requests, internal)
        writing.write_coupons(c, self.coupons)
        writing.write_tasks(c, self.tasks)
        members.write(c, self.moves)
        writing.suppress(c, self.suppressed)
        writing.insert_transitions(c, writing.counted(c, self.transitions) if careful else self.transitions)
        released = [coupon for coupon, *_ in self.coupons if coupon.status == "released"]
        if released:
            pools.release_codes(c, released)
        if self.taken:
            turn_pools.take(self.taken)

    def _consume(self, c: Connection) -> None:
        """Delete exactly the items that were read. One that is gone was taken by somebody else."""
        if self.consumed and c.execute(_CONSUMED, (ints(self.consumed),)).rowcount != len(self.consumed):
            raise StoreBusy("somebody else took what this turn was about; nothing was written, and it is taken again")

    def _not_standing(self, c: Connection) -> Sequence[tuple[Any, ...]]:
        """New enrollments; those that stand there already are changed instead."""
        if not self.enrollments:
            return ()
        asked = columns([row[:3] for row in self.enrollments], (ints, ints, texts))
        standing = set(c.execute(_STANDING, asked).fetchall())
        again = [row for row in self.enrollments if row[:3] in standing]
        if again:
            rows = [
                tuple([None if value is NULL else value for value in (*row[:3], *row[6:10], *row[11:14], row[15])])
                for row in again
            ]
            c.execute(_WENT_ON, columns(rows, (ints, ints, texts, texts, texts, ints, texts, ints, ints, ints, texts)))
        return [row for row in self.enrollments if row[:3] not in standing]


def rows_of(
    changes: Changes,
    claimed: Mapping[str, Claimed],
    versions: Mapping[tuple[str, str], Journey],
    project: Project,
    sealer: Sealer,
) -> Rows:
    """The rows of a turn. Messages and requests are queued in the order of their customers' ids, as in memory."""
    rows = Rows(changes.ordinal, versions, project, sealer)
    for change in changes.customers:
        rows.add(change, claimed[change.customer_id])
    return rows


def columns(rows: Sequence[tuple[Any, ...]], makers: Sequence[Any]) -> list[str]:
    """Rows as one parameter for each of their columns."""
    return [make(column) for make, column in zip(makers, zip(*rows, strict=True), strict=True)]


def _ledger_row(m: Message, key: Key, sealer: Sealer) -> tuple[Any, ...]:
    address, row = message_columns(m, sealer)
    return (
        *key, m.id, m.journey, m.enrollment_id, m.step, m.channel, m.topic, m.klass, m.template, address, micros(m.at),
        m.seq, "queued", row,
    )  # fmt: skip


def _mark(c: Connection, marks: Sequence[tuple[str, int, _MessageKey]]) -> None:
    """What receipts said about messages, in their order: the first opening and the first click stand, and the last
    status."""
    opened: dict[_MessageKey, int] = {}
    clicked: dict[_MessageKey, int] = {}
    status: dict[_MessageKey, str] = {}
    for mark, at, key in marks:
        if mark == "opened":
            opened.setdefault(key, at)
        elif mark == "clicked":
            clicked.setdefault(key, at)
        else:
            status[key] = mark
    seen = sorted(opened.keys() | clicked.keys())
    if seen:
        rows = [(*key, opened.get(key), clicked.get(key)) for key in seen]
        c.execute(_SEEN_BY_THEM, columns(rows, (ints, ints, texts, ints, ints)))
    if status:
        changed: Counter[tuple[str, str]] = Counter()
        now = []
        for shard, customer, id, channel, before in c.execute(_STATUSES, columns(sorted(status), (ints, ints, texts))):
            after = status[shard, customer, id]
            now.append((shard, customer, id, after))
            changed[channel, before] -= 1
            changed[channel, after] += 1
        if now:
            c.execute(_STATUS, columns(now, (ints, ints, texts, texts)))
            tallies.count_messages(c, changed)
