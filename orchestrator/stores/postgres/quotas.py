"""Limits that all customers share, spread over slots: a turn locks as many slots as it may need, until its commit.

Where enough is left, turns lock different slots and do not wait for each other. Where too little is left for that, a
turn waits for those who hold the rest, so that nothing is refused while some is left, and nothing is given out twice.
What a turn held and did not take is free again when its transaction ends, however it ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from orchestrator.core.identity import stable_hash
from orchestrator.stores.postgres import arrays
from orchestrator.stores.postgres.database import Connection

MOST_SLOTS: Final = 16
A_SLOT: Final = 2_000
"""What a slot holds at least, when its limit is laid out: a turn then needs one or a few of them."""
BLOCK: Final = 10_000
"""Serial numbers that one session takes at once."""
_TOP: Final = -1
"""The slot that counts the serial numbers that were taken in blocks."""
_SCARCE: Final = stable_hash("orchestrator", "scarce") >> 1
READ: Final = "SELECT slot, remaining, bound FROM quotas WHERE name = %s ORDER BY slot"
_FREE: Final = """
SELECT slot, remaining, used, bound FROM quotas WHERE name = %s AND slot = ANY(%s::bigint[])
ORDER BY slot FOR UPDATE SKIP LOCKED
"""
_ALL: Final = "SELECT slot, remaining, used, bound FROM quotas WHERE name = %s AND slot >= 0 ORDER BY slot FOR UPDATE"
_WAIT: Final = "SELECT pg_advisory_xact_lock(%s)"
_DROP: Final = "DELETE FROM quotas WHERE name = %s"
_LAY: Final = """
INSERT INTO quotas (name, slot, remaining, used, bound)
SELECT %s, slot, remaining, used, %s FROM unnest(%s::bigint[], %s::float8[], %s::float8[]) AS j (slot, remaining, used)
"""
WRITE: Final = """
UPDATE quotas AS q SET remaining = j.remaining, used = j.used, bound = j.bound
FROM unnest(%s::text[], %s::bigint[], %s::float8[], %s::float8[], %s::float8[])
    AS j (name, slot, remaining, used, bound)
WHERE q.name = j.name AND q.slot = j.slot
"""
_GIVE_BACK: Final = """
UPDATE quotas SET remaining = remaining + %(by)s, used = used - %(by)s WHERE name = %(name)s AND slot = (
    SELECT slot FROM quotas WHERE name = %(name)s AND slot >= 0 ORDER BY remaining, slot LIMIT 1 FOR UPDATE)
"""
_SERIAL: Final = """
SELECT slot, remaining, used, bound FROM quotas WHERE name = %s AND slot >= 0 ORDER BY slot LIMIT 1
FOR UPDATE SKIP LOCKED
"""
_NEXT_BLOCK: Final = f"""
INSERT INTO quotas (name, slot, remaining, used, bound) VALUES (%(name)s, {_TOP}, 0, %(by)s, 0)
ON CONFLICT (name, slot) DO UPDATE SET used = quotas.used + excluded.used RETURNING used
"""
_NEW_SERIAL: Final = """
INSERT INTO quotas (name, slot, remaining, used, bound)
SELECT %(name)s::text, count(*), 0, %(next)s::float8, %(end)s::float8 FROM quotas
WHERE name = %(name)s::text AND slot >= 0 RETURNING slot
"""


@dataclass(slots=True)
class Slot:
    """A row that this transaction has locked. Of serial numbers, `used` is the next one and `bound` the block's end."""

    slot: int
    remaining: float
    used: float
    bound: float


def hold(c: Connection, name: str, limit: float, need: float, used_before: float) -> list[Slot]:
    """Lock slots of a limit until they hold `need`, or all that is left. Waits for other turns only where these hold
    what is left. `used_before`: what was taken before the limit was first laid out."""
    rows = c.execute(READ, (name,)).fetchall()
    if not rows or any(bound != limit for _, _, bound in rows):
        _lay_out(c, name, limit, used_before)
        rows = c.execute(READ, (name,)).fetchall()
    if sum(remaining for _, remaining, _ in rows) <= 0:
        return []
    full = [(slot, remaining) for slot, remaining, _ in rows if remaining > 0]
    begin = c.info.backend_pid % len(full)
    full = full[begin:] + full[:begin]
    c.execute("SAVEPOINT quota")
    held = _lock(c, name, _first(full, need))
    if _left(held) < need and len(held) < len(full):
        mine = {slot.slot for slot in held}
        held += _lock(c, name, [slot for slot, _ in full if slot not in mine])
        if _left(held) < need and len(held) < len(full):
            # Some is left, and others hold it: what is locked so far is let go, so that nobody waits for us meanwhile.
            c.execute("ROLLBACK TO quota")
            c.execute(_WAIT, (_SCARCE,))
            held = [Slot(*row) for row in c.execute(_ALL, (name,)).fetchall()]
    c.execute("RELEASE quota")
    return held


def hold_serials(c: Connection, name: str, need: int) -> Slot:
    """Lock a block of serial numbers with at least `need` of them left."""
    found = c.execute(_SERIAL, (name,)).fetchone()
    slot = Slot(*found) if found is not None else None
    if slot is not None and slot.bound - slot.used >= need:
        return slot
    block = max(BLOCK, 2 * need)
    row = c.execute(_NEXT_BLOCK, {"name": name, "by": float(block)}).fetchone()
    assert row is not None
    end = row[0]
    if slot is None:
        made = c.execute(_NEW_SERIAL, {"name": name, "next": end - block, "end": end}).fetchone()
        assert made is not None
        return Slot(made[0], 0.0, end - block, end)
    if slot.bound != end - block:  # somebody took the numbers behind it
        slot.used = end - block
    slot.bound = end
    return slot


def write(c: Connection, held: Mapping[str, Sequence[Slot]]) -> None:
    """Write what became of slots that this transaction has locked."""
    rows = [(name, s.slot, s.remaining, s.used, s.bound) for name, slots in sorted(held.items()) for s in slots]
    if rows:
        names, slots, *amounts = zip(*rows, strict=True)
        c.execute(WRITE, (arrays.texts(names), arrays.ints(slots), *map(_floats, amounts)))


def take(slots: Sequence[Slot], amount: float) -> None:
    """Take from slots one after the other. Raises ValueError when they hold less."""
    for place, slot in enumerate(slots):
        part = amount if place == len(slots) - 1 else min(amount, max(slot.remaining, 0.0))
        slot.remaining -= part
        slot.used += part
        amount -= part
    if amount or (slots and slots[-1].remaining < -1e-6):
        raise ValueError("more was taken of a shared limit than this turn held; it is decided in halves")


def give_back(c: Connection, name: str, amount: float) -> None:
    """Something is left again (a negative amount: was taken after all), where the limit was ever laid out."""
    c.execute(_GIVE_BACK, {"by": float(amount), "name": name})


def wait_for_scarce(c: Connection) -> None:
    """Those who wait for what others hold wait one after another."""
    c.execute(_WAIT, (_SCARCE,))


def _lock(c: Connection, name: str, slots: Sequence[int]) -> list[Slot]:
    found = [Slot(*row) for row in c.execute(_FREE, (name, arrays.ints(slots))).fetchall()]
    return [slot for slot in found if slot.remaining > 0]


def _first(full: Sequence[tuple[int, float]], need: float) -> list[int]:
    """So many slots as hold what is needed, as far as was read."""
    chosen, holding = [], 0.0
    for slot, remaining in full:
        chosen.append(slot)
        holding += remaining
        if holding >= need:
            break
    return chosen


def _left(held: Sequence[Slot]) -> float:
    return sum(slot.remaining for slot in held)


def _lay_out(c: Connection, name: str, limit: float, used_before: float) -> None:
    """Spread a limit that is new, or was changed, over slots. Who lays it out waits for all who hold some of it."""
    wait_for_scarce(c)
    known = [Slot(*row) for row in c.execute(_ALL, (name,)).fetchall()]
    if known and all(slot.bound == limit for slot in known):
        return  # somebody else did
    used = sum(slot.used for slot in known) if known else used_before
    left = limit - used
    count = max(1, min(MOST_SLOTS, int(left // A_SLOT)))
    share = left // count
    remaining = [left - share * (count - 1), *[share] * (count - 1)]
    c.execute(_DROP, (name,))
    places = arrays.ints(range(count))
    c.execute(_LAY, (name, float(limit), places, _floats(remaining), _floats([used, *[0.0] * (count - 1)])))


def _floats(values: Sequence[float]) -> str:
    return f"{{{','.join([repr(float(value)) for value in values])}}}"
