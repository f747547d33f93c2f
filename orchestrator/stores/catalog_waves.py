"""Changes of catalogs on their way to people, in a database: one text of SQL for both.

Whom a change concerns stands in `catalog_interests`, written in the transaction that writes the events, for those
properties that a trigger asks for; what happened before somebody asked is looked through once. A change becomes one
wave for each trigger, which goes from customer to customer in the order of their keys: a chunk and the place that it
reached are written in one transaction, so that each customer is told once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from orchestrator.core.catalog_changes import Asked, waves_of
from orchestrator.core.catalogs import values_at
from orchestrator.core.index import Index
from orchestrator.core.state import body_to_json, loads
from orchestrator.stores.catalog_rows import Many
from orchestrator.stores.erasures import Run
from orchestrator.stores.instants import instant, micros

Put = Callable[[Iterable[tuple[int, int, int, str]]], None]
"""Puts items into inboxes."""
Interests = Mapping[str, Sequence[str]]
"""By event, the paths that are asked for."""
LOOKED_THROUGH: Final = 5_000
"""Events of the past that one step looks at."""
_CHANGES: Final = 200
_NOTE: Final = """
INSERT INTO catalog_interests (shard, customer, event, property, value, at) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (shard, customer, event, property, value) DO UPDATE SET at = excluded.at
WHERE excluded.at > catalog_interests.at
"""
_PAST: Final = """
SELECT shard, customer, at, seq, properties FROM events
WHERE name = ? AND (shard, customer, at, seq) > (?, ?, ?, ?) ORDER BY shard, customer, at, seq LIMIT ?
"""
_FILLED: Final = """
UPDATE catalog_fills SET shard = ?, customer = ?, at = ?, seq = ?, done = ? WHERE event = ? AND property = ?
"""
_DUE: Final = "SELECT catalog, key, due_at, before FROM catalog_changes WHERE due_at <= ? ORDER BY due_at, catalog, key"
_WHO: Final = """
SELECT shard, customer FROM catalog_interests
WHERE event = ? AND property = ? AND value = ? AND (shard, customer) > (?, ?) AND at >= ?
ORDER BY shard, customer LIMIT ?
"""
_INBOX: Final = "SELECT count(*) FROM (SELECT 1 FROM inbox WHERE parked = 0 LIMIT ?) AS s"
_TOLD: Final = "UPDATE catalog_waves SET shard = ?, customer = ? WHERE id = ?"

Told = Sequence[tuple[int, int, str, datetime, Mapping[str, Any]]]
"""Events of customers: shard, internal id, name, instant, properties."""


def note(many: Many, interests: Interests, told: Told) -> None:
    """Remember what events tell of items, as far as anybody asks for it."""
    latest: dict[tuple[int, int, str, str, str], int] = {}
    for shard, id, event, at, properties in told:
        for path in interests.get(event, ()):
            for value in values_at(properties, path):
                place = (shard, id, event, path, value)
                latest[place] = max(latest.get(place, -(1 << 62)), micros(at))
    if latest:
        many(_NOTE, [(*place, at) for place, at in sorted(latest.items())])


def fill(run: Run, many: Many, interests: Interests) -> int:
    """Look through some of the past for what nobody asked for before. Returns how many events and properties were
    looked at; 0: all is known."""
    wanted = {(event, path) for event, paths in interests.items() for path in paths}
    known = {(event, path): rest for event, path, *rest in run(
        "SELECT event, property, shard, customer, at, seq, done FROM catalog_fills").fetchall()}  # fmt: skip
    for event, path in sorted(known.keys() - wanted):  # nobody notes it any more: if it comes back, it is looked for
        run("DELETE FROM catalog_fills WHERE event = ? AND property = ?", event, path)
    fresh = sorted(wanted - known.keys())
    for event, path in fresh:
        run(
            "INSERT INTO catalog_fills (event, property, shard, customer, at, seq, done) "
            "VALUES (?, ?, -1, -1, 0, 0, 0) ON CONFLICT (event, property) DO NOTHING",
            event, path,
        )  # fmt: skip
    looked = len(fresh)
    for (event, path), (shard, customer, at, seq, done) in sorted(known.items()):
        if done or (event, path) not in wanted or looked >= LOOKED_THROUGH:
            continue
        rows = run(_PAST, event, shard, customer, at, seq, LOOKED_THROUGH).fetchall()
        note(many, {event: [path]}, [(r[0], r[1], event, instant(r[2]), loads(r[4])) for r in rows])
        over = len(rows) < LOOKED_THROUGH
        place = rows[-1][:4] if rows else (shard, customer, at, seq)
        run(_FILLED, *place, int(over), event, path)
        looked += len(rows) + 1
    return looked


def is_filled(run: Run, interests: Interests) -> bool:
    """Whether the past was looked through for everything that is asked for, and nothing else is held to be known:
    what nobody notes any more has to be looked for again when it comes back."""
    known = run("SELECT event, property, done FROM catalog_fills").fetchall()
    wanted = {(event, path) for event, paths in interests.items() for path in paths}
    return {(event, path) for event, path, _ in known} == wanted and all(done for _, _, done in known)


def hand_out(run: Run, index: Index, now: datetime, lock: str) -> int:
    """Make waves of the changes that are due. Returns how many changes that were. `lock`: holds others off the rows."""
    names = sorted({row[0] for row in run(f"{_DUE} LIMIT {_CHANGES}", micros(now)).fetchall()})
    for name in names if lock else ():  # who changes a catalog just now is waited for: that is either told, or waits
        run("SELECT version FROM catalogs WHERE name = ? FOR UPDATE", name)
    changes = [row for row in run(f"{_DUE} LIMIT {_CHANGES}{lock}", micros(now)).fetchall() if row[0] in names]
    for catalog, key, due_at, before in changes:
        found = run("SELECT data FROM catalog_rows WHERE catalog = ? AND key = ?", catalog, key).fetchone()
        after = None if found is None or found[0] is None else loads(found[0])
        was = None if before is None else loads(before)
        for wave in waves_of(index, catalog, key, was, after, instant(due_at)):
            run(
                "INSERT INTO catalog_waves (at, asked, body, shard, customer) VALUES (?, ?, ?, -1, -1)",
                due_at, _written(wave.asked), body_to_json(wave.body),
            )  # fmt: skip
        run("DELETE FROM catalog_changes WHERE catalog = ? AND key = ?", catalog, key)
    return len(changes)


def tell(run: Run, put: Put, budget: int, lock: str) -> int:
    """Put the next items of the waves into inboxes, at most `budget`, while less than that waits there. Returns how
    much was done."""
    if run(_INBOX, budget).fetchone()[0] >= budget:
        return 0
    done = 0
    while done < budget:
        wave = run(
            f"SELECT id, at, asked, body, shard, customer FROM catalog_waves ORDER BY at, id LIMIT 1{lock}"
        ).fetchone()
        if wave is None:
            break
        id, at, asked, body, shard, customer = wave
        room = budget - done
        found: set[tuple[int, int]] = set()
        for viewed, since in json.loads(asked):
            found.update(run(_WHO, *viewed, shard, customer, since, room).fetchall())
        told = sorted(tuple(place) for place in found)[:room]
        put([(*place, at, body) for place in told])
        if len(told) < room:
            run("DELETE FROM catalog_waves WHERE id = ?", id)
        else:
            run(_TOLD, *told[-1], id)
        done += len(told) + 1
    return done


def next_at(run: Run) -> datetime | None:
    """When something of this is due."""
    found = run(
        "SELECT min(at) FROM "
        "(SELECT min(at) AS at FROM catalog_waves UNION ALL SELECT min(due_at) FROM catalog_changes) AS s"
    ).fetchone()
    return None if found is None or found[0] is None else instant(int(found[0]))


def longest(index: Index) -> Mapping[tuple[str, str], Any]:
    """For how long an event and a property are asked for, at the longest."""
    ways: Collection[Any] = [way.trigger for ways in index.by_catalog.values() for way in ways]
    asked = [interest for trigger in ways for interest in trigger.who]
    asked += [i for rule in index.project.row_catalogs.values() for i in (rule.viewed, rule.bought) if i is not None]
    found: dict[tuple[str, str], Any] = {}
    for interest in asked:
        place = (interest.event, interest.property)
        found[place] = max(found.get(place, interest.within), interest.within)
    return found


def _written(asked: Sequence[Asked]) -> str:
    return json.dumps([[list(one.viewed), micros(one.since)] for one in asked])
