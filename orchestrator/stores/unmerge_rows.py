"""A merge undone in the rows of a database: the source comes back with what was its own.

One text of SQL for both databases; `Run` puts in what differs, and the callers exclude everybody else from the rows of
the customers that they name.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from orchestrator.core.accumulators import NOTHING_COMPUTED
from orchestrator.core.customer import Customer
from orchestrator.core.state import loads
from orchestrator.core.time.zone_in_force import zone_in_force
from orchestrator.core.uniting import take_back
from orchestrator.stores import merging_rows
from orchestrator.stores.erasures import Run
from orchestrator.stores.identity_rows import Person
from orchestrator.stores.instants import micros
from orchestrator.stores.merge_rows import Done, Rules, half_of, put_first, write_choices
from orchestrator.stores.protocol_identity import OF_PEOPLE, Joined
from orchestrator.stores.records import customer_of, state_of
from orchestrator.stores.sealed_rows import MERGE
from orchestrator.stores.sealing import PLAIN

_MINE: Final = "WHERE shard = ? AND customer = ?"
_TAKEN: Final = "SELECT 1 FROM customers WHERE external_id = ?"


class Undoing(NamedTuple):
    """A merge that can be undone: the internal id of the source, whose target, what is remembered (sealed), and
    when it was (microseconds)."""

    source: int
    target: Person
    snapshot: str
    at: int


def merge_to_undo(run: Run, source: str) -> Undoing | None:
    """The merge by which a source became part of somebody; None: none is remembered, or somebody has this id now."""
    if run(_TAKEN, source).fetchone() is not None:
        return None
    row = run(
        "SELECT m.id, c.external_id, m.shard, m.customer, m.snapshot, m.at FROM merges AS m "
        "JOIN customers AS c ON c.shard = m.shard AND c.id = m.customer WHERE m.source = ? ORDER BY m.at DESC LIMIT 1",
        source,
    ).fetchone()
    return None if row is None else Undoing(row[0], Person(row[1], (row[2], row[3])), row[4], row[5])


def unmerge_rows(run: Run, rules: Rules, source: Person, undoing: Undoing, now: datetime) -> Done:
    """Bring a source back."""
    sealer, project, target = rules.sealer, rules.project, undoing.target
    kept = loads(sealer.open(f"{MERGE}:{undoing.source}", undoing.snapshot))
    was = customer_of(PLAIN, source.id, kept["created_at"], kept["state"], kept["consents"])
    theirs = half_of(run, sealer, target)
    customer = was.copy()
    _keep_opted_out(customer, theirs.view.customer)
    customer.segments = frozenset()  # found anew, in silence, with the rows that tell of them
    rest = theirs.view.customer.copy()
    rest.computed = NOTHING_COMPUTED
    take_back(rest, kept.get("points", {}), project)
    run("UPDATE customers SET state = ? WHERE shard = ? AND id = ?",
        state_of(rest, sealer, project.personal), *target.key)  # fmt: skip
    run(
        "INSERT INTO customers (shard, id, external_id, created_at, known_from, zone, state) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        *source.key, source.id, kept["created_at"], kept["known_from"],
        zone_in_force(None, was.timezone, was.phone, was.country, project.timezone).zone.key,
        state_of(customer, sealer, project.personal),
    )  # fmt: skip
    run("DELETE FROM forwarding WHERE from_customer = ?", source.key[1])
    run("DELETE FROM merges WHERE id = ?", source.key[1])
    for kind, value in kept["identifiers"]:
        if kind in OF_PEOPLE and value != source.id:  # whoever had become part of the source before goes along
            moved = run(f"UPDATE merges SET shard = ?, customer = ? {_MINE} AND source = ? AND at <= ? RETURNING id",
                        *source.key, *target.key, value, undoing.at).fetchall()  # fmt: skip
            for (id,) in moved:
                run("UPDATE forwarding SET into_shard = ?, into_customer = ? WHERE from_customer = ?", *source.key, id)
        for mark in (value,) if kind in OF_PEOPLE else sealer.marks(value):
            run(f"UPDATE identifiers SET shard = ?, customer = ? {_MINE} AND kind = ? AND value = ?",
                *source.key, *target.key, kind, mark)  # fmt: skip
    for kind, value in kept["addresses"]:
        for mark in sealer.marks(value):
            run(f"DELETE FROM identifiers {_MINE} AND kind = ? AND value = ?", *target.key, kind, mark)
    for journey, key, text in kept["entries"]:
        run("INSERT INTO entries (shard, customer, journey, key, state) VALUES (?, ?, ?, ?, ?)",
            *source.key, journey, key, text)  # fmt: skip
    if customer.consents:
        write_choices(run, rules, customer, was, source.key)
    merging_rows.move_events_back(run, sealer, source.key, target.key, kept["events"])
    merging_rows.copy_choices_back(run, sealer, source.key, target.key, kept["choices"])
    put_first(run, sealer, source, micros(now), 0)
    waiting = [micros(item.received_at) - 1 for item in theirs.view.inbox]
    put_first(run, sealer, target, min([micros(now), *waiting]), int(theirs.parked))
    timer = customer.next_timer_at()
    rules.write_due(source.key, None if timer is None else micros(timer))
    return Done(Joined("unmerged", target.id, source.id))


def _keep_opted_out(customer: Customer, other: Customer) -> None:
    """Whatever the two were opted out of together, they are each."""
    dates = dict(customer.consent_dates)
    for place, state in other.consents.items():
        if state == "out":
            customer.consents[place] = "out"
            dates.pop(place, None)
            if place in other.consent_dates:
                dates[place] = other.consent_dates[place]
    customer.consent_dates = dates
