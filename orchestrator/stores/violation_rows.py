"""What did not fit the tracking plan, in a database. One text of SQL for both, as in orchestrator.stores.erasing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from orchestrator.stores.erasures import Run
from orchestrator.stores.instants import instant, micros
from orchestrator.stores.naming import Named
from orchestrator.stores.protocol_sources import MOST_KEPT, ViolationCount
from orchestrator.stores.sealed_rows import EXAMPLES
from orchestrator.stores.sealing import Sealer, shown

_ADD: Final = """
INSERT INTO violations AS v (source, event, property, kind, count, first_at, last_at, examples)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (source, event, property, kind) DO UPDATE SET
    count = v.count + excluded.count,
    last_at = CASE WHEN excluded.last_at > v.last_at THEN excluded.last_at ELSE v.last_at END,
    examples = CASE WHEN ? = 1 THEN excluded.examples ELSE v.examples END
"""
_OLD: Final = """
DELETE FROM violations WHERE (source, event, property, kind) IN (
    SELECT source, event, property, kind FROM violations ORDER BY last_at DESC, source, event, property, kind
    LIMIT 1000000 OFFSET ?)
"""
_ALL: Final = """
SELECT source, event, property, kind, count, first_at, last_at, examples FROM violations
ORDER BY count DESC, source, event, property, kind LIMIT ?
"""
_NONE: Final = "[]"


def keep(run: Run, sealer: Sealer, found: Sequence[ViolationCount]) -> None:
    """Add to the counts, in the order of their keys: two processes that add the same ones wait for each other."""
    for one in sorted(found, key=lambda one: one[:4]):
        examples = sealer.seal(EXAMPLES, json.dumps(one.examples, ensure_ascii=False))
        times = micros(one.first_at), micros(one.last_at)
        run(_ADD, *one[:4], one.times, *times, examples, int(bool(one.examples)))
    if run("SELECT count(*) FROM violations").fetchone()[0] > MOST_KEPT:
        run(_OLD, MOST_KEPT)


def kept(run: Run, sealer: Sealer, limit: int) -> list[ViolationCount]:
    """The most frequent first."""
    made = []
    for source, event, property, kind, count, first_at, last_at, text in run(_ALL, limit).fetchall():
        examples = tuple(map(str, _listed(shown(sealer, EXAMPLES, text))))
        times = instant(first_at), instant(last_at)
        made.append(ViolationCount(source, event, property, kind, count, *times, examples))
    return made


def clear(run: Run, event: str | None) -> int:
    """Forget counts (of an event)."""
    if event is None:
        return int(run("DELETE FROM violations").rowcount)
    return int(run("DELETE FROM violations WHERE event = ?", event).rowcount)


def forget(run: Run, sealer: Sealer, named: Named) -> int:
    """Examples that name somebody go; that something did not fit stays counted. Returns how many rows changed."""
    changed = 0
    for *key, text in run("SELECT source, event, property, kind, examples FROM violations").fetchall():
        if named(shown(sealer, EXAMPLES, text)):
            set_ = "UPDATE violations SET examples = ? WHERE source = ? AND event = ? AND property = ? AND kind = ?"
            run(set_, sealer.seal(EXAMPLES, _NONE), *key)
            changed += 1
    return changed


def _listed(text: str) -> list[object]:
    try:
        found = json.loads(text)
    except ValueError:  # it could not be opened, and says so
        return [text]
    return found if isinstance(found, list) else [found]
