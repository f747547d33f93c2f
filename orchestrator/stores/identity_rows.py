"""Who is who in the rows of a database: identifiers, links that wait, and what the rules say of them.

One text of SQL for both databases; `Run` puts in what differs.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from orchestrator.core.customer import Customer
from orchestrator.core.linking import Cause, IdentityRules, Standing, Verdict, verdict
from orchestrator.stores.erasures import Key, Run
from orchestrator.stores.instants import instant, micros
from orchestrator.stores.protocol_identity import DAY, OF_PEOPLE, Identifier, Link, Merge
from orchestrator.stores.records import customer_of
from orchestrator.stores.sealing import Sealer

_MINE: Final = "WHERE shard = ? AND customer = ?"
_BY_ID: Final = "SELECT c.external_id, c.shard, c.id FROM customers AS c WHERE c.external_id = ?"
_BY_NAME: Final = """
SELECT c.external_id, c.shard, c.id FROM identifiers AS i
JOIN customers AS c ON c.shard = i.shard AND c.id = i.customer WHERE i.kind = ? AND i.value = ?
"""
_BY_IDS: Final = "SELECT c.external_id, c.external_id FROM customers AS c WHERE c.external_id IN"
_BY_NAMES: Final = """
SELECT i.value, c.external_id FROM identifiers AS i
JOIN customers AS c ON c.shard = i.shard AND c.id = i.customer WHERE i.kind = ? AND i.value IN
"""
_TOGETHER: Final = 500
"""Values of one statement."""


class Person(NamedTuple):
    """A customer: the brand's id, and the place of the rows."""

    id: str
    key: Key


def find(run: Run, id: str) -> Person | None:
    """Whom an id means: who was created by it, or has it as an identifier."""
    row = run(_BY_ID, id).fetchone()
    if row is None:
        row = next((row for kind in OF_PEOPLE if (row := run(_BY_NAME, kind, id).fetchone()) is not None), None)
    return None if row is None else Person(row[0], (row[1], row[2]))


def owner_of(run: Run, sealer: Sealer, kind: str, value: str) -> Person | None:
    """Whose identifier it is."""
    if kind in OF_PEOPLE:
        return find(run, value)
    for mark in sealer.marks(value):
        row = run(_BY_NAME, kind, mark).fetchone()
        if row is not None:
            return Person(row[0], (row[1], row[2]))
    return None


def identifiers_of(run: Run, sealer: Sealer, key: Key) -> list[Identifier]:
    """All identifiers of a customer; whom messages went to is none."""
    rows = run(f"SELECT kind, value FROM identifiers {_MINE}", *key).fetchall()
    found = [
        Identifier(kind, value if kind in OF_PEOPLE else sealer.unmark(value))
        for kind, value in rows
        if not kind.startswith("to_")
    ]
    return sorted(found)


def profiles(run: Run, sealer: Sealer, after: str, limit: int) -> list[Customer]:
    """Customers in the order of their ids."""
    rows = run(
        "SELECT external_id, created_at, state FROM customers WHERE external_id > ? ORDER BY external_id LIMIT ?",
        after, limit,
    ).fetchall()  # fmt: skip
    return [customer_of(sealer, id, created_at, state, None) for id, created_at, state in rows]


def merges_of(run: Run, key: Key) -> list[Merge]:
    """Who became part of a customer."""
    rows = run(f"SELECT source, at, cause, actor FROM merges {_MINE} ORDER BY at DESC, source DESC", *key).fetchall()
    return [Merge(source, instant(at), cause, actor) for source, at, cause, actor in rows]


def unlinked(run: Run, sealer: Sealer, links: Sequence[Link]) -> list[Link]:
    """Links that say something new; a handful of statements, however many they are."""
    people = {link.customer for link in links} | {link.value for link in links if link.kind in OF_PEOPLE}
    own = _owners(run, _BY_IDS, sorted(people))
    named = {kind: _owners(run, _BY_NAMES, sorted(people - own.keys()), kind) for kind in OF_PEOPLE}

    def person(id: str) -> str | None:
        return own.get(id) or named[OF_PEOPLE[0]].get(id) or named[OF_PEOPLE[1]].get(id)

    for kind in {link.kind for link in links} - set(OF_PEOPLE):
        marks = {mark for link in links if link.kind == kind for mark in sealer.marks(link.value)}
        named[kind] = _owners(run, _BY_NAMES, sorted(marks), kind)
    found = []
    for link in links:
        if link.kind in OF_PEOPLE:
            owner = person(link.value)
        else:
            owner = next((whose for mark in sealer.marks(link.value) if (whose := named[link.kind].get(mark))), None)
        if owner is None or owner != person(link.customer):
            found.append(link)
    return found


def _owners(run: Run, sql: str, values: Sequence[str], *before: str) -> dict[str, str]:
    """Whose the values are, as far as they are somebody's, by external ids."""
    found: dict[str, str] = {}
    for first in range(0, len(values), _TOGETHER):
        some = values[first : first + _TOGETHER]
        found.update(run(f"{sql} ({', '.join('?' * len(some))})", *before, *some).fetchall())
    return found


def write_links(run: Run, sealer: Sealer, links: Sequence[Link]) -> None:
    """Links that wait, written with what said so."""
    for link in links:
        value = link.value if link.kind in OF_PEOPLE else sealer.mark(link.value)
        run("INSERT INTO links (kind, value, external_id, at) VALUES (?, ?, ?, ?)",
            link.kind, value, link.customer, micros(link.at))  # fmt: skip


def waiting_links(run: Run, sealer: Sealer, limit: int) -> list[Link]:
    """Links that wait, oldest first."""
    rows = run("SELECT kind, value, external_id, at, id FROM links ORDER BY id LIMIT ?", limit).fetchall()
    return [
        Link(kind, value if kind in OF_PEOPLE else sealer.unmark(value), customer, instant(at), id)
        for kind, value, customer, at, id in rows
    ]


def take_link(run: Run, link: Link) -> bool:
    """Whether it was still waiting; it waits no more."""
    return int(run("DELETE FROM links WHERE id = ?", link.id).rowcount) > 0


def decided(
    run: Run,
    rules: IdentityRules,
    kind: str,
    value: str,
    owner: Person | None,
    customer: Person,
    now: datetime,
    cause: Cause,
) -> Verdict:
    """What the rules say of an identifier."""
    standing = {person.id: _standing(run, person, now) for person in (owner, customer) if person is not None}
    theirs = None if owner is None else standing[owner.id]
    return verdict(cause, value, theirs, standing[customer.id], rules)


def _standing(run: Run, person: Person, now: datetime) -> Standing:
    kinds = dict(run(f"SELECT kind, count(*) FROM identifiers {_MINE} GROUP BY kind", *person.key).fetchall())
    [merges] = run(f"SELECT count(*) FROM merges {_MINE} AND at > ?", *person.key, micros(now) - DAY).fetchone()
    kinds = {kind: count for kind, count in kinds.items() if not kind.startswith("to_")}
    return Standing(person.id, "external" in kinds, kinds, merges)
