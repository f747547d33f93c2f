"""Deployments: a project's files as one snapshot that a database keeps, and the way back to what the engine runs.

An enrollment is pinned to the version of the journey's file that it entered. So the files of every deployment that
somebody is still in stay in the database, and a process that starts compiles them again.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Final

from orchestrator.core.index import Index
from orchestrator.definitions.load import LoadedProject, load_project
from orchestrator.definitions.project_walk import walk_project
from orchestrator.errors import UsageError
from orchestrator.records import dataclass
from orchestrator.runtime.approval import strictest
from orchestrator.runtime.rendering import LedgerRenderer
from orchestrator.runtime.sweep import start_schedules
from orchestrator.stores.protocol import Snapshot, Store

LARGEST_FILE: Final = 64 << 20
"""Bytes of one file of a snapshot."""
LARGEST_SNAPSHOT: Final = 256 << 20
"""Bytes of all files of a snapshot."""
DEPLOYED_MARK: Final = "deployed"
"""The real instant of the last deploy that brought anything new."""
LEARN_EVERY: Final = 5.0
"""Seconds between two looks for deployments that nobody here has seen."""
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


def refuse_unapproved(store: Store, revived: Revived, loaded: LoadedProject, snapshot: Snapshot) -> None:
    """Where a project asks for approvals, nothing becomes live by a process that merely starts. Raises UsageError."""
    if store.deployed() == snapshot.digest:
        return
    last = revived.snapshot
    before = revived.older[-1:] if last is not None and last.digest != snapshot.digest else ()
    rule = strictest(each.project.settings.approval for each in (loaded, *before))
    if rule is not None:
        raise UsageError(
            f"these files are not what is deployed, and a deploy that reaches more than {rule.above:,} customers has "
            "to be approved (settings: approval): run `orchestrator deploy` first, then this again",
            "needs_approval",
        )


class Watch:
    """Adopts what another process deploys into the same database: look `once` in a while.

    `digest` is that of the files that this process runs already. `adopted` is told of a project that became live,
    `learned` of one that is not live and that somebody is still in.
    """

    def __init__(
        self,
        store: Store,
        adopted: Callable[[LoadedProject], None],
        digest: str | None = None,
        learned: Callable[[LoadedProject], None] = lambda loaded: None,
    ) -> None:
        self._store = store
        self._adopted = adopted
        self._learned = learned
        self._live = digest
        self._known: set[str] = set() if digest is None else {digest}
        self._read_at = -LEARN_EVERY
        self._lock = threading.Lock()
        self.broken: set[str] = set()
        """Digests of deployments that somebody is in and that this version of the program cannot compile."""

    def once(self, now: datetime) -> bool:
        """Whether there was a new deployment. What cannot be compiled here is told, and the old one goes on."""
        with self._lock:
            # The digest that the deploy itself wrote: a process may have died before it said anything more about it.
            if self._store.deployed() in (None, self._live, *self.broken):
                return False
            snapshots = self._store.snapshots()
            if not snapshots or snapshots[-1].digest == self._live:
                return False
            return self._adopt(snapshots[-1])

    def _adopt(self, snapshot: Snapshot) -> bool:
        loaded = load_snapshot(snapshot)
        if not loaded.ok:
            first = loaded.errors[0].headline()
            log.error("deployment %s cannot be compiled here, the last one goes on: %s", snapshot.digest[:12], first)
            self.broken.add(snapshot.digest)
            return False
        self._adopted(loaded)
        self._store.adopt(Index(loaded.project))
        self._live = snapshot.digest
        self._known.add(snapshot.digest)
        log.info("adopted deployment %s", snapshot.digest[:12])
        return True

    def is_current(self) -> bool:
        """Whether what runs here is what was deployed last."""
        return self._store.deployed() in (None, self._live)

    def catch_up(self) -> bool:
        """Adopt what was deployed last, if that is news. Whether it runs here now."""
        with self._lock:
            snapshots = self._store.snapshots()
            return not snapshots or snapshots[-1].digest == self._live or self._adopt(snapshots[-1])

    def learn(self, at_once: bool = False) -> bool:
        """Compile what the database keeps and this process has not seen: it was deployed and replaced while nobody
        here looked. Whether there was any. Looks every LEARN_EVERY seconds at most, unless it has to be now."""
        with self._lock:
            if not at_once and monotonic() - self._read_at < LEARN_EVERY:
                return False
            self._read_at = monotonic()
            news = False
            for snapshot in self._store.snapshots():
                if snapshot.digest not in self._known | self.broken:
                    news = self._learn(snapshot) or news
            return news

    def _learn(self, snapshot: Snapshot) -> bool:
        loaded = load_snapshot(snapshot)
        if not loaded.ok:
            first = loaded.errors[0].headline()
            log.error("deployment %s cannot be compiled, who is in it waits: %s", snapshot.digest[:12], first)
            self.broken.add(snapshot.digest)
            return False
        self._known.add(snapshot.digest)
        self._store.know(loaded.project.journeys.values())
        self._learned(loaded)
        return True


def renderer_of(revived: Revived, live: LoadedProject, base_url: str, secret: bytes) -> LedgerRenderer:
    """A renderer for the live project that knows the templates of older ones, which queued messages may pin."""
    first, *rest = [*revived.older, live]
    renderer = LedgerRenderer(first.templates, first.project, base_url, secret)
    for loaded in rest:
        renderer.deploy(loaded.templates, loaded.project)
    return renderer
