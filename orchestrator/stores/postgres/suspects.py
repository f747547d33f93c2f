"""What kills the process: every turn is written down before its decisions, and a row that is left over names suspects.

A turn's row names its shards, whose locks it holds until it removes the row: whoever holds one of these shards and
still finds the row knows that the process died. The suspects are taken apart in halves, shards first and the customers
of a shard then, each in a turn of its own, until the one is found who kills the process alone; after three times it is
parked. Turns of all other shards come in between.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from orchestrator.stores.postgres import timers
from orchestrator.stores.postgres.choosing import LITTLE, WORK, Chosen, choose, choose_among, claim_these
from orchestrator.stores.postgres.database import Connection, Database
from orchestrator.stores.postgres.inbox import internal_ids

DEATHS: Final = 3
"""Times that a customer may kill the process alone before it is parked."""
_MOST: Final = 10_000
"""Customers of one shard that are suspected together."""
_WAITING: Final = 0
"""`begun_at` of a turn that is written down and not begun yet."""
SEARCH: Final = f"""
SELECT {WORK},
    (SELECT json_agg(json_build_array(id, begun_at, customers, tries) ORDER BY id) FROM attempts)
"""
_STILL: Final = "SELECT id FROM attempts WHERE id = %s AND begun_at <> 0"
_INSERT: Final = "INSERT INTO attempts (begun_at, customers, tries) VALUES (%s, %s, %s) RETURNING id"
_BEGIN: Final = "UPDATE attempts SET begun_at = %s, tries = tries + 1 WHERE id = %s AND begun_at = 0 RETURNING id"
_WAIT: Final = "UPDATE attempts SET begun_at = 0 WHERE id = %s AND begun_at <> 0"
_OVER: Final = "DELETE FROM attempts WHERE id = %s"
_FOUND: Final = "DELETE FROM attempts WHERE id = %s AND begun_at <> 0 RETURNING id"


class Attempt(NamedTuple):
    """A turn that is written down. `customers`: only these (by external id) of its shards; None: whoever is due."""

    id: int
    begun: bool
    shards: tuple[int, ...]
    customers: tuple[str, ...] | None
    tries: int


class Found(NamedTuple):
    """What a search found: how many items wait (see WORK), whether a timer is due, and every turn that is written down:
    as many as there are processes, and those of suspects that are to be taken."""

    waiting: int
    due: bool
    attempts: Sequence[Attempt]

    @property
    def nothing(self) -> bool:
        """Whether there is nothing to claim."""
        return not self.waiting and not self.due and all(attempt.begun for attempt in self.attempts)


def search(c: Connection, now: int) -> Found:
    """Look for work, without a lock on anything: one look-up for each kind of it."""
    row = c.execute(SEARCH, {"little": LITTLE, "now": now}).fetchone()
    assert row is not None
    waiting, due, attempts = row
    return Found(
        waiting, due, [Attempt(id, at != _WAITING, *_names(text), tries) for id, at, text, tries in attempts or ()]
    )


def begin(db: Database, shards: Sequence[int], now: int, attempt: Attempt | None) -> int | None:
    """Write down, apart from the turn's transaction, that a turn begins: that of suspects, or another one.

    Returns its number, for `over`; None: somebody else began with these suspects.
    """
    with db.write(apart=True) as c:
        c.execute("SET LOCAL synchronous_commit = off")  # what a crash of the server loses, it kills as well
        if attempt is not None:
            found = c.execute(_BEGIN, (now or 1, attempt.id)).fetchone()
        else:
            found = c.execute(_INSERT, (now or 1, _text(shards, None), 1)).fetchone()
    return None if found is None else int(found[0])


def over(c: Connection, attempt: int) -> None:
    """A turn ended, whatever became of it, and its process is still there."""
    c.execute(_OVER, (attempt,))


def choose_suspects(
    c: Connection, attempts: Sequence[Attempt], now: int, budget: int
) -> tuple[Attempt, list[Chosen]] | None:
    """The first suspects who are due and whose shards are free, which are locked then. Those for whom nothing is due
    are suspects no more."""
    for attempt in attempts:
        if len(claim_these(c, attempt.shards)) < len(attempt.shards):
            continue
        if attempt.customers is None:
            chosen = choose(c, attempt.shards, now, budget)
        else:
            _, chosen = choose_among(c, now, budget, attempt.customers)
        if chosen:
            return attempt, chosen
        over(c, attempt.id)
    return None


def left_over(c: Connection, attempts: Sequence[Attempt], shards: Collection[int]) -> list[Attempt]:
    """Those that were begun on one of these shards, which are held now, and never ended."""
    held = set(shards)
    near = [attempt for attempt in attempts if attempt.begun and held & set(attempt.shards)]
    return [attempt for attempt in near if c.execute(_STILL, (attempt.id,)).fetchone() is not None]


def take_apart(c: Connection, attempt: Attempt, now: int) -> None:
    """Make two of a turn that never ended, or park the one whom it was about. Somebody else may have done so."""
    customers, shards = attempt.customers, attempt.shards
    if customers is not None and len(customers) == 1 and attempt.tries < DEATHS:
        c.execute(_WAIT, (attempt.id,))
        return
    if c.execute(_FOUND, (attempt.id,)).fetchone() is None:
        return
    if customers is None and len(shards) > 1:
        middle = len(shards) // 2
        for half in (shards[:middle], shards[middle:]):
            c.execute(_INSERT, (_WAITING, _text(half, None), 0))
        return
    if customers is None:
        customers = tuple(place.external_id for place in choose(c, shards, now, _MOST))
    elif len(customers) == 1:
        _park(c, customers[0], attempt.tries, now)
        return
    middle = (len(customers) + 1) // 2
    for some in (customers[:middle], customers[middle:]):
        if some:
            c.execute(_INSERT, (_WAITING, _text(shards, some), 0))


def _park(c: Connection, customer: str, deaths: int, now: int) -> None:
    key = internal_ids(c, [customer]).get(customer)
    if key is not None:
        timers.lock_shards(c, [key[0]])
        detail = f"the process ended {deaths} times while it decided for this customer alone"
        timers.park(c, [(key, "exception", detail, now)])
        timers.close_shards(c, [key[0]])


def _text(shards: Sequence[int], customers: Sequence[str] | None) -> str:
    return json.dumps([shards, customers])


def _names(text: str) -> tuple[tuple[int, ...], tuple[str, ...] | None]:
    shards, customers = json.loads(text)
    return tuple(shards), None if customers is None else tuple(customers)
