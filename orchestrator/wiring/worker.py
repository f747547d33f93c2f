"""An installation as a worker process sees it: the same engine as `up`'s, opened once for each process."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from orchestrator.core.index import Index
from orchestrator.errors import UsageError
from orchestrator.runtime.clock import keep
from orchestrator.runtime.deployment import revive
from orchestrator.runtime.figures import FigureKeeper
from orchestrator.settings import Settings, read_settings
from orchestrator.stores.protocol import Store
from orchestrator.wiring.databases import Database, database_of, open_database
from orchestrator.wiring.engine import Running, assemble
from orchestrator.wiring.installation import real_now
from orchestrator.wiring.secret_key import secret_of
from orchestrator.wiring.tracing import start_tracing, stop_tracing

_opened: dict[int, Running] = {}
_keepers: dict[int, FigureKeeper] = {}
_lock = threading.Lock()


def running() -> Running:
    """The installation of this process, opened at the first call: a child that was forked opens its own.

    Raises UsageError where there is no database yet, or nothing is deployed in it.
    """
    with _lock:
        found = _opened.get(os.getpid())
        if found is None:
            _opened.clear()  # what a parent opened is not ours to use
            settings = read_settings()
            start_tracing(settings, "worker")
            found = _opened[os.getpid()] = _open(settings, settings.project)
            keeper = _keepers[os.getpid()] = FigureKeeper(found.engine.figures, found.store)
            keeper.start()
            found.alerts.start()
            found.bounces.start()
        return found


def shut() -> None:
    """Close this process's installation, if it was opened."""
    with _lock:
        found, keeper = _opened.pop(os.getpid(), None), _keepers.pop(os.getpid(), None)
    if found is not None:
        if keeper is not None:
            keeper.stop()
        found.alerts.stop()
        found.bounces.stop()
        stop_tracing()
        keep(found.store, found.engine.clock, real_now())
        found.close()


def _open(settings: Settings, project: Path) -> Running:
    database = database_of(settings, project)
    database.refuse_memory()
    store = open_database(database)
    try:
        return open_deployed(store, database, settings, project)
    except BaseException:
        store.close()
        raise


def open_deployed(store: Store, database: Database, settings: Settings, project: Path) -> Running:
    """What runs the project that is live in a store, as any number of processes do at once: nothing is deployed by it.

    Raises UsageError where nothing was deployed yet, or it cannot be compiled here.
    """
    revived = revive(store)
    if revived.live is None or revived.snapshot is None:
        raise UsageError(f"nothing is deployed in {database} yet; run `orchestrator deploy` first", "nothing_deployed")
    live = revived.live.require_valid()
    secret = secret_of(settings, database.path)
    made = assemble(store, revived, live, settings, project, secret=secret, base_url=settings.base_url)
    store.adopt(Index(live.project))
    made.watch(revived.snapshot.digest)
    return made
