"""What customers chose. The row's lock orders an opt-out and the claim of a message; an opt-out stands at once.

A turn decides on the choices that it loaded, and an opt-out may come while it does: whoever writes a row locks it,
reads it again, and lets no opt-out be lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from orchestrator.stores.postgres import rights
from orchestrator.stores.postgres.arrays import ints, texts
from orchestrator.stores.postgres.database import Connection
from orchestrator.stores.records import Choices, choices_of, choices_text, told

_ENSURE: Final = """
INSERT INTO consents (shard, customer, state)
SELECT j.shard, j.id, '[]' FROM unnest(%s::int[], %s::bigint[]) AS j (shard, id) ORDER BY j.shard, j.id
ON CONFLICT (shard, customer) DO NOTHING
"""
"""A row to lock: two first choices at once would each write a row of their own, and one of them be lost."""
_LOCK: Final = """
SELECT k.shard, k.customer, k.state FROM unnest(%s::int[], %s::bigint[]) AS j (shard, id)
JOIN consents AS k ON k.shard = j.shard AND k.customer = j.id ORDER BY k.shard, k.customer FOR UPDATE OF k
"""
_WRITE: Final = """
UPDATE consents SET state = j.state FROM unnest(%s::int[], %s::bigint[], %s::text[]) AS j (shard, id, state)
WHERE consents.shard = j.shard AND consents.customer = j.id
"""


class Change(NamedTuple):
    """A customer's choices as a turn found them and as it leaves them."""

    shard: int
    id: int
    before: Choices
    after: Choices


def write(c: Connection, changes: Sequence[Change]) -> None:
    """Write what turns decided, but for what became an opt-out since they looked."""
    found = _locked(c, [(change.shard, change.id) for change in changes])
    rows = []
    lines: list[rights.Chosen] = []
    for change in changes:
        now = found[change.shard, change.id]
        since = {
            place: choice
            for place, choice in now.items()
            if choice[0] == "out" and (place not in change.before or change.before[place][0] != "out")
        }
        after = {**change.after, **since}
        rows.append((change.shard, change.id, after))
        lines += _told(change.shard, change.id, now, after)
    _write(c, rows)
    rights.write(c, lines)


def _told(shard: int, id: int, before: Choices, after: Choices) -> list[rights.Chosen]:
    return [(shard, id, kind, *place) for kind, place in told(before, after)]


def opt_out(c: Connection, outs: Mapping[tuple[int, int], Choices]) -> None:
    """Opt-outs of customers (shard, id): they stand with this transaction, before any turn."""
    found = _locked(c, list(outs))
    _write(c, [(*key, {**found[key], **choices}) for key, choices in outs.items()])
    rights.write(c, [line for key, choices in outs.items() for line in _told(*key, found[key], choices)])


def _locked(c: Connection, keys: Sequence[tuple[int, int]]) -> dict[tuple[int, int], Choices]:
    if not keys:
        return {}
    asked = ints(key[0] for key in keys), ints(key[1] for key in keys)
    c.execute(_ENSURE, asked)
    return {(shard, id): choices_of(state) for shard, id, state in c.execute(_LOCK, asked)}


def _write(c: Connection, rows: Sequence[tuple[int, int, Choices]]) -> None:
    if rows:
        shards, ids = ints(row[0] for row in rows), ints(row[1] for row in rows)
        c.execute(_WRITE, (shards, ids, texts([choices_text(row[2]) for row in rows])))
