"""Classes by recency, frequency and value: worked out over all customers by the database.

One text of SQL for both databases; `Run` puts in what differs, and `Worth` how each reads a number out of JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from orchestrator.core.rfm import Bounds, Buyer, Classes, RfmSpec, classes_of, ranks
from orchestrator.stores.erasures import Run
from orchestrator.stores.instants import instant, micros
from orchestrator.stores.protocol_profiles import RfmChange, RfmRun
from orchestrator.stores.shards import SHARDS

SHARDS_AT_ONCE: Final = 64
"""Customers of so many shards are looked at in one transaction."""
KEPT_RUNS: Final = 60
_COLUMNS: Final = "occurrence, at, customers, classes, bounds, next_shard"


class Worth(NamedTuple):
    """The expression of an event's value, with the values of its `?`."""

    sql: str
    values: tuple[Any, ...]


def begin(run: Run, occurrence: str, at: datetime, spec: RfmSpec, worth: Worth) -> bool:
    """Work out the bounds, and note the run. Whether it is a new one."""
    if run("SELECT 1 FROM rfm_runs WHERE occurrence = ?", occurrence).fetchone() is not None:
        return False
    inside = (spec.event, micros(at - spec.within), micros(at))
    [customers] = run(
        "SELECT count(*) FROM (SELECT DISTINCT e.shard, e.customer FROM events AS e "
        "WHERE e.name = ? AND e.at > ? AND e.at <= ?) AS g",
        *inside,
    ).fetchone()
    bounds = _bounds(run, spec, worth, inside, ranks(customers, spec.classes)) if customers else Bounds()
    run("UPDATE rfm_runs SET next_shard = NULL WHERE next_shard IS NOT NULL")  # what a newer one overtakes
    added = run(
        f"INSERT INTO rfm_runs ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, 0) ON CONFLICT (occurrence) DO NOTHING",
        occurrence, micros(at), customers, spec.classes, json.dumps(bounds),
    ).rowcount  # fmt: skip
    run(
        "DELETE FROM rfm_runs WHERE at < (SELECT min(at) FROM (SELECT at FROM rfm_runs ORDER BY at DESC LIMIT ?) AS k)",
        KEPT_RUNS,
    )
    return bool(added)


def _gathered(worth: Worth, more: str = "") -> str:
    return (
        f"SELECT e.shard, e.customer, max(e.at) AS r, count(*) AS f, round(coalesce(sum({worth.sql}), 0), 4) AS m "
        f"FROM events AS e WHERE e.name = ? AND e.at > ? AND e.at <= ? {more} GROUP BY e.shard, e.customer"
    )


def _bounds(run: Run, spec: RfmSpec, worth: Worth, inside: tuple[Any, ...], places: Sequence[int]) -> Bounds:
    """The values at these ranks, of each of the three, by one statement."""
    listed = ", ".join(str(place) for place in sorted(set(places)))
    ranked = " UNION ALL ".join(
        f"SELECT {number}, p, v FROM (SELECT {column} AS v, row_number() OVER (ORDER BY {column}) AS p FROM g) "
        f"AS {column}s WHERE p IN ({listed})"
        for number, column in enumerate("rfm")
    )
    rows = run(f"WITH g AS ({_gathered(worth)}) {ranked}", *worth.values, *inside).fetchall()
    at = {(int(number), int(place)): value for number, place, value in rows}
    return Bounds(
        tuple(int(at[0, place]) for place in places),
        tuple(int(at[1, place]) for place in places),
        tuple(float(at[2, place]) for place in places),
    )


def next_part(run: Run, spec: RfmSpec, worth: Worth) -> tuple[RfmRun, list[RfmChange]] | None:
    """The customers of the next shards whose classes changed."""
    found = run(f"SELECT {_COLUMNS} FROM rfm_runs WHERE next_shard IS NOT NULL ORDER BY at LIMIT 1").fetchone()
    if found is None:
        return None
    this = _run_of(found)
    first = this.next_shard or 0
    last = first + SHARDS_AT_ONCE - 1
    known = {
        (shard, id): Classes(*classes)
        for shard, id, *classes in run(
            "SELECT shard, customer, recency, frequency, monetary FROM rfm_classes WHERE shard BETWEEN ? AND ?",
            first, last,
        ).fetchall()
    }  # fmt: skip
    rows = run(
        f"SELECT c.external_id, g.shard, g.customer, g.r, g.f, g.m FROM "
        f"({_gathered(worth, 'AND e.shard BETWEEN ? AND ?')}) AS g "
        "JOIN customers AS c ON c.shard = g.shard AND c.id = g.customer",
        *worth.values, spec.event, micros(this.at - spec.within), micros(this.at), first, last,
    ).fetchall()  # fmt: skip
    changes: list[RfmChange] = []
    for customer, shard, id, last_at, count, value in rows:
        classes = classes_of(Buyer(int(last_at), int(count), float(value)), this.bounds)
        if known.pop((shard, id), None) != classes:
            changes.append(RfmChange(customer, (shard, id), classes))
    for key in known:
        gone = run("SELECT external_id FROM customers WHERE shard = ? AND id = ?", *key).fetchone()
        changes.append(RfmChange(gone[0] if gone is not None else "", key, None))
    return this, sorted(changes)


def done(run: Run, this: RfmRun, changes: Sequence[RfmChange]) -> None:
    """Note the classes of a part, and go on."""
    following = (this.next_shard or 0) + SHARDS_AT_ONCE
    moved = run(
        "UPDATE rfm_runs SET next_shard = ? WHERE occurrence = ? AND next_shard = ?",
        following if following < SHARDS else None, this.occurrence, this.next_shard,
    ).rowcount  # fmt: skip
    if not moved:
        return
    for change in changes:
        if change.classes is None:
            run("DELETE FROM rfm_classes WHERE shard = ? AND customer = ?", *change.key)
        else:
            run(
                "INSERT INTO rfm_classes (shard, customer, recency, frequency, monetary) "
                "SELECT shard, id, ?, ?, ? FROM customers WHERE shard = ? AND id = ? "
                "ON CONFLICT (shard, customer) DO UPDATE SET recency = excluded.recency, "
                "frequency = excluded.frequency, monetary = excluded.monetary",
                *change.classes, *change.key,
            )  # fmt: skip


def latest(run: Run) -> RfmRun | None:
    """The latest run."""
    found = run(f"SELECT {_COLUMNS} FROM rfm_runs ORDER BY at DESC LIMIT 1").fetchone()
    return None if found is None else _run_of(found)


def sizes(run: Run) -> Mapping[Classes, int]:
    """How many customers are in each class."""
    rows = run("SELECT recency, frequency, monetary, count(*) FROM rfm_classes GROUP BY recency, frequency, monetary")
    return {Classes(*row[:3]): row[3] for row in rows.fetchall()}


def _run_of(row: Sequence[Any]) -> RfmRun:
    occurrence, at, customers, classes, bounds, next_shard = row
    return RfmRun(occurrence, instant(at), customers, classes, Bounds(*map(tuple, json.loads(bounds))), next_shard)
