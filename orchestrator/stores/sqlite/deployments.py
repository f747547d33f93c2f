"""What was deployed: the files of projects, the versions of journeys, and which of them is live."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from orchestrator.core.inbox import Deployed
from orchestrator.core.index import Index
from orchestrator.core.program import Journey
from orchestrator.core.project import Project
from orchestrator.core.time.zone_in_force import zone_in_force
from orchestrator.stores.catalog_rows import seed
from orchestrator.stores.instants import micros
from orchestrator.stores.packing import packed, unpacked
from orchestrator.stores.protocol import LATE_ADOPTION, Snapshot
from orchestrator.stores.records import customer_of
from orchestrator.stores.sealing import sealer_of
from orchestrator.stores.segment_rows import plan_builds
from orchestrator.stores.sqlite.base import SqliteBase, run_on
from orchestrator.stores.sqlite.catalogs import many_on
from orchestrator.stores.sqlite.fanout import begin_fan_out
from orchestrator.stores.sqlite.switches import read_switches
from orchestrator.stores.switch_text import versions_before

_MICROSECOND: Final = timedelta(microseconds=1)
_LIVE: Final = "live"
"""The digest of the files that are live; empty: they were not kept."""
_ZONE: Final = "zone"
"""The zone of the project that is live, which is that of every customer without one."""
_GET: Final = "SELECT value FROM meta WHERE name = ?"
_SET: Final = "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
_KEEP: Final = "INSERT INTO deployments (digest, deployed_at, files) VALUES (?, ?, ?) RETURNING id"
_VERSION: Final = """
INSERT INTO versions (journey, version, deployment, first_at) VALUES (?, ?, ?, ?)
ON CONFLICT (journey, version) DO UPDATE SET deployment = excluded.deployment
"""
"""The latest deployment that holds a version: the fewer older ones must be compiled after a restart."""
_PINNED: Final = """
SELECT d.digest, d.files FROM deployments AS d
WHERE d.digest <> :live AND (
    d.id IN (
        SELECT v.deployment FROM versions AS v
        WHERE EXISTS (SELECT 1 FROM enrollments AS e INDEXED BY ix_enrollments_live
                      WHERE e.live = 1 AND e.journey = v.journey AND e.version = v.version))
    OR (SELECT min(n.deployed_at) FROM deployments AS n WHERE (n.deployed_at, n.id) > (d.deployed_at, d.id))
       >= (SELECT min(at) FROM outbox) - :late
    OR d.id IN (
        SELECT v.deployment FROM versions AS v
        WHERE v.journey || ' ' || v.version IN (SELECT value FROM json_each(:before))))
ORDER BY d.deployed_at, d.id
"""
"""Whose enrollments are running, whom customers enter beside a canary, and whose templates a message may pin that is
on its way: those that were live after the oldest one was decided, or shortly before, because processes hear of a deploy
a little later."""
_IN_ZONE: Final = "SELECT shard, id, external_id, state FROM customers INDEXED BY ix_customers_zone WHERE zone = ?"


class SqliteDeployments(SqliteBase):
    """Definitions that become live, and those that people are still on."""

    def deploy(self, index: Index, now: datetime, snapshot: Snapshot | None = None) -> bool:
        """Make definitions live; everyone hears of it, unless these files are live already."""
        journeys = index.project.journeys
        with self.db.write() as c:
            known = snapshot is not None and _value(c, _LIVE) == snapshot.digest
            met = {journey for (journey,) in c.execute("SELECT DISTINCT journey FROM versions")}
            fresh = frozenset(journeys) - met - {journey for journey, _ in self._versions}
            kept = _keep(c, snapshot, now) if snapshot is not None else 0
            c.executemany(_VERSION, [(j.id, j.version, kept, micros(now)) for j in journeys.values()])
            c.execute(_SET, (_LIVE, snapshot.digest if snapshot is not None else ""))
            _move_to_zone(c, index.project)
            seed(run_on(c), many_on(c), index.project, now)
            plan_builds(run_on(c), index.project, now)
            if not known:
                [number] = c.execute("SELECT coalesce(max(id), 0) + 1 FROM fanout").fetchone()
                begin_fan_out(c, f"deploy:{number}", Deployed(fresh), now, everyone=True)
        self.adopt(index)
        return not known

    def adopt(self, index: Index) -> None:
        """Decide by definitions that another process made live."""
        for journey in index.project.journeys.values():
            self._versions[journey.id, journey.version] = journey
        self._live = Index(index.project, self._versions.values())

    def snapshots(self) -> Sequence[Snapshot]:
        """The files of older deployments that someone is pinned to, then the live one."""
        with self.db.read() as c:
            live = _value(c, _LIVE) or ""
            before = json.dumps(versions_before(read_switches(c)))
            given = {"live": live, "late": LATE_ADOPTION // _MICROSECOND, "before": before}
            found = c.execute(_PINNED, given).fetchall()
            found += c.execute("SELECT digest, files FROM deployments WHERE digest = ?", (live,)).fetchall()
        return [Snapshot(digest, unpacked(files)) for digest, files in found]

    def deployed(self) -> str | None:
        """The digest of the live files."""
        with self.db.read() as c:
            return _value(c, _LIVE) or None

    def know(self, journeys: Iterable[Journey]) -> None:
        """Versions that are not live any more."""
        for journey in journeys:
            self._versions.setdefault((journey.id, journey.version), journey)


def _value(c: sqlite3.Connection, name: str) -> str | None:
    found = c.execute(_GET, (name,)).fetchone()
    return None if found is None else str(found[0])


def _keep(c: sqlite3.Connection, snapshot: Snapshot, now: datetime) -> int:
    known = c.execute("SELECT id FROM deployments WHERE digest = ?", (snapshot.digest,)).fetchone()
    if known is not None:  # the same files again: nothing to compress
        c.execute("UPDATE deployments SET deployed_at = ? WHERE id = ?", (micros(now), known[0]))
        return int(known[0])
    return int(c.execute(_KEEP, (snapshot.digest, micros(now), packed(snapshot.files))).fetchone()[0])


def _move_to_zone(c: sqlite3.Connection, project: Project) -> None:
    """Customers without a zone of their own are in the project's: they move with it."""
    zone, before = project.timezone.key, _value(c, _ZONE)
    if zone == before:
        return
    c.execute(_SET, (_ZONE, zone))
    if before is None:
        return
    moved = []
    for shard, id, external, state in c.execute(_IN_ZONE, (before,)):
        who = customer_of(sealer_of(c), external, 0, state, None)
        own = zone_in_force(None, who.timezone, who.phone, who.country, project.timezone).zone.key
        if own != before:
            moved.append((own, shard, id))
    c.executemany("UPDATE customers SET zone = ? WHERE shard = ? AND id = ?", moved)
