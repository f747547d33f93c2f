"""An installation as a worker process sees it: the same engine as `up`'s, opened once for each process."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from orchestrator.errors import UsageError
from orchestrator.runtime.clock import keep
from orchestrator.runtime.deployment import deploy, revive
from orchestrator.settings import Settings, read_settings
from orchestrator.wiring.databases import database_of, open_database
from orchestrator.wiring.engine import Running, assemble
from orchestrator.wiring.installation import real_now
from orchestrator.wiring.secret_key import secret_of

_opened: dict[int, Running] = {}
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
            found = _opened[os.getpid()] = _open(settings, settings.project)
        return found


def shut() -> None:
    """Close this process's installation, if it was opened."""
    with _lock:
        found = _opened.pop(os.getpid(), None)
    if found is not None:
        keep(found.store, found.engine.clock, real_now())
        found.close()


def _open(settings: Settings, project: Path) -> Running:
    database = database_of(settings, project)
    path = database.file
    store = open_database(database)
    try:
        revived = revive(store)
        if revived.live is None:
            raise UsageError(
                f"nothing is deployed in {database} yet; run `orchestrator deploy` before workers", "nothing_deployed"
            )
        made = assemble(
            store,
            revived,
            revived.live,
            settings,
            project,
            secret=secret_of(settings, path),
            base_url=settings.base_url,
        )
        deploy(store, revived.live, made.engine.now(), revived.snapshot, real_now())
        made.watch()
        return made
    except BaseException:
        store.close()
        raise
