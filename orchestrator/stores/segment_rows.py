"""Who is in which segment, as rows: kept by turns, worked out by shards after a deploy, compared with what they repeat.

One text of SQL for both databases; what differs, the store's own mixin gives.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import datetime
from hashlib import blake2b
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from orchestrator.core.changes import CustomerChanges
from orchestrator.core.expression.expr import Expr
from orchestrator.core.expression.text import text_of
from orchestrator.core.index import Index
from orchestrator.core.membership import matches, memberships
from orchestrator.core.project import Project, Segment
from orchestrator.core.view import CustomerView, View
from orchestrator.errors import UsageError
from orchestrator.stores.erasures import Run
from orchestrator.stores.instants import instant, instant_or_none, micros
from orchestrator.stores.protocol_segments import (
    Member,
    Part,
    SegmentBuild,
    SegmentDifference,
    ShardCount,
)
from orchestrator.stores.records import segments_of
from orchestrator.stores.segment_sql.dialects import Dialect
from orchestrator.stores.segment_sql.query import Verdicts, conditions_of, verdicts
from orchestrator.stores.shards import SHARDS

EVALUATED_AT_ONCE: Final = 500
"""Customers that the evaluator decides together."""
AT_ONCE: Final = 50
"""Segments of one query: their verdicts are bits of a number."""

JOINED: Final = """
INSERT INTO segment_members (shard, customer, segment, since) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING
"""
LEFT: Final = "DELETE FROM segment_members WHERE shard = ? AND customer = ? AND segment = ?"
_EMPTIED: Final = "DELETE FROM segment_members WHERE segment = ? AND shard >= ? AND shard < ?"
USABLE: Final = "SELECT EXISTS (SELECT 1 FROM segment_builds WHERE segment = ? AND phase IN ('settling', 'done'))"

Key = tuple[int, int]
Row = tuple[int, int, str, int]
"""(shard, customer, segment, since)."""


class Moves(NamedTuple):
    """What a save changes: those who joined (with the instant, in microseconds), and those who left."""

    joined: list[Row]
    left: list[tuple[int, int, str]]


def note_moves(moves: Moves, key: Key, view: CustomerView, change: CustomerChanges) -> None:
    """A turn changed a customer's segments."""
    before, after = view.customer, change.customer
    assert after is not None
    lines, inbox = change.transitions, view.inbox
    at = micros(lines[-1].at if lines else inbox[-1].received_at if inbox else after.created_at)
    for name in sorted(after.segments - before.segments):
        moves.joined.append((*key, name, at))
    for name in sorted(before.segments - after.segments):
        moves.left.append((*key, name))


def digests(segments: Sequence[Segment]) -> dict[str, str]:
    """What each segment's membership depends on, as far as its file says; segments stand behind those they ask for."""
    found: dict[str, str] = {}
    for segment in segments:
        asked = [found.get(name, "") for name in sorted(segment.where.needs.segments)]
        text = "list" if getattr(segment, "listed", False) else text_of(segment.where.node)
        found[segment.name] = blake2b("\x1f".join([text, *asked]).encode(), digest_size=16).hexdigest()
    return found


def plan_builds(run: Run, project: Project, now: datetime) -> None:
    """In the transaction of a deploy: note which segments' rows have to be worked out, and which have to go."""
    known = {row[0]: row[1:] for row in run("SELECT segment, digest, phase FROM segment_builds").fetchall()}
    wanted = digests(project.segments)
    if not known and not wanted:
        return
    anybody = run("SELECT EXISTS (SELECT 1 FROM customers)").fetchone()[0] in (1, True)
    at = micros(now)
    for name in sorted(known.keys() - wanted.keys()):
        run("UPDATE segment_builds SET phase = 'gone', shard = 0 WHERE segment = ?", name)
    for name, digest in wanted.items():
        before = known.get(name)
        if before is not None and before[0] == digest and before[1] != "gone":
            continue
        phase, done = ("counting", None) if anybody else ("done", at)
        run(
            "INSERT INTO segment_builds (segment, digest, phase, shard, begun_at, done_at) VALUES (?, ?, ?, 0, ?, ?) "
            "ON CONFLICT (segment) DO UPDATE SET digest = excluded.digest, phase = excluded.phase, shard = 0, "
            "begun_at = excluded.begun_at, done_at = excluded.done_at",
            name, digest, phase, at, done,
        )  # fmt: skip


class SegmentRows:
    """The part of a database's store that knows segments by their members. What a database says in its own way stands
    at the end, to be given by its mixin."""

    db: Any
    salt: str
    _digested: tuple[Index, dict[str, str]] | None = None

    # --- looking ----------------------------------------------------------------------------------------------------

    def segment_builds(self) -> Sequence[SegmentBuild]:
        """How far the rows are."""
        with self.db.read() as c:
            found = self._run(c)(
                "SELECT segment, phase, shard, begun_at, done_at FROM segment_builds WHERE phase <> 'gone' "
                "ORDER BY segment"
            ).fetchall()
        return [
            SegmentBuild(segment, phase, SHARDS if phase == "done" else shard, instant(begun), instant_or_none(done))
            for segment, phase, shard, begun, done in found
        ]

    def segment_sizes(self) -> Mapping[str, int]:
        """How many are in each."""
        with self.db.read() as c:
            run = self._run(c)
            names = [segment.name for segment in self.index.project.segments]
            sql = "SELECT count(*) FROM segment_members WHERE segment = ?"
            return {name: int(run(sql, name).fetchone()[0]) for name in names}

    def segment_members(self, segment: str, after: str | None, limit: int) -> tuple[Sequence[Member], str | None]:
        """Members in the order of their shards and internal ids."""
        place = _place(after)
        with self.db.read() as c:
            rows = self._run(c)(
                "SELECT m.shard, m.customer, m.since, c.external_id FROM segment_members AS m "
                "JOIN customers AS c ON c.shard = m.shard AND c.id = m.customer "
                "WHERE m.segment = ? AND (m.shard, m.customer) > (?, ?) ORDER BY m.shard, m.customer LIMIT ?",
                segment, *place, limit + 1,
            ).fetchall()  # fmt: skip
        shown = rows[:limit]
        following = f"{shown[-1][0]}-{shown[-1][1]}" if len(rows) > limit and shown else None
        return [Member(external, instant(since)) for _, _, since, external in shown], following

    def count_matching(
        self, expr: Expr, index: Index, now: datetime, shards: Sequence[int], sample: int
    ) -> Sequence[ShardCount]:
        """The condition in SQL, and by the evaluator where that leaves a customer to it."""
        counts: list[ShardCount] = []
        with self.db.read() as c:
            run = self._run(c)
            customers = dict(
                run(
                    f"SELECT shard, count(*) FROM customers WHERE shard IN ({_listed(shards)}) GROUP BY shard"
                ).fetchall()
            )
            rows = self._decided_members(c, {"": expr}, index, now, f"c.shard IN ({_listed(shards)})")
        unsure = [(shard, id) for shard, id, _, left in rows if left]
        decided = self._evaluated_members(unsure, index, now, expr)
        hits: dict[int, list[Key]] = {shard: [] for shard in shards}
        failed = dict.fromkeys(shards, 0)
        evaluated = dict.fromkeys(shards, 0)
        for shard, id, hit, left in rows:
            holds: bool | None = bool(hit)
            if left:
                evaluated[shard] += 1
                holds = decided.get((shard, id))
                failed[shard] += holds is None
            if holds:
                hits[shard].append((shard, id))
        chosen = [key for shard in shards for key in sorted(hits[shard])[: max(1, sample)]][:sample]
        names = self._ids_of_members(chosen)
        for shard in shards:
            shown = tuple(names[key] for key in chosen if key[0] == shard and key in names)
            counts.append(
                ShardCount(
                    shard, int(customers.get(shard, 0)), len(hits[shard]), failed[shard], evaluated[shard], shown
                )
            )
        return counts

    def undecided_parts(self, expr: Expr, index: Index, now: datetime) -> Sequence[Part]:
        """What the compiler says."""
        with self.db.read() as c:
            compiled = self._verdicts(c, {"": expr}, index, now, "FALSE").compiled[0]
        return [Part(*part) for part in dict.fromkeys(compiled.parts)]

    def segment_differences(self, now: datetime, shards: Sequence[int]) -> tuple[int, Sequence[SegmentDifference]]:
        """Everybody of some shards, evaluated and compared."""
        index = self.index
        wanted = conditions_of(index.project.segments)
        found: list[SegmentDifference] = []
        checked = 0
        for shard in shards:
            with self.db.read() as c:
                run = self._run(c)
                stored = {
                    (shard, id): (external, frozenset(segments_of(state)), due)
                    for id, external, state, due in run(self._WHO, shard).fetchall()
                }
                listed = _rows_of(run, shard)
                waiting = {
                    (shard, id)
                    for (id,) in run("SELECT DISTINCT customer FROM inbox WHERE shard = ?", shard).fetchall()
                }
                sql: dict[Key, tuple[int, int]] = {}
                names = list(wanted)[:AT_ONCE]
                if names:
                    decided = self._decided_members(c, {n: wanted[n] for n in names}, index, now, f"c.shard = {shard}")
                    sql = {(s, id): (hit, left) for s, id, hit, left in decided}
            evaluated = self._memberships(list(stored), index, now)
            checked += len(stored)
            for key, (external, has, due) in sorted(stored.items(), key=lambda item: item[1][0]):
                pending = key in waiting or (due is not None and due <= micros(now))
                hit, left = sql.get(key, (0, 0))
                for segment in index.project.segments:
                    name = segment.name
                    one, two, three = name in evaluated[key], name in has, name in listed.get(key, ())
                    bit = 1 << names.index(name) if name in names else 0
                    said = None if not bit or left & bit else bool(hit & bit)
                    if not one == two == three or (said is not None and said != one):
                        found.append(SegmentDifference(external, name, one, two, three, said, pending))
        return checked, found

    # --- building ---------------------------------------------------------------------------------------------------

    def build_segments(self, now: datetime, shards: int = 32, width: int = 1) -> int:
        """The next shards of what has to be done first: rows to delete, to count, to compare."""
        with self.db.read() as c:
            run = self._run(c)
            found = run("SELECT segment, phase, shard, begun_at, digest FROM segment_builds WHERE phase <> 'done'")
            rows = [row[:4] for row in found.fetchall() if row[1] != "counting" or self._knows(row[0], row[4])]
            ready = _settled(run, self._PENDING_DEPLOYS, rows)
        for phase in ("gone", "counting", "settling"):
            mine = sorted((row for row in rows if row[1] == phase), key=itemgetter(2, 0))
            if not mine or (phase == "settling" and not ready):
                continue
            first = mine[0][2]
            builds = {row[0]: int(row[3]) for row in [row for row in mine if row[2] == first][:AT_ONCE]}
            last = min(first + shards, SHARDS)
            if phase == "gone":
                self._drop_members(builds, range(first, last), now)
            elif phase == "counting":
                self._count_members(builds, range(first, last), now, width)
            else:
                self._settle_members(builds, range(first, last), now)
            return int(last - first)
        return 0

    def _knows(self, name: str, digest: str) -> bool:
        """Whether the condition that is to be counted is the one of this process: one that has not heard of the deploy
        yet leaves it to the others."""
        if self._digested is None or self._digested[0] is not self.index:
            self._digested = (self.index, digests(self.index.project.segments))
        return self._digested[1].get(name) == digest

    def rebuild_segments(self, names: Collection[str], now: datetime) -> None:
        """From the first shard on."""
        with self.db.write() as c:
            run = self._run(c)
            for name in names:
                run(
                    "UPDATE segment_builds SET phase = 'counting', shard = 0, begun_at = ?, done_at = NULL "
                    "WHERE segment = ? AND phase <> 'gone'",
                    micros(now), name,
                )  # fmt: skip

    def _drop_members(self, builds: Mapping[str, int], shards: range, now: datetime) -> None:
        with self.db.write() as c:
            run = self._run(c)
            self._hold_shards(c, shards)
            for name in self._moved_on_members(run, builds, shards, "gone", "gone", now):
                run(_EMPTIED, name, shards.start, shards.stop)
                if shards.stop >= SHARDS:
                    run("DELETE FROM segment_builds WHERE segment = ? AND phase = 'gone'", name)

    def _count_members(self, builds: Mapping[str, int], shards: range, now: datetime, width: int) -> None:
        """Work out some segments for some shards, and write their rows. The looking holds up nobody: what turns change
        meanwhile, the settling puts right."""
        index = self.index
        known = [name for name in builds if name in index.segments]
        parts = _halves(shards, width)
        if len(parts) > 1:
            with ThreadPoolExecutor(len(parts)) as pool:
                counted = list(pool.map(lambda part: self._counted_members(known, part, index, now), parts))
        else:
            counted = [self._counted_members(known, part, index, now) for part in parts]
        with self.db.write() as c:
            run = self._run(c)
            self._hold_shards(c, shards)  # a turn that writes the same rows in another order would lock us both up
            moved = self._moved_on_members(run, builds, shards, "counting", "settling", now)
            for name in moved:
                run(_EMPTIED, name, shards.start, shards.stop)
            for rows in counted:
                self._put_members(c, [row for row in rows if row[2] in moved])

    def _counted_members(self, names: Sequence[str], shards: range, index: Index, now: datetime) -> list[Row]:
        """The members of some segments in some shards."""
        at = micros(now)
        wanted = {name: index.segments[name].where for name in names if not _is_list(index.segments[name])}
        lists = [name for name in names if _is_list(index.segments[name])]
        rows: list[Row] = []
        between = f"c.shard >= {shards.start} AND c.shard < {shards.stop}"
        with self.db.read() as c:
            decided = self._decided_members(c, wanted, index, now, between) if wanted else []
            if lists:
                for shard in shards:
                    for id, _, state, _ in self._run(c)(self._WHO, shard).fetchall():
                        has = segments_of(state)
                        rows += [(shard, id, name, at) for name in lists if name in has]
        columns = [(1 << n, name) for n, name in enumerate(wanted)]
        unsure = [(shard, id) for shard, id, _, left in decided if left]
        evaluated = self._memberships(unsure, index, now) if unsure else {}
        for shard, id, hit, left in decided:
            for bit, name in columns:
                if hit & bit or (left & bit and name in evaluated.get((shard, id), ())):
                    rows.append((shard, id, name, at))
        return rows

    def _settle_members(self, builds: Mapping[str, int], shards: range, now: datetime) -> None:
        """Compare the rows of some segments with what the customers' own records say, while no turn changes them."""
        at = micros(now)
        with self.db.write() as c:
            run = self._run(c)
            self._hold_shards(c, shards)
            wanted = self._moved_on_members(run, builds, shards, "settling", "done", now)
            for shard in shards:
                standing = {(*key, name) for key, held in _rows_of(run, shard).items() for name in held & wanted}
                true = {
                    (shard, id, name)
                    for id, _, state, _ in run(self._WHO, shard).fetchall()
                    for name in wanted.intersection(segments_of(state))
                }
                for row in sorted(standing - true):
                    run(LEFT, *row)
                self._put_members(c, [(*row, at) for row in sorted(true - standing)])

    def _moved_on_members(
        self, run: Run, builds: Mapping[str, int], shards: range, phase: str, following: str, now: datetime
    ) -> frozenset[str]:
        """Go on behind these shards with the builds that stand where they were read. Returns which: the rows of others
        are somebody else's by now (who was faster, or a deploy), and what was worked out for them is old."""
        over = shards.stop >= SHARDS
        return frozenset(
            name
            for name, begun in sorted(builds.items())
            if run(
                "UPDATE segment_builds SET phase = ?, shard = ?, done_at = ? "
                "WHERE segment = ? AND phase = ? AND shard = ? AND begun_at = ?",
                following if over else phase, 0 if over else shards.stop,
                micros(now) if over and following == "done" else None, name, phase, shards.start, begun,
            ).rowcount
        )  # fmt: skip

    # --- deciding ---------------------------------------------------------------------------------------------------

    def _verdicts(self, c: Any, wanted: Mapping[str, Expr], index: Index, now: datetime, shards: str) -> Verdicts:
        zones = [zone for (zone,) in self._run(c)(self._ZONES).fetchall()]
        sealed = self.db.sealer.seals or hasattr(self.db.sealer, "ids")
        return verdicts(wanted, index.project, self._dialect, now, zones, shards, sealed)

    def _decided_members(
        self, c: Any, wanted: Mapping[str, Expr], index: Index, now: datetime, shards: str
    ) -> list[tuple[int, int, int, int]]:
        """(shard, customer, bits of what holds, bits of what the evaluator decides), of those who have any. Where the
        database cannot work out a statement at all, the evaluator decides: a build comes to its end in any case."""
        try:
            return self._asked_members(c, self._verdicts(c, wanted, index, now, shards))
        except Exception as error:
            if not self._cannot_ask(error):
                raise
        if len(wanted) == 1:
            everybody = self._ask(c, f"SELECT c.shard, c.id FROM customers AS c WHERE {shards}")
            return [(shard, id, 0, 1) for shard, id in everybody]
        found: dict[Key, tuple[int, int]] = {}
        for n, (name, expr) in enumerate(wanted.items()):
            for shard, id, hit, left in self._decided_members(c, {name: expr}, index, now, shards):
                before = found.get((shard, id), (0, 0))
                found[shard, id] = (before[0] | hit << n, before[1] | left << n)
        return [(*key, *bits) for key, bits in found.items()]

    def _asked_members(self, c: Any, query: Verdicts) -> list[tuple[int, int, int, int]]:
        hit = " + ".join(f"CASE v{n} WHEN TRUE THEN {1 << n} ELSE 0 END" for n in range(len(query.names)))
        left = " + ".join(f"CASE WHEN v{n} IS NULL THEN {1 << n} ELSE 0 END" for n in range(len(query.names)))
        bound = "OFFSET 0" if self._dialect.name == "postgresql" else "LIMIT -1"
        bits = f"SELECT v.shard, v.id, {hit} AS hit, {left} AS undecided FROM ({query.sql} {bound}) AS v {bound}"
        sql = f"SELECT * FROM ({bits}) AS d WHERE hit <> 0 OR undecided <> 0"
        return self._ask(c, sql)

    def _evaluated_members(
        self, keys: Sequence[Key], index: Index, now: datetime, expr: Expr
    ) -> dict[Key, bool | None]:
        found: dict[Key, bool | None] = {}
        for some in _groups(keys):
            with self._view(some, index, now) as (view, places):
                decided = matches(view, expr, now)
            found.update((place, decided[external]) for external, place in places.items())
        return found

    def _memberships(self, keys: Sequence[Key], index: Index, now: datetime) -> dict[Key, frozenset[str]]:
        found: dict[Key, frozenset[str]] = {key: frozenset() for key in keys}
        for some in _groups(keys):
            with self._view(some, index, now) as (view, places):
                decided = memberships(view, now)
            found.update((place, decided[external]) for external, place in places.items())
        return found

    def _ids_of_members(self, keys: Sequence[Key]) -> dict[Key, str]:
        with self.db.read() as c:
            run = self._run(c)
            sql = "SELECT external_id FROM customers WHERE shard = ? AND id = ?"
            rows = {key: run(sql, *key).fetchone() for key in keys}
        return {key: str(row[0]) for key, row in rows.items() if row is not None}

    # --- what a database says in its own way ------------------------------------------------------------------------

    _WHO: str
    """(internal id, brand's id, state, when it is due next) of a shard's customers."""
    _ZONES: str
    """The zones that customers are in."""
    _PENDING_DEPLOYS: str
    """Whether a fan-out of this pattern is not over."""
    _dialect: Dialect
    _run: Callable[[Any], Run]

    if TYPE_CHECKING:

        @property
        def index(self) -> Index:
            """The definitions last deployed."""

    def _ask(self, c: Any, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a statement that is asked once."""
        raise NotImplementedError

    def _cannot_ask(self, error: Exception) -> bool:
        """Whether a statement is too much for the database, or stumbles over a value, however often it is asked."""
        raise NotImplementedError

    def _put_members(self, c: Any, rows: Sequence[Row]) -> None:
        """New rows; some may stand there already."""
        raise NotImplementedError

    def _hold_shards(self, c: Any, shards: range) -> None:
        """Wait until no turn is under way in these shards, and let none begin."""
        raise NotImplementedError

    def _view(
        self, keys: Sequence[Key], index: Index, now: datetime
    ) -> AbstractContextManager[tuple[View, Mapping[str, Key]]]:
        """What a turn would read of these customers, and their keys by their ids."""
        raise NotImplementedError


def _is_list(segment: Segment) -> bool:
    return bool(getattr(segment, "listed", False))


def _settled(run: Run, pending: str, rows: Sequence[tuple[Any, ...]]) -> bool:
    """Whether everybody has heard of the deploys that these are about."""
    latest = max((row[3] for row in rows if row[1] == "settling"), default=None)
    if latest is None:
        return False
    if run(pending, "deploy:%").fetchone()[0] in (
        1,
        True,
    ):
        return False
    waiting = run("SELECT EXISTS (SELECT 1 FROM inbox WHERE parked = 0 AND received_at <= ?)", latest).fetchone()[0]
    return waiting in (0, False)


def _rows_of(run: Run, shard: int) -> dict[Key, frozenset[str]]:
    rows = run(
        "SELECT customer, segment FROM segment_members WHERE shard = ? ORDER BY customer, segment", shard
    ).fetchall()
    return {
        (shard, customer): frozenset(segment for _, segment in group)
        for customer, group in groupby(rows, key=itemgetter(0))
    }


def _groups(keys: Sequence[Key]) -> list[Sequence[Key]]:
    return [keys[n : n + EVALUATED_AT_ONCE] for n in range(0, len(keys), EVALUATED_AT_ONCE)]


def _halves(shards: range, width: int) -> list[range]:
    each = -(-len(shards) // max(1, width))
    return [range(n, min(n + each, shards.stop)) for n in range(shards.start, shards.stop, each)]


def _listed(shards: Sequence[int]) -> str:
    return ", ".join(str(int(shard)) for shard in shards) or "-1"


def _place(after: str | None) -> Key:
    if after is None:
        return (-1, -1)
    shard, _, customer = after.partition("-")
    if not (shard.isdecimal() and customer.isdecimal()) or len(customer) > 18 or len(shard) > 5:
        raise UsageError(f"'{after[:40]}' is no place in a list of members; begin without one", "bad_cursor")
    return int(shard), int(customer)
