"""Deployments: a project's files as one snapshot that a database keeps, and the way back to what the engine runs.

An enrollment is pinned to the version of the journey's file that it entered. So the files of every deployment that
somebody is still in stay in the database, and a process that starts compiles them again.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Final

from orchestrator.core.index import Index
from orchestrator.definitions.load import LoadedProject, load_project
from orchestrator.definitions.project_walk import walk_project
from orchestrator.errors import UsageError
from orchestrator.runtime.rendering import LedgerRenderer
from orchestrator.runtime.sweep import start_schedules
from orchestrator.stores.protocol import Snapshot, Store

LARGEST_FILE: Final = 64 << 20
"""Bytes of one file of a snapshot."""
LARGEST_SNAPSHOT: Final = 256 << 20
"""Bytes of all files of a snapshot."""
DEPLOYED_MARK: Final = "deployed"
"""The real instant of the last deploy that brought anything new: by it other processes hear of it."""
_LEFT_OUT: Final = frozenset({"tests"})
"""Kinds of files that change nothing about what runs."""

log = logging.getLogger(__name__)


def snapshot_of(root: Path) -> Snapshot:
    """The files below journeys/ and templates/ that mean something to the engine, and the digest of all of them.

    Raises UsageError where there are too many bytes to keep.
    """
    files: dict[str, bytes] = {}
    left = LARGEST_SNAPSHOT
    for found in walk_project(root).files:
        if found.kind in _LEFT_OUT:
            continue
        with open(root / found.path, "rb") as file:
            content = file.read(LARGEST_FILE + 1)
        left -= len(content)
        if len(content) > LARGEST_FILE or left < 0:
            raise UsageError(
                f"{found.path} makes the project too large to deploy: at most {LARGEST_FILE >> 20} MB a file and "
                f"{LARGEST_SNAPSHOT >> 20} MB together; take large files out of templates/assets",
                "project_too_large",
            )
        files[found.path] = content
    return Snapshot(digest_of(files), files)


def digest_of(files: Mapping[str, bytes]) -> str:
    """The same 64 hex digits for the same paths and contents, wherever they lie."""
    digest = hashlib.sha256()
    for path, content in sorted(files.items()):
        name = path.encode("utf-8", "surrogateescape")
        digest.update(b"%d %d " % (len(name), len(content)))
        digest.update(name)
        digest.update(content)
    return digest.hexdigest()


def load_snapshot(snapshot: Snapshot) -> LoadedProject:
    """The project that a snapshot holds, compiled. Raises UsageError for paths that lead out of it."""
    with TemporaryDirectory(prefix="orchestrator-snapshot-") as name:
        root = Path(name)
        for path, content in snapshot.files.items():
            place = PurePosixPath(path)
            if place.is_absolute() or ".." in place.parts or place.parts[:1] not in (("journeys",), ("templates",)):
                raise UsageError(
                    f"the snapshot {snapshot.digest[:12]} holds the path {path!r}; it is damaged", "damaged"
                )
            target = root / place
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        return load_project(root)


@dataclass(frozen=True, slots=True)
class Revived:
    """What a database keeps: the projects of older deployments, oldest first, and the live one; None: not asked for, or
    there is none. `snapshot` is that of the live one.

    `broken` holds the digests of those that this version of the program cannot compile any more.
    """

    older: tuple[LoadedProject, ...] = ()
    live: LoadedProject | None = None
    snapshot: Snapshot | None = None
    broken: tuple[str, ...] = ()


def revive(store: Store, own: Snapshot | None = None) -> Revived:
    """Compile what the store keeps, and make the older versions known to it: before anything is deployed.

    `own`: what the caller is about to deploy, and has compiled itself; all else is older then. A snapshot that does
    not compile any more (the language changed) is told loudly; whoever is pinned to it stays where he is.
    """
    snapshots = list(store.snapshots())
    last = snapshots[-1] if snapshots else None
    olders = snapshots[:-1] if own is None else [snapshot for snapshot in snapshots if snapshot.digest != own.digest]
    older: list[LoadedProject] = []
    broken: list[str] = []
    for snapshot in olders:
        loaded = load_snapshot(snapshot)
        if not loaded.ok:
            broken.append(snapshot.digest)
            first = loaded.errors[0].headline()
            log.error("deployment %s cannot be compiled any more, who is in it waits: %s", snapshot.digest[:12], first)
        store.know(loaded.project.journeys.values())
        older.append(loaded)
    live = load_snapshot(last) if last is not None and own is None else None
    return Revived(tuple(older), live, last, tuple(broken))


def deploy(store: Store, loaded: LoadedProject, now: datetime, snapshot: Snapshot | None, real_at: datetime) -> bool:
    """Make a project live, and let its schedules count from now. Returns whether anything is new about it."""
    news = store.deploy(Index(loaded.project), now, snapshot)
    start_schedules(store, now)
    if news:
        store.mark(DEPLOYED_MARK, real_at)
    return news


class Watch:
    """Adopts what another process deploys into the same database: look `once` in a while."""

    def __init__(self, store: Store, adopted: Callable[[LoadedProject], None]) -> None:
        self._store = store
        self._adopted = adopted
        self._known_at = store.mark(DEPLOYED_MARK)

    def once(self, now: datetime) -> bool:
        """Whether there was a new deployment. What cannot be compiled here is told, and the old one goes on."""
        store = self._store
        deployed_at = store.mark(DEPLOYED_MARK)
        if deployed_at == self._known_at:
            return False
        self._known_at = deployed_at
        snapshot = store.snapshots()[-1]
        loaded = load_snapshot(snapshot)
        if not loaded.ok:
            first = loaded.errors[0].headline()
            log.error("deployment %s cannot be compiled here, the last one goes on: %s", snapshot.digest[:12], first)
            return False
        self._adopted(loaded)
        store.deploy(Index(loaded.project), now, snapshot)
        log.info("adopted deployment %s", snapshot.digest[:12])
        return True


def renderer_of(revived: Revived, live: LoadedProject, base_url: str, secret: bytes) -> LedgerRenderer:
    """A renderer for the live project that knows the templates of older ones, which queued messages may pin."""
    first, *rest = [*revived.older, live]
    renderer = LedgerRenderer(first.templates, first.project, base_url, secret)
    for loaded in rest:
        renderer.deploy(loaded.templates, loaded.project)
    return renderer


@dataclass(frozen=True, slots=True)
class JourneyChange:
    """What a deploy means for one journey. `versions`: of the live one and of the new one; None: not there.

    `running`: enrollments that go on in the version they entered.
    """

    journey: str
    what: str
    versions: tuple[str | None, str | None]
    running: int


def changes_between(live: LoadedProject | None, new: LoadedProject, running: Mapping[str, int]) -> list[JourneyChange]:
    """New, changed and removed journeys, in the order of their names; unchanged ones are left out."""
    before = live.project.journeys if live is not None else {}
    after = new.project.journeys
    found = []
    for name in sorted({*before, *after}):
        old = before[name].version if name in before else None
        now = after[name].version if name in after else None
        if old != now:
            what = "new" if old is None else "removed" if now is None else "changed"
            found.append(JourneyChange(name, what, (old, now), running.get(name, 0)))
    return found
