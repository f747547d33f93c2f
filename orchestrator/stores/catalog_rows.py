"""The rows of catalogs in a database: one text of SQL for both (see orchestrator.stores.erasures.Run)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from orchestrator.core.project import Project
from orchestrator.core.state import dumps, loads
from orchestrator.stores.erasures import Run
from orchestrator.stores.instants import instant, micros
from orchestrator.stores.protocol_catalogs import CatalogRow, Edit, Edited

Many = Callable[[str, Sequence[tuple[Any, ...]]], None]
"""Executes a statement whose values stand as `?` for each of several rows."""
TRACE: Final = timedelta(days=7)
"""For so long a deleted row leaves a trace, by which processes hear of it."""
_AT_ONCE: Final = 500
_VERSION: Final = "SELECT version FROM catalogs WHERE name = ?"
_NEXT_VERSION: Final = "UPDATE catalogs SET version = version + 1 WHERE name = ? RETURNING version"
_NEW: Final = "INSERT INTO catalogs (name, version, forgotten) VALUES (?, 1, 0) ON CONFLICT (name) DO NOTHING"
_ROW: Final = "SELECT key, data, version, updated_at FROM catalog_rows WHERE catalog = ? AND key = ?"
_PAGE: Final = (
    "SELECT key, data, version, updated_at FROM catalog_rows "
    "WHERE catalog = ? AND key > ? AND data IS NOT NULL ORDER BY key LIMIT ?"
)
_PUT: Final = """
INSERT INTO catalog_rows (catalog, key, version, seen, updated_at, data) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (catalog, key) DO UPDATE
SET version = excluded.version, seen = excluded.seen, updated_at = excluded.updated_at, data = excluded.data
"""
_SEEN: Final = "UPDATE catalog_rows SET seen = ? WHERE catalog = ? AND key = ?"
_CHANGED: Final = """
INSERT INTO catalog_changes (catalog, key, due_at, before) VALUES (?, ?, ?, ?) ON CONFLICT (catalog, key) DO NOTHING
"""
"""Of several changes of an item, the first one says how it was before, and when the change is told."""
_UNSEEN: Final = """
SELECT key FROM catalog_rows WHERE catalog = ? AND seen <= ? AND data IS NOT NULL ORDER BY key LIMIT ?
"""


def seed(run: Run, many: Many, project: Project, now: datetime) -> None:
    """Catalogs that are kept as rows and are new here get their first rows, of which no trigger hears."""
    for name in sorted(project.row_catalogs):
        if run(_NEW, name).rowcount > 0:
            rows = project.catalogs.get(name, {})
            many(_PUT, [(name, key, 1, 1, micros(now), dumps(dict(data))) for key, data in rows.items()])


def version_of(run: Run, catalog: str) -> int | None:
    """How often a catalog changed."""
    found = run(_VERSION, catalog).fetchone()
    return None if found is None else int(found[0])


def row_of(run: Run, catalog: str, key: str) -> CatalogRow | None:
    """A row, unless it was deleted."""
    found = run(_ROW, catalog, key).fetchone()
    return None if found is None or found[1] is None else _row(found)


def page_of(run: Run, catalog: str, after: str, limit: int) -> list[CatalogRow]:
    """Rows in the order of their keys."""
    return [_row(found) for found in run(_PAGE, catalog, after, limit).fetchall()]


def _row(found: Sequence[Any]) -> CatalogRow:
    return CatalogRow(found[0], loads(found[1]), found[2], instant(found[3]))


def change(
    run: Run, many: Many, catalog: str, edits: Sequence[Edit], now: datetime, tell_after: timedelta | None
) -> Edited:
    """See CatalogStore.change_catalog. `tell_after`: after how long triggers hear of it; None: none listens."""
    found = run(_NEXT_VERSION, catalog).fetchone()  # whoever else changes this catalog waits here
    if found is None:
        raise KeyError(catalog)
    version = int(found[0])
    before = _standing(run, catalog, [edit.key for edit in edits])
    after, made = apply_edits(edits, before, version)
    changed = [key for key, data in after.items() if data != (before[key].data if key in before else None)]
    at = micros(now)
    many(_PUT, [(catalog, key, version, version, at, _text(after[key])) for key in changed])
    touched = [(version, catalog, key) for key in after.keys() - set(changed)]
    many(_SEEN, sorted(touched))
    if tell_after is not None:
        due_at = micros(now + tell_after)
        was = {key: _text(before[key].data) if key in before else None for key in changed}
        many(_CHANGED, [(catalog, key, due_at, was[key]) for key in changed])
    return made


def apply_edits(
    edits: Iterable[Edit], before: Mapping[str, CatalogRow], version: int
) -> tuple[dict[str, Mapping[str, Any] | None], Edited]:
    """How the rows that edits name are afterwards (None: there is none), and what became of the edits."""
    after: dict[str, Mapping[str, Any] | None] = {}
    counts = dict.fromkeys(("added", "changed", "removed", "same"), 0)
    missing: list[str] = []
    stale: list[str] = []
    for edit in edits:
        known = before.get(edit.key)
        is_ours = edit.key in after
        data = after[edit.key] if is_ours else (known.data if known is not None else None)
        has = 0 if data is None else (version if is_ours or known is None else known.version)
        if edit.version is not None and edit.version != has:
            stale.append(edit.key)
            continue
        if data is None and (edit.merge or edit.data is None):
            missing.append(edit.key)
            continue
        wanted = edit.data
        if wanted is not None and edit.merge and data is not None:
            wanted = {**data, **wanted}
        what = "removed" if wanted is None else "added" if data is None else "changed" if wanted != data else "same"
        counts[what] += 1
        after[edit.key] = wanted
    return after, Edited(version, **counts, missing=tuple(missing), stale=tuple(stale))


def _standing(run: Run, catalog: str, keys: Sequence[str]) -> dict[str, CatalogRow]:
    found: dict[str, CatalogRow] = {}
    asked = sorted(set(keys))
    for first in range(0, len(asked), _AT_ONCE):
        some = asked[first : first + _AT_ONCE]
        marks = ", ".join("?" * len(some))
        rows = run(
            f"SELECT key, data, version, updated_at FROM catalog_rows WHERE catalog = ? AND key IN ({marks})",
            catalog, *some,
        ).fetchall()  # fmt: skip
        found.update((row[0], _row(row)) for row in rows if row[1] is not None)
    return found


def _text(data: Mapping[str, Any] | None) -> str | None:
    return None if data is None else dumps(dict(data))


def unseen(run: Run, catalog: str, version: int, limit: int) -> list[str]:
    """Rows that nobody wrote after the catalog had this version."""
    return [key for (key,) in run(_UNSEEN, catalog, version, limit).fetchall()]


def forget_deleted(run: Run, now: datetime) -> None:
    """Traces of rows that were deleted long ago go; who has not looked since reads the catalog anew."""
    before = micros(now - TRACE)
    for name, last in run(
        "SELECT catalog, max(version) FROM catalog_rows WHERE data IS NULL AND updated_at < ? GROUP BY catalog", before
    ).fetchall():
        run("DELETE FROM catalog_rows WHERE catalog = ? AND data IS NULL AND updated_at < ?", name, before)
        run("UPDATE catalogs SET forgotten = ? WHERE name = ? AND forgotten < ?", last, name, last)
