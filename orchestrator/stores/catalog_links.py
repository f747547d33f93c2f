"""What goes with what in a catalog: bought together, and popular. One text of SQL for both databases.

Two items are bought together where the same customers had the catalog's `bought` event about both; the score is the
square of the cosine, so that what everybody buys does not stand beside everything. Of one customer the items bought
last count, MOST_OF_ONE at most: a reseller's thousands would outweigh everybody else. Popular is what most customers
looked at within `viewed`'s time (or bought, where nothing says how they look).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from orchestrator.core.catalogs import Interest, RowCatalog
from orchestrator.core.project import Project
from orchestrator.core.state import loads
from orchestrator.stores.catalog_rows import Many
from orchestrator.stores.erasures import Run
from orchestrator.stores.instants import micros
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
_BOUGHT: Final = f"""
INSERT INTO catalog_links (catalog, kind, about, rank, item, score)
WITH mine AS (
    SELECT shard, customer, value, row_number() OVER (PARTITION BY shard, customer ORDER BY at DESC, value) AS n
    FROM catalog_interests WHERE event = ? AND property = ? AND at >= ?
), few AS (
    SELECT shard, customer, value FROM mine WHERE n <= {MOST_OF_ONE}
), counts AS (
    SELECT value, count(*) AS n FROM few GROUP BY value
), pairs AS (
    SELECT a.value AS about, b.value AS item, count(*) AS n
    FROM few AS a JOIN few AS b ON b.shard = a.shard AND b.customer = a.customer AND b.value <> a.value
    GROUP BY a.value, b.value HAVING count(*) >= {LEAST}
), scored AS (
    SELECT p.about, p.item, (p.n * p.n * 1.0E0) / (a.n * b.n) AS score
    FROM pairs AS p JOIN counts AS a ON a.value = p.about JOIN counts AS b ON b.value = p.item
), ranked AS (
    SELECT about, item, score, row_number() OVER (PARTITION BY about ORDER BY score DESC, item) AS rank FROM scored
)
SELECT CAST(? AS VARCHAR(200)), 'bought', about, rank, item, score FROM ranked WHERE rank <= {RANKS}
"""
_POPULAR: Final = """
SELECT value, count(*) AS n FROM catalog_interests WHERE event = ? AND property = ? AND at >= ?
GROUP BY value ORDER BY n DESC, value LIMIT ?
"""
_PUT: Final = "INSERT INTO catalog_links (catalog, kind, about, rank, item, score) VALUES (?, ?, ?, ?, ?, ?)"
_OF: Final = "SELECT item, score FROM catalog_links WHERE catalog = ? AND kind = ? AND about = ? ORDER BY rank"


def link(run: Run, many: Many, project: Project, now: datetime) -> int:
    """Work out all links anew. Returns how many there are."""
    run("DELETE FROM catalog_links")
    for name, rule in sorted(project.row_catalogs.items()):
        if rule.bought is not None:
            run(_BOUGHT, *_place(rule.bought, now), name)
        liked = rule.viewed or rule.bought
        if liked is not None:
            found = run(_POPULAR, *_place(liked, now), POPULAR).fetchall()
            rows = {key: _row(run, name, key) for key, _ in found}
            links = popular_links(rule, [(key, float(n)) for key, n in found], rows)
            many(_PUT, [(name, "popular", *one) for one in links])
        run("UPDATE catalogs SET version = version + 1 WHERE name = ?", name)  # by which processes hear of it
    return int(run("SELECT count(*) FROM catalog_links").fetchone()[0])


def _place(interest: Interest, now: datetime) -> tuple[str, str, int]:
    return interest.event, interest.property, micros(now - interest.within)


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
