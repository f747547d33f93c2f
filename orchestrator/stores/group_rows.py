"""Groups of customers in a database: one text of SQL for both.

What is said of a group, and who is in it, is written in the transaction that takes the arrival; what the customer hears
is all that is known of the group then. The other members hear of it part by part, in the order of their keys: a part
and the place that it reached are written in one transaction. A group that changes while its members hear goes on with
its new traits, and begins once more at the end, so that there is never more than one walk of a group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from orchestrator.core.groups import document, merged_traits
from orchestrator.core.inbox import Grouped
from orchestrator.core.state import body_to_json, dumps, loads
from orchestrator.stores.arriving import Prepared
from orchestrator.stores.erasures import Run
from orchestrator.stores.instants import instant, micros
from orchestrator.stores.protocol_groups import Group, GroupMember
from orchestrator.stores.sealed_rows import GROUP
from orchestrator.stores.sealing import Sealer

Put = Callable[[Iterable[tuple[int, int, int, str]]], None]
"""Puts items into inboxes."""
FOR_UPDATE: Final = " FOR UPDATE"
"""What holds others off a row, where others may write at the same time."""
_LAST: Final = "\U0010ffff"
"""Behind whatever an id goes on with."""
_BEFORE_ALL: Final = (-1, -1)
_GROUP: Final = "id, traits, version, changed_at, telling IS NOT NULL"
_MAKE: Final = (
    "INSERT INTO groups (id, traits, version, changed_at, reached_shard, reached_customer) "
    "VALUES (?, ?, 0, ?, -1, -1) ON CONFLICT (id) DO NOTHING"
)
_KNOWN: Final = "SELECT traits, version, telling FROM groups WHERE id = ?"
_CHANGE: Final = "UPDATE groups SET traits = ?, version = ?, changed_at = ?, telling = ? WHERE id = ?"
_JOIN: Final = (
    "INSERT INTO group_members (shard, customer, group_id, joined_at) "
    "SELECT shard, id, ?, ? FROM customers WHERE shard = ? AND id = ? "
    "ON CONFLICT (shard, customer, group_id) DO UPDATE SET joined_at = excluded.joined_at"
)
_LEAVE: Final = "DELETE FROM group_members WHERE shard = ? AND customer = ? AND group_id = ?"
_THEIRS: Final = (
    "SELECT g.id, g.traits, g.version, g.changed_at, g.telling IS NOT NULL FROM group_members AS m "
    "JOIN groups AS g ON g.id = m.group_id WHERE m.shard = ? AND m.customer = ? "
    "ORDER BY m.joined_at DESC, m.group_id DESC"
)
_INBOX: Final = "SELECT count(*) FROM (SELECT 1 FROM inbox WHERE parked = 0 LIMIT ?) AS s"
_NEXT: Final = (
    "SELECT id, traits, version, changed_at, telling, reached_shard, reached_customer FROM groups "
    "WHERE telling IS NOT NULL ORDER BY changed_at, id LIMIT 1"
)
_WALKED: Final = "UPDATE groups SET telling = ?, reached_shard = ?, reached_customer = ? WHERE id = ?"
_WHO: Final = (
    "SELECT shard, customer FROM group_members WHERE group_id = ? AND (shard, customer) > (?, ?) "
    "ORDER BY shard, customer LIMIT ?"
)
_MEMBERS: Final = (
    "SELECT c.external_id, m.joined_at, m.shard, m.customer FROM group_members AS m "
    "JOIN customers AS c ON c.shard = m.shard AND c.id = m.customer "
    "WHERE m.group_id = ? AND (m.shard, m.customer) > (?, ?) ORDER BY m.shard, m.customer LIMIT ?"
)


class _Known:
    """A group while a transaction holds it."""

    def __init__(self, sealer: Sealer, id: str, traits: str, version: int, telling: int | None) -> None:
        self.id = id
        self.traits: dict[str, Any] = loads(sealer.open(f"{GROUP}:{id}", traits))
        self.version = version
        self.telling = telling
        self.changed_at: int | None = None

    def tell(self, told: Mapping[str, Any], at: int) -> None:
        """Take what somebody says of it. Of a group that is new no member has to hear yet."""
        after = merged_traits(self.traits, told)
        if self.version and after == self.traits:
            return
        if self.version and self.telling is None:
            self.telling = self.version + 1
        self.traits, self.version, self.changed_at = after, self.version + 1, at

    def write(self, run: Run, sealer: Sealer) -> None:
        """Keep what changed."""
        if self.changed_at is not None:
            text = sealer.seal(f"{GROUP}:{self.id}", dumps(self.traits))
            run(_CHANGE, text, self.version, self.changed_at, self.telling, self.id)


def _hold(run: Run, sealer: Sealer, told: Mapping[str, int], lock: str) -> dict[str, _Known]:
    """Groups (each with the instant at which it was told of), made where there are none; held in one order."""
    for id, at in sorted(told.items()):
        run(_MAKE, id, sealer.seal(f"{GROUP}:{id}", "{}"), at)
    return {id: _Known(sealer, id, *run(_KNOWN + lock, id).fetchone()) for id in sorted(told)}


def take_groups(
    run: Run, sealer: Sealer, arrivals: Sequence[Prepared], places: Mapping[str, Any], lock: str = ""
) -> list[Prepared]:
    """Write what arrivals say of groups. Returns the arrivals as their customers hear them."""
    told: dict[str, int] = {}
    for arrival in arrivals:
        if arrival.grouped is not None and arrival.grouped.what == "joined":
            told.setdefault(arrival.grouped.group, arrival.at)
    held = _hold(run, sealer, told, lock)
    heard = []
    for arrival in arrivals:
        said = arrival.grouped
        if said is None:
            heard.append(arrival)
            continue
        key = tuple(places[arrival.customer][:2])
        if said.what == "joined":
            group = held[said.group]
            group.tell(said.traits, arrival.at)
            run(_JOIN, group.id, arrival.at, *key)
            hears = Grouped(group.id, group.traits)
        else:
            run(_LEAVE, *key, said.group)
            left = run(f"{_THEIRS} LIMIT 1", *key).fetchone()
            hears = Grouped(said.group, _instead(sealer, held, left), "left")
        heard.append(arrival._replace(body=body_to_json(hears)))
    for group in held.values():
        group.write(run, sealer)
    return heard


def _instead(sealer: Sealer, held: Mapping[str, _Known], row: Any) -> Mapping[str, Any]:
    """The group that takes the place of one that somebody left."""
    if row is None:
        return {}
    known = held.get(row[0])
    return document(row[0], known.traits if known is not None else _group(sealer, row).traits)


def change_group(run: Run, sealer: Sealer, id: str, traits: Mapping[str, Any], now: datetime, lock: str = "") -> Group:
    """Tell more of a group."""
    held = _hold(run, sealer, {id: micros(now)}, lock)[id]
    held.tell(traits, micros(now))
    held.write(run, sealer)
    return _group(sealer, run(f"SELECT {_GROUP} FROM groups WHERE id = ?", id).fetchone())


def spread(run: Run, sealer: Sealer, put: Put, budget: int, lock: str = "") -> int:
    """The next parts of the groups that changed."""
    if run(_INBOX, budget).fetchone()[0] >= budget:
        return 0
    done = 0
    while done < budget:
        found = run(_NEXT + lock).fetchone()
        if found is None:
            break
        id, traits, version, at, telling, *reached = found
        room = budget - done
        members = run(_WHO, id, *reached, room).fetchall()
        body = body_to_json(Grouped(id, loads(sealer.open(f"{GROUP}:{id}", traits)), "changed"))
        put([(shard, customer, at, body) for shard, customer in members])
        if len(members) == room:
            following, place = telling, tuple(members[-1])
        else:
            following, place = (version if version > telling else None), _BEFORE_ALL
        run(_WALKED, following, *place, id)
        done += len(members) + 1
    return done


def next_at(run: Run) -> datetime | None:
    """When something of this is due."""
    [at] = run("SELECT min(changed_at) FROM groups WHERE telling IS NOT NULL").fetchone()
    return None if at is None else instant(int(at))


def groups(run: Run, sealer: Sealer, prefix: str, after: str, limit: int) -> list[Group]:
    """Groups in the order of their ids."""
    where = "WHERE id > ? AND id >= ? AND id < ?"
    rows = run(f"SELECT {_GROUP} FROM groups {where} ORDER BY id LIMIT ?", after, prefix, prefix + _LAST, limit)
    return [_group(sealer, row) for row in rows.fetchall()]


def group(run: Run, sealer: Sealer, id: str) -> Group | None:
    """A group."""
    row = run(f"SELECT {_GROUP} FROM groups WHERE id = ?", id).fetchone()
    return None if row is None else _group(sealer, row)


def size(run: Run, id: str) -> int:
    """How many are in it."""
    [count] = run("SELECT count(*) FROM group_members WHERE group_id = ?", id).fetchone()
    return int(count)


def members(run: Run, id: str, after: tuple[int, int] | str | None, limit: int) -> list[GroupMember]:
    """Members in the order of their keys."""
    place = _BEFORE_ALL if after is None or isinstance(after, str) else after
    rows = run(_MEMBERS, id, *place, limit).fetchall()
    return [GroupMember(customer, instant(at), (shard, key)) for customer, at, shard, key in rows]


def groups_of(run: Run, sealer: Sealer, key: tuple[int, int]) -> list[Group]:
    """The groups of a customer."""
    return [_group(sealer, row) for row in run(_THEIRS, *key).fetchall()]


def forget(run: Run, before: datetime, limit: int) -> int:
    """Drop groups that nobody is in, and that nobody told of since an instant. Returns how many."""
    rows = run(
        "SELECT id FROM groups WHERE changed_at < ? AND telling IS NULL "
        "AND NOT EXISTS (SELECT 1 FROM group_members AS m WHERE m.group_id = groups.id) LIMIT ?",
        micros(before), limit,
    ).fetchall()  # fmt: skip
    for (id,) in rows:
        run(
            "DELETE FROM groups WHERE id = ? AND changed_at < ? "
            "AND NOT EXISTS (SELECT 1 FROM group_members AS m WHERE m.group_id = groups.id)",
            id, micros(before),
        )  # fmt: skip
    return len(rows)


def _group(sealer: Sealer, row: Sequence[Any]) -> Group:
    id, traits, version, changed_at, telling = row
    opened: dict[str, Any] = loads(sealer.open(f"{GROUP}:{id}", traits))
    return Group(id, opened, version, instant(changed_at), bool(telling))
