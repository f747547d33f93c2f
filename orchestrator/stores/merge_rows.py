"""Two customers become one in the rows of a database: see orchestrator.core.merging for what the one is, and
orchestrator.stores.merging_rows for how its rows move.

One text of SQL for both databases; `Run` puts in what differs, and the callers exclude everybody else from the rows of
the customers that they name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from orchestrator.core.customer import Customer
from orchestrator.core.enrollment import Enrollment
from orchestrator.core.goals import goal_is_open
from orchestrator.core.inbox import Item
from orchestrator.core.ledger import Coupon
from orchestrator.core.linking import Add, Blocked, Cause, Join, Nothing
from orchestrator.core.merging import SILENT, Merged, journeys_by_customer, merge
from orchestrator.core.program import Journey
from orchestrator.core.project import Project
from orchestrator.core.state import body_to_json, dumps, from_json, to_json
from orchestrator.core.time.zone_in_force import zone_in_force
from orchestrator.core.transition import Transition
from orchestrator.core.uniting import brought_points, unite_gathered
from orchestrator.core.view import CustomerView
from orchestrator.stores import merging_rows
from orchestrator.stores.erasures import Key, Run, buried
from orchestrator.stores.identity_addresses import addresses_to_keep
from orchestrator.stores.identity_rows import Person, decided, identifiers_of, owner_of
from orchestrator.stores.instants import instant, micros, micros_or_none
from orchestrator.stores.protocol_identity import OF_PEOPLE, Joined
from orchestrator.stores.records import (
    ENROLLMENT,
    body_of,
    body_text,
    choices_by,
    choices_text,
    customer_of,
    data_text,
    enrollment_of,
    enrollment_state,
    entries_of,
    entries_state,
    state_of,
    told,
)
from orchestrator.stores.sealed_rows import INBOX, MERGE, line_data
from orchestrator.stores.sealing import PLAIN, Sealer

SEQS: Final = 100_000
"""Places in journal, history and ledger that one merge may take."""
_MICROSECOND: Final = timedelta(microseconds=1)
_MINE: Final = "WHERE shard = ? AND customer = ?"
_ENROLLMENTS: Final = (
    f"SELECT {ENROLLMENT} FROM enrollments AS t WHERE t.shard = ? AND t.customer = ? AND t.live + 0 = 1 ORDER BY t.seq"
)


class Rules(NamedTuple):
    """What stands around a merge. `ordinal`: takes a number of the store's turns; `write_due`: when a customer (by its
    key) must be looked at again, in microseconds; `rights`: writes down what closes or opens choices."""

    sealer: Sealer
    project: Project
    versions: Mapping[tuple[str, str], Journey]
    salt: str
    ordinal: Callable[[], int]
    write_due: Callable[[Key, int | None], None]
    rights: Callable[[Key, Sequence[tuple[str, tuple[str, str]]]], None]


class Done(NamedTuple):
    """What came of it, for the database's own part: lines of the journal, and codes that are free again."""

    joined: Joined
    lines: Sequence[Transition] = ()
    released: Sequence[Coupon] = ()


class SomebodysNow(Exception):
    """The identifier became somebody's while this was decided: what comes of it is to be asked again."""


def join_rows(
    run: Run,
    rules: Rules,
    kind: str,
    value: str,
    owner: Person | None,
    customer: Person,
    now: datetime,
    actor: str,
    cause: Cause,
) -> Done:
    """Act on the news that an identifier is a customer's; nobody else changes either of the two meanwhile."""
    match decided(run, rules.project.identity, kind, value, owner, customer, now, cause):
        case Add():
            window = rules.project.settings.dedupe // _MICROSECOND
            if kind in OF_PEOPLE and buried(run, rules.salt, [(value, micros(now))], window):
                return Done(Joined("unknown", source=value))  # who was erased does not come back as somebody else
            kept = value if kind in OF_PEOPLE else rules.sealer.mark(value)
            added = run("INSERT INTO identifiers (kind, value, shard, customer) VALUES (?, ?, ?, ?) "
                        "ON CONFLICT (kind, value) DO NOTHING", kind, kept, *customer.key)  # fmt: skip
            if added.rowcount < 1:
                raise SomebodysNow
            return Done(Joined("added", customer.id))
        case Nothing():
            return Done(Joined("nothing", customer.id))
        case Blocked(reason):
            return Done(Joined("blocked", customer.id, reason=reason))
        case Join(source, _):
            assert owner is not None
            one, other = (owner, customer) if source == owner.id else (customer, owner)
            return merge_rows(run, rules, one, other, now, actor, cause)


def merge_rows(run: Run, rules: Rules, source: Person, target: Person, now: datetime, actor: str, cause: str) -> Done:
    """Make one customer part of another: see orchestrator.core.merging."""
    sealer = rules.sealer
    mine, theirs = half_of(run, sealer, source), half_of(run, sealer, target)
    first_seq = rules.ordinal() * SEQS
    done = merge(mine.view, theirs.view, rules.versions, rules.salt, now, first_seq + 1)
    unite_gathered(done.customer, mine.view.customer, theirs.view.customer, rules.project)
    run(f"DELETE FROM rfm_classes {_MINE}", *source.key)
    by_customer = journeys_by_customer(rules.versions.values())
    kept = identifiers_of(run, sealer, source.key)
    more = addresses_to_keep(mine.view.customer, theirs.view.customer)
    more = [name for name in more if owner_of(run, sealer, *name) is None]
    events = merging_rows.move_events(run, sealer, source.key, target.key, first_seq)
    choices = merging_rows.move_choices(run, sealer, source.key, target.key, first_seq)
    snapshot = {
        "state": state_of(mine.view.customer, PLAIN, frozenset()), "created_at": micros(mine.view.customer.created_at),
        "known_from": mine.known_from, "consents": choices_text(choices_by(mine.view.customer)),
        "entries": [[*place, entries_state(record)] for place, record in mine.view.entries.items()],
        "identifiers": kept, "addresses": more, "events": events, "choices": choices,
        "points": brought_points(theirs.view.customer, done.customer, rules.project),
    }  # fmt: skip
    run(
        "INSERT INTO merges (id, shard, customer, source, at, cause, actor, snapshot) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        source.key[1], *target.key, source.id, micros(now), cause, actor,
        sealer.seal(f"{MERGE}:{source.key[1]}", dumps(snapshot)),
    )  # fmt: skip
    merging_rows.move_lines(run, sealer, source.key, target.key, first_seq + SEQS // 2)
    ids = (source.id, target.id)
    merging_rows.move_effects(run, sealer, source.key, target.key, ids, by_customer)
    _write_enrollments(run, rules, done, target.key)
    _write_entries(run, done, source.key, target.key)
    _move_inbox(run, sealer, done, mine, theirs, source, target, now)
    merging_rows.move_plain(run, sealer, source.key, target.key)
    for kind, value in more:
        run("INSERT INTO identifiers (kind, value, shard, customer) VALUES (?, ?, ?, ?)",
            kind, sealer.mark(value), *target.key)  # fmt: skip
    run("UPDATE forwarding SET into_shard = ?, into_customer = ? WHERE into_shard = ? AND into_customer = ?",
        *target.key, *source.key)  # fmt: skip
    run("INSERT INTO forwarding (from_customer, into_shard, into_customer, merged_at) VALUES (?, ?, ?, ?)",
        source.key[1], *target.key, micros(now))  # fmt: skip
    _write_customer(run, rules, done.customer, theirs, min(mine.known_from, theirs.known_from), target)
    run(f"DELETE FROM consents {_MINE}", *source.key)
    run("DELETE FROM customers WHERE shard = ? AND id = ?", *source.key)
    rules.write_due(source.key, None)
    if not theirs.parked:
        rules.write_due(target.key, _next_due(done, theirs.view))
    _write_lines(run, sealer, done.transitions, target.key)
    return Done(Joined("merged", target.id, source.id), done.transitions, done.coupons)


class Half(NamedTuple):
    """One of the two as its rows tell it."""

    view: CustomerView
    known_from: int
    parked: bool
    consents: str | None


def half_of(run: Run, sealer: Sealer, person: Person) -> Half:
    created_at, known_from, state, parked = run(
        "SELECT created_at, known_from, state, parked FROM customers WHERE shard = ? AND id = ?", *person.key
    ).fetchone()
    consents = run(f"SELECT state FROM consents {_MINE}", *person.key).fetchone()
    consents = None if consents is None else consents[0]
    customer = customer_of(sealer, person.id, created_at, state, consents)
    view = CustomerView(customer)
    owner = person.key[1]
    view.inbox = [
        Item(seq, instant(at), body_of(sealer, owner, body))
        for seq, at, body in run(
            f"SELECT seq, received_at, body FROM inbox {_MINE} ORDER BY seq", *person.key
        ).fetchall()
    ]
    view.enrollments = [
        enrollment_of(sealer, person.id, *columns) for columns in run(_ENROLLMENTS, *person.key).fetchall()
    ]
    view.entries = {
        (journey, key): entries_of(text)
        for journey, key, text in run(f"SELECT journey, key, state FROM entries {_MINE}", *person.key).fetchall()
    }
    if any(e.pending for e in view.enrollments):
        rows = run(f"SELECT row FROM coupons {_MINE}", *person.key).fetchall()
        view.coupons = [from_json(Coupon, row) for (row,) in rows]
    return Half(view, known_from, parked is not None, consents)


def _write_enrollments(run: Run, rules: Rules, done: Merged, target: Key) -> None:
    """Those whose state says something new; that all of them are the target's is written already."""
    ended = {e.id for e in done.ended}
    for e in done.enrollments:
        live = 0 if e.id in ended else int(not e.ended or _is_open(e, rules))
        run(
            "UPDATE enrollments SET key = ?, status = ?, reason = ?, ended_by_rule = ?, step = ?, ended_at = ?, "
            f"due_at = ?, live = ?, state = ? {_MINE} AND id = ?",
            e.key, e.status, e.reason, int(e.ended_by_rule), e.step, micros_or_none(e.ended_at),
            micros_or_none(e.due_at), live, enrollment_state(e, rules.sealer), *target, e.id,
        )  # fmt: skip
    for coupon in done.coupons:
        run(f"UPDATE coupons SET status = ?, row = ? {_MINE} AND id = ?",
            coupon.status, to_json(coupon), *target, coupon.id)  # fmt: skip


def _is_open(e: Enrollment, rules: Rules) -> bool:
    journey = rules.versions.get((e.journey, e.version))
    at = e.ended_at or e.entered_at
    return journey is None or e.standing == "reply" or goal_is_open(journey.goal, e, at, rules.project.settings)


def _write_entries(run: Run, done: Merged, source: Key, target: Key) -> None:
    run(f"DELETE FROM entries {_MINE}", *source)
    for (journey, key), record in done.entries.items():
        run(
            "INSERT INTO entries (shard, customer, journey, key, state) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (shard, customer, journey, key) DO UPDATE SET state = excluded.state",
            *target, journey, key, entries_state(record),
        )  # fmt: skip


def _move_inbox(
    run: Run, sealer: Sealer, done: Merged, mine: Half, theirs: Half, source: Person, target: Person, now: datetime
) -> None:
    """What waits for either, behind the word that memberships are to be computed."""
    context, parked = f"{INBOX}:{target.key[1]}", int(theirs.parked)
    for item in mine.view.inbox:
        run(
            f"UPDATE inbox SET shard = ?, customer = ?, external_id = ?, parked = ?, body = ? {_MINE} AND seq = ?",
            *target.key, target.id, parked, sealer.seal(context, body_text(done.bodies[item.seq])), *source.key,
            item.seq,
        )  # fmt: skip
    waiting = [micros(item.received_at) - 1 for item in (*mine.view.inbox, *theirs.view.inbox)]
    put_first(run, sealer, target, min([micros(now), *waiting]), parked)


def put_first(run: Run, sealer: Sealer, person: Person, at: int, parked: int) -> None:
    """The word that memberships and timers are to be computed, in silence."""
    run(
        "INSERT INTO inbox (shard, customer, external_id, received_at, parked, body) VALUES (?, ?, ?, ?, ?, ?)",
        *person.key, person.id, at, parked, sealer.seal(f"{INBOX}:{person.key[1]}", body_to_json(SILENT)),
    )  # fmt: skip


def _write_customer(run: Run, rules: Rules, customer: Customer, before: Half, known_from: int, target: Person) -> None:
    project = rules.project
    zone = zone_in_force(None, customer.timezone, customer.phone, customer.country, project.timezone).zone.key
    run(
        "UPDATE customers SET created_at = ?, known_from = ?, zone = ?, state = ? WHERE shard = ? AND id = ?",
        micros(customer.created_at), known_from, zone, state_of(customer, rules.sealer, project.personal), *target.key,
    )  # fmt: skip
    if customer.consents:
        write_choices(run, rules, customer, before.view.customer, target.key)


def write_choices(run: Run, rules: Rules, after: Customer, before: Customer, key: Key) -> None:
    """A customer's choices, and what of them somebody who goes back to a backup has to know."""
    text = choices_text(choices_by(after))
    changed = run(f"UPDATE consents SET state = ? {_MINE}", text, *key).rowcount
    if changed < 1:
        run("INSERT INTO consents (shard, customer, state) VALUES (?, ?, ?)", *key, text)
    closed = told(choices_by(before), choices_by(after))
    if closed:
        rules.rights(key, closed)


def _next_due(done: Merged, theirs: CustomerView) -> int | None:
    changed = {e.id: e for e in done.enrollments}
    everything = {**{e.id: e for e in theirs.enrollments}, **changed}
    instants = [e.due_at for e in everything.values() if e.due_at is not None and e.running]
    timer = done.customer.next_timer_at()
    instants += [timer] if timer is not None else []
    return micros(min(instants)) if instants else None


def _write_lines(run: Run, sealer: Sealer, lines: Sequence[Transition], key: Key) -> None:
    for line in lines:
        data = line_data(sealer, key[1], line.data) if sealer.seals else data_text(line.data)
        run(
            "INSERT INTO transitions "
            "(shard, customer, at, seq, n, type, journey, version, key, step, enrollment, data) "
            "VALUES (?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?)",
            *key, micros(line.at), line.seq, line.type, line.journey, line.version, line.key, line.step,
            line.enrollment, data,
        )  # fmt: skip
