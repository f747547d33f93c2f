"""Classes over all customers, in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from orchestrator.core.rfm import Bounds, Buyer, Classes, RfmSpec, bounds_of, classes_of
from orchestrator.stores.instants import micros
from orchestrator.stores.memory_groups import MemoryGroups
from orchestrator.stores.memory_record import CustomerRecord
from orchestrator.stores.protocol_profiles import RfmChange, RfmRun

_NOWHERE = (0, 0)


class MemoryProfiles(MemoryGroups):
    """A part of the memory store, which has its records."""

    _records: dict[str, CustomerRecord]

    def __init__(self) -> None:
        super().__init__()
        self._rfm_runs: dict[str, RfmRun] = {}
        self._rfm_classes: dict[str, Classes] = {}

    def rfm_begin(self, occurrence: str, at: datetime, spec: RfmSpec) -> bool:
        """Work out the bounds."""
        if occurrence in self._rfm_runs:
            return False
        buyers = self._buyers(at, spec)
        bounds = bounds_of(list(buyers.values()), spec.classes) if buyers else Bounds()
        self._rfm_runs = {name: run._replace(next_shard=None) for name, run in self._rfm_runs.items()}
        self._rfm_runs[occurrence] = RfmRun(occurrence, at, len(buyers), spec.classes, bounds, 0)
        return True

    def rfm_next(self, spec: RfmSpec) -> tuple[RfmRun, Sequence[RfmChange]] | None:
        """All at once."""
        run = next((run for run in self._rfm_runs.values() if run.next_shard is not None), None)
        if run is None:
            return None
        found = {id: classes_of(buyer, run.bounds) for id, buyer in self._buyers(run.at, spec).items()}
        changes = [
            RfmChange(id, _NOWHERE, classes) for id, classes in found.items() if self._rfm_classes.get(id) != classes
        ]
        changes += [RfmChange(id, _NOWHERE, None) for id in self._rfm_classes if id not in found]
        return run, sorted(changes)

    def rfm_done(self, run: RfmRun, changes: Sequence[RfmChange]) -> None:
        """Note them."""
        self._rfm_runs[run.occurrence] = run._replace(next_shard=None)
        for change in changes:
            if change.classes is None:
                self._rfm_classes.pop(change.customer, None)
            else:
                self._rfm_classes[change.customer] = change.classes

    def rfm_last(self) -> RfmRun | None:
        """The latest run."""
        return max(self._rfm_runs.values(), key=lambda run: run.at, default=None)

    def rfm_sizes(self) -> Mapping[Classes, int]:
        """Customers by class, as far as they are still there."""
        return Counter(classes for id, classes in self._rfm_classes.items() if id in self._records)

    def _buyers(self, at: datetime, spec: RfmSpec) -> dict[str, Buyer]:
        found: dict[str, Buyer] = {}
        for id, record in self._records.items():
            events = [e for e in record.history.by_name.get(spec.event, ()) if at - spec.within < e.at <= at]
            if events:
                worth = 0.0
                for event in events:
                    worth += _number_at(event.properties, spec.path)
                found[id] = Buyer(micros(max(event.at for event in events)), len(events), round(worth, 4))
        return found


def _number_at(value: Any, path: tuple[str, ...]) -> int | float:
    """The number to which a path leads; what is none counts as nothing."""
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value if type(value) in (int, float) else 0
