"""What `doctor` says of personal data at rest: whether it is sealed, and for how long it is kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from orchestrator.core.project import Project
from orchestrator.stores.protocol import Store
from orchestrator.stores.sealing import ROTATED, KeyRing
from orchestrator.wiring.checks_processes import Finding
from orchestrator.wiring.rotating import run_on, sealer_of_store

_KEPT = "SELECT value FROM meta WHERE name = ?"


def examine_sealing(store: Store) -> Iterator[Finding]:
    """Whether personal data is sealed, and by one key alone. Never a key."""
    ring = sealer_of_store(store)
    if not isinstance(ring, KeyRing):
        words = "personal data stands unsealed in the database: ORCHESTRATOR_DATA_KEYS is not set"
        yield Finding("sealing", "note", words, "set it, start all processes anew, and run `orchestrator db rotate`")
        return
    with store.db.read() as c:  # type: ignore[attr-defined]
        row = run_on(store)(c)(_KEPT, ROTATED).fetchone()
    last = row[0] if row is not None else None
    if not ring.seals:
        words = "personal data is not sealed any more: ORCHESTRATOR_DATA_KEYS begins with `plain`"
        hint = "run `orchestrator db rotate --plain`" if last is not None else "the setting may be removed"
        yield Finding("sealing", "note", words, hint)
    elif last != ring.sealing:
        words = f"'{ring.sealing}' seals what is new, and no rotation to it came to its end yet"
        yield Finding("sealing", "note", words, "run `orchestrator db rotate`")
    else:
        others = sorted(ring.ids - {ring.sealing})
        more = f"; also known: {', '.join(others)}" if others else ""
        yield Finding("sealing", "ok", f"personal data is sealed with the key '{ring.sealing}'{more}")


def examine_retention(project: Project) -> Iterator[Finding]:
    """How long each table keeps its rows."""
    kept, history = project.retention, project.settings.history
    words = [
        f"{name} {_days(length or history)}"
        for name, length in (("events", kept.events), ("journal", kept.journal), ("passages", kept.passages))
    ]
    words += [] if kept.messages is None else [f"messages {_days(kept.messages)}"]
    words += [] if kept.refused is None else [f"refused items {_days(kept.refused)}"]
    good = "messages and consents" if kept.messages is None else "consents"
    yield Finding("retention", "ok", f"kept are {', '.join(words)}; {good} for good")


def _days(length: timedelta) -> str:
    return f"{length / timedelta(days=1):.4g} days"
