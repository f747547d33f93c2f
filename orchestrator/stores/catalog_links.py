"""What goes with what in a catalog: bought together, and popular. One text of SQL for both databases.

Two items are bought together where the same customers had the catalog's `bought` event about both; the score is the
square of the cosine (both, of all who had either), so that what everybody buys does not stand beside everything. Of one
customer the items bought last can be a pair, MOST_OF_ONE at most: a reseller's thousands would outweigh everybody else.
Popular is what most customers
looked at within `viewed`'s time (or bought, where nothing says how they look).

All customers are behind these numbers, so they are worked out item by item: each step looks at some without holding
anybody up, and writes what it found together with the place that it reached. Whoever comes next goes on from there,
in whatever process.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from orchestrator.core.catalogs import Interest, RowCatalog
from orchestrator.core.index import Index
from orchestrator.core.state import loads
from orchestrator.stores.catalog_rows import Many, forget_deleted
from orchestrator.stores.catalog_waves import longest
from orchestrator.stores.erasures import Run
from orchestrator.stores.instants import instant, micros
from orchestrator.stores.protocol_catalogs import Link

MOST_OF_ONE: Final = 50
"""Items of one customer that are counted together."""
LEAST: Final = 2
"""Customers who had both."""
RANKS: Final = 12
"""Items that are kept with one."""
POPULAR: Final = 1_000
"""Items among which the popular ones of a category are looked for."""
CATEGORY: Final = "category"
SAMPLE: Final = 10_000
"""Of an item that more customers bought, so many of them tell what goes with it."""
LOOKED_AT: Final = 5_000
"""Rows that one step looks at, or somewhat more."""
_CANDIDATES: Final = 500
_ITEMS: Final = 200
_NAME: Final = "catalogs:walk"
_STATE: Final = "SELECT value FROM meta WHERE name = ?"
_KEEP: Final = "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
_OLD: Final = """
SELECT shard, customer, event, property, value, at FROM catalog_interests
WHERE (shard, customer, event, property, value) > (?, ?, ?, ?, ?)
ORDER BY shard, customer, event, property, value LIMIT ?
"""
_FORGET: Final = """
DELETE FROM catalog_interests
WHERE shard = ? AND customer = ? AND event = ? AND property = ? AND value = ? AND at <= ?
"""
_NEXT: Final = "SELECT min(value) FROM catalog_interests WHERE event = ? AND property = ? AND value > ?"
_COUNT: Final = "SELECT count(*) FROM catalog_interests WHERE event = ? AND property = ? AND value = ? AND at >= ?"
_WITH: Final = f"""
WITH who AS (
    SELECT shard, customer FROM catalog_interests
    WHERE event = ? AND property = ? AND value = ? AND at >= ? ORDER BY shard, customer LIMIT {SAMPLE}
), mine AS (
    SELECT i.shard, i.customer, i.value,
           row_number() OVER (PARTITION BY i.shard, i.customer ORDER BY i.at DESC, i.value) AS n
    FROM who AS w JOIN catalog_interests AS i ON i.shard = w.shard AND i.customer = w.customer
    WHERE i.event = ? AND i.property = ? AND i.at >= ?
), few AS (
    SELECT shard, customer, value FROM mine WHERE n <= {MOST_OF_ONE}
)
SELECT b.value, count(*) AS n FROM few AS a JOIN few AS b ON b.shard = a.shard AND b.customer = a.customer
WHERE a.value = ? AND b.value <> a.value GROUP BY b.value HAVING count(*) >= {LEAST}
ORDER BY n DESC, b.value LIMIT {_CANDIDATES}
"""
_PUT: Final = "INSERT INTO catalog_links (catalog, kind, about, rank, item, score) VALUES (?, ?, ?, ?, ?, ?)"
_GONE: Final = "DELETE FROM catalog_links WHERE catalog = ? AND kind = ? AND about > ? AND about <= ?"
_REST: Final = "DELETE FROM catalog_links WHERE catalog = ? AND kind = ? AND about > ?"
_NONE: Final = "DELETE FROM catalog_links WHERE catalog = ? AND kind = ?"
_BUMP: Final = "UPDATE catalogs SET version = version + 1 WHERE name = ?"  # by which processes hear of it
_OF: Final = "SELECT item, score FROM catalog_links WHERE catalog = ? AND kind = ? AND about = ? ORDER BY rank"

Edits = list[tuple[str, Sequence[tuple[Any, ...]]]]


class Step(NamedTuple):
    """What one look found. `before`: the place that it began at, as it was written; `after`: the one that it reached;
    `edits` are to be written with it; `looked`: how many rows it looked at."""

    before: str | None
    after: str
    edits: Edits
    looked: int
    at: datetime
    first: bool


def is_walking(run: Run) -> bool:
    """Whether links are being worked out."""
    found = run(_STATE, _NAME).fetchone()
    return found is not None and "tasks" in json.loads(found[0])


def next_step(run: Run, index: Index, now: datetime, every: timedelta) -> Step | None:
    """Look at what comes next; None: all is worked out, not longer than `every` ago. Writes nothing."""
    found = run(_STATE, _NAME).fetchone()
    before = found[0] if found is not None else None
    state = json.loads(before) if before is not None else {}
    first = "tasks" not in state
    if first:
        if state and now - instant(state["over"]) <= every:
            return None
        state = {"at": micros(now), "tasks": _tasks(run, index), "place": None, "top": []}
    at = instant(state["at"])
    edits: Edits = []
    looked = 0
    if state["tasks"]:
        kind, name = state["tasks"][0]
        rule = index.project.row_catalogs.get(name)
        interest = None if rule is None else rule.bought if kind == "bought" else (rule.viewed or rule.bought)
        if kind == "forget":
            over, looked = _forget(run, index, state, edits)
        elif rule is None or interest is None:
            edits.append((_NONE, [(name, kind)]))
            over = True
        elif kind == "bought":
            over, looked = _bought(run, name, interest, state, edits)
        else:
            over, looked = _popular(run, rule, interest, state, edits)
        if over:
            state = {**state, "tasks": state["tasks"][1:], "place": None, "top": []}
            edits += [(_BUMP, [(name,)])] if name else []
    after = state if state["tasks"] else {"over": state["at"]}
    return Step(before, json.dumps(after), edits, looked + 1, at, first)


def take_step(run: Run, many: Many, step: Step, lock: str) -> int:
    """Write what a look found, unless somebody else was faster. Returns how much was done."""
    found = run(_STATE + lock, _NAME).fetchone()
    if (found[0] if found is not None else None) == step.before:
        if step.first:
            forget_deleted(run, step.at)
        for sql, rows in step.edits:
            many(sql, rows)
        run(_KEEP, _NAME, step.after)
    return step.looked


def _tasks(run: Run, index: Index) -> list[list[str]]:
    names = {name for (name,) in run("SELECT name FROM catalogs").fetchall()} | set(index.project.row_catalogs)
    return [["forget", ""], *([kind, name] for name in sorted(names) for kind in ("bought", "popular"))]


def _forget(run: Run, index: Index, state: dict[str, Any], edits: Edits) -> tuple[bool, int]:
    """What customers did longer ago than anybody asks for goes, and what nobody asks for at all."""
    wanted = longest(index)
    before = {place: state["at"] - micros(instant(0) + within) for place, within in wanted.items()}
    rows = run(_OLD, *(state["place"] or (-1, -1, "", "", "")), LOOKED_AT).fetchall()
    old = [tuple(row) for row in rows if row[5] < before.get((row[2], row[3]), 1 << 62)]
    if old:
        edits.append((_FORGET, old))
    if rows:
        state["place"] = list(rows[-1][:5])
    return len(rows) < LOOKED_AT, len(rows)


def _bought(run: Run, name: str, interest: Interest, state: dict[str, Any], edits: Edits) -> tuple[bool, int]:
    """The next items, with what goes with each."""
    event, path, since = interest.event, interest.property, state["at"] - micros(instant(0) + interest.within)
    counts: dict[str, int] = {}

    def count(value: str) -> int:
        if value not in counts:
            counts[value] = run(_COUNT, event, path, value, since).fetchone()[0]
        return counts[value]

    last, looked = state["place"] or "", 0
    for _ in range(_ITEMS):
        about = run(_NEXT, event, path, last).fetchone()[0]
        if about is None:
            edits.append((_REST, [(name, "bought", last)]))
            return True, looked
        buyers = count(about)
        found: list[tuple[float, str]] = []
        if buyers >= LEAST:
            pairs = run(_WITH, event, path, about, since, event, path, since, about).fetchall()
            asked = min(buyers, SAMPLE)
            found = [(-(n * n * buyers) / (asked * asked * count(item)), item) for item, n in pairs]
            looked += len(pairs)
        edits.append((_GONE, [(name, "bought", last, about)]))
        best = sorted(found)[:RANKS]
        if best:
            edits.append((_PUT, [(name, "bought", about, n, item, -score) for n, (score, item) in enumerate(best, 1)]))
        last = state["place"] = about
        looked += buyers
        if looked >= LOOKED_AT:
            break
    return False, looked


def _popular(run: Run, rule: RowCatalog, interest: Interest, state: dict[str, Any], edits: Edits) -> tuple[bool, int]:
    """The next items, as far as they are among those that most customers had to do with."""
    event, path, since = interest.event, interest.property, state["at"] - micros(instant(0) + interest.within)
    last, looked = state["place"] or "", 0
    top = [(key, n) for key, n in state["top"]]
    over = False
    for _ in range(_ITEMS):
        value = run(_NEXT, event, path, last).fetchone()[0]
        if value is None:
            over = True
            break
        n = run(_COUNT, event, path, value, since).fetchone()[0]
        if n:
            top.append((value, n))
        last = value
        looked += n + 1
        if looked >= LOOKED_AT:
            break
    top = sorted(top, key=lambda one: (-one[1], one[0]))[:POPULAR]
    state["place"], state["top"] = last, top
    if over:
        rows = {key: _row(run, rule.name, key) for key, _ in top}
        links = popular_links(rule, [(key, float(n)) for key, n in top], rows)
        edits.append((_NONE, [(rule.name, "popular")]))
        edits.append((_PUT, [(rule.name, "popular", *one) for one in links]))
    return over, looked


def _row(run: Run, catalog: str, key: str) -> Mapping[str, Any] | None:
    found = run("SELECT data FROM catalog_rows WHERE catalog = ? AND key = ?", catalog, key).fetchone()
    return None if found is None or found[0] is None else loads(found[0])


def popular_links(
    rule: RowCatalog, found: Iterable[tuple[str, float]], rows: Mapping[str, Mapping[str, Any] | None]
) -> list[tuple[str, int, str, float]]:
    """(about, rank, item, score): the popular items of all, and of each category, of those that are in the catalog."""
    ranks: dict[str, int] = {}
    links: list[tuple[str, int, str, float]] = []
    for key, score in found:
        row = rows.get(key)
        if row is None:
            continue
        category = row.get(CATEGORY)
        places = ["", category] if isinstance(category, str) and 0 < len(category) <= 200 else [""]
        for about in places:
            rank = ranks[about] = ranks.get(about, 0) + 1
            if rank <= RANKS:
                links.append((about, rank, key, score))
    return links


def links_of(run: Run, catalog: str, kind: str, about: str) -> Sequence[Link]:
    """The links of an item or category, the best first."""
    return [Link(item, score) for item, score in run(_OF, catalog, kind, about).fetchall()]
