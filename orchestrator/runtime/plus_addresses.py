"""Whether the project that is deployed keeps plus-addresses apart: see orchestrator.core.plus_addresses."""

from __future__ import annotations

from orchestrator.core.plus_addresses import keeps_apart
from orchestrator.errors import UsageError
from orchestrator.stores.protocol import Store


def kept_apart(store: Store) -> bool:
    """Whether they are, also in a process that has not adopted what is deployed. Where nothing is, they are together:
    what is put on the list then closes more, not less."""
    try:
        return keeps_apart(store.index.project.channels)
    except UsageError:
        from orchestrator.runtime.deployment import load_snapshot

        snapshots = store.snapshots()
        return bool(snapshots) and keeps_apart(load_snapshot(snapshots[-1]).project.channels)
